# Sleeps and timers, measured on CLOCK_MONOTONIC: what was asked, when it was asked, when it came, in ns.
use strict;
use warnings;

my $most = ($ARGV[0] // 1200) * 1_000_000_000;
my $stamp = pack 'q2', 0, 0;
sub now {
    syscall 228, 1, $stamp;
    my ($s, $ns) = unpack 'q2', $stamp;
    return $s * 1_000_000_000 + $ns;
}
sub timespec { pack 'q2', int($_[0] / 1_000_000_000), $_[0] % 1_000_000_000 }
sub timeval { pack 'q2', int($_[0] / 1_000_000_000), int($_[0] / 1000) % 1_000_000 }

# Socket pairs: a receive with a time-out ends by a timer of the wheel, in jiffies.
my $fds = pack 'l2', 0, 0;
syscall(53, 1, 2, 0, $fds) == 0 or die "socketpair: $!\n";
my ($socket) = unpack 'l2', $fds;
my $byte = ' ';
my $none = 0;

my %ways = (
    nanosleep => sub { my $t = timespec($_[0]); syscall 35, $t, $none },
    abstime => sub { my $t = timespec(now() + $_[0]); syscall 230, 1, 1, $t, $none },
    realtime => sub { my $t = timespec($_[0]); syscall 230, 0, 0, $t, $none },
    poll => sub { syscall 7, $none, 0, int($_[0] / 1_000_000) },
    select => sub { my $t = timeval($_[0]); syscall 23, 0, $none, $none, $none, $t },
    timerfd => sub {
        my $fd = syscall 283, 1, 0;
        my $t = pack('q2', 0, 0) . timespec($_[0]);
        syscall 286, $fd, 0, $t, $none;
        my $count = ' ' x 8;
        syscall 0, $fd, $count, 8;
        syscall 3, $fd;
    },
    itimer => sub {
        local $SIG{ALRM} = sub { };
        my $t = timeval(0) . timeval($_[0]);
        syscall 38, 0, $t, $none;
        syscall 34;
    },
    receive => sub {
        my $t = timeval($_[0]);
        syscall 54, $socket, 1, 20, $t, 16;
        syscall 45, $socket, $byte, 1, 0, $none, $none;
    },
);

my @lengths = (
    1, 1_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 1_500_000, 2_000_000, 3_000_000, 3_999_999, 4_000_000,
    4_000_001, 5_000_000, 7_000_000, 8_000_000, 10_000_000, 12_345_678, 20_000_000, 33_333_333, 50_000_000,
    99_999_999, 100_000_000, 150_000_000, 250_000_000, 333_000_000, 500_000_000, 999_000_000, 1_000_000_000,
    1_234_567_890, 2_500_000_000, 10_000_000_000, 30_000_000_000, 100_000_000_000);
my @waits = (
    1_000, 1_000_000, 4_000_000, 8_000_000, 10_000_000, 20_000_000, 50_000_000, 100_000_000, 200_000_000, 244_000_000,
    248_000_000, 252_000_000, 256_000_000, 260_000_000, 300_000_000, 400_000_000, 500_000_000, 750_000_000,
    1_000_000_000, 1_500_000_000, 1_984_000_000, 2_016_000_000, 2_048_000_000, 3_000_000_000, 5_000_000_000,
    10_000_000_000, 15_000_000_000, 16_128_000_000, 20_000_000_000, 60_000_000_000, 100_000_000_000,
    130_000_000_000, 200_000_000_000, 600_000_000_000, 1_200_000_000_000);

# Everything runs once unmeasured: pages are touched, system calls found.
$_->(1_000_000) for values %ways;
for my $way (qw(nanosleep abstime realtime poll select timerfd itimer receive)) {
    for my $length ($way eq 'receive' ? @waits : @lengths) {
        next if $length > $most;
        next if $way eq 'poll' && $length < 1_000_000;
        next if ($way eq 'select' || $way eq 'itimer') && $length < 1_000;
        my $from = now();
        $ways{$way}->($length);
        my $to = now();
        print "$way $length $from $to\n";
    }
}
