#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make-attack.py DIR CANARY: hostile tars, DIR/NAME.tar, made byte by byte, and a line for each on
stdout: NAME, "refused" or "harmless" or "either", and the pattern that the error has.

CANARY is a directory outside of what is unpacked, with a file "canary" in it. Each tar begins with
a Buildfile, so that it can be a context."""
import os
import sys

where, canary = sys.argv[1], sys.argv[2]
os.makedirs(where, exist_ok=True)
BLOCK = 512
UP = '../' * 30
upwards = canary.lstrip('/')


def raw(name, kind='0', link='', size=0, data=b'', mode='0000644', uid='0000000', size_field=None, dev=('', ''),
        magic=b'ustar\x0000', sum_=None, mtime='14000000000'):
    """A header and what follows it; names and numbers as they are given, the sum right unless given."""
    if isinstance(name, str):
        name = name.encode()
    head = bytearray(BLOCK)
    head[0:len(name)] = name
    head[100:108] = mode.encode() + b'\0'
    head[108:116] = uid if isinstance(uid, bytes) else uid.encode() + b'\0'
    head[116:124] = b'0000000\0'
    head[124:136] = size_field if size_field is not None else b'%011o\0' % (size or len(data))
    head[136:148] = mtime.encode() + b'\0'
    head[148:156] = b'        '
    head[156:157] = kind.encode()
    link = link.encode() if isinstance(link, str) else link
    head[157:157 + len(link)] = link
    head[257:257 + len(magic)] = magic
    head[329:329 + len(dev[0])] = dev[0].encode()
    head[337:337 + len(dev[1])] = dev[1].encode()
    head[148:156] = b'%06o\0 ' % (sum(head) if sum_ is None else sum_)
    assert len(head) == BLOCK
    return bytes(head) + data + bytes(-len(data) % BLOCK)


def record(key, value):
    body = b' ' + key.encode() + b'=' + (value if isinstance(value, bytes) else value.encode()) + b'\n'
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def pax(*records, kind='x'):
    return raw('././@PaxHeader', kind, data=b''.join(record(k, v) for k, v in records))


def long_name(name, kind='L'):
    return raw('././@LongLink', kind, data=(name if isinstance(name, bytes) else name.encode()) + b'\0', magic=b'ustar  \0')


def file(name, content='evil', **more):
    return raw(name, data=content.encode(), **more)


def directory(name, **more):
    return raw(name, '5', **{'mode': '0000755', **more})


def link(name, target, **more):
    if len(target) >= 100:
        return pax(('linkpath', target)) + raw(name, '2', target[:100], mode='0000777', **more)
    return raw(name, '2', target, mode='0000777', **more)


def hard(name, target):
    if len(target) >= 100:
        return pax(('linkpath', target)) + raw(name, '1', target[:100])
    return raw(name, '1', target)


BUILDFILE = file('Buildfile', 'FROM scratch\nCOPY . /\n')


def attack(name, verdict, pattern, *parts, end=True):
    with open(f'{where}/{name}.tar', 'wb') as f:
        f.write(BUILDFILE + b''.join(parts) + (bytes(2 * BLOCK) if end else b''))
    print(name, verdict, pattern or '-')


# CVE-2026-28406: names that lead out
for i, name in enumerate(['../x', 'a/../../x', '/../x', '..', 'a/..', './../x', 'a/../x', '../' * 20 + 'etc/x']):
    attack(f'up-file-{i}', 'refused', 'leads upwards', file(name))
    attack(f'up-dir-{i}', 'refused', 'leads upwards', directory(name))
    attack(f'up-link-{i}', 'refused', 'leads upwards', link(name, 'x'))
    attack(f'up-hard-{i}', 'refused', 'leads upwards', file('f'), hard(name, 'f'))
    attack(f'up-pax-{i}', 'refused', 'leads upwards', pax(('path', name)), file('f'))
    attack(f'up-long-{i}', 'refused', 'leads upwards', long_name(name), file('f'))
attack('absolute', 'harmless', '', file('/abs', 'inside'), file('//two///slashes'), file(canary[:80] + '/canary'))
# but links with more ".." than there are directories are common in base images, and stay as they are
deep = [directory('usr'), directory('usr/share'), directory('usr/share/doc'), directory('etc'), file('etc/target', 'right')]
attack('deep-links', 'harmless', '', *deep, link('usr/share/doc/one', '../../../etc/target'),
       link('usr/share/doc/more', UP + 'etc/target'), link('usr/share/doc/dir', UP + 'usr/../etc'),
       file('usr/share/doc/dir/through', 'inside'))

# CVE-2021-29136: the root as anything but a directory
for i, name in enumerate(['.', './', '/', '/.', '//', './.', '']):
    attack(f'root-link-{i}', 'refused', 'its root is not a directory', link(name, canary[:90]))
    attack(f'root-hard-{i}', 'refused', 'its root is not a directory', file('f'), hard(name, 'f'))
    attack(f'root-fifo-{i}', 'refused', 'its root is not a directory', raw(name, '6'))
attack('root-file', 'refused', 'its root is not a directory', file('.'))

# links through links (CVE-2014-6407 and all that came after it)
attack('through-absolute', 'harmless', '', link('l', canary), file('l/x'), directory('l/d'), hard('l/h', 'Buildfile'))
attack('through-relative', 'harmless', '', link('l', UP + upwards), file('l/x'))
attack('through-chain', 'harmless', '', link('a', '/'), link('b', 'a' + canary[:80]), link('c', 'b'), file('c/x'))
attack('through-up', 'harmless', '', directory('d'), link('d/l', '..'), link('d/m', 'l/l/..'), file('d/l/../../'.strip('/.') + '/x'))
attack('through-last', 'harmless', '', link('f', canary + '/canary'), file('f', 'evil'))
attack('through-loop', 'refused', 'too many symbolic links', link('a', 'b'), link('b', 'a'), file('a/x'))
attack('through-self', 'refused', 'too many symbolic links', link('a', 'a'), file('a/x'))
attack('through-proc', 'harmless', '', link('p', '/proc/self/root'), file('p/x'), link('q', '/proc/self/cwd'), file('q/x'))

# hard links (oras-go 2026, CVE-2025-5981): to the host, to what the process stands in, to links
attack('hard-absolute', 'refused', 'not an earlier entry', hard('h', canary + '/canary'))
attack('hard-relative', 'refused', 'not an earlier entry', hard('h', 'canary'))
attack('hard-up', 'refused', 'leads upwards', hard('h', UP + upwards + '/canary'))
attack('hard-through-link', 'refused', 'not an earlier entry', link('l', canary), hard('h', 'l/canary'))
attack('hard-through-relative-link', 'refused', 'not an earlier entry', link('l', UP + upwards), hard('h', 'l/canary'))
attack('hard-of-link', 'harmless', '', link('l', canary + '/canary'), hard('h', 'l'), file('h', 'evil', mode='0000777'))
attack('hard-of-directory', 'refused', 'is a directory', directory('d'), hard('h', 'd'))
attack('hard-of-itself', 'refused', 'not an earlier entry', hard('h', 'h'))
attack('hard-of-root', 'refused', 'is the root', hard('h', '/'))
attack('hard-with-data', 'either', '', file('f'), raw('h', '1', 'f', data=b'x' * 600))

# CVE-2021-32760: mode, owner, time and attributes through links
attack('mode-through-link', 'harmless', '', link('l', canary), directory('l', mode='0000777', uid='0001234'))
attack('mode-through-file-link', 'harmless', '', link('l', canary + '/canary'), raw('l', '6', mode='0000777', uid='0001234'))
attack('mode-through-hard-link', 'harmless', '', link('l', canary + '/canary'), hard('h', 'l'), raw('h', '6', mode='0004777'))
attack('attribute-through-link', 'harmless', '', pax(('SCHILY.xattr.user.evil', 'x')), link('l', canary[:90] + '/canary'))
attack('attribute-then-link', 'harmless', '', pax(('SCHILY.xattr.user.evil', 'x')), directory('l'), link('l', canary))

# deletions of what is not theirs
for i, name in enumerate(['.wh.', '.wh..', '.wh...', 'd/.wh.', 'd/.wh..', 'd/.wh...', '.wh.d/x', '.wh./x']):
    attack(f'whiteout-{i}', 'refused', 'it would delete|mean deletions|a deletion', directory('d'), file(name, ''))

# numbers
attack('size-negative', 'refused', 'damaged|ends in the middle|less data', raw('f', size_field=b'\xff' * 12), file('g'))
attack('size-huge', 'refused', 'ends in the middle|larger than', raw('f', size_field=b'77777777777\0'))
attack('size-base-256', 'refused', 'damaged|ends in the middle|larger than', raw('f', size_field=b'\x80\x7f' + b'\xff' * 10))
attack('size-overflow', 'refused', 'damaged|ends in the middle|larger than|less data', raw('f', size_field=b'\xbf' + b'\xff' * 11))
attack('size-pax-huge', 'refused', 'damaged|ends in the middle|larger than', pax(('size', '99999999999999999999')), file('f'))
attack('size-pax-negative', 'refused', 'damaged|ends in the middle|less data', pax(('size', '-1')), file('f'))
attack('size-too-small', 'refused', 'damaged', raw('f', data=b'x' * 2000, size_field=b'%011o\0' % 1000))
attack('size-too-large', 'refused', 'damaged|ends in the middle', raw('f', data=b'x' * 1000, size_field=b'%011o\0' % 9000))
attack('size-of-link', 'either', '', raw('l', '2', 'x', size=5000), file('g'))
attack('size-of-directory', 'either', '', raw('d', '5', size=5000, mode='0000755'), file('g'))
attack('owner-wraps', 'refused', 'which is none', pax(('uid', '4294967296')), file('f'))
attack('owner-negative', 'refused', 'which is none|damaged', pax(('uid', '-1')), file('f'))
attack('owner-base-256', 'refused', 'which is none', raw('f', uid=b'\x80\x00\x00\x7f\xff\xff\xff\xff'))
attack('numbers-of-letters', 'either', '', raw('f', mode='rwxrwxr', uid='root\0\0\0', mtime='yesterday\0\0'))
attack('time-huge', 'either', '', pax(('mtime', '99999999999999999999')), file('f'))
attack('time-nan', 'either', '', pax(('mtime', 'nan')), file('f'))
attack('device-huge', 'refused', 'device numbers', raw('c', '3', dev=('7777777', '7777777')))
attack('sum-wrong', 'refused', 'damaged', raw('f', sum_=1))
attack('sum-none', 'refused', 'damaged', raw('f', sum_=0))
attack('magic-none', 'either', '', raw('f', magic=b'notatar!'))
attack('type-unknown', 'either', '', raw('f', 'Z'))
attack('type-volume', 'either', '', raw('V', 'V'), raw('M', 'M', data=b'x' * 100), raw('D', 'D', data=b'Nf\0\0'))

# what stands before an entry, again and again
attack('pax-loop', 'either', '', *[pax(('path', 'p'))] * 1000, file('f'))
attack('pax-flood', 'refused', 'bytes of headers|damaged', *[pax(('comment', 'c' * 900))] * 6000, file('f'))
attack('pax-global-flood', 'refused', 'bytes of headers|damaged', *[pax(('comment', 'c' * 900), kind='g')] * 6000, file('f'))
attack('pax-large', 'refused', 'bytes of headers|damaged', pax(('comment', b'c' * (9 << 20))), file('f'))
attack('pax-size-of-itself', 'either', '', pax(('size', '99999999')), pax(('path', 'p')), file('f'))
attack('pax-length-lies', 'refused', 'damaged|ends', raw('././@PaxHeader', 'x', data=b'99999999999 path=a\n'), file('f'))
attack('pax-length-negative', 'refused', 'damaged|ends', raw('././@PaxHeader', 'x', data=b'-5 path=a\n'), file('f'))
attack('pax-without-entry', 'refused', 'damaged|ends', pax(('path', 'p')))
attack('long-flood', 'refused', 'bytes of headers|damaged', *[long_name('n' * 900)] * 6000, file('f'))
attack('long-link-flood', 'refused', 'bytes of headers|damaged|has no name', *[long_name('n' * 900, 'K')] * 6000, file('f'))
attack('long-huge', 'refused', 'bytes of headers|damaged|ends', raw('././@LongLink', 'L', size_field=b'77777777777\0', magic=b'ustar  \0'))
attack('long-nothing', 'either', '', raw('././@LongLink', 'L', data=b'\0' * 100, magic=b'ustar  \0'), file('f'))
attack('name-too-long', 'refused', 'more than 255 bytes', pax(('path', 'n' * 300)), file('f'))
attack('path-too-long', 'refused', 'more than 4095 bytes', pax(('path', 'n/' * 3000)), file('f'))
attack('path-too-deep', 'refused', 'more components', pax(('path', 'n/' * 600 + 'f')), file('f'))
attack('target-too-long', 'refused', 'more than 4095 bytes', link('l', 'n' * 5000))
attack('target-of-nothing', 'refused', 'without a target', link('l', ''))

# sparse maps that lie
attack('sparse-beyond', 'refused', 'beyond|damaged|ends|holes', pax(('GNU.sparse.major', '0'), ('GNU.sparse.minor', '1'),
       ('GNU.sparse.size', '10'), ('GNU.sparse.numblocks', '1'), ('GNU.sparse.map', '100000,4')), file('f'))
attack('sparse-huge', 'refused', 'holes|larger|damaged', pax(('GNU.sparse.size', '9223372036854775807'), ('GNU.sparse.numblocks', '1'),
       ('GNU.sparse.map', '0,4')), file('f'))
attack('sparse-large', 'refused', 'holes', pax(('GNU.sparse.size', str(1 << 39)), ('GNU.sparse.numblocks', '1'),
       ('GNU.sparse.map', '0,4')), file('f'))
attack('sparse-overflow', 'refused', 'beyond|damaged|ends|holes|larger', pax(('GNU.sparse.size', '1000'), ('GNU.sparse.numblocks', '2'),
       ('GNU.sparse.map', '9223372036854775800,100,0,4')), file('f'))
attack('sparse-backwards', 'either', '', pax(('GNU.sparse.size', '100'), ('GNU.sparse.numblocks', '2'),
       ('GNU.sparse.map', '50,2,0,2')), file('f'))
attack('sparse-negative', 'either', '', pax(('GNU.sparse.size', '-5'), ('GNU.sparse.map', '-1,-1')), file('f'))
attack('sparse-name-up', 'refused', 'leads upwards', pax(('GNU.sparse.major', '1'), ('GNU.sparse.minor', '0'),
       ('GNU.sparse.name', '../x'), ('GNU.sparse.realsize', '3')), file('f', '1\n0\n3\n'.ljust(512, '\0') + 'abc'))

# the same name again and again
attack('again', 'harmless', '', *[file('f', str(i)) for i in range(2000)])
attack('again-changing', 'harmless', '', *([file('x'), directory('x'), file('x/y'), link('x', canary), file('x/z'),
                                            raw('x', '6'), hard('x', 'Buildfile')] * 20))

# attributes by which overlayfs would show something else
attack('overlay-marks', 'harmless', '', pax(('SCHILY.xattr.trusted.overlay.redirect', canary),
       ('SCHILY.xattr.trusted.overlay.metacopy', ''), ('SCHILY.xattr.user.overlay.redirect', canary)), directory('d'),
       pax(('SCHILY.xattr.trusted.overlay.opaque', 'y'), ('SCHILY.xattr.user.overlay.opaque', 'y')), directory('e'))
