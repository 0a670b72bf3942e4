/** virtual_server and what is in it. keepalived 2.2.7 check/check_parser.c */
import { type Configuration, notModelled } from './configuration.ts'
import type { Keyword } from './keywords.ts'

export function checkKeywords(config: Configuration, check: undefined): Keyword[] {
  const noticed = () => {
    config.global.haveChecker = true
  }
  const roots: [Keyword, () => void][] = [
    [{ ...notModelled('SSL'), sub: [] }, () => undefined],
    [notModelled('virtual_server_group'), () => undefined],
    [{ ...notModelled('virtual_server'), sub: [] }, noticed],
  ]
  return roots.map(([root, skipped]) => (check ? root : { ...root, skipped }))
}
