/** A word to the reader about what was just done; said aloud too. */
export const toast = $state({ text: '', bad: false })

let timer: ReturnType<typeof setTimeout> | undefined

/** Shows it for some seconds. */
export function say(text: string, bad = false): void {
  toast.text = text
  toast.bad = bad
  clearTimeout(timer)
  timer = setTimeout(() => {
    toast.text = ''
  }, 4000)
}
