# SPDX-License-Identifier: Apache-2.0
"""Registries to push to through a gateway, one of each kind, and what clients push there.

    from testbed.push_targets import local, small, targets  # noqa: F401

    target = targets["token"]
    way.push(all_clients, local, target.host, "apps/web", "1.0")
    contents(target.direct, under("apps/web"), "1.0")

The clients' apps/ is the registries' corp/apps/. The storage of each registry is also served to
all, without the gateway, by `direct`.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from . import bucket as buckets
from . import images
from .fairlead import Fairlead
from .issuers import HmacIssuer
from .oci_layout import LocalImage
from .passwords import htpasswd
from .pushing import NAMESPACE
from .registry import Htpasswd, Registry, TokenAuth, s3_storage
from .token_server import TokenServer

ROBOT = {"username": "robot", "password": "s3cret:with:colons"}
ALICE = ("alice", "alice's: pass word")
ISSUER = HmacIssuer()
EVERYTHING = ["pull", "push", "delete"]

OPEN_TO_ALL = ["open", "htpasswd", "token", "tls"]     # with the gateway's own credentials, where it needs any
IN_A_BUCKET = ["s3", "bucket"]


@dataclass
class Target:
    gateway: Fairlead
    host: str               # what clients are to call the gateway
    registry: Registry
    direct: Registry
    tokens: TokenServer = None

    @property
    def url(self):
        return self.gateway.url


def under(path):
    """What the registry calls what clients call `path`."""
    return f"corp/{path}"


def routes(allow=EVERYTHING, **more):
    return [{"match": "apps/", "to": f"{NAMESPACE}/corp/apps/", "allow": list(allow)} | more,
            {"namespace": NAMESPACE, "to": f"{NAMESPACE}/corp/", "allow": list(allow)} | more]


def configuration(registry, auth=None, route_list=None, **settings):
    """Whoever comes may do everything, unless `auth` says otherwise."""
    return {"registries": {NAMESPACE: {"url": registry.url} | settings},
            "routes": route_list or routes(),
            "auth": auth or {"anonymous": EVERYTHING}}


def users_and_issuers(directory):
    """Settings of `auth` with which only alice, and whoever has a JWT, may do something."""
    path = htpasswd(directory / "users", dict([ALICE]))
    return {"users": str(path), "jwt": [ISSUER.entry()], "anonymous": [],
            "rules": [{"who": ALICE[0], "repositories": ["apps/**", f"{NAMESPACE}/apps/**"],
                       "actions": EVERYTHING}]}


class _Targets:
    def __init__(self, stack, request, tmp_path_factory):
        self._stack = stack
        self._request = request
        self._temporary = tmp_path_factory.mktemp
        self._made = {}

    def __getitem__(self, kind):
        if kind not in self._made:
            self._made[kind] = getattr(self, f"_{kind}")()
        target = self._made[kind]
        target.registry.forget()
        if target.tokens:
            target.tokens.forget()
        return target

    def _enter(self, thing):
        return self._stack.enter_context(thing)

    def _target(self, storage=None, registry_auth=None, tokens=None, auth=None, tls=None, **settings):
        storage = storage or self._temporary("storage")
        registry = self._enter(Registry(storage, auth=registry_auth, tls=tls))
        gateway = self._enter(Fairlead(configuration(registry, auth, **settings)))
        return Target(gateway, gateway.host, registry, self._enter(Registry(storage)), tokens)

    def _token_server(self, **users):
        return self._enter(TokenServer(self._temporary("tokens"), actions=EVERYTHING, **users))

    def _open(self):
        return self._target()

    def _htpasswd(self):
        return self._target(registry_auth=Htpasswd(**ROBOT), **ROBOT)

    def _token(self):
        tokens = self._token_server(**ROBOT)
        return self._target(registry_auth=TokenAuth(tokens), tokens=tokens, **ROBOT)

    def _tls(self):
        """With HTTP/2, too, where the gateway wants that."""
        authority = self._request.getfixturevalue("authority")
        certificate = authority.issue("pushed-to", ["127.0.0.1"])
        return self._target(tls=certificate, ca=str(authority.certificate_path))

    def _storage_in_bucket(self, name):
        rgw = self._request.getfixturevalue("rgw")
        rgw.make_bucket(name)
        return rgw, s3_storage(rgw.endpoint, name, rgw.access_key, rgw.secret_key)

    def _s3(self):
        return self._target(self._storage_in_bucket("push-s3")[1])

    def _bucket(self):
        """The same, and clients are sent there for what they pull."""
        rgw, storage = self._storage_in_bucket("push-bucket")
        settings = buckets.bucket(rgw, "push-bucket", access_key=rgw.access_key,
                                  secret_key=rgw.secret_key)
        target = self._target(storage, bucket=settings, deliver="redirect")
        target.host = buckets.host(target.gateway)
        return target

    def _users(self):
        return self._target(auth=users_and_issuers(self._temporary("users")))

    def _relay_basic(self):
        return self._target(registry_auth=Htpasswd(*ALICE), credentials="relay")

    def _relay_token(self):
        tokens = self._token_server(username=ALICE[0], password=ALICE[1])
        return self._target(registry_auth=TokenAuth(tokens), tokens=tokens, credentials="relay")


@pytest.fixture(scope="module")
def targets(request, tmp_path_factory):
    """By kind, each made when it is first asked for; its logs are emptied each time."""
    with ExitStack() as stack:
        yield _Targets(stack, request, tmp_path_factory)


def _index(*common, own=True):
    """Of two platforms, each with the layers `common` and maybe one of its own."""
    platforms = [images.HOST_ARCHITECTURE, *({"amd64", "arm64"} - {images.HOST_ARCHITECTURE})]
    return images.index([images.image([*common, *[images.noise_layer(each, 200_000)] * own], each)
                         for each in platforms])


@pytest.fixture(scope="session")
def local(tmp_path_factory):
    """An index whose layers are of all sizes, and which can be run."""
    return LocalImage(tmp_path_factory.mktemp("local"), _index(
        images.busybox_layer(), images.noise_layer("large", 6_000_000), images.layer({"a": b"1"})))


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """An index of few blobs, for registries that take a second for each."""
    return LocalImage(tmp_path_factory.mktemp("small"), _index(
        images.noise_layer("only", 6_000_000), own=False))
