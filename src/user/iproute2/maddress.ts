/** `ip maddress`: groups as /proc tells them. iproute2 6.1 ip/ipmaddr.c */
import { NotModelled } from '#base/check'
import type { Session } from './session.ts'
import type { Words } from './words.ts'

export function showMulticast(_session: Session, _words: Words): number {
  throw new NotModelled('ip maddress')
}
