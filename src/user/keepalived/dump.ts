/** What SIGUSR1 and SIGUSR2 have printed. keepalived 2.2.7 vrrp/vrrp_data.c: dump_vrrp(), vrrp/vrrp_print.c */
import type { CheckConfig } from './check-model.ts'
import type { Configuration } from './configuration.ts'
import type { SocketPair } from './vrrp-daemon.ts'

export function dumpData(_config: Configuration, _pairs: readonly SocketPair[], _line: (text: string) => void): void {}

export function dumpStats(_config: Configuration, _line: (text: string) => void): void {}

export function dumpChecks(
  _config: Configuration | undefined,
  _check: CheckConfig,
  _line: (text: string) => void,
): void {}
