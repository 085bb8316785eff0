# SPDX-License-Identifier: Apache-2.0
"""With no configuration at all Fairlead is a cache of Docker Hub.

Docker Hub is played in a private network: registry-1.docker.io with TLS, and tokens from
auth.docker.io for whoever asks. Fairlead is only told where the authority's certificate is.
"""

import pytest

from testbed import clients, images
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.namespace import Namespace
from testbed.registry import Registry, TokenAuth
from testbed.token_server import TokenServer

FAIRLEAD = "127.0.0.1:5000"

reason = clients.missing_reason(("unshare", "nsenter", "ip"), root=True)
pytestmark = pytest.mark.skipif(bool(reason), reason=reason)


class Hub:
    """Docker Hub's two hosts, with `alpine-like` among its official images."""

    def __init__(self, namespace, registry, tokens):
        self.namespace = namespace
        self.registry = registry
        self.tokens = tokens
        self.image = images.index([
            images.image([images.busybox_layer(), images.noise_layer("hub", 100_000)],
                         architecture=architecture) for architecture in ("amd64", "arm64")])

    def forget(self):
        self.registry.forget()
        self.tokens.forget()


@pytest.fixture(scope="module")
def hub(authority, tmp_path_factory):
    names = {"registry-1.docker.io": "127.0.0.1", "auth.docker.io": "127.0.0.2"}
    certificate = authority.issue("hub", [*names])
    storage = tmp_path_factory.mktemp("hub")
    with Namespace(names) as namespace:
        tokens = namespace.run(lambda: TokenServer(
            tmp_path_factory.mktemp("tokens"), anonymous=True, service="registry.docker.io",
            address=("127.0.0.2", 443), tls=certificate, hostname="auth.docker.io"))
        with tokens, Registry(storage, auth=TokenAuth(tokens), tls=certificate,
                              address="127.0.0.1:443", within=namespace) as registry:
            hub = Hub(namespace, registry, tokens)
            with Registry(storage) as loader:
                images.push(loader.url, "library/alpine-like", hub.image, "1")
            yield hub


@pytest.fixture
def fairlead(hub, authority, tmp_path):
    hub.namespace.put(tmp_path, "/var/cache")       # the default directory is below it
    hub.forget()
    with Fairlead(within=hub.namespace,
                  env={"SSL_CERT_FILE": str(authority.certificate_path)}) as fairlead:
        assert FAIRLEAD in fairlead.stderr()
        yield fairlead


@pytest.fixture(scope="module")
def docker(hub):
    reason = clients.missing_reason(clients.Docker.programs)
    if reason:
        pytest.skip(reason)
    with clients.Docker(hub.namespace, {"registry-mirrors": [f"http://{FAIRLEAD}"]}) as docker:
        yield docker


def scopes(hub):
    return {scope for request in hub.tokens.requests for scope in request.scopes}


def test_docker_with_a_mirror_pulls_bare_names(hub, fairlead, docker):
    assert docker.pull_reference("alpine-like:1") == {hub.image.digest}
    assert hub.registry.count("GET", "^/v2/library/alpine-like/blobs/", 200) == 3
    assert scopes(hub) == {"repository:library/alpine-like:pull"}

    hub.forget()
    assert docker.pull_reference("alpine-like:1") == {hub.image.digest}
    assert hub.registry.requests("GET", "/blobs/") == []
    assert hub.registry.requests(user_agent="^docker") == [], "docker went round its mirror"


@pytest.mark.parametrize("path", ["docker.io/alpine-like", "docker.io/library/alpine-like"])
def test_docker_names_the_registry_in_the_path(hub, fairlead, docker, path):
    assert docker.pull(FAIRLEAD, path, "1") == {hub.image.digest}
    assert scopes(hub) == {"repository:library/alpine-like:pull"}


def test_containerd_names_the_registry_by_ns(hub, fairlead):
    reason = clients.missing_reason(clients.Containerd.programs)
    if reason:
        pytest.skip(reason)
    with clients.Containerd(hub.namespace) as containerd:
        pulled = containerd.pull(FAIRLEAD, "docker.io/library/alpine-like", "1")
    assert pulled == {hub.image.digest}
    assert hub.registry.count("GET", "/blobs/", 200) == 3


def test_a_missing_image_is_missing(hub, fairlead):
    answer = hub.namespace.run(lambda: fetch(
        f"http://{FAIRLEAD}", "/v2/library/no-such-image/manifests/1"))
    assert answer.status == 404
    assert b"MANIFEST_UNKNOWN" in answer.body or b"NAME_UNKNOWN" in answer.body


def test_the_registry_answers_at_once_without_a_login(hub, fairlead):
    answer = hub.namespace.run(lambda: fetch(f"http://{FAIRLEAD}", "/v2/"))
    assert answer.status == 200
