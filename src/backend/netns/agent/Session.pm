package Session;

# One lab and its clock: boots hosts, gives them commands in the rhythm that every backend keeps, collects what they
# print, and ends everything.
use strict;
use warnings;
use Fcntl qw(O_RDWR O_NOCTTY O_CREAT O_EXCL F_SETFL O_NONBLOCK);
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC);
use Sys qw(must now_ns spit die_with_parent);
use Wire qw(send_message receive_message);
use Init;
use Plan;
use Switch;

use constant {
    PAUSE_NS   => 300_000_000,   # Between a command's end and the next one's start.
    LAST_NS    => 1_000_000_000, # From the last command's end to the end of the captures.
    NUDGE_NS   => 1_000_000_000, # What a command that is being stopped gets to end on SIGINT, then on SIGKILL.
    SETTLE_NS  => 7_000_000_000, # What IPv6 needs after a boot.
    OUTPUT_MAX => 16 << 20,      # What a command may print.
    TIOCSPTLCK => 0x40045431,
    TIOCGPTN   => 0x80045430,
    TIOCSWINSZ => 0x5414,
};

# $scratch is an empty directory of ours; $on_output hears what the running command prints.
sub start {
    my ($class, $text, $seed, $scratch, $on_output) = @_;
    my $plan = Plan::parse($text);
    my $self = bless {
        plan => $plan, scratch => $scratch, on_output => $on_output, hosts => {}, started => 0, free_at => 0,
    }, $class;
    socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!\n";
    my $pid = fork // die "fork: $!\n";
    if (!$pid) {
        Sys::close_all_but(fileno $far);
        die_with_parent();
        $0 = 'kaidoku: switch';
        eval { Switch::run($far, $seed) };
        print STDERR "switch: $@";
        POSIX::_exit(1);
    }
    close $far;
    $self->{switch}     = $near;
    $self->{switch_pid} = $pid;
    $self->ask_switch('network', @$_) for @{ $plan->{networks} };
    $self->boot($_) for @{ $plan->{hosts} };
    return $self;
}

# Time zero is when the lab stands.
sub begin {
    my ($self, $capture) = @_;
    # Addresses of IPv6 are looked for on the link first, and told to multicast routers, which takes some seconds.
    $self->wait_for(undef, now_ns() + SETTLE_NS) if grep { $_->{ipv6} } @{ $self->{plan}{hosts} };
    $self->{capture} = $capture;
    $self->{base}    = now_ns();
    $self->{free_at} = $self->{base};
}

sub ask_switch {
    my ($self, @request) = @_;
    send_message($self->{switch}, @request);
    my ($status, @answer) = receive_message($self->{switch}) or die "the switch is gone\n";
    die $answer[0] if $status ne 'ok';
    return $answer[0];
}

# Asks a host's first process, and waits for the answer.
sub ask {
    my ($self, $host, @request) = @_;
    send_message($host->{control}, @request);
    while (my ($status, @answer) = receive_message($host->{control})) {
        return if $status eq 'ok';
        die "$host->{plan}{name}: $answer[0]" if $status eq 'error';
        push @{ $host->{events} }, [$status, @answer];
    }
    die "$host->{plan}{name}: it died\n";
}

sub boot {
    my ($self, $plan) = @_;
    my $name = $plan->{name};
    my $host = $self->{hosts}{$name} //= { plan => $plan, printed => '' };
    $host->{events} = [];
    socketpair my $near, my $far, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!\n";
    pipe my $input,  my $feed   or die "pipe: $!\n";
    pipe my $prompt, my $prompter or die "pipe: $!\n";
    my $path = "$self->{scratch}/command";
    sysopen my $script, $path, O_RDWR | O_CREAT | O_EXCL or die "$path: $!\n";
    unlink $path;
    my @keep = map { fileno $_ } $input, $prompter, $script;
    my $pid  = fork // die "fork: $!\n";
    if (!$pid) {
        eval {
            Init::start(
                $far, \@keep,
                $name, "$self->{scratch}/$name", Plan::files($self->{plan}, $plan), Plan::early_sysctls($plan)
            );
        };
        send_message($far, 'error', "$name: $@");
        POSIX::_exit(1);
    }
    close $_ for $far, $input, $prompter;
    @$host{qw(control feed prompt script outside on)} = ($near, $feed, $prompt, $script, $pid, 1);
    @$host{qw(prompter_fd script_fd)} = @keep[1, 2];
    # Two processes say this, in whatever order they get to it.
    my %heard;
    until (exists $heard{pid} && exists $heard{ok}) {
        my ($what, $answer) = receive_message($near);
        die $answer // "$name: it didn't boot\n" if !defined $what || ($what ne 'pid' && $what ne 'ok');
        $heard{$what} = $answer;
    }
    $host->{pid} = $heard{pid};
    for my $each (@{ $plan->{interfaces} }) {
        $self->ask_switch('attach', @$each{qw(port network)}, $host->{pid}, $name, @$each{qw(name mac)});
    }
    $self->ask($host, 'sysctls', Plan::late_sysctls($plan));
    $self->ask($host, 'ip',      Plan::ip_batch($plan));
    # Only now, so that the card tells its kernel of a link that came up, as a real one does.
    $self->ask_switch('carrier', $_->{port}, 1) for grep { !$_->{unplugged} } @{ $plan->{interfaces} };
    $self->start_shell($host);
}

# A terminal of the host's own, 80 columns wide, and bash on it.
sub start_shell {
    my ($self, $host) = @_;
    close delete $host->{terminal} if $host->{terminal};
    my $path = "/proc/$host->{pid}/root/dev/pts/ptmx";
    sysopen my $terminal, $path, O_RDWR | O_NOCTTY or die "$path: $!\n";
    ioctl $terminal, TIOCSPTLCK, my $unlock = pack 'i', 0 or die "terminal: $!\n";
    ioctl $terminal, TIOCGPTN, my $number = pack 'i', 0 or die "terminal: $!\n";
    ioctl $terminal, TIOCSWINSZ, my $size = pack 'S4', 24, 80, 0, 0 or die "terminal: $!\n";
    fcntl $terminal, F_SETFL, O_RDWR | O_NONBLOCK;
    $host->{terminal} = $terminal;
    $self->ask($host, 'shell', unpack 'i', $number);
    # Its prompt says that it waits for a command, and how the last one ended; through a descriptor of the host's first
    # process, so that commands inherit nothing of it. No job control: then bash tells nothing about jobs.
    my $setup = join ';', 'set +m +H +o history', 'unset HISTFILE MAILCHECK', 'export -n PS1 PS2',
      "PROMPT_COMMAND='printf \"%s\\n\" \$? >/proc/1/fd/$host->{prompter_fd}; PS1='";
    $host->{status} = undef;
    syswrite $host->{feed}, "$setup\n";
    $self->wait_for(undef, now_ns() + 30e9, sub { $host->{status} }) or die "$host->{plan}{name}: no shell\n";
    $host->{status} = undef;
}

# What the shell reads next, in a file that only it and we can reach.
sub set_script {
    my ($host, $text) = @_;
    seek $host->{script}, 0, 0;
    truncate $host->{script}, 0;
    syswrite $host->{script}, "$text\n";
}

# Moves everything along until $done says so, or it is $until. Returns whether it was done.
sub wait_for {
    my ($self, $current, $until, $done) = @_;
    while (1) {
        return 1 if $done && defined $done->();
        my $left = ($until - now_ns()) / 1e9;
        return 0 if $left <= 0;
        my @on   = grep { $_->{on} } map { $self->{hosts}{ $_->{name} } } @{ $self->{plan}{hosts} };
        my $read = '';
        for my $host (@on) {
            vec($read, fileno $host->{terminal}, 1) = 1 if $host->{terminal};
            vec($read, fileno $host->{prompt},   1) = 1;
            vec($read, fileno $host->{control},  1) = 1;
        }
        next if select($read, undef, undef, $left + 1e-6) <= 0;
        for my $host (@on) {
            $self->read_terminal($host, $current) if $host->{terminal} && vec $read, fileno $host->{terminal}, 1;
            if (vec $read, fileno $host->{control}, 1) {
                my @event = receive_message($host->{control});
                push @{ $host->{events} }, @event ? \@event : ['gone'];
            }
            if (vec $read, fileno $host->{prompt}, 1) {
                sysread $host->{prompt}, my $line, 4096;
                $host->{status} = $1 if defined $line && $line =~ /(\d+)\n\z/;
                $self->read_terminal($host, $current); # What came before the prompt.
            }
            while (my $event = shift @{ $host->{events} }) {
                $host->{status} = $host->{fresh} = $event->[1] if $event->[0] eq 'died';
                $host->{on} = 0 if $event->[0] eq 'gone';
            }
        }
    }
}

sub read_terminal {
    my ($self, $host, $current) = @_;
    while (sysread $host->{terminal}, my $text, 65_536) {
        next if length $host->{printed} > OUTPUT_MAX;
        $text .= "\n[more than 16 MiB: the rest was dropped]\n" if length($host->{printed}) + length $text > OUTPUT_MAX;
        $host->{printed} .= $text;
        $self->{on_output}->(as_typed($text)) if $current && $current == $host;
    }
    # EIO: nobody has the terminal open, as after `exit`. It is opened anew with the next shell.
    close delete $host->{terminal} if $!{EIO};
}

# Waits for its turn and notes the time; the first command's is when captures begin.
sub turn {
    my ($self) = @_;
    $self->wait_for(undef, $self->{free_at}, undef);
    my $now = now_ns();
    $self->ask_switch('capture', $self->{base}) if $self->{capture} && !$self->{started}++;
    return $now;
}

# Ends a turn: what comes within the pause still belongs to it.
sub turn_over {
    my ($self, $current) = @_;
    my $end = now_ns();
    $self->{free_at} = $end + PAUSE_NS;
    $self->wait_for($current, $self->{free_at}, undef);
    return $end;
}

sub command {
    my ($self, $name, $limit_ns, $command) = @_;
    my $host = $self->{hosts}{$name} or die "no host $name\n";
    my $at   = $self->turn;
    if (!$host->{on}) {
        my $end = $self->turn_over(undef);
        return ($at - $self->{base}, $end - $at, 255, 0, '');
    }
    $self->start_shell($host) if defined delete $host->{fresh};
    $self->{on_output}->($host->{printed}) if length $host->{printed};
    $host->{status} = undef;
    set_script($host, $command);
    syswrite $host->{feed}, ". /proc/1/fd/$host->{script_fd} </dev/null\n";
    my $ended     = sub { $host->{status} // ($host->{on} ? undef : 255) };
    my $timed_out = !$self->wait_for($host, $at + $limit_ns, $ended);
    if ($timed_out) {
        for my $way ('interrupt', 'kill', 'restart') {
            $self->ask($host, $way);
            last if $self->wait_for($host, now_ns() + NUDGE_NS, $ended);
        }
    }
    my $status = $ended->() // 255;
    my $end    = $self->turn_over($host);
    my $output = as_typed($host->{printed});
    $host->{printed} = '';
    return ($at - $self->{base}, $end - $at, $status, $timed_out ? 1 : 0, $output);
}

# Bash names the file that a command with a mistake in its grammar stands in, and shows its line; to one who typed the
# command at a prompt it says neither. The file is ours, so the difference is ours to take away; `set -x` shows the rest.
sub as_typed {
    my ($text) = @_;
    my $where = qr{^bash: /proc/1/fd/\d+: line \d+: }m;
    $text =~ s/$where`[^\n]*'\n//g;
    $text =~ s{^\++ (?:\. /proc/1/fd/\d+|printf '%s\\n' \d+|PS1=)\n}{}mg; # Under `set -x`.
    return $text =~ s/$where/bash: /gr;
}

my %verbs = (
    unplug => sub { $_[0]->cable(@_[1, 2], 0) },
    plug   => sub { $_[0]->cable(@_[1, 2], 1) },
    poweroff => sub {
        my ($self, $name) = @_;
        my $host = $self->{hosts}{$name};
        $self->power_off($host) if $host->{on};
    },
    poweron => sub {
        my ($self, $name) = @_;
        my $host = $self->{hosts}{$name};
        return if $host->{on};
        $self->boot($host->{plan});
        # What a Debian starts last when it boots; when the lab is built there is none yet.
        return unless -x "$self->{scratch}/$name/upper/etc/rc.local";
        $self->start_shell($host) if defined delete $host->{fresh};
        $host->{status} = undef;
        set_script($host, '(/etc/rc.local </dev/null >/dev/null 2>&1 &)');
        syswrite $host->{feed}, ". /proc/1/fd/$host->{script_fd} </dev/null\n";
        $self->wait_for(undef, now_ns() + 30e9, sub { $host->{status} });
    },
    loss  => sub { $_[0]->ask_switch('shape', $_[1], 'loss',  $_[2]) },
    delay => sub { $_[0]->ask_switch('shape', $_[1], 'delay', $_[2]) },
    rate  => sub { $_[0]->ask_switch('shape', $_[1], 'rate',  $_[2]) },
    wait  => sub { $_[0]->wait_for(undef, now_ns() + $_[1], undef) },
);

sub verb {
    my ($self, $verb, @arguments) = @_;
    my $at = $self->turn;
    $verbs{$verb}->($self, @arguments);
    my $end = $self->turn_over(undef);
    return ($at - $self->{base}, $end - $at, 0, 0, '');
}

sub cable {
    my ($self, $name, $interface, $on) = @_;
    my $host = $self->{hosts}{$name};
    my ($each) = grep { $_->{name} eq $interface } @{ $host->{plan}{interfaces} };
    $each->{unplugged} = !$on;
    $self->ask_switch('carrier', $each->{port}, $on) if $host->{on};
}

# Cables first, so that nothing of the dying is seen on them; then the namespaces and all in them.
sub power_off {
    my ($self, $host) = @_;
    $host->{on} = 0;
    $self->ask_switch('cut', $_->{port}) for @{ $host->{plan}{interfaces} };
    kill 'KILL', $host->{pid};
    waitpid $host->{outside}, 0;
    $self->ask_switch('detach', $_->{port}) for @{ $host->{plan}{interfaces} };
    close $_ for grep { $_ } delete @$host{qw(control feed prompt script terminal)};
    delete @$host{qw(fresh status)};
}

sub write_file {
    my ($self, $name, $path, $content) = @_;
    my $host = $self->{hosts}{$name} or die "no host $name\n";
    die "$name is off\n" unless $host->{on};
    $self->ask($host, 'write', $path, $content);
}

# Waits out the last second; gives the captured frames.
sub finish {
    my ($self) = @_;
    $self->wait_for(undef, $self->{free_at} - PAUSE_NS + LAST_NS, undef) if $self->{started};
    $self->ask_switch('capture', '');
    my $records = $self->ask_switch('records');
    $self->end;
    return $records // '';
}

sub end {
    my ($self) = @_;
    for my $host (values %{ $self->{hosts} }) {
        eval { $self->power_off($host) } if $host->{on};
    }
    close $self->{switch};
    waitpid $self->{switch_pid}, 0;
}

1;
