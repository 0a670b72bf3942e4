/** `npm run bench -- WORKLOAD --key=value ...`: runs one workload and prints one line of JSON. */
const WORKLOADS: Record<string, () => Promise<(options: Record<string, string>) => Promise<object> | object>> = {
  sched: async () => (await import('./sched.ts')).sched,
  hops: async () => (await import('./hops.ts')).hops,
  lantcp: async () => (await import('./lantcp.ts')).lantcp,
  bulk: async () => (await import('./bulk.ts')).bulk,
  idle: async () => (await import('./idle.ts')).idle,
  hosts: async () => (await import('./hosts.ts')).hosts,
  explore: async () => (await import('./explore.ts')).exploreBench,
  library: async () => (await import('./library.ts')).libraryBench,
  start: async () => (await import('./start.ts')).startBench,
}

const HELP = `Usage: npm run bench -- WORKLOAD [--key=value]...
Measure the engine; one line of JSON a run, rates by CPU time.

  sched  --q=1000 --events=2000000 --dist=uniform|net --cancel=0|1
         the event queue: q events that put themselves back
  hops   --routers=10 --packets=200000 --size=64 --bytes=0|1|2 --model=0|1 --rules=0
         UDP across routers; bytes 1: every frame as bytes, 2: captured on every link;
         model: the routers track connections; rules: so many of iptables on each
  lantcp --hosts=10 --conns=5000
         short TCP connections through a router, on one switch
  bulk   --mbytes=200 --csum=0|1 --write=65160
         one TCP connection over 1 Gbit/s and 1 ms; 1: every frame as bytes, its checksum judged
  idle   --hosts=1000
         whole Linux hosts on one switch, ten seconds without work
  hops, lantcp, bulk --warm=0|1
         1: a small run before, for the compiler's sake, that isn't measured
  hosts  --hosts=100
         a whole lab of so many hosts: the memory of the process
  explore --seeds=200 --article=src/article/explore/golden/failover.md
         faults befall a failover lab of three hosts, thirty virtual seconds a seed
  library --entries=100000 --bookmarks=1000000 --store=postgresql,pglite --requests=400 --import=100000
         the reading room's pages, twenty requests at a time; a line for each store and page
  start  --runs=9 --article=src/backend/conformance/ip/ttl.md
         kaidoku run as a new process: ms to its first output`

const [name, ...words] = process.argv.slice(2)
const load = name !== undefined && Object.hasOwn(WORKLOADS, name) ? WORKLOADS[name] : undefined
if (!load || words.includes('--help')) {
  console.error(HELP)
  process.exit(name === '--help' || (load && words.includes('--help')) ? 0 : 2)
}
const options: Record<string, string> = {}
for (const word of words) {
  const match = /^--([a-z0-9]+)(?:=(.*))?$/.exec(word)
  if (!match) {
    console.error(`bench: '${word}' is no --key=value`)
    process.exit(2)
  }
  options[match[1]!] = match[2] ?? '1'
}
try {
  console.log(JSON.stringify({ bench: name, ...(await (await load())(options)) }))
} catch (error) {
  console.error(`bench: ${(error as Error).message}`)
  process.exitCode = 1
}

export {}
