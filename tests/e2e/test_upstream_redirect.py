# SPDX-License-Identifier: Apache-2.0
"""A registry that redirects by itself: where its redirect is handed on to the client, and where it
is not. Nothing is known here of its bucket."""

import ssl

import pytest
from testbed import clients
from testbed.bucket import (
    NAME,
    Watch,
    assert_no_location,
    assert_redirected,
    configuration,
    host,
)
from testbed.checks import etag
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import fetch
from testbed.namespace import Namespace
from testbed.presigner import fetch as fetch_url
from testbed.redirecting import ABSENT, ask
from testbed.token_client import ACCEPT, blob, manifest
from testbed.upstream_faults import failing, patterned, redirected, with_headers
from testbed.upstream_tokens import TokenService

NEAR = "127.0.7.1"      # gets bytes from the gateway
DATA = patterned(90_000, seed=7)


def before(registry, server=None, **more):
    settings = {"url": registry.url, "stream_to": [f"{NEAR}/32"]} | more
    return Fairlead(configuration(None, registry=settings, server=server or {}))


@pytest.fixture
def registry(upstreams):
    """A docker-registry on RGW, which answers blobs with 307."""
    found = upstreams["s3"].registry
    found.forget()
    return found


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.digest = server.add_blob("team/app", DATA)
        yield server


# Handed on.


def test_the_registrys_own_redirect(registry, pushed, rgw):
    each = pushed.docker.blobs[1]
    target = blob("team/app", each.digest)
    with before(registry) as gateway:
        watch = Watch(rgw)
        for _ in range(2):
            location = assert_redirected(ask(gateway, target), each.digest)
            assert location.startswith(f"{rgw.endpoint}/registry/")
            assert fetch_url(location)[2] == each.data
        assert registry.count("GET", "/blobs/", 307) == 2, "a redirect was kept"
        assert watch.by_fairlead() == [], "a redirect was followed"
        head = ask(gateway, target, "HEAD")
        assert (head.status, head.headers["Content-Length"]) == (200, str(each.size))
        assert_no_location(head)
        known = ask(gateway, target, If_None_Match=etag(each.digest))
        assert known.status == 304
        assert_no_location(known)
        records = gateway.wait_for_records(2, method="GET", status=307)
        assert {(record.outcome, record.bytes or 0) for record in records} == {("redirect", 0)}
        assert "X-Amz" not in gateway.stderr()


def test_manifests_are_inline(registry, pushed):
    with before(registry, deliver={"blobs": "redirect", "manifests": "redirect"}) as gateway:
        for _ in range(2):
            answer = ask(gateway, manifest("team/app", "1.0"), Accept=ACCEPT)
            assert (answer.status, answer.digest) == (200, pushed.multi_arch.digest)


def test_networks_that_get_bytes(registry, pushed, rgw):
    each = pushed.docker.blobs[1]
    target = blob("team/app", each.digest)
    with before(registry) as gateway:
        for outcome in ("fill", "hit"):
            answer = fetch(gateway.url, target, source=NEAR)
            assert (answer.status, answer.digest) == (200, each.digest)
            assert_no_location(answer)
            gateway.wait_until_idle()
            assert gateway.wait_for_records(1, method="GET", outcome=outcome)
        assert registry.count("GET", "/blobs/") == 1
        part = fetch(gateway.url, target, source=NEAR, headers={"Range": "bytes=7-9"})
        assert (part.status, part.body) == (206, each.data[7:10])
        location = assert_redirected(ask(gateway, target), each.digest)     # although it is here
        assert fetch_url(location)[2] == each.data


def test_what_is_not_there(registry):
    with before(registry) as gateway:
        for target in (blob("team/app", ABSENT), blob("no/such", ABSENT)):
            for method in ("GET", "HEAD"):
                answer = ask(gateway, target, method)
                assert answer.status == 404
                assert_no_location(answer)


@pytest.mark.parametrize("client", clients.ALL, indirect=True)
def test_clients_follow_it(client, registry, pushed, rgw):
    with before(registry) as gateway:
        watch = Watch(rgw)
        for image, reference in ((pushed.multi_arch, "1.0"), (pushed.docker, pushed.docker.digest)):
            assert image.digest in client.pull(host(gateway), f"{NAME}/team/app", reference)
        fetched = {access.digest for access in watch.by_clients("GET", "/data$")}
        expected = (*pushed.multi_arch.children[0].blobs, *pushed.docker.blobs)
        assert {each.digest for each in expected} <= fetched


def test_a_registry_with_tokens(rgw, upstream):
    """Its tokens are the gateway's affair: the redirect is asked for with one, and shows none."""
    upstream.tokens = TokenService(users={"robot": "s3cret"})
    place = "http://bucket.example/object?signed=yes"

    def fault(answer, request):     # like the registry itself, only of who has shown a token
        return redirected(307, place)(answer, request) if answer.status == 200 else answer

    upstream.fault("GET", "/blobs/", fault)
    with before(upstream, username="robot", password="s3cret") as gateway:
        location = assert_redirected(ask(gateway, blob("team/app", upstream.digest)), upstream.digest)
        assert location == place
        assert upstream.seen("GET", "/blobs/")[-1].header("Authorization").startswith("Bearer ")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_every_kind_of_redirect_becomes_one(upstream, status):
    """Always a temporary one, whatever the upstream says: nothing may be kept of it."""
    place = "https://bucket.example:8443/a%20b/c?X-Sig=%2B%2F&x=1"
    upstream.fault("GET", "/blobs/", redirected(status, place))
    with before(upstream) as gateway:
        location = assert_redirected(ask(gateway, blob("team/app", upstream.digest)), upstream.digest)
        assert location == place


# Not redirected by the registry.


def test_a_registry_that_gives_no_redirect(upstreams, pushed):
    registry = upstreams["open"].registry
    registry.forget()
    each = pushed.docker.blobs[1]
    with before(registry) as gateway:
        for _ in range(2):
            answer = ask(gateway, blob("team/app", each.digest))
            assert (answer.status, answer.digest) == (200, each.digest)
            assert_no_location(answer)
            gateway.wait_until_idle()
        assert gateway.wait_for_records(2, method="GET", status=200)[-1].outcome == "hit"
        part = ask(gateway, blob("team/app", each.digest), Range="bytes=7-9")
        assert (part.status, part.body) == (206, each.data[7:10])


def test_a_registry_that_redirects_some(upstream):
    """Small blobs are sent at once by registries that redirect only what is large."""
    small = upstream.add_blob("team/app", b"{}")
    upstream.fault("GET", upstream.digest, redirected(307, "http://bucket.example/x"))
    with before(upstream, {"workers": 1}) as gateway:
        answer = ask(gateway, blob("team/app", small))
        assert (answer.status, answer.body) == (200, b"{}")
        assert_redirected(ask(gateway, blob("team/app", upstream.digest)), upstream.digest)


def test_a_registry_that_is_away(upstream):
    """Known content goes on as it would without redirects; the rest is an error, not a redirect."""
    other = upstream.add_blob("team/app", DATA[:5000])
    with before(upstream) as gateway:
        assert ask(gateway, blob("team/app", upstream.digest)).status == 200
        gateway.wait_until_idle()
        upstream.stop()
        assert ask(gateway, blob("team/app", upstream.digest)).body == DATA
        answer = ask(gateway, blob("team/app", other))
        assert answer.status in (502, 504)
        assert_no_location(answer)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_an_error_with_a_location_is_an_error(upstream, status):
    upstream.fault("*", "/blobs/", failing(status, headers={"Location": "http://bucket.example/x"}))
    with before(upstream) as gateway:
        answer = ask(gateway, blob("team/app", upstream.digest))
        assert answer.status >= 400
        assert_no_location(answer)


def test_bytes_with_a_location_are_bytes(upstream):
    upstream.fault("GET", "/blobs/", with_headers(Location="http://bucket.example/x"))
    with before(upstream) as gateway:
        answer = ask(gateway, blob("team/app", upstream.digest))
        assert (answer.status, answer.body) == (200, DATA)
        assert_no_location(answer)


# Hostile ones.


BAD_PLACES = ["javascript:alert(1)", "file:///etc/passwd", "data:text/plain,x", "ftp://bucket.example/x",
              "//", "http://", "http:///x", "http://bucket.example:99999/x", "http://[::1/x", ""]


@pytest.mark.parametrize("place", BAD_PLACES)
def test_no_place_at_all(upstream, place):
    upstream.fault("GET", "/blobs/", redirected(307, place))
    with before(upstream) as gateway:
        answer = ask(gateway, blob("team/app", upstream.digest))
        assert answer.status >= 400
        assert_no_location(answer)
        assert fetch(gateway.url, blob("team/app", upstream.digest), source=NEAR).status >= 400


def test_a_relative_place_is_made_whole_or_followed(upstream):
    """It would lead clients to the gateway itself."""
    other = upstream.add_blob("elsewhere", DATA)
    upstream.fault("GET", "/team/app/blobs/", redirected(307, f"/v2/elsewhere/blobs/{other}"))
    with before(upstream) as gateway:
        answer = ask(gateway, blob("team/app", upstream.digest))
        if answer.status == 200:
            assert answer.body == DATA
            assert_no_location(answer)
        else:
            assert assert_redirected(answer, upstream.digest).startswith(f"{upstream.url}/v2/elsewhere/")


def test_headers_of_the_redirect_stay_behind(upstream):
    headers = {"Location": "http://bucket.example/x", "Set-Cookie": "a=b", "X-Upstream": "secret-host",
               "WWW-Authenticate": 'Basic realm="give me"', "Cache-Control": "max-age=9999"}
    upstream.fault("GET", "/blobs/", failing(307, headers=headers))
    with before(upstream) as gateway:
        answer = ask(gateway, blob("team/app", upstream.digest))
        assert_redirected(answer, upstream.digest)
        for name in ("Set-Cookie", "X-Upstream", "WWW-Authenticate"):
            assert answer.headers[name] is None


class _Tls(FaultyUpstream):
    """With a certificate, and a name that is not one of this machine's."""

    def __init__(self, context, name):
        self._context = context
        super().__init__()
        self.url = f"https://{name}:{self.port}"

    def _begin(self, address, port):
        super()._begin(address, port)
        self.server.socket = self._context.wrap_socket(self.server.socket, server_side=True)


INTERNAL = ["https://127.0.0.1:{port}/x", "https://localhost/x", "https://169.254.169.254/latest",
            "https://10.0.0.1/x", "https://[::1]/x", "https://2130706433/x", "https://0x7f.1/x",
            "http://bucket.example/x"]      # the last: out of TLS


reason = clients.missing_reason(("unshare", "nsenter", "ip"), root=True)


@pytest.mark.skipif(bool(reason), reason=reason)
def test_a_public_registry_leads_nobody_inside(authority):
    """Clients may reach what it does not: their own machine, and their neighbours."""
    name = "registry.example"
    certificate = authority.issue("public", [name])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain_path, certificate.key_path)
    with Namespace({name: "127.0.0.1"}) as namespace, \
            namespace.run(lambda: _Tls(context, name)) as upstream:
        digest = upstream.add_blob("team/app", DATA)
        config = configuration(None, registry={
            "url": upstream.url, "ca": str(authority.certificate_path)})
        with Fairlead(config, within=namespace) as gateway:
            def asked():
                return namespace.run(lambda: ask(gateway, blob("team/app", digest)))

            for place in INTERNAL:
                upstream.fault("GET", "/blobs/", redirected(307, place.format(port=upstream.port)))
                assert_no_location(asked())
                upstream.heal()
            upstream.fault("GET", "/blobs/", redirected(307, "https://bucket.example/x"))
            assert assert_redirected(asked(), digest) == "https://bucket.example/x"
