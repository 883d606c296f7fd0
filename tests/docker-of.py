# SPDX-License-Identifier: Apache-2.0
"""docker-of.py OUT TAR…: docker's archive of one image with these tars as its layers."""
import hashlib
import io
import json
import os
import sys
import tarfile

out, tars = sys.argv[1], sys.argv[2:]
machine = os.uname().machine
files, names, diff_ids = [], [], []
for i, name in enumerate(tars):
    with open(name, "rb") as f:
        data = f.read()
    names.append(f"{i}/layer.tar")
    files.append((names[-1], data))
    diff_ids.append("sha256:" + hashlib.sha256(data).hexdigest())
config = json.dumps({"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine), "os": "linux",
                     "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}}).encode()
files.append(("config.json", config))
files.append(("manifest.json", json.dumps([{"Config": "config.json", "RepoTags": ["localhost/evil:1"], "Layers": names}]).encode()))
with tarfile.open(out, "w") as tar:
    for name, data in files:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
