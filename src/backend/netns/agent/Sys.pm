package Sys;

# System calls by number, for a perl without modules: Debian's perl-base is Essential, so that this runs on every
# Debian and inside the QEMU guest, where neither Node nor a compiler is.
use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(sys must clock now_ns set_real_time slurp spit die_with_parent close_all_but
  CLONE_NEWNS CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWPID CLONE_NEWNET CLONE_NEWTIME
  MS_NOSUID MS_NODEV MS_NOEXEC MS_BIND MS_REC MS_PRIVATE MNT_DETACH);

use constant {
    CLONE_NEWNS  => 0x00020000,
    CLONE_NEWUTS => 0x04000000,
    CLONE_NEWIPC => 0x08000000,
    CLONE_NEWPID => 0x20000000,
    CLONE_NEWNET => 0x40000000,
    CLONE_NEWTIME => 0x00000080,
    MS_NOSUID    => 2,
    MS_NODEV     => 4,
    MS_NOEXEC    => 8,
    MS_BIND      => 0x1000,
    MS_REC       => 0x4000,
    MS_PRIVATE   => 0x40000,
    MNT_DETACH   => 2,
};

my %numbers = (
    #                     x86_64 aarch64
    clock_gettime      => [228, 113],
    clock_settime      => [227, 112],
    finit_module       => [313, 273],
    mknodat            => [259, 33],
    mount              => [165, 40],
    pivot_root         => [155, 41],
    prctl              => [157, 167],
    reboot             => [169, 142],
    sched_setscheduler => [144, 119],
    sethostname        => [170, 161],
    setns              => [308, 268],
    setxattr           => [188, 5],
    umount2            => [166, 39],
    unshare            => [272, 97],
);

my $column = do {
    my $config = slurp('/proc/sys/kernel/arch') // 'x86_64'; # Linux 6.1 has the file; before, this is a PC.
    $config =~ /^aarch64/ ? 1 : 0;
};

# A system call by name. Strings are copied, since perl wants them writable.
sub sys {
    my ($name, @arguments) = @_;
    my $number = $numbers{$name}[$column];
    return syscall($number, @arguments);
}

# The same, and it has to succeed.
sub must {
    my ($name, @arguments) = @_;
    my $result = sys($name, @arguments);
    die "$name: $!\n" if $result == -1;
    return $result;
}

# Seconds and nanoseconds of a clock.
sub clock {
    my ($number) = @_;
    my $buffer = "\0" x 16;
    syscall($numbers{clock_gettime}[$column], $number, $buffer);
    return unpack 'qq', $buffer;
}

# CLOCK_MONOTONIC in nanoseconds: what all times of a session are measured on.
sub now_ns {
    my ($seconds, $ns) = clock(1);
    return $seconds * 1_000_000_000 + $ns;
}

sub set_real_time {
    my ($seconds) = @_;
    must('clock_settime', 0, pack 'qq', $seconds, 0);
}

sub slurp {
    my ($path) = @_;
    open my $file, '<:raw', $path or return undef;
    local $/;
    return scalar readline $file;
}

sub spit {
    my ($path, $content) = @_;
    open my $file, '>:raw', $path or die "$path: $!\n";
    print {$file} $content or die "$path: $!\n";
    close $file or die "$path: $!\n"; # /proc/sys answers here.
}

# When the parent is gone, however it went, so is this process: nothing of a lab outlives the session.
sub die_with_parent {
    sys('prctl', 1, 9, 0, 0, 0); # PR_SET_PDEATHSIG, SIGKILL
}

# Closes what was inherited: a descriptor of another host kept open here would hide that host's death.
sub close_all_but {
    my %keep = map { $_ => 1 } 0, 1, 2, @_;
    opendir my $directory, '/proc/self/fd' or die "/proc/self/fd: $!\n";
    my @open = grep { /^\d+$/ && !$keep{$_} && $_ != fileno $directory } readdir $directory;
    closedir $directory;
    require POSIX;
    POSIX::close($_) for @open;
}

1;
