/** What -V says of an iputils program, as Debian 12 builds it. */
export function version(program: string): string {
  return `${program} from iputils 20221126\nlibcap: yes, IDN: yes, NLS: no, error.h: yes, getrandom(): yes, __fpending(): yes\n`
}
