# SPDX-License-Identifier: Apache-2.0
"""An image on disk, in the forms that clients take it from before they push it.

    image = LocalImage(tmp_path, images.index([...]))
    skopeo.run("skopeo", "copy", "--all", image.oci, "docker://...")

An OCI layout and a tar of it, containers/image's `dir:`, and for docker, which knows one platform
only, an archive of its own kind with the image for this machine.
"""

import json
import os
import tarfile
from functools import cached_property
from pathlib import Path

from .images import HOST_ARCHITECTURE


class LocalImage:
    tag = "local"

    def __init__(self, directory, content):
        self._root = Path(directory)
        self.content = content
        self.name = f"localhost/testbed/{content.digest[7:19]}:local"     # what containerd calls it
        self.directory = self._root / "oci"
        blobs = self.directory / "blobs" / "sha256"
        blobs.mkdir(parents=True)
        for digest, data in everything(content).items():
            (blobs / digest.split(":")[1]).write_bytes(data)
        (self.directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        named = {"org.opencontainers.image.ref.name": self.tag, "io.containerd.image.name": self.name}
        entry = {key: value for key, value in content.descriptor().items() if key != "platform"}
        (self.directory / "index.json").write_text(json.dumps(
            {"schemaVersion": 2, "manifests": [entry | {"annotations": named}]}))

    @property
    def oci(self):
        return f"oci:{self.directory}:{self.tag}"

    @property
    def one(self):
        """The image for this machine."""
        return host_image(self.content)

    @cached_property
    def archive(self):
        path = self._root / "oci.tar"
        with tarfile.open(path, "w") as archive:
            for name in ("oci-layout", "index.json", "blobs"):
                archive.add(self.directory / name, name)
        return path

    def as_dir(self, name):
        """A directory with one called `name` in it, which is in the form of `dir:`."""
        parent = self._root / "dir" / name.replace("/", "-")
        directory = parent / name
        if directory.exists():
            return parent
        directory.mkdir(parents=True)
        (directory / "version").write_text("Directory Transport Version: 1.1\n")
        (directory / "manifest.json").write_bytes(self.content.manifest)
        for child in self.content.children:
            (directory / f"{child.digest.split(':')[1]}.manifest.json").write_bytes(child.manifest)
        for each in (self.content, *self.content.children):
            for blob in each.blobs:
                path = directory / blob.digest.split(":")[1]
                path.unlink(missing_ok=True)        # some are in several images
                os.link(self.directory / "blobs" / "sha256" / path.name, path)
        return parent

    @cached_property
    def docker_archive(self):
        config, *layers = self.one.blobs
        hexadecimal = config.digest.split(":")[1]
        path = self._root / "docker.tar"
        listed = [{"Config": f"{hexadecimal}.json", "RepoTags": None,
                   "Layers": [f"{number}/layer.tar" for number in range(len(layers))]}]
        index = self._root / "manifest.json"
        index.write_text(json.dumps(listed))
        with tarfile.open(path, "w") as archive:
            archive.add(index, "manifest.json")
            blobs = self.directory / "blobs" / "sha256"
            archive.add(blobs / hexadecimal, f"{hexadecimal}.json")
            for number, layer in enumerate(layers):
                archive.add(blobs / layer.digest.split(":")[1], f"{number}/layer.tar")
        return path


def everything(content):
    """The bytes of the manifest and of all that it names, by digest."""
    found = {content.digest: content.manifest}
    for blob in content.blobs:
        found[blob.digest] = blob.data
    for child in content.children:
        found |= everything(child)
    return found


def host_image(content):
    """Of an index, the image that is for this machine."""
    return next((child for child in content.children
                 if child.platform["architecture"] == HOST_ARCHITECTURE), content)
