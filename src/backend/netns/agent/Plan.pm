package Plan;

# The lab as ../protocol.ts writes it: a line for each thing, its words apart by blanks; and what follows from it for
# the hosts: their configuration files, and what is given to ip(8) and sysctl when they boot.
use strict;
use warnings;

sub parse {
    my ($text) = @_;
    my $plan = { networks => [], hosts => [] };
    my ($host, $interface);
    for my $line (split /\n/, $text) {
        my ($what, $rest)  = split / /, $line, 2;
        my @words = split / /, $rest;
        if    ($what eq 'network') { push @{ $plan->{networks} }, \@words }
        elsif ($what eq 'host') {
            $host = { name => $words[0], ipv6 => $words[1], interfaces => [], loopback => [], sysctl => [], gateways => [] };
            push @{ $plan->{hosts} }, $host;
        }
        elsif ($what eq 'loopback') { push @{ $host->{loopback} }, \@words }
        elsif ($what eq 'gateway')  { push @{ $host->{gateways} }, $words[0] }
        elsif ($what eq 'sysctl')   { push @{ $host->{sysctl} }, $rest }
        elsif ($what eq 'interface') {
            $interface = { name => $words[0], network => $words[1], mac => $words[2], addresses => [] };
            push @{ $host->{interfaces} }, $interface;
        }
        elsif ($what eq 'address') { push @{ $interface->{addresses} }, \@words }
        else                       { die "plan: $what\n" }
    }
    my $port = 0;
    for my $each (map { @{ $_->{interfaces} } } @{ $plan->{hosts} }) {
        $each->{port} = $port++;
    }
    return $plan;
}

# Files of a new disk. Debian's own text where a file is Debian's: `hosts: files dns`, and no name server.
sub files {
    my ($plan, $host) = @_;
    my @names = ('127.0.0.1 localhost');
    push @names, '::1 localhost ip6-localhost ip6-loopback' if $host->{ipv6};
    for my $each (@{ $plan->{hosts} }) {
        my @all = ((map { @{ $_->{addresses} } } @{ $each->{interfaces} }), @{ $each->{loopback} });
        my ($four) = grep { $_->[0] !~ /:/ } @all;
        my ($six)  = grep { $_->[0] =~ /:/ } @all;
        push @names, "$_->[0] $each->{name}" for grep { defined } $four, $six;
    }
    return {
        '/etc/hosts'         => join('', map { "$_\n" } @names),
        '/etc/hostname'      => "$host->{name}\n",
        '/etc/resolv.conf'   => '',
        '/etc/nsswitch.conf' => join('', map { "$_\n" }
              'passwd: files', 'group: files', 'shadow: files', 'gshadow: files', '',
            'hosts: files dns', 'networks: files', '',
            'protocols: db files', 'services: db files', 'ethers: db files', 'rpc: db files'),
    };
}

# What has to be set before there are devices: IPv6, and the defaults that new devices take over.
sub early_sysctls {
    my ($host) = @_;
    my @lines = $host->{ipv6} ? () : map { "net.ipv6.conf.$_.disable_ipv6 1" } 'all', 'default', 'lo';
    @lines = () unless -d '/proc/sys/net/ipv6';
    push @lines, grep { /^net\.ipv[46]\.(conf|neigh)\.default\./ } @{ $host->{sysctl} };
    return join "\n", @lines;
}

sub late_sysctls {
    my ($host) = @_;
    return join "\n", grep { !/^net\.ipv[46]\.(conf|neigh)\.default\./ } @{ $host->{sysctl} };
}

# A batch for ip(8): addresses first, then up, as a boot does it.
sub ip_batch {
    my ($host) = @_;
    my @lines;
    for my $each (@{ $host->{loopback} }) {
        push @lines, 'addr add ' . with_broadcast(@$each) . ' dev lo';
    }
    push @lines, 'link set lo up';
    for my $interface (@{ $host->{interfaces} }) {
        push @lines, 'addr add ' . with_broadcast(@$_) . " dev $interface->{name}" for @{ $interface->{addresses} };
        push @lines, "link set $interface->{name} up";
    }
    push @lines, "route add default via $_" for @{ $host->{gateways} };
    return join '', map { "$_\n" } @lines;
}

sub with_broadcast {
    my ($address, $prefix) = @_;
    my $has = $address !~ /:/ && $prefix >= 8 && $prefix <= 30;
    return "$address/$prefix" . ($has ? ' brd +' : '');
}

1;
