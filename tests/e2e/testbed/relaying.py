# SPDX-License-Identifier: Apache-2.0
"""Registries whose callers log in at the registry, through the gateway.

    from testbed.relaying import private  # noqa: F401

`private` is a real registry with a token server: alice may pull below team/, bob below other/,
and who is anonymous below public/. `relaying(private)` is a gateway in front of it.
"""

from types import SimpleNamespace

import pytest

from . import images
from .fairlead import Fairlead
from .registry import Htpasswd, Registry, TokenAuth
from .token_server import TokenServer

ALICE = ("alice", "alice's: upstream pass")
BOB = ("bob", "bob-has-another")
HELD = ("team/app", "team/hidden", "other/app", "public/app")


@pytest.fixture(scope="session")
def private_storage(tmp_path_factory):
    """An image `1` in each repository, on disk; each with a layer of its own."""
    storage = tmp_path_factory.mktemp("private")
    made = {name: images.image([images.noise_layer(name.replace("/", "-"), 20_000)])
            for name in HELD}
    with Registry(storage) as loader:
        for name, content in made.items():
            images.push(loader.url, name, content, "1")
    return SimpleNamespace(path=storage, images=made)


@pytest.fixture(scope="module")
def _private(private_storage, tmp_path_factory):
    owners = {ALICE[0]: (ALICE[1], "team/"), BOB[0]: (BOB[1], "other/")}
    with (TokenServer(tmp_path_factory.mktemp("tokens"), owners=owners,
                      anonymous="public/") as tokens,
          Registry(private_storage.path, auth=TokenAuth(tokens)) as registry):
        yield SimpleNamespace(registry=registry, tokens=tokens, images=private_storage.images)


@pytest.fixture
def private(_private):
    """The registry, its logs emptied."""
    _private.registry.forget()
    _private.tokens.forget()
    return _private


@pytest.fixture
def basic_only(private_storage):
    """The same images behind a password, alice's, and without a token server."""
    with Registry(private_storage.path, auth=Htpasswd(*ALICE)) as registry:
        yield SimpleNamespace(registry=registry, tokens=None, images=private_storage.images)


def relaying(*upstreams, auth=None, env=None, log=None, server=None, **registry) -> Fairlead:
    """A gateway that relays to the registries `up`, `up2`, ...; the first has its own names, and
    the others are below `up2/` and so on. `registry` are more settings of each."""
    names = ["up", *(f"up{number}" for number in range(2, len(upstreams) + 1))]
    config = {
        "registries": {name: {"url": getattr(upstream, "registry", upstream).url,
                              "credentials": "relay"} | registry
                       for name, upstream in zip(names, upstreams)},
        "routes": [{"match": f"{name}/" if name != "up" else "", "to": f"{name}/"}
                   for name in names]}
    more = {"auth": auth, "log": log, "server": server}
    return Fairlead(config | {name: value for name, value in more.items() if value}, env=env)
