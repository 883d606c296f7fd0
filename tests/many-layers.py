# SPDX-License-Identifier: Apache-2.0
"""many-layers.py COUNT DIR: an OCI layout of COUNT layers, layer N with one file fN that says N."""
import hashlib
import io
import json
import os
import sys
import tarfile

count, out = int(sys.argv[1]), sys.argv[2]
os.makedirs(out + "/blobs/sha256", exist_ok=True)


def blob(data, media_type):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{out}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return {"mediaType": media_type, "digest": "sha256:" + digest, "size": len(data)}


def layer(number):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        content = str(number).encode()
        info = tarfile.TarInfo(f"f{number}")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


base = "application/vnd.oci.image."
layers = [blob(layer(n), base + "layer.v1.tar") for n in range(count)]
config = {"architecture": "amd64", "os": "linux", "config": {},
          "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in layers]}}
manifest = {"schemaVersion": 2, "mediaType": base + "manifest.v1+json",
            "config": blob(json.dumps(config).encode(), base + "config.v1+json"), "layers": layers}
entry = blob(json.dumps(manifest).encode(), base + "manifest.v1+json")
entry["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
with open(out + "/index.json", "w") as f:
    json.dump({"schemaVersion": 2, "manifests": [entry]}, f)
with open(out + "/oci-layout", "w") as f:
    json.dump({"imageLayoutVersion": "1.0.0"}, f)
