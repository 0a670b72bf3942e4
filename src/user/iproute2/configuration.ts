/** Names of numbers, as a Debian 12 host has them below /etc/iproute2. The numbers are those of Linux's headers and of IANA. */
export const CONFIGURATION: Record<string, string> = {
  rt_tables: '255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n',
  rt_protos:
    '0\tunspec\n1\tredirect\n2\tkernel\n3\tboot\n4\tstatic\n8\tgated\n9\tra\n10\tmrt\n11\tzebra\n12\tbird\n13\tdnrouted\n14\txorp\n15\tntk\n16\tdhcp\n18\tkeepalived\n42\tbabel\n99\topenr\n186\tbgp\n187\tisis\n188\tospf\n189\trip\n192\teigrp\n',
  rt_scopes: '0\tglobal\n255\tnowhere\n254\thost\n253\tlink\n200\tsite\n',
  rt_dsfield:
    '0x0\tdefault\n0x28\tAF11\n0x30\tAF12\n0x38\tAF13\n0x48\tAF21\n0x50\tAF22\n0x58\tAF23\n0x68\tAF31\n0x70\tAF32\n0x78\tAF33\n0x88\tAF41\n0x90\tAF42\n0x98\tAF43\n0x20\tCS1\n0x40\tCS2\n0x60\tCS3\n0x80\tCS4\n0xA0\tCS5\n0xC0\tCS6\n0xE0\tCS7\n0xB8\tEF\n',
  group: '0\tdefault\n',
  rt_realms: '0\tcosmos\n',
}
