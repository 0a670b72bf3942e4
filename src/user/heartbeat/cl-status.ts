/** `cl_status`: what the master knows. heartbeat 3.0.6 tools/cl_status.c */

import { encodeLatin1 } from '#base/bytes'
import { NotModelled } from '#base/check'
import type { Body, Sys } from '#kernel/core'
import { Stdio } from '#user/libc'
import { syslogTime } from './log.ts'

const HELP = `Usage: cl_status <sub-command> [<options>] [<parameters>]

Sub-commands:
clientstatus <node-name> <client-id> [<timeout>]
	Show the status of heartbeat clients.
hblinkstatus <node-name> <link-name>
	Show the status of a heartbeat link
hbstatus
	Indicate if heartbeat is running on the local system.
	Options:
		-v	verbose: also add "listnodes -v" output
listnodes [<option>]
	List the nodes in the cluster.
	Options:
		-p	list only 'ping' type nodes
		-n	list only 'normal' type nodes
		-v	verbose: also list type and status,
			then add "listhblinks -v" output
listhblinks <node-name>
	List the network interfaces used as hearbeat links.
	Options:
		-v	verbose: list link status as well
nodestatus <node-name>
	List the node status.
nodeweight <node-name>
	List the node weight.
nodesite <node-name>
	List the node site.
nodetype <node-name>
	List the nodes of a given type.
rscstatus
	Show the status of cluster resources.
hbparameter -p <parameter-name>
	Retrieve the value of a cluster parameter.
	As for the valid parameter names, please refer to the man page.
`

/** Of 3.0.6-13: what `hbversion` says. */
export const HB_VERSION = '3.0.6 (node: 958e11be8686759f1b99204c17812f2c2633b169)'

const BAD_PARAMETER = 11
const UNKNOWN = 13

/** Sub-commands: the options they take. */
const COMMANDS: Record<string, string> = {
  hbstatus: 'mv',
  listnodes: 'mpnv',
  nodestatus: 'm',
  nodeweight: 'm',
  nodesite: 'm',
  nodetype: 'm',
  listhblinks: 'mv',
  hblinkstatus: 'm',
  clientstatus: 'm',
  rscstatus: 'm',
  hbparameter: 'mp:',
  test: '',
}

export function clStatus(sys: Sys, argv: string[]): Body<number> {
  const io = new Stdio(sys, 'cl_status')
  return io.run(new ClStatus(sys, io).main(argv))
}

class ClStatus {
  readonly #sys: Sys
  readonly #io: Stdio
  #fd = -1

  constructor(sys: Sys, io: Stdio) {
    this.#sys = sys
    this.#io = io
  }

  *main(argv: string[]): Body<number> {
    const command = argv[1]
    if (command === undefined || (argv.length === 2 && command === '-h')) {
      this.#io.print(HELP)
      return 0
    }
    if (!(command in COMMANDS)) {
      this.#error(`${command}: invalid sub-command.`)
      return BAD_PARAMETER
    }
    const signedOn = yield* this.#signOn()
    if (!signedOn && command !== 'hbstatus') {
      this.#error('Cannot signon with heartbeat')
      this.#error("REASON: hb_api_signon: Can't initiate connection to heartbeat")
      return 1
    }
    const parsed = this.#options(argv.slice(2), COMMANDS[command]!)
    if (!parsed) return BAD_PARAMETER
    return yield* this.#run(command, parsed.options, parsed.words, parsed.parameter, signedOn)
  }

  #error(text: string): void {
    const { s } = this.#sys.realtime()
    this.#io.error(`${syslogTime(s)} ${this.#sys.hostname} cl_status: [${this.#sys.pid}]: ERROR: ${text}\n`)
  }

  *#signOn(): Body<boolean> {
    const made = this.#sys.socket('AF_UNIX', 'SOCK_SEQPACKET', 0)
    if (!made.ok) return false
    const connected = yield* this.#sys.connect(made.value, { family: 'AF_UNIX', path: '/run/heartbeat/register' })
    if (!connected.ok) return false
    this.#fd = made.value
    return true
  }

  /** Undefined: there is no such thing. */
  *#ask(...words: string[]): Body<string | undefined> {
    const sent = yield* this.#sys.sendTo(this.#fd, encodeLatin1(words.join('\0')))
    if (!sent.ok) return undefined
    const got = yield* this.#sys.receive(this.#fd, 65_536)
    if (!got.ok) return undefined
    const text = String.fromCharCode(...got.value.bytes)
    return text.startsWith('+') ? text.slice(1) : undefined
  }

  #options(words: string[], takes: string): { options: Set<string>; words: string[]; parameter?: string } | undefined {
    const options = new Set<string>()
    const rest: string[] = []
    let parameter: string | undefined
    let plain = false
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!
      if (plain || !/^-./.test(word)) {
        rest.push(word)
        continue
      }
      if (word === '--') {
        plain = true
        continue
      }
      for (let at = 1; at < word.length; at++) {
        const letter = word[at]!
        const known = takes.indexOf(letter)
        if (letter === ':' || known < 0) {
          this.#io.error(`cl_status: invalid option -- '${letter}'\n`)
          if (takes === 'mv') continue
          this.#error(`Error: getopt returned${takes === 'm' ? 'character ' : 'character code '}?.`)
          return undefined
        }
        options.add(letter)
        if (takes[known + 1] !== ':') continue
        parameter = word.slice(at + 1) || words[++i]
        if (parameter === undefined) {
          this.#io.error(`cl_status: option requires an argument -- '${letter}'\n`)
          this.#error('Error: getopt returnedcharacter code ?.')
          return undefined
        }
        break
      }
    }
    return parameter === undefined ? { options, words: rest } : { options, words: rest, parameter }
  }

  *#run(
    command: string,
    options: Set<string>,
    words: string[],
    parameter: string | undefined,
    signedOn: boolean,
  ): Body<number> {
    const io = this.#io
    const human = options.has('m')
    const few = (least: number, text: string) => {
      if (words.length >= least) return false
      io.error(`${text}\n`)
      return true
    }
    const [node = '', more = ''] = words
    switch (command) {
      case 'hbstatus':
        return yield* this.#hbstatus(signedOn, options.has('v'), human)
      case 'listnodes':
        return yield* this.#listNodes(options, human)
      case 'nodestatus': {
        if (few(1, 'Not enough parameters.')) return BAD_PARAMETER
        const status = yield* this.#ask('nodestatus', node)
        if (status === undefined) return this.#badNode('Error. May be due to incorrect node name')
        io.print(human ? `The cluster node ${node} is ${status}\n` : `${status}\n`)
        return /^(active|up|ping)/.test(status) ? 0 : 1
      }
      case 'nodeweight': {
        if (few(1, 'Not enough parameters.')) return BAD_PARAMETER
        const weight = yield* this.#ask('nodeweight', node)
        if (weight === undefined) return this.#badNode('Error. Maybe due to incorrect node name.')
        io.print(human ? `The weight of the cluster node ${node} is ${weight}\n` : `${weight}\n`)
        return 0
      }
      case 'nodesite': {
        if (few(1, 'Not enough parameters.')) return BAD_PARAMETER
        const site = yield* this.#ask('nodesite', node)
        if (site === undefined) return this.#badNode('Error. May be due to incorrect node name')
        io.print(human ? `The site of the cluster node ${node} is ${site}\n` : `${site}\n`)
        return 0
      }
      case 'nodetype': {
        if (few(1, 'No enough parameter.')) return BAD_PARAMETER
        const type = yield* this.#ask('nodetype', node)
        if (type === undefined) return this.#badNode('Error. May be due to incorrect node name')
        io.print(human ? `The node ${node}'s type: ${type}\n` : `${type}\n`)
        return 0
      }
      case 'listhblinks':
        if (few(1, 'No enough parameter.')) return BAD_PARAMETER
        return yield* this.#listLinks(node, options.has('v'), human)
      case 'hblinkstatus': {
        if (few(2, 'No enough parameter.')) return BAD_PARAMETER
        const status = yield* this.#ask('ifstatus', node, more)
        if (status === undefined) {
          this.#error('Cannot get heartbeat link status')
          this.#error('REASON: ')
          return UNKNOWN
        }
        io.print(human ? `The node ${node}'s heartbeat link ${more} is ${status}\n` : `${status}\n`)
        return status.startsWith('up') ? 0 : 1
      }
      case 'clientstatus':
        if (few(2, 'No enough parameter.')) return BAD_PARAMETER
        throw new NotModelled('cl_status clientstatus: clients of heartbeat')
      case 'rscstatus': {
        const held = (yield* this.#ask('getrsc')) ?? ''
        io.print(human ? `This node is holding ${held} resources.\n` : `${held}\n`)
        return 0
      }
      case 'hbparameter': {
        if (parameter === undefined) {
          this.#error('parameter name required')
          return BAD_PARAMETER
        }
        const value = parameter === 'hbversion' ? HB_VERSION : yield* this.#ask('getparm', parameter)
        if (value === undefined) {
          this.#error(`Cannot get parameter ${parameter}'s value`)
          this.#error('REASON: ')
          return 1
        }
        io.print(human ? `Heartbeat parameter ${parameter}'s value: ${value}\n` : `${value}\n`)
        return 0
      }
      default:
        return yield* this.#test()
    }
  }

  #badNode(text: string): number {
    this.#io.error(`${text}\n`)
    return BAD_PARAMETER
  }

  *#hbstatus(signedOn: boolean, verbose: boolean, human: boolean): Body<number> {
    const io = this.#io
    if (!signedOn) {
      // It asks for the dead time, which nobody tells who isn't signed on: so it is said to be stopped even while it waits for the others.
      io.print('Heartbeat is stopped on this machine.\n')
      if (verbose) io.print("(hb_api_signon: Can't initiate connection to heartbeat)\n")
      return 1
    }
    if (!verbose) {
      io.print('Heartbeat is running on this machine.\n')
      return 0
    }
    if (human) io.print(`Heartbeat version ${HB_VERSION}\nResources controlled by "haresources"\n`)
    else io.print(`version:\t${HB_VERSION}\nmanaged by:\t"haresources"\n`)
    return yield* this.#listNodes(new Set(['v']), human)
  }

  *#listNodes(options: Set<string>, human: boolean): Body<number> {
    const io = this.#io
    const both = options.has('n') === options.has('p')
    if (human) io.print('The nodes are as follow:\n')
    const list = (yield* this.#ask('nodelist')) ?? ''
    for (const node of list.split('\n')) {
      const type = both && !options.has('v') ? '' : ((yield* this.#ask('nodetype', node)) ?? '')
      if (!both && type !== (options.has('n') ? 'normal' : 'ping')) continue
      if (!options.has('v')) {
        io.print(`${node}\n`)
        continue
      }
      io.print(`\n${node}\t${yield* this.#ask('nodestatus', node)}\t(nodetype: ${type})\n`)
      yield* this.#listLinks(node, true, human)
    }
    return 0
  }

  *#listLinks(node: string, verbose: boolean, human: boolean): Body<number> {
    const io = this.#io
    const links = yield* this.#ask('iflist', node)
    if (links === undefined) {
      this.#error('Cannot start heartbeat link interface walk.')
      this.#error('REASON: ')
      return UNKNOWN
    }
    if (human) io.print('\tthis node has the following heartbeat links:\n')
    for (const link of links.split('\n').filter((name) => name !== '')) {
      io.print(verbose ? `\t${link}\t${yield* this.#ask('ifstatus', node, link)}\n` : `\t${link}\n`)
    }
    return 0
  }

  *#test(): Body<number> {
    throw new NotModelled('cl_status test')
  }
}
