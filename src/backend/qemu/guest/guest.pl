# Serves labs to the world outside, without ever waiting for it: an answer is written to the exchange (a second piece
# of persistent memory), then a word to the machine's panic port stops the machine. While it is stopped no virtual time
# passes; outside, the answer is read, the next request is written, and the machine goes on at the same instruction.
use strict;
use warnings;
use Fcntl qw(O_RDWR);
use Wire qw(encode decode);
use Serve;

use constant {
    ANSWER_AT  => 16 << 20, # Requests lie before, answers from here on, a piece of so much at a time.
    PIECE      => 8 << 20,
    PANIC_PORT => 0x505,    # QEMU hw/misc/pvpanic-isa.c; bit 0 is "panicked", here "look at me".
    BLKFLSBUF  => 0x1261,
};

$0 = 'kaidoku: lab';
sysopen my $exchange, '/dev/pmem1', O_RDWR or die "/dev/pmem1: $!\n";
sysopen my $ports,    '/dev/port',  O_RDWR or die "/dev/port: $!\n";

sub write_at {
    my ($at, $bytes) = @_;
    sysseek $exchange, $at, 0;
    (syswrite $exchange, $bytes) == length $bytes or die "exchange: $!\n";
}

sub read_at {
    my ($at, $length) = @_;
    sysseek $exchange, $at, 0;
    my $bytes = '';
    while (length $bytes < $length) {
        sysread $exchange, $bytes, $length - length $bytes, length $bytes or die "exchange: $!\n";
    }
    return $bytes;
}

# Stops the machine. When the call returns, whoever is outside has done what they wanted.
sub stop {
    ioctl $exchange, BLKFLSBUF, 0 or die "exchange: $!\n"; # All written, and nothing kept that is going to change.
    sysseek $ports, PANIC_PORT, 0;
    syswrite $ports, "\1";
}

sub answer {
    my $bytes = encode(@_);
    do {
        my $piece = substr $bytes, 0, PIECE, '';
        write_at(ANSWER_AT, pack('VV', length $bytes ? 1 : 0, length $piece) . $piece);
        stop();
    } while (length $bytes);
}

answer('ok'); # Booted.
Serve::serve(sub { decode(read_at(4, unpack 'V', read_at(0, 4))) }, \&answer, 1);
