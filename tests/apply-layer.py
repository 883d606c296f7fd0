#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""apply-layer.py TAR DIR: put a layer's tar onto a plain tree, by another reader than ours.

Deletions first, then the members in their order; times last.
"""
import decimal
import os
import shutil
import stat
import sys
import tarfile

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"


def raw(text):
    return text.encode("utf-8", "surrogateescape")


def is_mark(name):
    return os.path.basename(name).startswith(WHITEOUT)


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def mtime_ns(member):
    text = member.pax_headers.get("mtime")
    return int(decimal.Decimal(text).scaleb(9)) if text else int(member.mtime) * 10**9


class Tree:
    def __init__(self, top):
        self.top = top
        self.times = {}
        self.keep_time(top)

    def keep_time(self, directory):
        """What is made or removed in a directory without an entry does not change its time."""
        directory = os.path.realpath(directory)
        if os.path.isdir(directory):
            self.times.setdefault(directory, os.stat(directory).st_mtime_ns)

    def path_of(self, name):
        return os.path.normpath(os.path.join(self.top, name.lstrip(b"/")))

    def delete(self, name):
        directory, base = os.path.split(self.path_of(name))
        # it need not be there, and is then, as with docker and containerd
        directory = os.path.realpath(directory)
        self.make_parents(os.path.join(directory, base))
        if base != OPAQUE:
            remove(os.path.join(directory, base[len(WHITEOUT):]))
            return
        for child in os.listdir(directory):
            remove(os.path.join(directory, child))

    def make_parents(self, path):
        directory = os.path.dirname(path)
        if os.path.isdir(directory):
            self.keep_time(directory)
            return
        self.make_parents(directory)
        remove(directory)
        os.mkdir(directory, 0o755)
        self.times[directory] = 0

    def make(self, tar, member, path):
        if path != self.top:
            self.make_parents(path)
        if member.isdir():
            if not os.path.isdir(path) or os.path.islink(path):
                remove(path)
                os.mkdir(path)
            return
        remove(path)
        if member.islnk():
            os.link(self.path_of(raw(member.linkname)), path, follow_symlinks=False)
        elif member.issym():
            os.symlink(raw(member.linkname), path)
        elif member.isfile():
            with open(path, "xb") as out:
                shutil.copyfileobj(tar.extractfile(member), out)
        else:
            kind = {tarfile.FIFOTYPE: stat.S_IFIFO, tarfile.CHRTYPE: stat.S_IFCHR}
            os.mknod(path, kind.get(member.type, stat.S_IFBLK),
                     os.makedev(member.devmajor, member.devminor))

    def add(self, tar, member):
        path = self.path_of(raw(member.name))
        self.make(tar, member, path)
        dress(member, path)
        self.times[path if os.path.islink(path) else os.path.realpath(path)] = mtime_ns(member)

    def set_times(self):
        for path, when in self.times.items():
            if os.path.lexists(path):
                os.utime(path, ns=(when, when), follow_symlinks=False)


def dress(member, path):
    os.chown(path, member.uid, member.gid, follow_symlinks=False)
    for name in os.listxattr(path, follow_symlinks=False):
        if not name.startswith("security."):
            os.removexattr(path, name, follow_symlinks=False)
    if not os.path.islink(path):
        os.chmod(path, member.mode)
    for key, value in member.pax_headers.items():
        if key.startswith("SCHILY.xattr."):
            os.setxattr(path, raw(key[len("SCHILY.xattr."):]), raw(value),
                        follow_symlinks=False)


def main():
    tree = Tree(os.path.realpath(os.fsencode(sys.argv[2])))
    with tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as tar:
        members = tar.getmembers()
        for member in members:
            if is_mark(raw(member.name)):
                tree.delete(raw(member.name))
        for member in members:
            if not is_mark(raw(member.name)):
                tree.add(tar, member)
    tree.set_times()


main()
