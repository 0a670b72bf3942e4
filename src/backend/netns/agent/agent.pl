# Serves labs to the process at the other end of standard input and output, and ends with it.
use strict;
use warnings;
use Wire qw(send_message receive_message);
use Serve;

$0 = 'kaidoku: lab';
Sys::die_with_parent();
open my $answers, '>&', \*STDOUT or die "stdout: $!\n";
open STDOUT, '>&', \*STDERR or die "stderr: $!\n"; # What a tool prints by mistake is no answer.
Serve::serve(sub { receive_message(\*STDIN) }, sub { send_message($answers, @_) }, 0);
