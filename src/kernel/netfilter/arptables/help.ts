/** What `arptables -h` prints. */
import { familyHelp } from '../iptables/help.ts'

const OPTIONS = `Options:
[!] --source-ip	-s address[/mask]
				source specification
[!] --destination-ip -d address[/mask]
				destination specification
[!] --source-mac address[/mask]
[!] --destination-mac address[/mask]
    --h-length   -l   length[/mask] hardware length (nr of bytes)
    --opcode code[/mask] operation code (2 bytes)
    --h-type   type[/mask]  hardware type (2 bytes, hexadecimal)
    --proto-type   type[/mask]  protocol type (2 bytes)
[!] --in-interface -i input name[+]
				network interface name ([+] for wildcard)
 --jump	-j target
				target for rule (may load target extension)
  --match	-m match
				extended match (may load extension)
  --numeric	-n		numeric output of addresses and ports
[!] --out-interface -o output name[+]
				network interface name ([+] for wildcard)
  --table	-t table	table to manipulate (default: \`filter')
  --verbose	-v		verbose mode
  --wait	-w [seconds]	maximum wait to acquire xtables lock before give up
  --line-numbers		print line numbers when listing
  --exact	-x		expand numbers (display exact values)
  --modprobe=<command>		try to insert modules using this command
  --set-counters -c PKTS BYTES	set the counter during insert/append
[!] --version	-V		print package version.
 opcode strings: 
 1 = Request
 2 = Reply
 3 = Request_Reverse
 4 = Reply_Reverse
 5 = DRARP_Request
 6 = DRARP_Reply
 7 = DRARP_Error
 8 = InARP_Request
 9 = ARP_NAK
 hardware type string: 1 = Ethernet
 protocol type string: 0x800 = IPv4

MARK target options:
  --set-xmark value[/mask]  Clear bits in mask and XOR value into nfmark
  --set-mark value[/mask]   Clear bits in mask and OR value into nfmark
  --and-mark bits           Binary AND the nfmark with bits
  --or-mark bits            Binary OR the nfmark with bits
  --xor-mark bits           Binary XOR the nfmark with bits

CLASSIFY target options:
--set-class MAJOR:MINOR    Set skb->priority value (always hexadecimal!)

mangle target options:
--mangle-ip-s IP address
--mangle-ip-d IP address
--mangle-mac-s MAC address
--mangle-mac-d MAC address
--mangle-target target (DROP, CONTINUE or ACCEPT -- default is ACCEPT)

standard match options:
(If target is DROP, ACCEPT, RETURN or nothing)
`

export const HELP = familyHelp('arptables', '1.8.9 (nf_tables)', OPTIONS)
