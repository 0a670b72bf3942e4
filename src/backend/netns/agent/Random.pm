package Random;

# The streams of #base/sim (xoshiro128**, seeded from the run's seed and the stream's name), so that a real kernel's
# lab loses the same frames as the simulated one as long as the same frames pass.
use strict;
use warnings;

use constant M => 0xffffffff;

sub imul { my ($a, $b) = @_; use integer; return ($a * $b) & M }

sub new {
    my ($class, $seed, $name) = @_;
    my $h = 0x811c9dc5 ^ ($seed & M);
    $h = imul($h ^ int($seed / 4294967296), 0x01000193);
    $h = imul($h ^ ord, 0x01000193) for split //, $name;
    my @words = map {
        $h = ($h + 0x9e3779b9) & M;
        my $z = $h ^ ($h >> 16);
        $z = imul($z, 0x21f0aaad);
        $z = imul($z ^ ($z >> 15), 0x735a2d97);
        $z ^ ($z >> 15);
    } 1 .. 4;
    $words[3] |= 1;
    return bless \@words, $class;
}

# 32 random bits.
sub uint32 {
    my ($s) = @_;
    my $t5     = imul($s->[1], 5);
    my $result = imul((($t5 << 7) & M) | ($t5 >> 25), 9);
    my $t      = ($s->[1] << 9) & M;
    $s->[2] ^= $s->[0];
    $s->[3] ^= $s->[1];
    $s->[1] ^= $s->[2];
    $s->[0] ^= $s->[3];
    $s->[2] ^= $t;
    $s->[3] = (($s->[3] << 11) & M) | ($s->[3] >> 21);
    return $result;
}

sub fraction { return $_[0]->uint32 / 4294967296 }

1;
