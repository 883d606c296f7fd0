#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""make-layout.py DIR TAG FAULT [PLATFORM…]: a small OCI layout of two gzipped layers, for the
command tests. With platforms the tag is an index of one image for each ("attested": and of
an attestation). FAULT is "-", or the one
thing that is wrong in it (see below); every digest on the way to it is right."""
import gzip, hashlib, io, json, os, sys, tarfile

where, tag, fault, platforms = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
os.makedirs(where + '/blobs/sha256', exist_ok=True)


def put(data):
    hex = hashlib.sha256(data).hexdigest()
    with open(where + '/blobs/sha256/' + hex, 'wb') as f:
        f.write(data)
    return 'sha256:' + hex


def put_json(value):
    data = json.dumps(value).encode()
    return dict(digest=put(data), size=len(data))


def layer(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for name, kind, content in entries:
            info = tarfile.TarInfo(name)
            info.mtime, info.mode = 1700000000, 0o755 if kind == 'd' else 0o644
            info.type = {'d': tarfile.DIRTYPE, 'f': tarfile.REGTYPE, 'l': tarfile.SYMTYPE, 'h': tarfile.LNKTYPE}[kind]
            if kind in 'lh':
                info.linkname = content
            data = content.encode() if kind == 'f' else b''
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def image(platform):
    os_name, arch = platform.split('/')[:2]
    tars = [layer([('etc', 'd', ''), ('etc/one', 'f', 'one ' * 5000), ('etc/two', 'f', 'two'), ('etc/link', 'l', 'one'),
                   ('arch', 'f', arch)]),
            layer([('etc', 'd', ''), ('etc/.wh.two', 'f', ''), ('etc/three', 'f', 'three'), ('etc/hard', 'h', 'etc/three')])]
    if fault == 'entry-outside':
        tars[1] = layer([('../../outside', 'f', 'x')])
    blobs = [gzip.compress(t, 6, mtime=0) for t in tars]
    if fault == 'layer-cut-off':
        blobs[1] = blobs[1][:-20]
    if fault == 'layer-goes-on':
        blobs[1] += b'and more'
    diff_ids = ['sha256:' + hashlib.sha256(t).hexdigest() for t in tars]
    if fault == 'diff-id':
        diff_ids[1] = diff_ids[0]
    if fault == 'diff-id-count':
        diff_ids.pop()
    config = dict(architecture=arch, os=os_name, config=dict(Cmd=['/bin/true']), rootfs=dict(type='layers', diff_ids=diff_ids),
                  history=[dict(created_by='one'), dict(created_by='two')])
    layers = [dict(mediaType='application/vnd.oci.image.layer.v1.tar+gzip', digest=put(b), size=len(b)) for b in blobs]
    if fault == 'layer-size':
        layers[1]['size'] += 1
    if fault == 'layer-missing':
        os.unlink(where + '/blobs/sha256/' + layers[1]['digest'][7:])
    config_type = 'application/vnd.oci.image.config.v1+json'
    if fault == 'artifact':
        config_type = 'application/vnd.example.thing'
    manifest = dict(schemaVersion=2, mediaType='application/vnd.oci.image.manifest.v1+json',
                    config=dict(mediaType=config_type, **put_json(config)), layers=layers)
    if fault == 'manifest-and-index':
        manifest['manifests'] = []
    if fault == 'digest-is-a-path':
        layers[1]['digest'] = 'sha256:../../../../../../../../etc/passwd'
    return dict(mediaType=manifest['mediaType'], **put_json(manifest))


if platforms:
    entries = []
    for p in platforms:
        words = p.split('/')
        entries.append(dict(image(p), platform=dict(os=words[0], architecture=words[1], **({'variant': words[2]} if words[2:] else {}))))
    if fault == 'attested':
        # as BuildKit adds it: a manifest that is no image
        statement = b'{"_type":"https://in-toto.io/Statement/v0.1"}'
        manifest = dict(schemaVersion=2, mediaType='application/vnd.oci.image.manifest.v1+json',
                        config=dict(mediaType='application/vnd.oci.image.config.v1+json',
                                    **put_json(dict(architecture='unknown', os='unknown', config={}, rootfs=dict(type='layers', diff_ids=['sha256:' + hashlib.sha256(statement).hexdigest()])))),
                        layers=[dict(mediaType='application/vnd.in-toto+json', digest=put(statement), size=len(statement))])
        entries.append(dict(mediaType=manifest['mediaType'], **put_json(manifest), platform=dict(os='unknown', architecture='unknown'),
                            annotations={'vnd.docker.reference.type': 'attestation-manifest', 'vnd.docker.reference.digest': entries[0]['digest']}))
    index_type = 'application/vnd.oci.image.index.v1+json'
    top = dict(mediaType=index_type, **put_json(dict(schemaVersion=2, mediaType=index_type, manifests=entries)))
else:
    machine = os.uname().machine
    top = image('linux/' + {'x86_64': 'amd64', 'aarch64': 'arm64'}.get(machine, machine))
if tag:
    top['annotations'] = {'org.opencontainers.image.ref.name': tag}
with open(where + '/oci-layout', 'w') as f:
    f.write('{"imageLayoutVersion":"1.0.0"}')
with open(where + '/index.json', 'w') as f:
    json.dump(dict(schemaVersion=2, manifests=[top]), f)
