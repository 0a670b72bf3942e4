/**
 * For kills.test.ts: a process that writes to a store, says on its output what has been acknowledged, and is killed.
 * `node kills-child.ts FOLDER-OR-URL RUN`
 */
import { openStore } from './index.ts'

const [where = '', run = '0'] = process.argv.slice(2)
const store = await openStore(where.startsWith('postgres:') ? { url: where } : { folder: where })
const owner = (await store.people.list())[0] ?? (await store.people.createOwner('owner', 'Owner'))!
process.stdout.write('ready\n')
for (let i = 0; ; i++) {
  const url = `https://killed.example/${run}/${i}`
  if (i % 4 === 3) {
    const items = Array.from({ length: 20 }, (_, n) => ({
      url: `${url}/${n}`,
      title: `many ${n}`,
      tags: ['many', `t${n}`],
    }))
    await store.bookmarks.saveMany(owner.id, items, {})
    process.stdout.write(`many ${run} ${i}\n`)
  } else {
    await store.bookmarks.save(owner.id, { url }, { comment: `[kill][r${run}] 書いた ${i}`, title: `page ${i}` })
    process.stdout.write(`one ${run} ${i}\n`)
  }
}
