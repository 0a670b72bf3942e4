/** A program is loaded when it is first run in a process: nothing of a lab may show whether it was. */
import { expect, test } from 'vitest'
import { runAsText } from './run-anywhere.ts'

const LAB = `---
title: Twice
lab:
  hosts:
    a: {}
---

\`\`\`console
a# (nc -l -p 5000 &)
a# (socat TCP-LISTEN:5001 - &)
a# date +%N
\`\`\`
`

test('the first run of a program in a process is as the second', async () => {
  const first = await runAsText(LAB, 'twice.md', 7)
  expect(await runAsText(LAB, 'twice.md', 7)).toBe(first)
})
