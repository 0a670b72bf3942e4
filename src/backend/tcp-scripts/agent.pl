# Plays one TCP script against the kernel that it runs on: in a network namespace of its own it is the far end of the only
# cable (a tap device, plain Ethernet, no offloads), and it makes the script's system calls. What to do comes as lines (see
# program.ts), what happened goes out as lines: `R STEP TEXT` for a call's result, `F NS HEX` for a frame that came.
use strict;
use warnings;
use Errno;

use constant {
    CLONE_NEWNET => 0x40000000, IFF_TAP => 2, IFF_NO_PI => 0x1000, TUNSETIFF => 0x400454ca,
    SIOCSIFFLAGS => 0x8914, SIOCSIFADDR => 0x8916, SIOCSIFNETMASK => 0x891c, SIOCSIFHWADDR => 0x8924,
    SIOCSIFMTU => 0x8922, SIOCSARP => 0x8955, SIOCINQ => 0x541b, SIOCOUTQ => 0x5411,
    JIFFY_NS => 4_000_000,
    # A script starts this long after a jiffy began, at one whose number is a multiple of $align: so timers' buckets fall alike.
    PHASE_NS => 1_000_000,
};

my $LOCAL = "\x0a\0\0\1";
my $PEER  = "\x0a\0\0\2";

sub clock_ns {
    my ($number) = @_;
    my $buffer = "\0" x 16;
    syscall(228, $number, $buffer);
    my ($s, $ns) = unpack 'qq', $buffer;
    return $s * 1_000_000_000 + $ns;
}

sub slurp {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!\n";
    local $/;
    return scalar <$file>;
}

sub spit {
    my ($path, $text) = @_;
    open my $file, '>', $path or return 0;
    print {$file} $text;
    return close $file;
}

my (@steps, %setting);
my @flows; # { name, local, declared, peer, isn, base, last }
for (split /\n/, do { local $/; <STDIN> }) {
    my ($word, @rest) = split / /;
    if    ($word eq 'set')  { $setting{ $rest[0] } = $rest[1] }
    elsif ($word eq 'flow') { push @flows, { name => $rest[0], local => $rest[1] || 0, declared => $rest[2], peer => $rest[3] } }
    elsif ($word eq 'sysctl') { push @{ $setting{sysctls} }, [ $rest[0], join ' ', @rest[1 .. $#rest] ] }
    else { push @steps, [ $word, @rest ] }
}
my $align = $setting{align} // 64;

# A kernel's first connection makes tables for all that follow: not on a script's time.
socket my $first, 2, 1, 0 or die "socket: $!\n";
connect $first, pack 'S n a4 x8', 2, 1, "\x7f\0\0\1";
close $first;

# The namespace and its card.
syscall(272, CLONE_NEWNET) == 0 or die "unshare: $!\n";
sub write_sysctl {
    my ($name, $value) = @_;
    (my $path = $name) =~ tr{.}{/};
    return spit("/proc/sys/$path", "$value\n");
}
write_sysctl('net.ipv6.conf.all.disable_ipv6', 1);
write_sysctl('net.ipv6.conf.default.disable_ipv6', 1);
for (@{ $setting{sysctls} // [] }) { write_sysctl(@$_) or die "sysctl $_->[0]: $!\n" }
sysopen my $tap, '/dev/net/tun', 2 | 2048 or die "/dev/net/tun: $!\n";
ioctl $tap, TUNSETIFF, my $request = pack('a16 S x22', 'eth0', IFF_TAP | IFF_NO_PI) or die "tap: $!\n";
socket my $control, 2, 2, 0 or die "socket: $!\n";
sub in { return pack 'S n a4 x8', 2, 0, $_[0] }
ioctl $control, SIOCSIFHWADDR, my $mac = pack('a16 S a14', 'eth0', 1, pack 'H12', '020000000100') or die "mac: $!\n";
ioctl $control, SIOCSIFMTU, my $mtu = pack('a16 i x20', 'eth0', $setting{mtu} // 1500) or die "mtu: $!\n";
ioctl $control, SIOCSIFFLAGS, my $lo = pack('a16 S x22', 'lo', 1) or die "lo: $!\n";
ioctl $control, SIOCSIFADDR, my $address = pack('a16 a16 x8', 'eth0', in($LOCAL)) or die "address: $!\n";
ioctl $control, SIOCSIFNETMASK, my $mask = pack('a16 a16 x8', 'eth0', in("\xff\xff\xff\0")) or die "mask: $!\n";
ioctl $control, SIOCSIFFLAGS, my $up = pack('a16 S x22', 'eth0', 1) or die "up: $!\n";
ioctl $control, SIOCSARP, my $arp = pack('a16 S a14 i a16 a16', in($PEER), 1, pack('H12', '020000000200'), 0x06, in("\0\0\0\0"), 'eth0')
    or die "arp: $!\n"; # Complete and permanent.

# Time zero: a jiffy whose number is a multiple of $align. /proc/timer_list tells both clocks; ticks are at multiples of 4 ms.
my $offset = 0;
if (slurp('/proc/self/timens_offsets') =~ /^monotonic\s+(-?\d+)\s+(-?\d+)/m) { $offset = $1 * 1_000_000_000 + $2 }
my ($jiffies, $now_at) = (0, 0);
{
    my $text = slurp('/proc/timer_list');
    ($now_at)  = $text =~ /now at (\d+)/;
    ($jiffies) = $text =~ /^jiffies: (\d+)/m;
    redo if $now_at % JIFFY_NS < 200_000 || $now_at % JIFFY_NS > 3_500_000; # Too near to a tick.
}
my $skew = $jiffies - int($now_at / JIFFY_NS);
my $tick = int((clock_ns(1) - $offset + 20_000_000) / JIFFY_NS) + 1;
$tick++ while ($tick + $skew) % $align;
my $zero = $tick * JIFFY_NS + PHASE_NS + $offset;

my @out;
my %sockets; # by name: { fd, sent, got }

sub checksum {
    my ($bytes) = @_;
    $bytes .= "\0" if length($bytes) & 1;
    my $sum = unpack '%32n*', $bytes;
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}

# What a frame of the kernel's tells of a connection: its port, its first sequence number, its timestamps.
sub learn {
    my ($ns, $frame) = @_;
    return if length $frame < 54 || substr($frame, 12, 2) ne "\x08\0" || ord(substr $frame, 23, 1) != 6;
    my $at = 14 + 4 * (ord(substr $frame, 14, 1) & 15);
    my ($local, $peer, $sequence, $ack, $lengths, $flags) = unpack "x$at n n N N C C", $frame;
    my ($flow) = grep { $_->{local} == $local && $_->{peer} == $peer } @flows;
    ($flow) = grep { !$_->{local} && (!$_->{peer} || $_->{peer} == $peer) } @flows unless $flow;
    return unless $flow;
    $flow->{local} = $local;
    $flow->{peer} ||= $peer;
    if ($flags & 2 && (!defined $flow->{isn} || $flow->{isn} != $sequence)) {
        $flow->{isn} = $sequence;
        delete $flow->{base};
    }
    my $options = substr $frame, $at + 20, 4 * ($lengths >> 4) - 20;
    while (length $options) {
        my $kind = ord $options;
        last if $kind == 0;
        if ($kind == 1) { substr($options, 0, 1) = ''; next }
        last if length $options < 2;
        my $length = ord substr $options, 1, 1;
        last if $length < 2 || $length > length $options;
        if ($kind == 8) {
            $flow->{last} = unpack 'x2 N', $options;
            $flow->{base} //= ($flow->{last} - int($ns / 1_000_000)) & 0xffffffff;
        }
        substr($options, 0, $length) = '';
    }
}

sub take {
    while (1) {
        my $got = sysread $tap, my $frame, 65_600;
        last unless $got;
        my $ns = clock_ns(1) - $zero;
        push @out, sprintf 'F %d %s', $ns, unpack 'H*', $frame;
        learn($ns, $frame);
    }
}

# A segment of the script's, with what only now is known put in.
sub inject {
    my ($name, $kind, $patches, $hex) = @_;
    my ($flow) = grep { $_->{name} eq $name } @flows;
    $flow->{local} ||= $flow->{declared};
    my $frame = pack 'H*', $hex;
    for (split /,/, $patches) {
        my ($what, $at) = /^([a-z])(\d+)$/ or next;
        my $word = unpack "x$at N", $frame;
        if    ($what eq 'p') { substr($frame, $at, 2) = pack 'n', $flow->{local} }
        elsif ($what eq 'i') { substr($frame, $at, 4) = pack 'N', ($word + ($flow->{isn}  // 0)) & 0xffffffff }
        elsif ($what eq 't') { substr($frame, $at, 4) = pack 'N', ($word + ($flow->{base} // 0)) & 0xffffffff }
        elsif ($what eq 'l') { substr($frame, $at, 4) = pack 'N', ($word + ($flow->{last} // 0)) & 0xffffffff }
    }
    my $segment = substr $frame, 34;
    if ($kind eq 'tcp') {
        substr($segment, 16, 2) = pack 'n', checksum($PEER . $LOCAL . pack('n n', 6, length $segment) . $segment);
    }
    else {
        substr($segment, 2, 2) = pack 'n', checksum($segment);
    }
    syswrite $tap, substr($frame, 0, 34) . $segment or push @out, "E inject: $!";
}

sub result { return $_[0] ? $_[1] : '!' . ($! + 0) }

# The bytes at a place of a stream; made beforehand, since making them takes time.
my $pattern = pack('C*', 0 .. 250) x 5000;
sub pattern {
    my ($from, $count) = @_;
    return substr $pattern, $from % 251, $count;
}

my %calls = (
    socket => sub {
        my ($name) = @_;
        socket my $fd, 2, 1 | 2048, 0 or return result(0); # SOCK_STREAM | SOCK_NONBLOCK
        $sockets{$name} = { fd => $fd, sent => 0, got => 0 };
        return '0';
    },
    bind    => sub { result(bind($sockets{ $_[0] }{fd}, pack 'S n a4 x8', 2, $_[1], "\0\0\0\0"), '0') },
    listen  => sub { result(listen($sockets{ $_[0] }{fd}, $_[1]), '0') },
    connect => sub { result(connect($sockets{ $_[0] }{fd}, pack 'S n a4 x8', 2, $_[1], $PEER), '0') },
    disconnect => sub { result(connect($sockets{ $_[0] }{fd}, pack 'S x14', 0), '0') },
    accept  => sub {
        my ($listener, $name) = @_;
        my $from = accept my $fd, $sockets{$listener}{fd} or return result(0);
        fcntl $fd, 4, 2048;
        $sockets{$name} = { fd => $fd, sent => 0, got => 0 };
        return unpack 'x2 n', $from; # The peer's port.
    },
    send => sub {
        my ($name, $count, $flags) = @_;
        my $socket = $sockets{$name};
        my $sent = send $socket->{fd}, pattern($socket->{sent}, $count), $flags | 0x4000; # MSG_NOSIGNAL
        return result(0) unless defined $sent;
        $socket->{sent} += $sent;
        return $sent;
    },
    recv => sub {
        my ($name, $count, $flags) = @_;
        my $socket = $sockets{$name};
        my $bytes = '';
        defined recv $socket->{fd}, $bytes, $count, $flags or return result(0);
        my $good = $flags & 1 || $bytes eq pattern($socket->{got}, length $bytes); # Not of urgent bytes.
        $socket->{got} += length $bytes unless $flags & 3;
        return length($bytes) . ($good ? '' : ' other bytes');
    },
    close    => sub { close $sockets{ $_[0] }{fd}; delete $sockets{ $_[0] }; '0' },
    shutdown => sub { result(shutdown($sockets{ $_[0] }{fd}, $_[1]), '0') },
    set      => sub { result(setsockopt($sockets{ $_[0] }{fd}, $_[1], $_[2], pack 'H*', $_[3]), '0') },
    get      => sub {
        my $value = getsockopt $sockets{ $_[0] }{fd}, $_[1], $_[2];
        return result(0) unless defined $value;
        return unpack 'H*', $value;
    },
    poll => sub {
        my $entry = pack 'i s s', fileno $sockets{ $_[0] }{fd}, 0x2007, 0;
        syscall(7, $entry, 1, 0);
        return unpack 'x6 s', $entry;
    },
    ioctl => sub {
        my $value = pack 'i', 0;
        ioctl $sockets{ $_[0] }{fd}, $_[1], $value or return result(0);
        return unpack 'i', $value;
    },
    sysctl   => sub { my ($name, @value) = @_; write_sysctl($name, "@value") ? '0' : result(0) },
    counters => sub {
        my %count;
        for my $file ('snmp', 'netstat') {
            my %names;
            for (split /\n/, slurp("/proc/net/$file")) {
                my ($group, @words) = split /:? /;
                if ($names{$group}) { @count{ map { "$group$_" } @{ $names{$group} } } = @words }
                else                { $names{$group} = \@words }
            }
        }
        return join ' ', map { $count{$_} // '?' } @_;
    },
    sockets => sub {
        my %states;
        my @names = qw(? ESTABLISHED SYN_SENT SYN_RECV FIN_WAIT1 FIN_WAIT2 TIME_WAIT CLOSE CLOSE_WAIT LAST_ACK LISTEN CLOSING);
        for (split /\n/, slurp('/proc/net/tcp')) { $states{ $names[ hex $1 ] // '?' }++ if /^\s*\d+: \S+ \S+ ([0-9A-F]{2}) / }
        return join(' ', map { $states{$_} > 1 ? "$_*$states{$_}" : $_ } sort keys %states) || 'none';
    },
    end => sub { '0' },
);

my $priority = pack 'i', 50;
syscall(144, 0, 1, $priority); # SCHED_FIFO: a frame is stamped when it comes.
for my $i (0 .. $#steps) {
    my ($kind, $at, @arguments) = @{ $steps[$i] };
    while ((my $left = $zero + $at - clock_ns(1)) > 0) {
        my $read = '';
        vec($read, fileno $tap, 1) = 1;
        select $read, undef, undef, $left / 1e9;
        take();
    }
    take();
    if ($kind eq 'inject') { inject(@arguments) }
    else {
        my $name = shift @arguments;
        my $text = $name eq 'end' ? '0' : $name ne 'socket' && $name !~ /^(sysctl|counters|sockets)$/ && !$sockets{ $arguments[0] } ? '?' : $calls{$name}->(@arguments);
        push @out, "R $i $text";
    }
    take();
}
print "$_\n" for @out;
