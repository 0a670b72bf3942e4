/** Tables of what a kind's data says: how each value is called on the command line, in text and in JSON. */
import { formatMac } from '#wire/link'
import { linkAddress } from '../prefix.ts'
import type { Session } from '../session.ts'
import { abbreviates, parseUnsigned, Refusal, type Words, wrongArgument } from '../words.ts'
import { type LinkData, unknownWord } from './type.ts'

export interface Field {
  /** Its name in JSON, and in the data. */
  key: string
  /** What stands before it in text; the key if absent. */
  word?: string
  /** How it is written. */
  as?: 'number' | 'string' | 'onoff' | 'timer' | 'hex' | 'mac' | 'device'
  /** Printed in JSON only, or in text only. */
  only?: 'json' | 'text'
}

const DIGITS = (value: number, width: number) => String(value).padStart(width, ' ')

/** Hundredths of a second, as a number with a point. */
export function timerText(hundredths: number): string {
  return `${Math.floor(hundredths / 100)}.${String(hundredths % 100).padStart(2, '0')}`
}

/** Prints what the data has of a table, in its order. */
export function showFields(session: Session, data: LinkData, fields: readonly Field[]): void {
  for (const field of fields) {
    const value = data[field.key]
    if (value !== undefined) showField(session, field, value)
  }
}

function showField(session: Session, field: Field, value: unknown): void {
  const { out } = session
  const word = field.word ?? field.key
  const both = (json: string | number | boolean, text: string) => {
    if (field.only === 'json') out.json(field.key, json)
    else if (field.only === 'text') out.text(`${word} ${text} `)
    else out.field(field.key, json, `${word} ${text} `)
  }
  switch (field.as) {
    case 'onoff':
      both(value === true || value === 1, value ? 'on' : 'off')
      break
    case 'timer': {
      const [whole, rest] = timerText(Number(value)).split('.') as [string, string]
      if (field.only !== 'text') out.decimal(field.key, `${whole}.${rest}`)
      if (field.only !== 'json') out.text(`${word} ${DIGITS(Number(whole), 4)}.${rest} `)
      break
    }
    case 'hex': {
      const number = Number(value)
      const text = number === 0 ? '0' : `0x${number.toString(16)}`
      both(text, text)
      break
    }
    case 'mac':
      both(formatMac(Number(value)), formatMac(Number(value)))
      break
    case 'device':
      both(session.deviceName(Number(value)), session.deviceName(Number(value)))
      break
    case 'string':
      both(String(value), String(value))
      break
    default:
      both(Number(value), String(value))
  }
}

/** A word of the command line: what it sets, and what may follow it. */
export interface Option {
  word: string
  /** Its name in the data; the word if absent. */
  key?: string
  /** The largest number; 'onoff', 'mac', or 'flag' for a word without a value. */
  max?: number
  as?: 'onoff' | 'mac' | 'flag'
  /** What is said of a wrong value; `invalid WORD` if absent. */
  wrong?: string
}

/** `on` or `off`. iproute2 6.1 lib/utils.c: parse_on_off() */
export function onOff(word: string, value: string): boolean {
  if (value === 'on') return true
  if (value === 'off') return false
  throw new Refusal(`Error: argument of "${word}" must be "on" or "off", not "${value}"\n`, 1)
}

/** Reads words by a table: the first that a word abbreviates is meant. */
export function parseOptions(words: Words, kind: string, options: readonly Option[], help: string): LinkData {
  const data: LinkData = {}
  for (; words.more; words.advance()) {
    const option = options.find(({ word }) => abbreviates(words.current, word))
    if (option === undefined) {
      if (abbreviates(words.current, 'help')) throw new Refusal(help, 1)
      throw unknownWord(kind, words.current, help)
    }
    data[option.key ?? option.word] = optionValue(option, words)
  }
  return data
}

/** The value of a word. */
export function optionValue(option: Option, words: Words): unknown {
  if (option.as === 'flag') return true
  const text = words.value()
  if (option.as === 'onoff') return onOff(option.word, text)
  if (option.as === 'mac') return linkAddress(text).reduce((mac, byte) => mac * 256 + byte, 0)
  const value = parseUnsigned(text, option.max ?? 0xffffffff)
  if (value === undefined) throw wrongArgument(text, option.wrong ?? `invalid ${option.word}`)
  return value
}
