/** Scripts that the real bash and this one must run alike, output and status; the real one is asked if it is there. */
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { testHost } from './testing.ts'

/** Each is run by `bash -c` in an empty directory. What still differs is in README.md. */
const SCRIPTS = [
  'foo; echo $?',
  'x="a  b"; echo $x "$x" ${x}c ${#x}',
  'for i in {1..3} {a..c} x{1,2}y; do echo $i; done',
  'set -- a "b c" d; for i in "$@"; do echo "[$i]"; done; echo $# "$*" $*; shift; echo $1',
  'IFS=:; x=a:b::c; for i in $x; do echo "[$i]"; done; set -- 1 2 3; echo "$*"',
  'echo ${x:-d} ${x-e} ${x:=f} $x ${x:+g} ${y+h}; echo ${y?no such}; echo not reached',
  'x=/usr/local/bin.tar.gz; echo ${x##*/} ${x%.*} ${x%%.*} ${x#*/} ${x/l/L} ${x//l/L} ${x/#\\/usr/U} ${x/%gz/G} ${x:4:5} ${x: -3} ${x^^} ${x,,}',
  'a=(one "two three" four); echo ${a[1]} ${#a[@]} ${a[@]:1} "${!a[@]}"; a[5]=six; echo ${#a[@]} ${!a[@]}; a+=(x); echo ${a[-1]}; unset "a[0]"; echo ${a[@]}',
  'echo $((1+2*3)) $(( (1+2)*3 )) $((2**10)) $((7/2)) $((-7%3)) $((1<<4|1)) $((x=5,x++)) $x $((x>3?10:20)) $((0x1f+010+2#11)) $((!0&&1))',
  'echo $((1+)); echo after',
  'echo $((1/0)); echo after',
  'i=0; while ((i<3)); do ((i++)); [ $i = 2 ] && continue; echo $i; done; until [ $i -eq 0 ]; do i=$((i-1)); done; echo $i',
  'for ((i=0;i<3;i++)); do echo $i; done',
  'case abc in a) echo 1;; a*|b) echo 2;& c) echo 3;; *) echo 4;; esac; case x in [[:digit:]]) echo d;; [!a-w]) echo nota;; esac',
  'f() { local x=1; y=2; echo $x $1 $#; return 3; }; x=0; f a b; echo $? $x $y',
  'f() { echo $FUNCNAME; g; }; g() { echo ${FUNCNAME[@]}; }; f',
  'if [[ abc == a?c && ! x > y ]]; then echo yes; fi; [[ foo =~ ^(f)(o+)$ ]] && echo "${BASH_REMATCH[@]}"; [[ -z "" ]]; echo $?; [[ a < b || 3 -lt 2 ]]; echo $?',
  '[ 1 -eq 1 -a 2 -gt 1 ]; echo $?; [ a = b ]; echo $?; [ x -eq 1 ]; echo $?; [ 1 2; echo $?; test -n x; echo $?; [ a b ]; echo $?',
  'echo a | { read x; echo got $x; }; echo "1 2 3" | while read a b; do echo "$a,$b"; done; printf "a\\\\b c\\n" | { read x; echo "$x"; }; echo "q" | { read -r -d q x; echo "[$x]"; }',
  'cat() { while read -r l; do echo "$l"; done; }; x=v; cat <<E; cat <<"E"; cat <<-E\n$x $(echo sub) \\$x `echo bt`\nE\n$x\nE\n\ttab $x\n\tE',
  'cat() { while read -r l; do echo "$l"; done; }; cat <<< "here $((1+1))"',
  'echo out; echo err >&2; { echo a; echo b >&2; } 2>&1; echo x > f; echo y >> f; read z < f; echo $z; echo >/nope/x; echo $?',
  'true | false | true; echo ${PIPESTATUS[@]} $?; set -o pipefail; true | false | true; echo $?; ! true; echo $?',
  'false && echo a || echo b; true && echo c; (exit 7); echo $?; { false; } || echo d',
  '(x=1; echo in $x); echo out $x; x=$(echo "a b"; exit 5); echo $? $x; y=`echo hi`; echo $y',
  'set -e; echo a; false || true; if false; then :; fi; false; echo no',
  'set -x; x=1; echo "a b" $x',
  'trap "echo bye" EXIT; echo hi',
  'trap "echo got" USR1; kill -USR1 $$; echo after; trap; trap - USR1; trap',
  'f() { return 2; }; f || echo $?; type f >/dev/null && echo fn; type cd; type nosuch; command -v cd; echo $?',
  'printf "%s-%d|%5s|%-5s|%05d|%x|%c|%%\\n" a 3 b c 42 255 xyz; printf "%s\\n" 1 2 3; printf "%b" "a\\tb\\n"; printf "%q\\n" "a b"; printf "%.2f %e\\n" 3.14159 12345.678; printf "%d\\n" abc',
  'echo -n a; echo -e "b\\tc\\x41\\0101"; echo -E "a\\n"; echo "a\\n"; echo -- -n',
  'x=5; eval "y=\\$x; echo \\$y"; eval "echo )"; echo $?',
  'echo "$(echo "nested $(echo deep)")" \'single $x\' "double \\"q\\"" $\'ansi\\tc\'',
  'export E=1; echo ${E}; unset E; echo "[$E]"; declare -i n=3+4; echo $n; declare -p n; declare -r q=1; declare -p q; declare -u up=abc; echo $up',
  'getopts_test() { while getopts "ab:" o "$@"; do echo $o $OPTARG; done; echo $OPTIND; }; getopts_test -a -b x y',
  'cd /nope; echo $?; cd /; pwd; cd - >/dev/null; cd /usr/../etc; pwd; pushd /tmp; popd',
  'kill -0 $$; echo $?; kill 4000000; echo $?; kill -FOO $$; echo $?; kill -l 9; kill -l TERM',
  'shift 5; echo $?; return 1; echo $?; break; echo $?; exit 3',
  'let x=1+2 y=x*2; echo $x $y; let 0; echo $?; ((0)); echo $?',
  'mapfile -t a < <(printf "x\\ny\\n"); echo ${#a[@]} ${a[1]}; while read l; do echo "p $l"; done < <(echo a; echo b)',
  'x=abc; echo ${x:1} ${x:1:1} ${!x} ${x@Q} ${x^}; n=x; echo ${!n}; echo ${#n[@]}',
  'echo *; touch() { : > $1; }; touch a.c; touch b.c; touch .h; echo *.c *.x ?.c [ab].c .h*; set -f; echo *.c',
  'if',
  'echo )',
  'echo "abc',
  'a | | b',
  ';;',
  '& x',
  'foo bar (x)',
  'for 1 in a; do :; done',
  'echo >',
  'fi',
  'echo a\necho b\necho )\necho c',
  'exec foo; echo no',
  'exec 3>f; echo hi >&3; exec 3>&-; read x < f; echo $x; echo x >&9; echo $?',
  'wait 99999; echo $?; true & wait $!; echo $?; (exit 4) & wait $!; echo $?; wait; echo $?',
  'times >/dev/null; umask; umask 077; umask; hash -r; ulimit -n >/dev/null; alias x=y; alias; unalias x; alias x',
  'x=1 eval \'echo $x\'; echo "[$x]"; y=2 true; echo "[$y]"',
  'echo ${x?}; echo no',
  'echo ${x!y}',
  'function g { echo g$1; }; g 1; unset -f g; g',
  'a=1; b=$a$a; c="$b $b"; echo $c; d=(${c}); echo ${#d[@]}; e=$(( a + ${#d[@]} )); echo $e',
  'echo $BASH_VERSION; echo $0; echo ${BASH_VERSINFO[0]}',
]

const real = spawnSync('bash', ['-c', 'echo $BASH_VERSION'], { encoding: 'utf8' })
const there = real.status === 0 && real.stdout.startsWith('5.2.15')

/** Both print to one stream, in order. */
function runReal(script: string): { output: string; status: number | null } {
  const directory = spawnSync('mktemp', ['-d'], { encoding: 'utf8' }).stdout.trim()
  const done = spawnSync('bash', ['-c', 'exec 2>&1; exec bash -c "$1"', 'x', script], {
    encoding: 'utf8',
    cwd: directory,
    input: '',
    env: { PATH: '/usr/sbin:/usr/bin', HOME: '/root', TERM: 'xterm' },
    timeout: 20_000,
  })
  spawnSync('rm', ['-rf', directory])
  return { output: done.stdout.replaceAll(directory, '/work'), status: done.status }
}

test.skipIf(!there).each(SCRIPTS)('as bash: %s', async (script) => {
  const expected = runReal(script)
  const host = testHost()
  host.host.writeFile('/script', script)
  await host.run('cd /; : > /dev/null')
  const made = host.host.writeFile('/work/.keep', '')
  expect(made.ok).toBe(true)
  const got = await host.run('cd /work; S=$(< /script); env() { :; }; bash -c "$S" < /dev/null')
  const clean = (text: string) => text.replaceAll('.keep\n', '')
  expect({ output: clean(got.output), status: got.status }).toEqual(expected)
})
