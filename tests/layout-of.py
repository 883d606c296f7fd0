# SPDX-License-Identifier: Apache-2.0
"""layout-of.py DIR TAG TAR…: an OCI layout of one image with these tars as its layers, gzipped."""
import gzip
import hashlib
import json
import os
import sys

out, tag, tars = sys.argv[1], sys.argv[2], sys.argv[3:]
os.makedirs(out + "/blobs/sha256", exist_ok=True)
base = "application/vnd.oci.image."


def blob(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{out}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}


layers, diff_ids = [], []
for name in tars:
    with open(name, "rb") as f:
        tar = f.read()
    diff_ids.append("sha256:" + hashlib.sha256(tar).hexdigest())
    layers.append(blob(gzip.compress(tar, 6, mtime=0), base + "layer.v1.tar+gzip"))
machine = os.uname().machine
config = {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine), "os": "linux",
          "config": {"Cmd": ["/bin/sh"]}, "rootfs": {"type": "layers", "diff_ids": diff_ids},
          "history": [{"created_by": os.path.basename(name)} for name in tars]}
manifest = {"schemaVersion": 2, "mediaType": base + "manifest.v1+json",
            "config": blob(json.dumps(config).encode(), base + "config.v1+json"), "layers": layers}
entry = blob(json.dumps(manifest).encode(), base + "manifest.v1+json")
entry["annotations"] = {"org.opencontainers.image.ref.name": tag}
with open(out + "/index.json", "w") as f:
    json.dump({"schemaVersion": 2, "manifests": [entry]}, f)
with open(out + "/oci-layout", "w") as f:
    json.dump({"imageLayoutVersion": "1.0.0"}, f)
