# SPDX-License-Identifier: Apache-2.0
"""Images, indexes and artifacts, made in memory and the same on every run.

    app = images.image([images.layer({"etc/motd": b"hello"}), images.busybox_layer()])
    both = images.index([app, images.image(..., architecture="arm64")])
    images.push(loader.url, "team/app", both, "1.0")

The OCI media types are used unless `format="docker"` asks for those of Docker's schema 2.
"""

import functools
import gzip
import hashlib
import io
import json
import platform
import random
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

from .http_request import fetch

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

_CONFIG_TYPE = {"oci": "application/vnd.oci.image.config.v1+json",
                "docker": "application/vnd.docker.container.image.v1+json"}
_LAYER_TYPE = {
    ("oci", "gzip"): "application/vnd.oci.image.layer.v1.tar+gzip",
    ("oci", "zstd"): "application/vnd.oci.image.layer.v1.tar+zstd",
    ("oci", "none"): "application/vnd.oci.image.layer.v1.tar",
    ("docker", "gzip"): "application/vnd.docker.image.rootfs.diff.tar.gzip",
    ("docker", "none"): "application/vnd.docker.image.rootfs.diff.tar",
}

HOST_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "amd64")


def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


@dataclass(frozen=True)
class Blob:
    data: bytes = field(repr=False)

    @functools.cached_property
    def digest(self):
        return sha256(self.data)

    @property
    def size(self):
        return len(self.data)

    def chunks(self):
        yield self.data


@dataclass(frozen=True)
class PatternBlob:
    """A blob of any size that is never in memory as a whole. Each MiB of it differs."""
    size: int
    seed: int = 0
    _MIB = 1 << 20

    @functools.cached_property
    def _noise(self):
        return random.Random(self.seed).randbytes(self._MIB - 8)

    @functools.cached_property
    def digest(self):
        hasher = hashlib.sha256()
        for chunk in self.chunks():
            hasher.update(chunk)
        return "sha256:" + hasher.hexdigest()

    def chunks(self):
        for number, start in enumerate(range(0, self.size, self._MIB)):
            yield (number.to_bytes(8, "big") + self._noise)[:self.size - start]

    def slice(self, first, last):
        """The bytes from `first` to `last`, both included."""
        begin = first // self._MIB
        data = b"".join(number.to_bytes(8, "big") + self._noise
                        for number in range(begin, last // self._MIB + 1))
        return data[first - begin * self._MIB:last + 1 - begin * self._MIB]


@dataclass(frozen=True)
class Layer:
    blob: Blob
    diff_id: str
    compression: str


@dataclass(frozen=True)
class Content:
    """A manifest or index with all that it names."""
    manifest: bytes = field(repr=False)
    media_type: str
    blobs: tuple = field(default=(), repr=False)
    children: tuple = field(default=(), repr=False)
    platform: dict = field(default=None, repr=False)

    @functools.cached_property
    def digest(self):
        return sha256(self.manifest)

    def descriptor(self):
        found = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.manifest)}
        if self.platform:
            found["platform"] = self.platform
        return found


def _descriptor(media_type, blob):
    return {"mediaType": media_type, "digest": blob.digest, "size": blob.size}


def _json(document):
    # Indented, as the manifests of some registries are: a proxy must keep the bytes.
    return json.dumps(document, indent=3).encode()


def layer(files, compression="gzip"):
    """A layer of `{path: content}`; content is bytes, or `("link", target)` for a symbolic
    link. What lies in a `bin` directory can be run."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted({str(parent) for name in files for parent in Path(name).parents} - {"."}):
            directory = tarfile.TarInfo(path)
            directory.type, directory.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(directory)
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.mode = 0o755 if "bin/" in path else 0o644
            if isinstance(content, tuple):
                entry.type, entry.linkname = tarfile.SYMTYPE, content[1]
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    plain = buffer.getvalue()
    if compression == "gzip":
        packed = gzip.compress(plain, compresslevel=1, mtime=0)
    elif compression == "zstd":
        packed = subprocess.run(["zstd", "-q", "-c", "-1"], input=plain, capture_output=True,
                                check=True).stdout
    else:
        packed = plain
    return Layer(Blob(packed), sha256(plain), compression)


def noise_layer(name, size, seed=0, compression="gzip"):
    """A layer of one file that does not compress."""
    return layer({f"data/{name}": random.Random(f"{name}{seed}").randbytes(size)}, compression)


@functools.lru_cache
def busybox_layer():
    """What makes an image run: `/bin/sh` and `/bin/echo`."""
    busybox = next(path for path in map(Path, ("/bin/busybox", "/usr/bin/busybox")) if path.exists())
    return layer({"bin/busybox": busybox.read_bytes(),
                  "bin/sh": ("link", "busybox"), "bin/echo": ("link", "busybox")})


def image(layers, architecture=HOST_ARCHITECTURE, format="oci", label="", annotations=None,
          command=("/bin/echo", "hello")):
    config = Blob(_json({
        "architecture": architecture, "os": "linux", "created": "2024-01-01T00:00:00Z",
        "config": {"Cmd": list(command), "Labels": {"testbed": label}},
        "rootfs": {"type": "layers", "diff_ids": [each.diff_id for each in layers]},
        "history": [{"created_by": f"layer {number}"} for number in range(len(layers))]}))
    media_type = OCI_MANIFEST if format == "oci" else DOCKER_MANIFEST
    manifest = {
        "schemaVersion": 2, "mediaType": media_type,
        "config": _descriptor(_CONFIG_TYPE[format], config),
        "layers": [_descriptor(_LAYER_TYPE[format, each.compression], each.blob)
                   for each in layers]}
    if annotations:
        manifest["annotations"] = annotations
    return Content(_json(manifest), media_type, (config, *(each.blob for each in layers)),
                   platform={"architecture": architecture, "os": "linux"})


def index(children, format="oci"):
    media_type = OCI_INDEX if format == "oci" else DOCKER_LIST
    document = {"schemaVersion": 2, "mediaType": media_type,
                "manifests": [child.descriptor() for child in children]}
    return Content(_json(document), media_type, children=tuple(children))


def artifact(subject, artifact_type, data):
    """A signature-like artifact that names its subject."""
    empty, payload = Blob(b"{}"), Blob(data)
    document = {
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
        "config": _descriptor("application/vnd.oci.empty.v1+json", empty),
        "layers": [_descriptor("application/octet-stream", payload)],
        "subject": {key: value for key, value in subject.descriptor().items() if key != "platform"}}
    return Content(_json(document), OCI_MANIFEST, (empty, payload))


def large_image(blob, label="large"):
    """A manifest of which `blob`, a `PatternBlob`, is the one layer. It cannot be unpacked."""
    config = Blob(_json({"architecture": HOST_ARCHITECTURE, "os": "linux", "config": {},
                         "rootfs": {"type": "layers", "diff_ids": [blob.digest]},
                         "label": label}))
    manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                "config": _descriptor(_CONFIG_TYPE["oci"], config),
                "layers": [_descriptor(_LAYER_TYPE["oci", "none"], blob)]}
    return Content(_json(manifest), OCI_MANIFEST, (config, blob))


# -- pushing ----------------------------------------------------------------------------------


def _expect(answer, status, what):
    assert answer.status == status, f"{what}: {answer.status} {answer.body[:400]!r}"
    return answer


def _with(authorization, headers=None):
    return {**(headers or {}), **({"Authorization": authorization} if authorization else {})}


def push_blob(url, repository, blob, authorization=None):
    if fetch(url, f"/v2/{repository}/blobs/{blob.digest}", method="HEAD",
             headers=_with(authorization)).status == 200:
        return
    opened = _expect(fetch(url, f"/v2/{repository}/blobs/uploads/", method="POST",
                           headers=_with(authorization)), 202, "upload")
    location = opened.headers["Location"].replace(url, "", 1)
    joint = "&" if "?" in location else "?"
    _expect(fetch(url, f"{location}{joint}digest={blob.digest}", method="PUT", body=blob.chunks(),
                  timeout=120,
                  headers=_with(authorization, {"Content-Length": str(blob.size),
                                                "Content-Type": "application/octet-stream"})),
            201, f"blob {blob.digest}")


def place_blob(storage, repository, blob):
    """Puts a blob where a registry over the directory `storage` keeps it: for large ones that is
    much faster than pushing."""
    root = Path(storage) / "docker" / "registry" / "v2"
    algorithm, encoded = blob.digest.split(":")
    data = root / "blobs" / algorithm / encoded[:2] / encoded / "data"
    link = root / "repositories" / repository / "_layers" / algorithm / encoded / "link"
    for path in (data, link):
        path.parent.mkdir(parents=True, exist_ok=True)
    with open(data, "wb") as file:
        for chunk in blob.chunks():
            file.write(chunk)
    link.write_text(blob.digest)


def push_manifest(url, repository, content, reference, authorization=None):
    answer = fetch(url, f"/v2/{repository}/manifests/{reference}", method="PUT",
                   body=content.manifest,
                   headers=_with(authorization, {"Content-Type": content.media_type}))
    _expect(answer, 201, f"manifest {repository}:{reference}")


def push(url, repository, content, *tags, authorization=None):
    """Pushes everything `content` names and then itself, by digest where no tag is given.

    `authorization` is the header of a registry that asks who is there.
    """
    for child in content.children:
        push(url, repository, child, authorization=authorization)
    for blob in content.blobs:
        push_blob(url, repository, blob, authorization)
    for reference in tags or (content.digest,):
        push_manifest(url, repository, content, reference, authorization)
