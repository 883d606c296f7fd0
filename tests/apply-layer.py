#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""apply-layer.py TAR DIR: put a layer's tar onto a plain tree, by another reader than ours.

Deletions first, then the members in their order; times last.
"""
import os
import shutil
import stat
import sys
import tarfile

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"


def raw(text):
    return text.encode("utf-8", "surrogateescape")


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)


def delete(top, name):
    directory, base = os.path.split(os.path.join(top, name))
    if base != OPAQUE:
        remove(os.path.join(directory, base[len(WHITEOUT):]))
    elif os.path.isdir(directory):
        for child in os.listdir(directory):
            remove(os.path.join(directory, child))


def make(tar, member, top, path):
    if member.isdir():
        if not os.path.isdir(path) or os.path.islink(path):
            remove(path)
            os.mkdir(path)
        return
    remove(path)
    if member.islnk():
        os.link(os.path.join(top, raw(member.linkname)), path, follow_symlinks=False)
    elif member.issym():
        os.symlink(raw(member.linkname), path)
    elif member.isfile():
        with open(path, "xb") as out:
            shutil.copyfileobj(tar.extractfile(member), out)
    else:
        kind = {tarfile.FIFOTYPE: stat.S_IFIFO, tarfile.CHRTYPE: stat.S_IFCHR}
        os.mknod(path, kind.get(member.type, stat.S_IFBLK),
                 os.makedev(member.devmajor, member.devminor))


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
    top = os.fsencode(sys.argv[2])
    times = {top: os.stat(top).st_mtime_ns}
    with tarfile.open(sys.argv[1], encoding="utf-8", errors="surrogateescape") as tar:
        members = tar.getmembers()
        for member in members:
            if os.path.basename(raw(member.name)).startswith(WHITEOUT):
                delete(top, raw(member.name))
        for member in members:
            if os.path.basename(raw(member.name)).startswith(WHITEOUT):
                continue
            path = os.path.normpath(os.path.join(top, raw(member.name)))
            make(tar, member, top, path)
            dress(member, path)
            times[path] = int(member.mtime) * 10**9
    for path, when in times.items():
        os.utime(path, ns=(when, when), follow_symlinks=False)


main()
