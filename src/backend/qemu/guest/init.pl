#!/usr/bin/perl
# The guest's first process, out of the initial RAM disk: finds the root image in persistent memory, and becomes the
# lab's agent there. It is perl because perl-base is on every Debian, and with it the one interpreter does everything.
use strict;
use warnings;
BEGIN { unshift @INC, '/agent' }
use Random;

my %numbers = (mount => 165, finit_module => 313, chroot => 161);
sub must {
    my ($name, @arguments) = @_;
    syscall($numbers{$name}, @arguments) == 0 or die "$name @arguments: $!\n";
}

my $none = 0;
open my $list, '<', '/modules/order' or die "modules/order: $!\n";
for my $path (map { chomp; $_ } <$list>) {
    open my $module, '<', "/modules/$path" or die "$path: $!\n";
    must('finit_module', fileno $module, '', 0);
}
must('mount', 'udev', '/dev', 'devtmpfs', 0, $none);
must('mount', 'proc', '/proc', 'proc', 0, $none);

# All chance in the kernel comes from the run's seed. Without this the kernel spends a second gathering jitter, of which
# a clock that counts instructions has none.
open my $line, '<', '/proc/cmdline' or die "/proc/cmdline: $!\n";
my $parameters = <$line>;
my ($seed) = $parameters =~ /\bkaidoku\.seed=(\d+)/;
my $random = Random->new($seed, 'kernel');
open my $pool, '+<', '/dev/random' or die "/dev/random: $!\n";
ioctl $pool, 0x40085203, pack 'i2 L16', 512, 64, map { $random->uint32 } 1 .. 16 or die "RNDADDENTROPY: $!\n";

must('mount', '/dev/pmem0', '/root', 'ext4', 1, $none); # MS_RDONLY
must('mount', 'proc',  '/root/proc', 'proc',     0, $none);
must('mount', 'sysfs', '/root/sys',  'sysfs',    0, $none);
must('mount', 'udev',  '/root/dev',  'devtmpfs', 0, $none);
must('mount', 'tmpfs', '/root/run',  'tmpfs',    0, 'mode=0755');

# What a rule logs is logged, although hosts are namespaces. Linux 6.1 net/netfilter/nf_log.c: nf_log_all_netns.
if (open my $all, '>', '/proc/sys/net/netfilter/nf_log_all_netns') {
    syswrite $all, "1\n";
}

# The agent's files come with the RAM disk, so that a change to them makes no new image.
mkdir '/root/run/agent';
opendir my $agent, '/agent' or die "/agent: $!\n";
for my $name (grep { /^\w/ } readdir $agent) {
    open my $from, '<', "/agent/$name" or die "/agent/$name: $!\n";
    open my $to, '>', "/root/run/agent/$name" or die "$name: $!\n";
    local $/;
    print {$to} scalar <$from>;
}
chdir '/root';
must('mount', '.', '/', $none, 0x2000, $none); # MS_MOVE
must('chroot', '.');
chdir '/';
%ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C');

# A machine that a lab describes has its devices' drivers, found by what the devices say they are, as udev does.
if ($parameters =~ /\bkaidoku\.drivers\b/) {
    my $bus = '/sys/bus/pci/devices';
    my @devices;
    opendir my $functions, $bus or die "$bus: $!\n";
    for my $name (sort readdir $functions) {
        open my $alias, '<', "$bus/$name/modalias" or next;
        chomp(my $text = <$alias>);
        push @devices, $text;
    }
    system 'modprobe', '-abq', @devices;
}
exec '/usr/bin/perl', '-I/run/agent', '/run/agent/guest.pl' or die "guest.pl: $!\n";
