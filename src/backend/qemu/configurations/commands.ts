/**
 * What is asked of each machine: shell commands, by the subject that they are about. What is printed is kept whole; what
 * of it is a count or a time is for the comparison to leave out.
 */
export const TIME_COMMANDS = [
  'cat /sys/devices/system/clocksource/clocksource0/available_clocksource',
  'cat /sys/devices/system/clocksource/clocksource0/current_clocksource',
  'cd /sys/devices/system/clockevents; for f in */current_device; do echo $f $(cat $f); done',
  'cat /proc/timer_list',
  'cat /proc/cmdline',
  'cat /proc/uptime',
  'cat /proc/loadavg',
  'cat /proc/stat',
  'cat /proc/cpuinfo',
  'cat /proc/driver/rtc',
  'cd /sys/class/rtc/rtc0 && for f in name date time hctosys max_user_freq since_epoch; do echo $f: $(cat $f); done',
  'cat /proc/iomem',
  'cat /proc/ioports',
  'dmesg',
  'perl /records/clocks.pl',
]

/** Interrupts and PCI; lines may be added at will. */
export const INTERRUPT_COMMANDS: string[] = [
  'cat /proc/interrupts',
  'cat /proc/softirqs',
  'cd /proc/irq; for f in */*; do echo $f; done',
  'cd /sys/kernel/irq; for i in *; do echo $i $(cat $i/chip_name) $(cat $i/hwirq) $(cat $i/type) $(cat $i/name) : $(cat $i/actions) : $(cat $i/per_cpu_count); done',
]

export const PCI_COMMANDS: string[] = [
  'lspci',
  'lspci -nn',
  'lspci -t',
  'lspci -tv',
  'lspci -k',
  'lspci -vvv',
  'lspci -xxxx',
  'cd /sys/bus/pci/devices; for d in *; do echo $d; cat $d/resource $d/irq; done',
]

export const COMMANDS: string[] = [...TIME_COMMANDS, ...INTERRUPT_COMMANDS, ...PCI_COMMANDS]

/** Sleeps and timers of many lengths, up to so many seconds: only where a configuration asks for them. */
export const sleepsUpTo = (seconds: number): string => `perl /records/sleeps.pl ${seconds}`

/** Programs that the guest has; the libraries that they need come along. */
export const PROGRAMS = [
  'bash',
  'cat',
  'dmesg',
  'ls',
  'grep',
  'sed',
  'gzip',
  'perl',
  'lspci',
  'setpci',
  'hwclock',
  'date',
]

/** Modules that are loaded before the commands, with what they need: drivers of devices that configurations have. */
export const MODULES: string[] = [
  'e1000',
  'e1000e',
  'virtio_pci',
  'virtio_net',
  'virtio_blk',
  'ahci',
  'ata_piix',
  'shpchp',
]
