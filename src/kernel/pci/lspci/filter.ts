/** Which functions a command means: `-s [[[DOMAIN]:]BUS]:][SLOT][.[FUNC]]`, `-d [VENDOR]:[DEVICE][:CLASS[:IF]]`. */

/** What is wanted of each; what is absent may be anything. */
export interface PciFilter {
  domain?: number
  bus?: number
  slot?: number
  func?: number
  vendor?: number
  device?: number
  class?: { value: number; mask: number }
  progIf?: number
}

export interface Filtered {
  domain: number
  bus: number
  device: number
  func: number
  ids: { vendor: number; device: number; class: number; progIf: number }
}

/** Hexadecimal digits (with `x` for any, where that may be) up to a limit; undefined if nothing is asked. */
function number(text: string | undefined, max: number, wild = false): { value: number; mask: number } | 'any' | 'bad' {
  if (text === undefined || text === '' || text === '*') return 'any'
  let value = 0
  let mask = wild ? 0xffff : -1
  let bound = 0
  for (const letter of text) {
    const any = wild && /x/i.test(letter)
    if (!any && !/[0-9a-f]/i.test(letter)) return 'bad'
    const digit = any ? 0 : Number.parseInt(letter, 16)
    value = value * 16 + digit
    bound = bound * 16 + (any ? 1 : digit)
    mask = any ? (mask << 4) & 0xffff : ((mask << 4) | 15) & 0xffff
    if (bound > max) return 'bad'
  }
  return { value, mask }
}

type Place = [text: string | undefined, max: number, complaint: string, put: (value: number, mask: number) => void]

function read(places: Place[]): string | undefined {
  for (const [text, max, complaint, put] of places) {
    const got = number(text, max, complaint === 'Invalid class code')
    if (got === 'bad') return complaint
    if (got !== 'any') put(got.value, got.mask)
  }
  return undefined
}

/** Adds what a slot expression says; gives the complaint if it says nothing sensible. */
export function parseSlotFilter(filter: PciFilter, text: string): string | undefined {
  if (text.length >= 64) return 'Expression too long'
  const fields = text.split(':')
  if (fields.length > 3) return 'Too many fields'
  const last = fields.pop()!
  const bus = fields.pop()
  const domain = fields.pop()
  const wrong = read([
    [domain, 0x7fffffff, 'Invalid domain number', (value) => (filter.domain = value)],
    [bus, 0xff, 'Invalid bus number', (value) => (filter.bus = value)],
  ])
  if (wrong || last === '' || last === '*') return wrong
  const parts = last.split('.')
  if (parts.length > 2) return 'Invalid slot/function number'
  return read([
    [parts[0], 0x1f, 'Invalid slot number', (value) => (filter.slot = value)],
    [parts[1], 7, 'Invalid function number', (value) => (filter.func = value)],
  ])
}

/** Adds what an expression of IDs says. */
export function parseIdFilter(filter: PciFilter, text: string): string | undefined {
  if (text.length >= 64) return 'Expression too long'
  const fields = text.split(':')
  if (fields.length > 4) return 'Too many fields'
  if (fields.length < 2) return 'At least two fields must be given'
  return read([
    [fields[0], 0xffff, 'Invalid vendor ID', (value) => (filter.vendor = value)],
    [fields[1], 0xffff, 'Invalid device ID', (value) => (filter.device = value)],
    [fields[2], 0xffff, 'Invalid class code', (value, mask) => (filter.class = { value, mask })],
    [fields[3], 0xff, 'Invalid programming interface code', (value) => (filter.progIf = value)],
  ])
}

export function passes(filter: PciFilter, f: Filtered): boolean {
  const is = (wanted: number | undefined, have: number) => wanted === undefined || wanted === have
  return (
    is(filter.domain, f.domain) &&
    is(filter.bus, f.bus) &&
    is(filter.slot, f.device) &&
    is(filter.func, f.func) &&
    is(filter.vendor, f.ids.vendor) &&
    is(filter.device, f.ids.device) &&
    (filter.class === undefined || ((filter.class.value ^ f.ids.class) & filter.class.mask) === 0) &&
    is(filter.progIf, f.ids.progIf)
  )
}
