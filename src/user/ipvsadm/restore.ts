/** Rules in a file, one command line each, for -R. */

const BLANKS = /[ \t\r]/

/**
 * The words of each line that has any, without the tool's own name. At the end of a file without a newline, blanks behind the last
 * word take its line with them. config_stream.c: config_stream_read()
 */
export function readRules(text: string): string[][] {
  const lines: string[][] = []
  const ended = text.split('\n')
  const last = ended.pop()!
  for (const line of [...ended, lostAtEnd(last) ? '' : last]) {
    const words = line.split(BLANKS).filter((word) => word !== '' && word !== 'ipvsadm')
    if (words.length > 0) lines.push(words)
  }
  return lines
}

/** One blank behind a word is read with it; looking for what follows a second one meets the end. */
function lostAtEnd(line: string): boolean {
  return line.length >= 2 && BLANKS.test(line.at(-1)!) && BLANKS.test(line.at(-2)!)
}
