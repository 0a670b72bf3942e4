/** Archives as the kernel unpacks its initial RAM disk from them: cpio's "new" format. */

/** One entry; a directory has no content. */
export interface ArchiveEntry {
  /** Without a slash before it. */
  path: string
  content?: Uint8Array
  executable?: boolean
}

/** @see Linux 6.1 Documentation/driver-api/early-userspace/buffer-format.rst */
export function cpio(entries: ArchiveEntry[]): Buffer {
  const parts: Buffer[] = []
  const add = (path: string, mode: number, content: Uint8Array, inode: number) => {
    const name = Buffer.from(`${path}\0`)
    const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0]
    const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`
    parts.push(padded(Buffer.concat([Buffer.from(head), name])), padded(Buffer.from(content)))
  }
  entries.forEach(({ path, content, executable }, index) => {
    if (content === undefined) add(path, 0o040755, new Uint8Array(), index + 1)
    else add(path, executable ? 0o100755 : 0o100644, content, index + 1)
  })
  add('TRAILER!!!', 0, new Uint8Array(), 0)
  return Buffer.concat(parts)
}

/** Names and contents begin at multiples of four; a header of 110 bytes and its name are padded together. */
function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)])
}
