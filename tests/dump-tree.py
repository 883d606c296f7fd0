#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print a tree as text, a line per file, so that trees can be compared with diff(1).

dump-tree.py [--no-times] [--no-dir-times] [--whole] DIR

Names of one file are shown by the first path that has the inode. With --whole the time of DIR itself
and overlay's own names of attributes are shown, too: for trees in which these are a user's.
"""
import hashlib
import os
import stat
import sys


def digest(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        for block in iter(lambda: f.read(1 << 20), b''):
            h.update(block)
    return h.hexdigest()[:16]


def main():
    args = sys.argv[1:]
    times = dir_times = True
    whole = False
    while args and args[0].startswith('--'):
        option = args.pop(0)
        if option == '--no-times':
            times = dir_times = False
        elif option == '--no-dir-times':
            dir_times = False
        elif option == '--whole':
            whole = True
        else:
            sys.exit('unknown option ' + option)
    root = os.fsencode(args[0])
    first = {}
    paths = [b'.']
    for base, dirs, files in os.walk(root):
        for name in dirs + files:
            paths.append(os.path.relpath(os.path.join(base, name), root))
    count = {}
    for path in paths:
        st = os.lstat(os.path.join(root, path))
        count[(st.st_dev, st.st_ino)] = count.get((st.st_dev, st.st_ino), 0) + 1
    for path in sorted(paths):
        full = os.path.join(root, path)
        st = os.lstat(full)
        kind = stat.S_IFMT(st.st_mode)
        words = [path.decode('utf-8', 'backslashreplace').replace('\n', '\\n'),
                 {stat.S_IFREG: 'file', stat.S_IFDIR: 'dir', stat.S_IFLNK: 'link',
                  stat.S_IFCHR: 'char', stat.S_IFBLK: 'block', stat.S_IFIFO: 'fifo',
                  stat.S_IFSOCK: 'socket'}[kind],
                 '%04o' % stat.S_IMODE(st.st_mode), '%d:%d' % (st.st_uid, st.st_gid)]
        if kind == stat.S_IFREG:
            words += [str(st.st_size), digest(full)]
        # not what st_nlink says: an overlay counts names that it does not show
        if kind != stat.S_IFDIR and count[(st.st_dev, st.st_ino)] > 1:
            seen = first.setdefault((st.st_dev, st.st_ino), path)
            words.append('same-as:' + seen.decode('utf-8', 'backslashreplace'))
        if kind == stat.S_IFLNK:
            words.append('-> ' + os.readlink(full).decode('utf-8', 'backslashreplace'))
        if kind in (stat.S_IFCHR, stat.S_IFBLK):
            words.append('%d,%d' % (os.major(st.st_rdev), os.minor(st.st_rdev)))
        for name in sorted(os.listxattr(full, follow_symlinks=False)):
            if not whole and name.startswith(('trusted.overlay.', 'user.overlay.', 'security.selinux')):
                continue
            words.append(name + '=' + os.getxattr(full, name, follow_symlinks=False).hex())
        if times and (dir_times or kind != stat.S_IFDIR) and (whole or path != b'.'):
            words.append('@%d.%09d' % divmod(st.st_mtime_ns, 10**9))
        print(' '.join(words))


main()
