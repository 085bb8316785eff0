# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a bucket as a docker-registry keeps it, and gateways that redirect to it.

    from testbed.redirecting import gateway, held, serve  # noqa: F401
"""

from types import SimpleNamespace

import pytest

from . import images
from .bucket import NAME, bucket, configuration, keys
from .fairlead import Fairlead
from .http_request import fetch
from .registry import Registry

BUCKET = "redirects"
ABSENT = "sha256:" + 64 * "0"
CAPABILITY = "5d9f3b52-6a0f-4a7b-9a43-0d9f6a2b7c11/app"
ROUTES = [{"match": "", "to": f"{NAME}/"}, {"match": "mapped/", "to": f"{NAME}/team/"},
          {"match": CAPABILITY, "to": f"{NAME}/team/app", "capability": True}]


@pytest.fixture(scope="module")
def held(rgw, tmp_path_factory):
    """Two repositories, in a bucket as a docker-registry keeps them."""
    found = SimpleNamespace(
        team=images.image([images.noise_layer("team", 60_000), images.noise_layer("two", 9_000)]),
        other=images.image([images.noise_layer("other", 40_000)]),
        docker=images.image([images.noise_layer("docker", 5_000)], format="docker"))
    found.index = images.index([found.team, images.image([images.noise_layer("arm", 3_000)], "arm64")])
    found.layer, found.hidden = found.team.blobs[1], found.other.blobs[1]
    storage = tmp_path_factory.mktemp("held")
    with Registry(storage) as loader:
        images.push(loader.url, "team/app", found.index, "index")
        images.push(loader.url, "team/app", found.team, "1", "2", "b")
        images.push(loader.url, "team/app", found.docker, "schema2")
        images.push(loader.url, "other/app", found.other, "1")
    rgw.make_bucket(BUCKET, storage, "registry/")
    return found


@pytest.fixture(scope="module")
def serve(rgw, held):
    def start(registry=None, settings=None, **sections):
        config = configuration(bucket(rgw, BUCKET, **(settings or {})), registry=registry, **sections)
        return Fairlead(config, env=keys(rgw))

    return start


@pytest.fixture(scope="module")
def gateway(serve):
    """The bucket alone, open to all."""
    with serve(routes=ROUTES) as running:
        yield running


def ask(gateway, target, method="GET", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fetch(gateway.url, target, method=method, headers=named)
