# What clock_getres, clock_gettime and adjtimex say: numbers as the kernel gives them.
use strict;
use warnings;
my @names = qw(REALTIME MONOTONIC PROCESS_CPUTIME_ID THREAD_CPUTIME_ID MONOTONIC_RAW REALTIME_COARSE
    MONOTONIC_COARSE BOOTTIME REALTIME_ALARM BOOTTIME_ALARM SGI_CYCLE TAI);
for my $clock (0 .. 11) {
    my $resolution = pack 'q2', 0, 0;
    my $got = syscall 229, $clock, $resolution;
    my $said = $got == 0 ? join '.', unpack 'q2', $resolution : "error $!";
    my $now = pack 'q2', 0, 0;
    $got = syscall 228, $clock, $now;
    printf "%s resolution %s now %s\n", $names[$clock], $said, $got == 0 ? join '.', unpack 'q2', $now : "error $!";
}
my $timex = pack 'x208';
my $state = syscall 159, $timex;
my @f = unpack 'L x4 q4 l x4 q3 q2 q4 l x4 q5 l', $timex;
my @fields = qw(modes offset freq maxerror esterror status constant precision tolerance sec usec tick ppsfreq jitter
    shift stabil jitcnt calcnt errcnt stbcnt tai);
print "adjtimex state $state\n";
printf "%s %s\n", $fields[$_], $f[$_] for 0 .. $#fields;
