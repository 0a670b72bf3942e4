# The directory in which every command of these files runs.
printf 'one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\neleven\ntwelve\n' > twelve
printf 'alpha\nbeta\ngamma' > nonl
: > empty
printf 'name:age:city\nann:31:Oslo\nbob:7:Rome\ncarol:100:Bern\nno separator\n' > table
printf 'a\tb\tc\n\td\n1234567\t8\n12345678\t9\n' > tabs
printf 'pear\napple\nFig\napple\n10\n9\n-3\n\nfig\napple\n' > words
printf '3 x\n1 y\n2 z\n10 a\n1 b\n' > nums
printf 'a 1\nb 2\nc 3\ne 5\n' > left
printf 'a X\nc Y\nd Z\ne W\ne V\n' > right
printf 'the quick brown fox jumps over the lazy dog\n\nand a much longer line follows here, with several words in it, to be folded\n' > prose
printf 'na\303\257ve caf\303\251\n\346\227\245\346\234\254\350\252\236\n' > utf8
printf '\000\001\002hello\377\376world\n0123456789abcdef0123456789abcdef0123456789abcdef\n' > binary
printf '2: eth0: <UP> mtu 1500\n    link/ether 02:00:00:00:00:01\n    inet 10.0.0.1/24 scope global eth0\n3: eth1: <UP> mtu 9000\n    inet 10.0.1.1/24 scope global eth1\n' > ip.txt
mkdir -p dir/sub dir/empty
printf 'x\n' > dir/a.txt
printf 'yy\n' > dir/b.log
printf 'zzz\n' > dir/sub/c.txt
printf 'h\n' > dir/.hidden
chmod 755 dir/a.txt
chmod 600 dir/b.log
ln -s a.txt dir/link
ln -s nowhere dir/dangling
ln -s dir todir
touch -d '2020-02-03 04:05:06' dir/a.txt
touch -d '2021-03-04 05:06:07.5' dir/b.log
touch -d '2019-01-01 00:00:00' dir/sub/c.txt dir/.hidden
touch -d '2022-12-31 23:59:59' dir/sub dir/empty
touch -d '2022-12-31 23:59:59' dir
