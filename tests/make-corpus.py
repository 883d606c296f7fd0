#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make-corpus.py DIR KIND…: a tree of every kind of file that a layer can hold, the same each time. Needs root.

Kinds: plain (what the oldest tar can hold), links, special (fifos, devices), names (long and odd ones),
attributes (capabilities, user's, access control lists), times (before 1970, after 2038), holes.
"""
import os
import sys

CAPABILITY = bytes.fromhex('0100000200200000000000000000000000000000')
ACL = bytes.fromhex('0200000001000600ffffffff020004009210000004000400ffffffff10000400ffffffff20000000ffffffff')
DEFAULT_ACL = bytes.fromhex('0200000001000700ffffffff020005009210000004000500ffffffff10000500ffffffff20000500ffffffff')
WHEN = 1500000000


def finish(path, mode=None, uid=0, gid=0, mtime=WHEN):
    os.chown(path, uid, gid, follow_symlinks=False)
    if mode is not None:
        os.chmod(path, mode)
    os.utime(path, (mtime, mtime), follow_symlinks=False)


def put(path, content=b'', mode=0o644, **owner):
    with open(path, 'wb') as f:
        f.write(content)
    finish(path, mode, **owner)


def directory(path, mode=0o755, **owner):
    os.makedirs(path, exist_ok=True)
    finish(path, mode, **owner)


def link(path, target, **owner):
    os.symlink(target, path)
    finish(path, **owner)


def plain():
    directory(b'plain')
    put(b'plain/empty')
    put(b'plain/text', b'hello\n', 0o600, uid=1000, gid=1001)
    put(b'plain/block', b'x' * 512)
    put(b'plain/large', bytes(range(256)) * 3000, mtime=1)
    put(b'plain/none', b'none', 0)
    put(b'plain/setuid', b's', 0o4755)
    put(b'plain/setgid', b's', 0o2711, uid=33, gid=33)
    put(b'plain/epoch', b'', mtime=0)
    put(b'plain/-dash', b'')
    directory(b'plain/empty-dir', 0o700)
    directory(b'plain/sticky', 0o1777)
    directory(b'plain/group', 0o2775, gid=100)
    directory(b'plain/closed/in', 0o500, uid=1000, gid=1001)
    put(b'plain/closed/in/f', b'closed', 0)
    directory(b'plain/a')
    directory(b'plain/a-b')
    put(b'plain/a/f', b'a')
    put(b'plain/a-b/f', b'ab')
    for path in b'plain/closed/in', b'plain/a', b'plain/a-b':
        finish(path, 0o500 if b'closed' in path else 0o755, mtime=WHEN + 1)
    finish(b'plain/closed', 0o0, mtime=WHEN + 2)
    directory(b'plain', 0o755, mtime=WHEN + 3)


def links():
    directory(b'links')
    put(b'links/first', b'content')
    for name in b'links/second', b'links/a-before', b'links/third':
        os.link(b'links/first', name)
    link(b'links/relative', b'../plain/text')
    link(b'links/absolute', b'/plain/text', uid=5, gid=6)
    link(b'links/dangling', b'no/such/file', mtime=5)
    link(b'links/self', b'self')
    link(b'links/dots', b'../../../..')
    finish(b'links')


def special():
    directory(b'special')
    os.mkfifo(b'special/fifo')
    finish(b'special/fifo', 0o640, uid=7)
    os.mknod(b'special/null', 0o20600, os.makedev(1, 3))
    finish(b'special/null', 0o666)
    os.mknod(b'special/loop', 0o60600, os.makedev(7, 200))
    finish(b'special/loop', 0o660, gid=6)
    finish(b'special')


def names():
    directory(b'names')
    long = b'n' * 240
    directory(b'names/' + long + b'/' + long)
    put(b'names/' + long + b'/' + long + b'/' + b'f' * 255, b'deep')
    put(b'names/' + b'h' * 99, b'99')
    put(b'names/' + b'h' * 100, b'100')
    link(b'names/to-long', b'../' * 40 + b't' * 120)
    os.link(b'names/' + b'h' * 100, b'names/hard')
    for name in (b'caf\xc3\xa9', b'cafe\xcc\x81', b'new\nline', b' blanks ', b'back\\slash', b'quote"\'', b'...', b'.wh',
                 b'star*[x]?', b'~', b'\xe4\xb8\xad\xe6\x96\x87'):
        put(b'names/' + name, name)
    for name in b'names/' + long + b'/' + long, b'names/' + long, b'names':
        finish(name)


def latin():
    directory(b'latin')
    put(b'latin/latin\xe9', b'latin')
    link(b'latin/link\xff', b'latin\xe9')
    finish(b'latin')


def attributes():
    directory(b'attributes')
    put(b'attributes/capable', b'prog', 0o755)
    os.setxattr(b'attributes/capable', 'security.capability', CAPABILITY)
    put(b'attributes/owned', b'prog', 0o4755, uid=1000)
    os.setxattr(b'attributes/owned', 'security.capability', CAPABILITY)
    put(b'attributes/user', b'')
    os.setxattr(b'attributes/user', 'user.text', b'value')
    os.setxattr(b'attributes/user', 'user.bytes', b'\0\xff\n=x\0')
    os.setxattr(b'attributes/user', 'user.long', b'long' * 200)
    directory(b'attributes/dir')
    os.setxattr(b'attributes/dir', 'user.of', b'dir')
    for path in b'capable', b'owned', b'user', b'dir':
        os.utime(b'attributes/' + path, (WHEN, WHEN))
    finish(b'attributes')


def acls():
    directory(b'acls')
    put(b'acls/file', b'')
    os.setxattr(b'acls/file', 'system.posix_acl_access', ACL)
    directory(b'acls/dir', 0o750)
    os.setxattr(b'acls/dir', 'system.posix_acl_default', DEFAULT_ACL)
    os.utime(b'acls/dir', (WHEN, WHEN))
    finish(b'acls')


def times():
    directory(b'times')
    put(b'times/before', b'', mtime=-86400)
    put(b'times/2038', b'', mtime=2**31)
    put(b'times/2106', b'', mtime=2**32 + 7)
    put(b'times/2242', b'', mtime=2**33 + 1)
    finish(b'times')


def holes():
    directory(b'holes')
    with open(b'holes/sparse', 'wb') as f:
        f.write(b'start')
        f.seek(5000000)
        f.write(b'middle')
        f.truncate(9000000)
    with open(b'holes/all', 'wb') as f:
        f.truncate(3000000)
    for name in b'holes/sparse', b'holes/all', b'holes':
        finish(name)


def main():
    kinds = {f.__name__: f for f in (plain, links, special, names, latin, attributes, acls, times, holes)}
    os.umask(0o022)
    os.makedirs(sys.argv[1], exist_ok=True)
    os.chdir(sys.argv[1])
    for kind in sys.argv[2:]:
        kinds[kind]()
    finish(b'.', 0o755, mtime=1600000000)


main()
