"""Writes NAME.txt of NAME.pcap: what tshark says of its frames. `python3 record.py lab vrrp`"""
import re, subprocess, sys
import xml.etree.ElementTree as ET

# Notes of experts, names of vendors, and what isn't taken apart; of frames, what depends on a display.
SKIP = re.compile(r'_ws\.expert|.*_resolved$|.*\.oui$|frame\.(offset_shift|time_delta_displayed|marked|ignored)$|http\.chat|ipv6\..*isatap|dns\.opt|dns\.resp\.z\.reserved'
                  r'|vxlan\.flags_reserved|tcp\.(connection|reassembled\.data)|ip\.reassembled\.data|llc\..*\.(sap|ig|cr|u_modifier_cmd|ftype)$')
# Frames that are as others before them are left out, to keep the file small.
KEEP = {'lab': {1, 2, 3, 4, 6, 11, 27, 33, 39, 41, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 56, 57, 60, 62, 65, 66, 73, 75, 77, 85, 87, 90, 91, 93, 94, 99, 101, 106, 107, 110, 112, 115, 117, 131, 142, 145, 147, 155},
        'vrrp': {1, 3, 4, 13, 24, 25}}

for name in sys.argv[1:]:
    pdml = subprocess.run(['tshark', '-r', name + '.pcap', '-T', 'pdml'], capture_output=True, check=True).stdout
    out = []
    for number, packet in enumerate(ET.fromstring(pdml), 1):
        out.append(f'===== {number}')
        if number not in KEEP[name]:
            continue
        def visit(element, depth):
            a = element.attrib
            field = a.get('name') or ''
            if field == 'fake-field-wrapper':
                for child in element:
                    visit(child, depth)
                return
            if SKIP.match(field) or (field == 'ip.version' and a.get('hide')):
                return
            hidden = a.get('hide') == 'yes'
            text, at, size = a.get('showname') or a.get('show', ''), a.get('pos'), int(a.get('size') or 0)
            if field == 'data' and not a.get('showname'):
                at, size = element[0].get('pos'), int(element[0].get('size'))
                text = f"Data ({size} byte{'' if size == 1 else 's'})"
            text = text.replace('eth:ethertype:ip:igmp:igmp', 'eth:ethertype:ip:igmp')
            place = f'{at}+{size}' if size and not field.startswith('ip.fragment') else ''
            out.append('  ' * depth + f"{field}|{'' if hidden else text}|{place}{'|hidden' if hidden else ''}")
            for child in element:
                visit(child, depth + 1)
        for protocol in packet:
            if protocol.attrib.get('name') != 'geninfo':
                visit(protocol, 0)
    open(name + '.txt', 'w').write('\n'.join(out) + '\n')
