package Serve;

# Labs, one after another, for whoever asks; what a request and its answer are made of stands in ../protocol.ts.
use strict;
use warnings;
use POSIX ();
use Sys qw(must set_real_time CLONE_NEWNS MS_REC MS_PRIVATE);
use Session;

# A place for the hosts' disks that nobody else sees and that goes with this process.
sub make_scratch {
    must('unshare', CLONE_NEWNS);
    my $none = 0;
    must('mount', 'none',    '/',    $none,   MS_REC | MS_PRIVATE, $none);
    must('mount', 'kaidoku', '/tmp', 'tmpfs', 0,                   'mode=0700');
    return '/tmp';
}

# $receive gives the next request as a list, empty at the end; $send takes an answer. $own_clock: this machine's clock
# is nobody else's, and may be set.
sub serve {
    my ($receive, $send, $own_clock) = @_;
    my $root = make_scratch();
    my ($session, $labs) = (undef, 0);
    my %requests = (
        kernel => sub { (POSIX::uname())[2] },
        open   => sub {
            my ($plan, $seed, $start, $capture) = @_;
            $session->end if $session;
            my $scratch = "$root/" . ++$labs;
            mkdir $scratch, 0700 or die "$scratch: $!\n";
            $session = Session->start($plan, $seed, $scratch, sub { $send->('output', $_[0]) unless $own_clock });
            set_real_time($start) if $own_clock;
            $session->begin($capture);
            return;
        },
        command => sub { $session->command(@_) },
        verb    => sub { $session->verb(@_) },
        write   => sub { $session->write_file(@_); return },
        finish  => sub { my $frames = $session->finish; $session = undef; return $frames },
        close   => sub { $session->end if $session; $session = undef; return },
    );
    while (my ($name, @arguments) = $receive->()) {
        my @answer = eval { ('ok', $requests{$name}->(@arguments)) };
        @answer = ('error', $@ =~ s/\s+\z//r) if $@;
        $send->(@answer);
    }
    $session->end if $session;
}

1;
