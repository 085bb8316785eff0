# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the images, the upstreams and the clients, each made when first asked
for and ended with the session. Every test starts its own Fairlead, so that its cache is empty."""

import shutil
import signal
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

from testbed import ceph, clients, fairlead, images
from testbed.cache_bucket import CacheBucket
from testbed.certificates import Authority
from testbed.fairlead import Fairlead
from testbed.process import Process
from testbed.registry import Htpasswd, Registry, TokenAuth, s3_storage
from testbed.token_server import TokenServer

UPSTREAM_NAME = "upstream.test"


def pytest_configure():
    """SIGTERM ends a run as SIGINT does: with all that was started ended too."""
    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


# -- failures show what the servers said ------------------------------------------------------


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    Process.forget_ended()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for process in Process.shown:
            is_ours = process.name == "fairlead"
            words = process.last_words(lines=40 if is_ours else 5, width=600 if is_ours else 200)
            if words:
                report.sections.append((f"{process.name} ({process.pid}) stderr", words))


@pytest.fixture(scope="session", autouse=True)
def built():
    """Without the program there is nothing to test, and that is an error, not a skip."""
    if not Path(fairlead.binary()).exists():
        pytest.exit(f"{fairlead.binary()} is not built (scripts/build release)", returncode=2)


# -- images -----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def pushed(tmp_path_factory):
    """The images that every upstream serves, in one storage directory."""
    _need("docker-registry")
    platforms = [images.HOST_ARCHITECTURE, *({"amd64", "arm64"} - {images.HOST_ARCHITECTURE})]
    multi_arch = images.index([
        images.image([images.busybox_layer(), images.noise_layer("app", 300_000),
                      images.layer({"etc/platform": platform.encode()})], architecture=platform)
        for platform in platforms])
    docker = images.image([images.busybox_layer(), images.noise_layer("docker", 200_000),
                           images.noise_layer("more", 50_000)], format="docker")
    zstd = images.image([images.noise_layer("zstd", 100_000, compression="zstd"),
                         images.noise_layer("plain", 10_000, compression="none")])
    found = SimpleNamespace(storage=tmp_path_factory.mktemp("storage"), repository="team/app",
                            multi_arch=multi_arch, docker=docker, zstd=zstd)
    with Registry(found.storage) as loader:
        images.push(loader.url, found.repository, multi_arch, "1.0", "latest")
        images.push(loader.url, found.repository, docker, "schema2")
        images.push(loader.url, found.repository, zstd, "zstd")
    return found


# -- upstreams --------------------------------------------------------------------------------


@dataclass
class Upstream:
    """A running registry, and what Fairlead must be told about it."""
    registry: Registry
    settings: dict = field(default_factory=dict)
    tokens: TokenServer = None

    def config(self, **more):
        """Reachable as HOST/upstream.test/REPOSITORY and by ?ns=upstream.test."""
        return {"registries": {UPSTREAM_NAME: {"url": self.registry.url, **self.settings}},
                "routes": [{"match": f"{UPSTREAM_NAME}/", "to": f"{UPSTREAM_NAME}/"},
                           {"namespace": "*", "to": "{1}/"}],
                **more}


class _Lazy:
    """Makes each named thing once, when it is first asked for."""

    def __init__(self, make):
        self._make = make
        self._made = {}

    def __getitem__(self, name):
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]


@pytest.fixture(scope="session")
def upstreams(request, tmp_path_factory, authority, pushed):
    robot = {"username": "robot", "password": "s3cret:with:colons"}
    with ExitStack() as stack:
        def serve(**options):
            return stack.enter_context(Registry(options.pop("storage", pushed.storage), **options))

        def make(name):
            if name == "open":
                return Upstream(serve())
            if name == "htpasswd":
                _need("htpasswd")
                return Upstream(serve(auth=Htpasswd(**robot)), robot)
            if name == "token":
                tokens = stack.enter_context(TokenServer(tmp_path_factory.mktemp("token"), **robot))
                return Upstream(serve(auth=TokenAuth(tokens)), robot, tokens)
            if name == "tls":
                certificate = authority.issue("upstream", ["127.0.0.1"])
                return Upstream(serve(tls=certificate), {"ca": str(authority.certificate_path)})
            if name == "s3":
                server = request.getfixturevalue("rgw")
                server.make_bucket("registry", pushed.storage, "registry/")
                return Upstream(serve(storage=s3_storage(
                    server.endpoint, "registry", server.access_key, server.secret_key)))
            raise KeyError(name)

        yield _Lazy(make)


@pytest.fixture(scope="session")
def rgw():
    """Ceph's S3 server."""
    _need(*ceph.PROGRAMS)
    pytest.importorskip("boto3", reason="not installed: python3-boto3 (scripts/setup --test)")
    with ceph.Ceph() as server:
        yield server


@pytest.fixture
def cache_bucket(rgw):
    """A bucket for gateways to keep their cache in."""
    bucket = CacheBucket(rgw)
    yield bucket
    bucket.remove()


@pytest.fixture
def upstream(request, upstreams):
    """The upstream named by the test's parameter, its logs emptied; by default an open one."""
    found = upstreams[getattr(request, "param", "open")]
    found.registry.forget()
    if found.tokens:
        found.tokens.forget()
    return found


@pytest.fixture(scope="session")
def served(upstreams):
    """One Fairlead before the open upstream for tests that only read: every name is passed on
    as it is, and `mapped/` stands for `team/`."""
    upstream = upstreams["open"]
    with Fairlead(upstream.config(routes=[
            {"match": "", "to": f"{UPSTREAM_NAME}/"},
            {"match": "mapped/", "to": f"{UPSTREAM_NAME}/team/"},
            {"namespace": "*", "to": "{1}/"}])) as fairlead:
        yield fairlead


# -- clients ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def all_clients():
    with ExitStack() as stack:
        def make(name):
            kind = clients.ALL[name]
            _need(*kind.programs, root=kind.needs_root)
            return stack.enter_context(kind())

        yield _Lazy(make)


@pytest.fixture
def client(request, all_clients):
    """The client named by the test's parameter."""
    return all_clients[request.param]


def _need(*programs, root=False):
    reason = clients.missing_reason(programs, root)
    if reason:
        pytest.skip(reason)


@pytest.fixture
def directory(tmp_path):
    """A directory that is gone after the test."""
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)
