#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Print what an image in a docker-archive is, as text that can be compared with diff(1).

image-text.py ARCHIVE OUTDIR SECONDS   writes OUTDIR/NAME for each image NAME of the archive

First the config, a line per value, then the history, then the files that all layers together
give, a line each: path type mode ids size digest link device attributes time. A time of SECONDS
or later is 'new'; directories are shown without, for anything made in one sets it. Links to the
same file are shown by the first path that has it.
"""
import hashlib
import json
import os
import sys
import tarfile

TYPES = {tarfile.REGTYPE: 'file', tarfile.DIRTYPE: 'dir', tarfile.SYMTYPE: 'link',
         tarfile.CHRTYPE: 'char', tarfile.BLKTYPE: 'block', tarfile.FIFOTYPE: 'fifo'}
PATH_ORDER = str.maketrans('/', '\0')


def digest(file):
    h = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b''):
        h.update(block)
    return h.hexdigest()[:16]


def clean(name):
    parts = [p for p in name.split('/') if p not in ('', '.')]
    return '/'.join(parts)


def read_layer(tar, newest):
    """The members of a layer: (path, values), a list; of links to files (path, path of the other)."""
    out = []
    for member in tar:
        path = clean(member.name)
        if member.islnk():
            out.append((path, clean(member.linkname)))
            continue
        words = [TYPES[member.type], '%04o' % (member.mode & 0o7777), '%d:%d' % (member.uid, member.gid)]
        if member.isreg():
            words += [str(member.size), digest(tar.extractfile(member))]
        elif member.issym():
            words.append('-> ' + member.linkname)
        elif member.type in (tarfile.CHRTYPE, tarfile.BLKTYPE):
            words.append('%d,%d' % (member.devmajor, member.devminor))
        for key in sorted(member.pax_headers):
            if key.startswith('SCHILY.xattr.'):
                value = member.pax_headers[key].encode('utf-8', 'surrogateescape').hex()
                words.append(key[len('SCHILY.xattr.'):] + '=' + value)
        if not member.isdir():
            words.append('@new' if member.mtime >= newest else '@%d' % member.mtime)
        out.append((path, tuple(words)))
    return out


def remove_below(tree, path):
    for name in [n for n in tree if n.startswith(path + '/')]:
        del tree[name]


def put(tree, path, node):
    if path in tree and not (node[0][0] == 'dir' and tree[path][0][0] == 'dir'):
        remove_below(tree, path)
    tree[path] = node


def delete(tree, lower, path):
    directory, base = os.path.split(path)
    if base == '.wh..wh..opq':
        gone = [n for n in lower if not directory or n.startswith(directory + '/')]
    else:
        target = clean(directory + '/' + base[len('.wh.'):])
        gone = [n for n in lower if n == target or n.startswith(target + '/')]
    for name in gone:
        tree.pop(name, None)


def apply_layer(tree, members):
    lower = set(tree)
    for path, _ in members:
        if os.path.basename(path).startswith('.wh.'):
            delete(tree, lower, path)
    for path, values in members:
        if os.path.basename(path).startswith('.wh.'):
            continue
        # a node is a list of its own, so that links can share it
        put(tree, path, tree[values] if isinstance(values, str) else [values])


def put_tree(tree, out):
    first = {}
    for path in sorted(tree, key=lambda p: p.translate(PATH_ORDER)):
        node = tree[path]
        words = [path or '.'] + list(node[0])
        if node[0][0] != 'dir':
            seen = first.setdefault(id(node), path)
            if seen != path:
                words.insert(-1, 'same-as:' + seen)
        out.append(' '.join(words).replace('\n', '\\n'))


def put_value(name, value, out):
    if isinstance(value, dict):
        for key in sorted(value):
            put_value(name + '.' + key, value[key], out)
        if not value:
            out.append('%s {}' % name)
    elif value is not None:
        out.append('%s %s' % (name, json.dumps(value, ensure_ascii=False)))


def put_config(config, out):
    for key in sorted(config):
        if key not in ('config', 'history', 'rootfs', 'created'):
            put_value(key, config[key], out)
    for key in sorted(config['config']):
        put_value('config.' + key, config['config'][key], out)
    for entry in config['history']:
        out.append('history ' + ' '.join(
            '%s=%s' % (key, json.dumps(entry[key], ensure_ascii=False))
            for key in ('created_by', 'author', 'empty_layer', 'comment') if entry.get(key)))
    out.append('layers %d' % len(config['rootfs']['diff_ids']))


def main():
    archive, out_dir, newest = sys.argv[1], sys.argv[2], int(sys.argv[3])
    layers = {}
    with tarfile.open(archive) as tar:
        for image in json.load(tar.extractfile('manifest.json')):
            config = json.load(tar.extractfile(image['Config']))
            tree = {}
            for name in image['Layers']:
                if name not in layers:
                    # extractfile follows the links that stand for a layer that is there twice
                    with tarfile.open(fileobj=tar.extractfile(name), errors='surrogateescape') as layer:
                        layers[name] = read_layer(layer, newest)
                apply_layer(tree, layers[name])
            out = []
            put_config(config, out)
            put_tree(tree, out)
            for tag in image['RepoTags'] or []:
                name = tag.rpartition(':')[0].rpartition('/')[2]
                with open(os.path.join(out_dir, name), 'w', errors='surrogateescape') as f:
                    f.write('\n'.join(out) + '\n')


main()
