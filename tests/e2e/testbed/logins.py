# SPDX-License-Identifier: Apache-2.0
"""The clients of the field as somebody: each way they have to be given a name and a password.

    digests = ALL["docker login"].pull(all_clients, gateway.host, PATH, "1.0", "alice", "secret")

logs in, pulls into an empty storage and logs out again. Where the server refuses, what the client
said is in the `AssertionError`, in its own words.
"""

import base64
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Callable


@dataclass(frozen=True)
class Way:
    client: str         # of `clients.ALL`
    pull_as: Callable   # (client, host, path, reference, user, password) -> digests

    def pull(self, all_clients, host, path, reference, user, password):
        return self.pull_as(all_clients[self.client], host, path, reference, user, password)


@contextmanager
def docker_login(docker, host, user, password):
    """The client is logged in meanwhile; docker keeps that by host and port."""
    docker.run("login", "--username", user, "--password", password, host)
    try:
        yield docker
    finally:
        docker.run("logout", host)


def _docker(docker, host, path, reference, user, password):
    with docker_login(docker, host, user, password):
        return docker.pull(host, path, reference)


@contextmanager
def login(client, program, host, user, password):
    """`program` is podman, buildah or skopeo: all have the same command, and the same file."""
    client.run(program, "login", "--tls-verify=false", "--username", user, "--password", password,
               host)
    try:
        yield client
    finally:
        client.run(program, "logout", host)


def _by_login(program):
    def pull_as(client, host, path, reference, user, password):
        with login(client, program, host, user, password):
            return client.pull(host, path, reference)

    return pull_as


def _skopeo_creds(skopeo, host, path, reference, user, password):
    return skopeo.pull(host, path, reference, "--src-creds", f"{user}:{password}")


def _ctr_user(containerd, host, path, reference, user, password):
    return containerd.pull_direct(host, path, reference, "--user", f"{user}:{password}")


def _ctr_hosts(containerd, host, path, reference, user, password):
    return containerd.pull(host, path, reference, "--user", f"{user}:{password}")


def _ctr_header(containerd, host, path, reference, user, password):
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return containerd.pull(host, path, reference, header=f"Basic {pair}")


def ctr_refresh(containerd, host, path, reference, token):
    """With an identity token, as `grant_type=refresh_token`."""
    return containerd.pull_direct(host, path, reference, "--refresh", token)


ALL = {"docker login": Way("docker", _docker),
       "podman login": Way("podman", _by_login("podman")),
       "buildah login": Way("buildah", _by_login("buildah")),
       "skopeo login": Way("skopeo", _by_login("skopeo")),
       "skopeo --creds": Way("skopeo", _skopeo_creds),
       "ctr --user": Way("containerd", _ctr_user),
       "ctr --user, hosts.toml": Way("containerd", _ctr_hosts)}

# The password goes with every request, and no token is asked for.
BASIC = {"ctr, header in hosts.toml": Way("containerd", _ctr_header)}
