#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write a tar from a list on stdin: make-tar.py [--format=pax|gnu|ustar] [--no-end] OUT

A line is a type, a name, for links a target, for devices MAJOR MINOR, and KEY=VALUE words:
mode= (octal) uid= gid= mtime= content= size= (zeros) pax:KEY=VALUE. In names, targets and values
\\xNN is a byte and \\s a blank. Names are written as they stand.
"""
import io
import re
import sys
import tarfile

TYPES = {'file': tarfile.REGTYPE, 'dir': tarfile.DIRTYPE, 'link': tarfile.SYMTYPE,
         'hard': tarfile.LNKTYPE, 'char': tarfile.CHRTYPE, 'block': tarfile.BLKTYPE,
         'fifo': tarfile.FIFOTYPE}


def text(word):
    word = word.replace('\\s', ' ').encode('utf-8')
    word = re.sub(rb'\\x([0-9a-f]{2})', lambda m: bytes([int(m.group(1), 16)]), word)
    return word.decode('utf-8', 'surrogateescape')


class Entry(tarfile.TarInfo):
    def get_info(self):
        info = super().get_info()
        info['name'] = self.name  # tarfile adds a slash to directories
        return info


def main():
    args = sys.argv[1:]
    form, end = tarfile.PAX_FORMAT, True
    while args[0].startswith('--'):
        option = args.pop(0)
        if option == '--no-end':
            end = False
        else:
            form = {'--format=pax': tarfile.PAX_FORMAT, '--format=gnu': tarfile.GNU_FORMAT,
                    '--format=ustar': tarfile.USTAR_FORMAT}[option]
    out = open(args[0], 'wb')
    for line in sys.stdin:
        words = line.split()
        if not words or words[0] == '#':
            continue
        kind, name, rest = words[0], text(words[1]), words[2:]
        entry = Entry('' if name == '""' else name)
        entry.type = TYPES[kind]
        entry.mode = 0o755 if kind == 'dir' else 0o644
        entry.mtime = 1600000000
        content = b''
        if kind in ('link', 'hard'):
            entry.linkname = text(rest.pop(0))
        if kind in ('char', 'block'):
            entry.devmajor, entry.devminor = int(rest.pop(0)), int(rest.pop(0))
        for word in rest:
            key, value = word.split('=', 1)
            value = text(value)
            if key == 'mode':
                entry.mode = int(value, 8)
            elif key in ('uid', 'gid'):
                setattr(entry, key, int(value))
            elif key == 'mtime':
                entry.mtime = float(value) if '.' in value else int(value)
            elif key == 'content':
                content = value.encode('utf-8', 'surrogateescape')
            elif key == 'size':
                content = bytes(int(value))
            elif key.startswith('pax:'):
                entry.pax_headers[text(key[4:])] = value
            else:
                sys.exit('unknown key ' + key)
        entry.size = len(content)
        out.write(entry.tobuf(form, 'utf-8', 'surrogateescape'))
        out.write(content + bytes(-len(content) % 512))
    if end:
        out.write(bytes(1024))


main()
