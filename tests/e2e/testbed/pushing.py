# SPDX-License-Identifier: Apache-2.0
"""The ways in which clients of the field push.

    way = ALL["skopeo copy"]
    digest = way.push(all_clients, image, fairlead.host, "apps/web", "1.0", ("alice", "secret"))

pushes a `LocalImage` and tells what the tag means afterwards. An index arrives as it is where the
way `keeps` it; docker and those that have a storage push the one image for this machine, packed
anew.
"""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Callable

from .logins import docker_login

NAMESPACE = "upstream.test"     # what containerd is told to ask for at the gateway


@dataclass(frozen=True)
class Way:
    client: str         # of `clients.ALL`
    push_as: Callable   # (client, image, host, path, tag, user) -> digest, or None for the image's
    keeps: bool = True
    is_index: bool = True

    def push(self, all_clients, image, host, path, tag, user=None):
        """The client may know where the registry has a blob already, and then does not upload it."""
        pushed = self.push_as(all_clients[self.client], image, host, path, tag, user)
        return pushed or image.content.digest

    def push_anew(self, all_clients, *arguments):
        """Uploads everything, unless it is docker that pushed it to the same gateway before."""
        forget = getattr(all_clients[self.client], "forget_places", None)
        if forget:
            forget()
        return self.push(all_clients, *arguments)


def _option(name, user):
    return [name, ":".join(user)] if user else []


def _docker(docker, image, host, path, tag, user):
    with docker_login(docker, host, *user) if user else nullcontext():
        return docker.push(docker.load(image), host, path, tag)


def _one(client, image, host, path, tag, user):
    return client.push(client.load(image), host, path, tag, *_option("--creds", user))


def _index(client, image, host, path, tag, user):
    return client.push_index(image, host, path, tag, *_option("--creds", user))


def _skopeo_copy(skopeo, image, host, path, tag, user):
    skopeo.push(image, host, path, tag, *_option("--dest-creds", user))


def _skopeo_sync(skopeo, image, host, path, tag, user):
    skopeo.sync(image, host, path, tag, *_option("--dest-creds", user))


def _ctr(containerd, image, host, path, tag, user):
    containerd.push(containerd.load(image), host, path, tag, *_option("--user", user))


def _ctr_hosts(containerd, image, host, path, tag, user):
    containerd.push_by_hosts(containerd.load(image), host, f"{NAMESPACE}/{path}", tag,
                             *_option("--user", user))


ALL = {"docker push": Way("docker", _docker, keeps=False, is_index=False),
       "podman push": Way("podman", _one, keeps=False, is_index=False),
       "podman manifest push": Way("podman", _index, keeps=False),
       "buildah push": Way("buildah", _one, keeps=False, is_index=False),
       "buildah manifest push": Way("buildah", _index, keeps=False),
       "skopeo copy": Way("skopeo", _skopeo_copy),
       "skopeo sync": Way("skopeo", _skopeo_sync),
       "ctr push": Way("containerd", _ctr),
       "ctr push, hosts.toml": Way("containerd", _ctr_hosts)}
