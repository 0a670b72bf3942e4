package Switch;

# All networks of a lab: one learning switch each, in a process of its own, with the far end of every cable in its hand.
# A cable is a tap device: to its host it is an Ethernet card with a queue and a carrier, and here a file to read
# frames from and write them to. So nothing else is on the wire, and a capture is what passed through this process.
use strict;
use warnings;
use Fcntl qw(O_RDWR O_NONBLOCK);
use Sys qw(sys must now_ns slurp CLONE_NEWNET);
use Wire qw(send_message receive_message);
use Random;

use constant {
    TUNSETIFF      => 0x400454ca,
    TUNSETCARRIER  => 0x400454e2,
    IFF_TAP        => 0x0002,
    IFF_NO_PI      => 0x1000,
    SIOCGIFINDEX   => 0x8933,
    SIOCSIFHWADDR  => 0x8924,
    SIOCETHTOOL    => 0x8946,
    IFF_UP         => 0x1,
    IFF_RUNNING    => 0x40,
    AGEING_NS      => 300e9,  # Linux 6.1 net/bridge/br_device.c: br_dev_setup()
    QUEUE_FRAMES   => 1000,   # What waits for a slow or long cable, as netem's default limit.
    CAPTURE_MAX    => 128 << 20, # Bytes; in the emulated machine they lie in its memory.
    LINK_WAIT_NS   => 3e9,    # A kernel takes up to a second to look at a link again.
};

# Runs until $control closes. Networks and cables come as messages; see %commands.
sub run {
    my ($control, $seed) = @_;
    sys('sched_setscheduler', 0, 1, pack 'i', 50); # SCHED_FIFO: a frame is stamped when it comes, not when there is time.
    my $self = bless {
        control => $control, seed => $seed, networks => {}, ports => {}, order => [],
        capture => 0, base => 0, records => [], recorded => 0, waiting => undef,
    }, __PACKAGE__;
    $self->loop;
}

my %commands = (
    network => sub { # name, delay in ns, bits per second (0: any), loss
        my ($self, $name, $delay, $rate, $loss) = @_;
        $self->{networks}{$name} = {
            name => $name, delay => $delay, rate => $rate, loss => $loss, ports => [], table => {},
        };
    },
    shape => sub {
        my ($self, $name, $what, $value) = @_;
        $self->{networks}{$name}{$what} = $value;
    },
    attach => sub {
        my ($self, @arguments) = @_;
        $self->attach(@arguments);
    },
    carrier => sub {
        my ($self, $id, $on) = @_;
        return $self->set_carrier($self->{ports}{$id}, $on);
    },
    cut => sub { # As `carrier` off, for a host that won't live to see it.
        my ($self, $id) = @_;
        my $port = $self->{ports}{$id};
        $port->{plugged} = 0;
        $self->forget($port);
        ioctl $port->{tap}, TUNSETCARRIER, my $value = pack 'i', 0;
        return;
    },
    detach => sub {
        my ($self, $id) = @_;
        my $port = delete $self->{ports}{$id} or return;
        $self->forget($port);
        @{ $port->{network}{ports} } = grep { $_ != $port } @{ $port->{network}{ports} };
        $self->arrange;
        close $port->{tap};
    },
    capture => sub { # The time that stamps count from, or nothing to end.
        my ($self, $base) = @_;
        $self->{capture} = $base ne '';
        $self->{base}    = $base if $base ne '';
    },
    records => sub {
        my ($self) = @_;
        die "the captures have more than 128 MiB\n" if $self->{recorded} > CAPTURE_MAX;
        return ('bytes', join '', splice @{ $self->{records} });
    },
);

sub loop {
    my ($self) = @_;
    my $control = fileno $self->{control};
    while (1) {
        my $read = $self->{watched} // '';
        vec($read, $control, 1) = 1;
        my $timeout = $self->flush_due;
        my $ready = select $read, undef, undef, $timeout;
        next if $ready <= 0;
        $self->link_event($_) for grep { vec $read, fileno $_->{events}, 1 } @{ $self->{order} };
        my @ready = grep { vec $read, fileno $_->{tap}, 1 } @{ $self->{order} };
        while (@ready) { # In turn, so that a busy host doesn't silence the others.
            @ready = grep { $self->take_frame($_) } @ready;
        }
        $self->obey if vec $read, $control, 1;
    }
}

sub obey {
    my ($self) = @_;
    my ($name, @arguments) = receive_message($self->{control}) or exit 0;
    my @answer = eval { ('ok', $commands{$name}->($self, @arguments)) };
    @answer = ('error', $@) if $@;
    return if @answer > 1 && ($answer[1] // '') eq 'later';
    send_message($self->{control}, 'ok', ($answer[1] // '') eq 'bytes' ? $answer[2] : ()) if $answer[0] eq 'ok';
    send_message($self->{control}, @answer) if $answer[0] eq 'error';
}

# Puts a card into the network namespace of a process, plugged into a network.
sub attach {
    my ($self, $id, $network, $pid, $host, $name, $mac) = @_;
    open my $here,  '<', '/proc/self/ns/net'  or die "/proc/self/ns/net: $!\n";
    open my $there, '<', "/proc/$pid/ns/net" or die "/proc/$pid/ns/net: $!\n";
    must('setns', fileno $there, CLONE_NEWNET);
    my ($tap, $events, $index);
    my $made = eval {
        sysopen $tap, '/dev/net/tun', O_RDWR | O_NONBLOCK or die "/dev/net/tun: $!\n";
        ioctl $tap, TUNSETIFF, my $request = pack 'a16 S x22', $name, IFF_TAP | IFF_NO_PI or die "tap $name: $!\n";
        socket my $socket, 2, 2, 0 or die "socket: $!\n"; # AF_INET, SOCK_DGRAM
        my $hardware = pack 'a16 S a14', $name, 1, pack 'H12', $mac =~ tr/://dr; # ARPHRD_ETHER
        ioctl $socket, SIOCSIFHWADDR, $hardware or die "$name: $mac: $!\n";
        my $where = pack 'a16 x24', $name;
        ioctl $socket, SIOCGIFINDEX, $where or die "$name: $!\n";
        $index = unpack 'x16 i', $where;
        # ethtool says what a gigabit card's says: ETHTOOL_SSET, 1000 Mb/s, full duplex.
        my $settings = pack 'L3 S C6 L2 S C2 L3', 2, 0, 0, 1000, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0;
        ioctl $socket, SIOCETHTOOL, my $wrapped = pack 'a16 P x16', $name, $settings;
        socket $events, 16, 3, 0 or die "netlink: $!\n"; # AF_NETLINK, SOCK_RAW, NETLINK_ROUTE
        ioctl $tap, TUNSETCARRIER, my $off = pack 'i', 0 or die "carrier: $!\n"; # Until it is plugged in.
        bind $events, pack 'SSLL', 16, 0, 0, 1 or die "netlink: $!\n"; # RTNLGRP_LINK
        1;
    };
    my $failure = $@;
    must('setns', fileno $here, CLONE_NEWNET);
    die $failure unless $made;
    my $port = $self->{ports}{$id} = {
        id => $id, network => $self->{networks}{$network}, tap => $tap, events => $events, index => $index,
        plugged => 0, up => 0, running => 0, queue => [], busy => 0,
        # The simulated switch's stream for the same port, so that both lose the same frames.
        random => $self->{luck}{$id} //= Random->new($self->{seed}, "$network/$host:$name/loss back"),
    };
    my $ports = $port->{network}{ports};
    @$ports = sort { $a->{id} <=> $b->{id} } @$ports, $port; # Flooding goes in the order written.
    $self->arrange;
    return;
}

sub arrange {
    my ($self) = @_;
    $self->{order}   = [map { $self->{ports}{$_} } sort { $a <=> $b } keys %{ $self->{ports} }];
    $self->{watched} = '';
    for my $port (@{ $self->{order} }) {
        vec($self->{watched}, fileno $port->{events}, 1) = 1;
        vec($self->{watched}, fileno $port->{tap},    1) = 1 unless $port->{gone};
    }
}

# Pulls or puts in a cable. The answer waits until the host's kernel has seen it, if its card is up.
sub set_carrier {
    my ($self, $port, $on) = @_;
    return if $port->{gone} || $port->{plugged} == $on;
    $port->{plugged} = $on;
    $self->forget($port) unless $on;
    ioctl $port->{tap}, TUNSETCARRIER, my $value = pack 'i', $on or die "carrier: $!\n";
    return if !$port->{up} || !!$port->{running} == !!$on;
    $self->{waiting} = { port => $port, on => $on, until => now_ns() + LINK_WAIT_NS };
    return 'later';
}

# RTM_NEWLINK: the host's own view of its card.
sub link_event {
    my ($self, $port) = @_;
    my $address = recv $port->{events}, my $bytes, 65536, 0x40; # MSG_DONTWAIT
    return unless defined $address;
    while (length $bytes >= 32) {
        my ($length, $type, $index, $flags) = unpack 'L S x10 x4 i L', $bytes;
        last if $length < 16;
        if ($type == 16 && $index == $port->{index}) {
            $port->{up}      = $flags & IFF_UP      ? 1 : 0;
            $port->{running} = $flags & IFF_RUNNING ? 1 : 0;
            $self->forget($port) unless $port->{up};
        }
        substr $bytes, 0, ($length + 3) & ~3, '';
    }
    my $waiting = $self->{waiting};
    $self->settle if $waiting && $waiting->{port} == $port && $port->{running} == $waiting->{on};
}

sub settle {
    my ($self) = @_;
    $self->{waiting} = undef;
    send_message($self->{control}, 'ok');
}

# A link that went down: what was learnt there and what waits for it is gone.
sub forget {
    my ($self, $port) = @_;
    my $table = $port->{network}{table};
    delete @$table{ grep { $table->{$_}[0] == $port } keys %$table };
    $port->{queue} = [];
    $port->{busy}  = 0;
}

# Takes one frame off a host's cable, if there is one.
sub take_frame {
    my ($self, $port) = @_;
    my $got = sysread $port->{tap}, my $frame, 65_600;
    if (!defined $got) {
        return 0 if $!{EAGAIN} || $!{EINTR};
        $port->{gone} = 1; # Its host has deleted the device.
        $self->forget($port);
        $self->arrange;
        return 0;
    }
    return 1 if $got < 14 || !$port->{plugged};
    my $now = now_ns();
    $self->record($port, $frame, $now);
    $self->forward($port, $frame, $now);
    return 1;
}

# A learning switch. @see Linux 6.1 net/bridge/br_input.c: br_handle_frame(), br_handle_frame_finish()
sub forward {
    my ($self, $from, $frame, $now) = @_;
    my ($to, $source) = unpack 'a6 a6', $frame;
    return if ord($source) & 1 || $source eq "\0\0\0\0\0\0"; # No card sends from such an address.
    my $network = $from->{network};
    $network->{table}{$source} = [$from, $now];
    if (ord($to) & 1) {
        # IEEE 802.1D, table 7-10: these never leave the link. The first would, since no spanning tree runs here.
        return if $to =~ /^\x01\x80\xc2\x00\x00[\x01-\x0f]/s;
    }
    elsif (my $known = $network->{table}{$to}) {
        return $known->[0] == $from ? undef : $self->leave($known->[0], $frame, $now)
            if $now - $known->[1] < AGEING_NS;
        delete $network->{table}{$to};
    }
    $self->leave($_, $frame, $now) for grep { $_ != $from } @{ $network->{ports} };
}

# A frame on its way out of the switch: loss, rate and delay are here, once per frame and receiver.
sub leave {
    my ($self, $port, $frame, $now) = @_;
    return unless $port->{plugged} && $port->{up};
    my $network = $port->{network};
    return if $network->{loss} > 0 && $port->{random}->fraction < $network->{loss};
    my $queue = $port->{queue};
    if (!@$queue && !$network->{delay} && !$network->{rate}) {
        return $self->transmit($port, $frame);
    }
    return if @$queue >= QUEUE_FRAMES;
    my $start = $port->{busy} > $now ? $port->{busy} : $now;
    $port->{busy} = $start + ($network->{rate} ? int(length($frame) * 8e9 / $network->{rate}) : 0);
    my $due = $port->{busy} + $network->{delay};
    push @$queue, [$due, $frame];
    @$queue = sort { $a->[0] <=> $b->[0] } @$queue if @$queue > 1 && $queue->[-2][0] > $due; # The delay has become less.
}

# Sends what is due, and says in how many seconds there is more to do.
sub flush_due {
    my ($self) = @_;
    my ($next, $now);
    if (my $waiting = $self->{waiting}) {
        $self->settle if now_ns() >= $waiting->{until};
        $next = $waiting->{until} if $self->{waiting};
    }
    while (1) {
        my $first; # Of equal times the port written first.
        for my $port (@{ $self->{order} }) {
            my $head = $port->{queue}[0] or next;
            $first = $port if !$first || $head->[0] < $first->{queue}[0][0];
        }
        last unless $first;
        my $due = $first->{queue}[0][0];
        $now = now_ns();
        if ($due > $now) {
            $next = $due if !defined $next || $due < $next;
            last;
        }
        $self->transmit($first, (shift @{ $first->{queue} })->[1]);
    }
    return undef unless defined $next;
    my $left = ($next - now_ns()) / 1e9;
    return $left <= 0 ? 0 : $left + 1e-6; # select() counts whole microseconds.
}

sub transmit {
    my ($self, $port, $frame) = @_;
    my $now = now_ns(); # Before: the host may have answered when the call returns.
    my $sent = syswrite $port->{tap}, $frame;
    $self->record($port, $frame, $now) if $sent;
    return;
}

sub record {
    my ($self, $port, $frame, $now) = @_;
    return unless $self->{capture};
    my $at = $now - $self->{base};
    $self->{recorded} += 16 + length $frame;
    return if $at < 0 || $self->{recorded} > CAPTURE_MAX;
    push @{ $self->{records} }, pack 'V V V V/a', $port->{id}, int($at / 1_000_000_000), $at % 1_000_000_000, $frame;
}

1;
