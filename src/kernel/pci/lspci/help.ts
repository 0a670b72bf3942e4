/** What lspci 3.9.0 of Debian 12 prints of itself. */

export const HELP = `Usage: lspci [<switches>]

Basic display modes:
-mm		Produce machine-readable output (single -m for an obsolete format)
-t		Show bus tree

Display options:
-v		Be verbose (-vv or -vvv for higher verbosity)
-k		Show kernel drivers handling each device
-x		Show hex-dump of the standard part of the config space
-xxx		Show hex-dump of the whole config space (dangerous; root only)
-xxxx		Show hex-dump of the 4096-byte extended config space (root only)
-b		Bus-centric view (addresses and IRQ's as seen by the bus)
-D		Always show domain numbers
-P		Display bridge path in addition to bus and device number
-PP		Display bus path in addition to bus and device number

Resolving of device ID's to names:
-n		Show numeric ID's
-nn		Show both textual and numeric ID's (names & numbers)
-q		Query the PCI ID database for unknown ID's via DNS
-qq		As above, but re-query locally cached entries
-Q		Query the PCI ID database for all ID's via DNS

Selection of devices:
-s [[[[<domain>]:]<bus>]:][<slot>][.[<func>]]	Show only devices in selected slots
-d [<vendor>]:[<device>][:<class>]		Show only devices with specified ID's

Other options:
-i <file>	Use specified ID database instead of /usr/share/misc/pci.ids.gz
-p <file>	Look up kernel modules in a given file instead of default modules.pcimap
-M		Enable \`bus mapping' mode (dangerous; root only)

PCI access options:
-A <method>	Use the specified PCI access method (see \`-A help' for a list)
-O <par>=<val>	Set PCI access parameter (see \`-O help' for a list)
-G		Enable PCI access debugging
-H <mode>	Use direct hardware access (<mode> = 1 or 2)
-F <file>	Read PCI configuration dump from a given file
`

export const METHODS = `Known PCI access methods:

linux-sysfs
linux-proc
intel-conf1
intel-conf2
dump
mmio-conf1
mmio-conf1-ext
`

export const PARAMETERS = `Known PCI access parameters:

mmio-conf1-ext.addrs Physical addresses of memory mapped Intel conf1 extended interface ()
devmem.path          Path to the /dev/mem device (/dev/mem)
mmio-conf1.addrs     Physical addresses of memory mapped Intel conf1 interface ()
devmem.path          Path to the /dev/mem device (/dev/mem)
dump.name            Name of the bus dump file to read from ()
proc.path            Path to the procfs bus tree (/proc/bus/pci)
sysfs.path           Path to the sysfs device tree (/sys/bus/pci)
hwdb.disable         Do not look up names in UDEV's HWDB if non-zero (0)
net.cache_name       Name of the ID cache file (~/.pciids-cache)
net.domain           DNS domain used for resolving of ID's (pci.id.ucw.cz)
`
