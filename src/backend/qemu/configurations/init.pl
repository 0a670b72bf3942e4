#!/usr/bin/perl
# The guest's first process: loads modules, runs each command, and gives what they printed to the outside, packed, byte
# by byte through a port that isn't a device of any real machine.
use strict;
use warnings;
sub must { my ($name, $number, @rest) = @_; syscall($number, @rest) == 0 or print STDERR "$name: $!\n" }
my $none = 0;
must('mount dev',  165, 'udev',  '/dev',  'devtmpfs', 0, $none);
must('mount proc', 165, 'proc',  '/proc', 'proc',     0, $none);
must('mount sys',  165, 'sysfs', '/sys',  'sysfs',    0, $none);
%ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL => 'C', TZ => 'UTC');
for my $name (split /\n/, slurp('/records/modules')) {
    open my $module, '<', "/records/$name" or next;
    must("load $name", 313, fileno $module, '', 0);
}
sub slurp { my ($path) = @_; open my $file, '<', $path or return ''; local $/; return scalar <$file> }
select undef, undef, undef, 2.5; # What is found out late: the refined TSC, the watchdog's first looks.
my $all = '';
for my $command (split /\0/, slurp('/records/commands')) {
    open my $run, '-|', '/bin/bash', '-c', "{ $command\n} 2>&1 < /dev/null" or die "bash: $!\n";
    my $said = do { local $/; <$run> } // '';
    close $run;
    $all .= "$command\0$said\0";
}
open my $raw, '>', '/dev/all' or die "$!\n";
print {$raw} $all;
close $raw;
my $packed = `gzip -9 -c /dev/all`;
open my $ports, '+<', '/dev/port' or die "/dev/port: $!\n";
for my $byte (split //, pack('V', length $packed) . $packed) {
    sysseek $ports, 0xe9, 0;
    syswrite $ports, $byte;
}
sleep 1000;
