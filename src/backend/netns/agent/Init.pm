package Init;

# What runs inside a host: the first process of its own process, mount, network, UTS and IPC namespaces. It lays out
# the host's files, configures its network, starts its shell and buries its dead. When it goes, the host is off.
use strict;
use warnings;
use POSIX ();
use Sys qw(sys must clock slurp spit die_with_parent
  CLONE_NEWNS CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWPID CLONE_NEWNET CLONE_NEWTIME
  MS_NOSUID MS_NODEV MS_NOEXEC MS_BIND MS_REC MS_PRIVATE MNT_DETACH);
use Wire qw(send_message receive_message);

# Where nothing of the machine underneath is to be seen.
my @EMPTY = ('root', 'home', 'tmp', 'run', 'srv', 'media', 'mnt', 'var/tmp', 'var/lib/dhcp', 'var/mail', 'var/spool/cron');
my %MODES = ('tmp' => 01777, 'var/tmp' => 01777, 'root' => 0700);

my @DEVICES = (
    [null => 1, 3], [zero => 1, 5], [full => 1, 7], [random => 1, 8], [urandom => 1, 9], [tty => 5, 0], [kmsg => 1, 11],
);

# Called in a fresh child: never returns. $disk is a directory that outlives the host's power; $files the text of
# files written when the disk is new, by path.
sub start {
    my ($control, $keep, $name, $disk, $files, $early) = @_;
    Sys::close_all_but(fileno $control, @$keep);
    die_with_parent();
    must('unshare', CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET);
    start_uptime();
    my $pid = fork // die "fork: $!\n";
    if ($pid) { # The only process outside: it hands on the death of the session, and of the host.
        send_message($control, 'pid', $pid);
        close $control;
        POSIX::close($_) for @$keep;
        waitpid $pid, 0;
        POSIX::_exit(0);
    }
    die_with_parent();
    $0 = 'init';
    $SIG{INT} = $SIG{TERM} = $SIG{HUP} = 'IGNORE';
    my $done = eval {
        must('sethostname', $name, length $name);
        lay_out($disk, $files);
        forget_machine_settings();
        set_sysctls($early);
        1;
    };
    send_message($control, $done ? 'ok' : ('error', "$name: $@"));
    serve($control, $keep);
    POSIX::_exit(0);
}

# The host has been up since now: `uptime` and `ps` count from here. A kernel without time namespaces shows its own.
sub start_uptime {
    return unless -e '/proc/self/timens_offsets' && sys('unshare', CLONE_NEWTIME) == 0;
    my ($seconds, $ns) = clock(7); # CLOCK_BOOTTIME
    spit('/proc/self/timens_offsets', sprintf "boottime %d %d\n", -$seconds - 1, 1_000_000_000 - $ns);
}

# The host's own view of files: the machine's, with everything written going to the host's disk.
sub lay_out {
    my ($disk, $files) = @_;
    my $none = 0;
    must('mount', 'none', '/', $none, MS_REC | MS_PRIVATE, $none);
    my $new = !-d "$disk/upper";
    make_path("$disk/upper", "$disk/work", "$disk/root");
    if ($new) {
        for my $path (@EMPTY) {
            make_path("$disk/upper/$path");
            chmod $MODES{$path} // 0755, "$disk/upper/$path";
            sys('setxattr', "$disk/upper/$path", 'trusted.overlay.opaque', 'y', 1, 0);
        }
    }
    my $root = "$disk/root";
    must('mount', 'overlay', $root, 'overlay', 0, "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work");
    for my $path (sort keys %$files) {
        write_file("$root$path", $files->{$path}) if $new;
    }
    make_path("$root/proc", "$root/sys", "$root/dev", "$root/run");
    must('mount', 'proc',  "$root/proc", 'proc',  MS_NOSUID | MS_NODEV | MS_NOEXEC, $none);
    must('mount', 'sysfs', "$root/sys",  'sysfs', MS_NOSUID | MS_NODEV | MS_NOEXEC, $none);
    must('mount', 'udev',  "$root/dev",  'tmpfs', MS_NOSUID, 'mode=0755,size=4m');
    must('mount', 'tmpfs', "$root/run",  'tmpfs', MS_NOSUID | MS_NODEV, 'mode=0755');
    mkdir "$root/run/lock", 01777;
    make_devices("$root/dev");
    chdir $root or die "$root: $!\n";
    must('pivot_root', '.', '.');
    must('umount2', '.', MNT_DETACH); # What was the root lies under the new one.
    chdir '/';
}

sub make_devices {
    my ($dev) = @_;
    my $mask = umask 0;
    for my $device (@DEVICES) {
        my ($name, $major, $minor) = @$device;
        must('mknodat', -100, "$dev/$name", 0020666, $major << 8 | $minor); # S_IFCHR
    }
    mkdir "$dev/net", 0755;
    must('mknodat', -100, "$dev/net/tun", 0020666, 10 << 8 | 200);
    mkdir "$dev/$_", 0755 for 'pts', 'shm';
    must('mount', 'devpts', "$dev/pts", 'devpts', MS_NOSUID | MS_NOEXEC, 'newinstance,mode=0620,ptmxmode=0666');
    must('mount', 'tmpfs', "$dev/shm", 'tmpfs', MS_NOSUID | MS_NODEV, 'mode=1777');
    symlink $_->[1], "$dev/$_->[0]"
        for ['ptmx', 'pts/ptmx'], ['fd', '/proc/self/fd'], ['stdin', 'fd/0'], ['stdout', 'fd/1'], ['stderr', 'fd/2'];
    umask $mask;
}

sub make_path {
    for my $path (@_) {
        my $so_far = $path =~ m{^/} ? '' : '.';
        for my $part (grep { length } split m{/}, $path) {
            $so_far .= "/$part";
            mkdir $so_far, 0755 or $!{EEXIST} or die "$so_far: $!\n";
        }
    }
}

sub write_file {
    my ($path, $content) = @_;
    make_path($path =~ s{/[^/]*$}{}r);
    spit($path, $content);
    chmod 0755, $path if $content =~ /^#!/;
}

# A new network namespace takes its IPv4 settings over from the machine's own, which may be a router's. These are the
# kernel's. @see Linux 6.1 net/ipv4/devinet.c: ipv4_devconf, ipv4_devconf_dflt, devinet_init_net()
my %DEFAULTS = (
    accept_redirects => 1, send_redirects => 1, secure_redirects => 1, shared_media => 1, arp_evict_nocarrier => 1,
    igmpv2_unsolicited_report_interval => 10_000, igmpv3_unsolicited_report_interval => 1000,
);

sub forget_machine_settings {
    spit('/proc/sys/net/ipv4/ip_forward', "0\n");
    for my $who ('all', 'default', 'lo') {
        my $folder = "/proc/sys/net/ipv4/conf/$who";
        opendir my $directory, $folder or die "$folder: $!\n";
        for my $name (grep { -w "$folder/$_" && -f _ } readdir $directory) {
            my $value = $DEFAULTS{$name} // 0;
            $value = 1 if $name eq 'accept_source_route' && $who ne 'all';
            next if $who eq 'lo' && $name =~ /^disable_/; # No IPsec on loopback.
            next if slurp("$folder/$name") == $value;
            eval { spit("$folder/$name", "$value\n") };
        }
    }
}

# Names as sysctl(8) takes them: in `net.ipv4.conf.eth0/100.rp_filter`, dots separate and a slash stands for a dot.
sub set_sysctls {
    my ($lines) = @_;
    for my $line (split /\n/, $lines) {
        my ($name, $value) = split / /, $line, 2;
        my $path = $name =~ tr{./}{/.}r;
        eval { spit("/proc/sys/$path", "$value\n"); 1 } or die "sysctl $name: $!\n";
    }
}

my %commands = (
    sysctls => sub { set_sysctls($_[1]) },
    ip      => sub { # A batch for ip(8).
        my ($state, $batch) = @_;
        open my $ip, '|-', 'exec /sbin/ip -batch - 2>&1' or die "ip: $!\n";
        print {$ip} $batch;
        close $ip or die "ip -batch: it failed on:\n$batch";
    },
    write => sub {
        my ($state, $path, $content) = @_;
        write_file($path, $content);
    },
    shell => sub {
        my ($state, $terminal) = @_;
        $state->{shell} = start_shell($state->{keep}[0], $terminal);
    },
    interrupt => sub { # As Ctrl-C does; what was started with `&` ignores it.
        my ($state) = @_;
        kill 'INT', -$state->{shell} if $state->{shell};
    },
    kill => sub { # Those who didn't listen: what the shell waits for, and what these started.
        my ($state) = @_;
        my %children;
        opendir my $directory, '/proc' or die "/proc: $!\n";
        for my $pid (grep { /^\d+$/ } readdir $directory) {
            my $stat = slurp("/proc/$pid/stat") // next;
            push @{ $children{$1} }, $pid if $stat =~ /.*\) \S (\d+)/s;
        }
        my @doomed = grep { !ignores_interrupt($_) } @{ $children{ $state->{shell} // 0 } // [] };
        while (@doomed) {
            my $pid = shift @doomed;
            push @doomed, @{ $children{$pid} // [] };
            kill 'KILL', $pid;
        }
    },
    restart => sub { # A shell that won't listen either is replaced.
        my ($state) = @_;
        kill 'KILL', $state->{shell} if $state->{shell};
    },
);

# A shell without job control has what it starts with `&` ignore SIGINT.
sub ignores_interrupt {
    my ($pid) = @_;
    return (slurp("/proc/$pid/status") // '') =~ /^SigIgn:\s*(\w+)/m && hex($1) & 2;
}

sub serve {
    my ($control, $keep) = @_;
    my $state = { keep => $keep };
    pipe my $woken, my $waker; # SIGCHLD between a look and a wait is not lost.
    $waker->blocking(0);
    $woken->blocking(0);
    $SIG{CHLD} = sub { syswrite $waker, '.' };
    while (1) {
        my $read = '';
        vec($read, fileno $control, 1) = 1;
        vec($read, fileno $woken,   1) = 1;
        next if select($read, undef, undef, undef) <= 0;
        if (vec $read, fileno $woken, 1) {
            sysread $woken, my $dots, 4096;
            while ((my $pid = waitpid -1, POSIX::WNOHANG()) > 0) {
                next unless $pid == ($state->{shell} // 0);
                my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
                $state->{shell} = undef;
                send_message($control, 'died', $status);
            }
        }
        next unless vec $read, fileno $control, 1;
        my ($name, @arguments) = receive_message($control) or return;
        my $done = eval { $commands{$name}->($state, @arguments); 1 };
        send_message($control, $done ? 'ok' : ('error', $@));
    }
}

# Bash as somebody's who typed at a terminal: messages without line numbers, lines at once, but no editing, no history.
sub start_shell {
    my ($input, $number) = @_;
    my $pid = fork // die "fork: $!\n";
    return $pid if $pid;
    $SIG{$_} = 'DEFAULT' for 'INT', 'TERM', 'HUP', 'CHLD';
    POSIX::setsid();
    open my $terminal, '+<', "/dev/pts/$number" or POSIX::_exit(126); # It becomes the controlling terminal.
    my $modes = POSIX::Termios->new;
    $modes->getattr(fileno $terminal);
    $modes->setoflag($modes->getoflag & ~POSIX::OPOST()); # Line ends stay \n.
    $modes->setlflag($modes->getlflag & ~(POSIX::ECHO() | POSIX::ICANON()));
    $modes->setattr(fileno $terminal, POSIX::TCSANOW());
    POSIX::dup2($input, 0);
    POSIX::dup2(fileno $terminal, $_) for 1, 2;
    %ENV = (
        PATH => '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
        HOME => '/root', USER => 'root', LOGNAME => 'root', SHELL => '/bin/bash', PWD => '/root',
        LANG => 'C.UTF-8', LC_ALL => 'C.UTF-8', TERM => 'dumb', TZ => 'UTC',
        PS1 => '', PS2 => '', # From the first prompt on; no longer exported then.
    );
    chdir '/root';
    umask 022;
    exec { '/bin/bash' } 'bash', '--norc', '--noediting', '-i' or POSIX::_exit(127);
}

1;
