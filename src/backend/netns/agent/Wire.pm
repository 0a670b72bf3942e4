package Wire;

# Messages are lists of byte strings: a 32-bit length before the whole and before each string, little endian.
use strict;
use warnings;
use Exporter 'import';
our @EXPORT_OK = qw(encode decode send_message receive_message);

sub encode {
    return pack '(V/a)*', @_;
}

sub decode {
    my ($bytes) = @_;
    return unpack '(V/a)*', $bytes;
}

sub send_message {
    my ($handle, @fields) = @_;
    my $body  = encode(@fields);
    my $bytes = pack('V', length $body) . $body;
    my $done  = 0;
    while ($done < length $bytes) {
        my $written = syswrite $handle, $bytes, length($bytes) - $done, $done;
        if (!defined $written) {
            next if $!{EINTR};
            die "write: $!\n";
        }
        $done += $written;
    }
}

sub read_exactly {
    my ($handle, $length) = @_;
    my $bytes = '';
    while (length $bytes < $length) {
        my $got = sysread $handle, $bytes, $length - length $bytes, length $bytes;
        if (!defined $got) {
            next if $!{EINTR};
            return undef;
        }
        return undef if $got == 0;
    }
    return $bytes;
}

# Waits for a message; empty when the other side is gone.
sub receive_message {
    my ($handle) = @_;
    my $head = read_exactly($handle, 4) // return;
    my $body = read_exactly($handle, unpack 'V', $head) // return;
    return decode($body);
}

1;
