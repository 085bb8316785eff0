# SPDX-License-Identifier: Apache-2.0
"""Who gets bytes from the gateway although others are sent to the bucket."""

import pytest
from testbed.bucket import NAME, Watch, assert_gets, assert_no_location, assert_redirected
from testbed.http_request import fetch
from testbed.redirecting import held, serve  # noqa: F401
from testbed.token_client import ACCEPT, blob, manifest

INSIDE, INSIDE_TOO, OUTSIDE, PROXY = "127.0.7.1", "127.0.7.200", "127.0.8.1", "127.0.9.1"
NETWORK = "127.0.7.0/24"


def asked_from(gateway, address, target, method="GET", **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return fetch(gateway.url, target, method=method, source=address, headers=named)


def assert_streamed(gateway, address, target, layer, **headers):
    answer = asked_from(gateway, address, target, **headers)
    assert (answer.status, answer.body == layer.data) == (200, True), answer
    assert answer.headers["Docker-Content-Digest"] == layer.digest
    assert answer.headers["Content-Length"] == str(layer.size)
    assert_no_location(answer)


def assert_sent_on(gateway, address, target, layer, **headers):
    answer = asked_from(gateway, address, target, **headers)
    assert_gets(assert_redirected(answer, layer.digest), layer)


def test_networks_that_get_bytes(serve, held, rgw):
    layer = held.layer
    target = blob("team/app", layer.digest)
    with serve({"stream_to": [NETWORK]}) as gateway:
        watch = Watch(rgw)
        assert_streamed(gateway, INSIDE, target, layer)
        gateway.wait_until_idle()
        assert_streamed(gateway, INSIDE_TOO, target, layer)
        gets = watch.by_fairlead("GET", f"{layer.digest.split(':')[1]}/data$")
        assert len(gets) == 1 and gets[0].size == layer.size
        assert [record.outcome for record in gateway.wait_for_records(2, method="GET", status=200)
                ] == ["fill", "hit"]
        for address in (OUTSIDE, "127.0.0.1"):      # although it is in the cache here
            assert_sent_on(gateway, address, target, layer)


@pytest.mark.parametrize("warm", [False, True], ids=["cold", "hot"])
def test_ranges_for_them(serve, held, warm):
    layer = held.layer
    target = blob("team/app", layer.digest)
    with serve({"stream_to": NETWORK}) as gateway:      # a list of one may be written so
        if warm:
            assert_streamed(gateway, INSIDE, target, layer)
            gateway.wait_until_idle()
        for asked, first, last in (("bytes=100-199", 100, 199), ("bytes=-7", layer.size - 7, layer.size - 1),
                                   ("bytes=50000-", 50_000, layer.size - 1)):
            answer = asked_from(gateway, INSIDE, target, Range=asked)
            assert (answer.status, answer.body) == (206, layer.data[first:last + 1])
            assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{layer.size}"
            assert_no_location(answer)
        beyond = asked_from(gateway, INSIDE, target, Range=f"bytes={layer.size}-")
        assert beyond.status == 416
        assert asked_from(gateway, OUTSIDE, target, Range="bytes=100-199").status == 307


def test_their_manifests_are_inline(serve, held):
    with serve({"deliver": {"blobs": "redirect", "manifests": "redirect"},
                "stream_to": [NETWORK]}) as gateway:
        for reference in ("1", held.team.digest):
            target = manifest("team/app", reference)
            assert_redirected(asked_from(gateway, OUTSIDE, target, Accept=ACCEPT), held.team.digest)
            answer = asked_from(gateway, INSIDE, target, Accept=ACCEPT)
            assert (answer.status, answer.digest) == (200, held.team.digest)


def test_they_are_not_told_more(serve, held):
    """A network is no right to another repository's blobs."""
    with serve({"stream_to": [NETWORK]}) as gateway:
        assert_streamed(gateway, INSIDE, blob("other/app", held.hidden.digest), held.hidden)
        gateway.wait_until_idle()
        for address in (INSIDE, OUTSIDE):
            assert asked_from(gateway, address, blob("team/app", held.hidden.digest)).status == 404


# Routes.


def test_a_route_decides_instead_of_the_registry(serve, held):
    layer = held.layer
    routes = [{"match": "plain/", "to": f"{NAME}/"},
              {"match": "streamed/", "to": f"{NAME}/", "deliver": "stream"},
              {"match": "near/", "to": f"{NAME}/", "stream_to": ["127.0.8.0/24"]},
              {"match": "nobody/", "to": f"{NAME}/", "stream_to": []}]
    with serve({"stream_to": [NETWORK]}, routes=routes) as gateway:
        def target(prefix):
            return blob(f"{prefix}/team/app", layer.digest)

        assert_streamed(gateway, INSIDE, target("plain"), layer)
        assert_sent_on(gateway, OUTSIDE, target("plain"), layer)
        for address in (INSIDE, OUTSIDE):
            assert_streamed(gateway, address, target("streamed"), layer)
            assert_sent_on(gateway, address, target("nobody"), layer)
        assert_streamed(gateway, OUTSIDE, target("near"), layer)
        assert_sent_on(gateway, INSIDE, target("near"), layer)


def test_a_route_may_redirect_alone(serve, held):
    routes = [{"match": "plain/", "to": f"{NAME}/"},
              {"match": "sent/", "to": f"{NAME}/", "deliver": "redirect"},
              {"match": "both/", "to": f"{NAME}/",
               "deliver": {"blobs": "redirect", "manifests": "redirect"}}]
    for deliver in ("stream", None):
        with serve({"deliver": deliver}, routes=routes) as gateway:
            def target(prefix):
                return blob(f"{prefix}/team/app", held.layer.digest)

            assert_streamed(gateway, OUTSIDE, target("plain"), held.layer)
            assert_sent_on(gateway, OUTSIDE, target("sent"), held.layer)
            assert_sent_on(gateway, OUTSIDE, target("both"), held.layer)
            for prefix, status in (("plain", 200), ("sent", 200), ("both", 307)):
                answer = asked_from(gateway, OUTSIDE, manifest(f"{prefix}/team/app"), Accept=ACCEPT)
                assert answer.status == status


# Behind a proxy.


def test_the_real_client_decides(serve, held):
    layer = held.layer
    target = blob("team/app", layer.digest)
    server = {"trusted_proxies": [PROXY]}
    with serve({"stream_to": ["10.9.0.0/16", "2001:db8::/32"]}, server=server) as gateway:
        for inside in ("10.9.3.4", "2001:db8::7", "192.0.2.1, 10.9.3.4"):
            assert_streamed(gateway, PROXY, target, layer, X_Forwarded_For=inside)
        for outside in ("10.8.3.4", "10.9.3.4, 192.0.2.1", "2001:db9::7"):
            assert_sent_on(gateway, PROXY, target, layer, X_Forwarded_For=outside)
        # Anybody can write such a header.
        assert_sent_on(gateway, OUTSIDE, target, layer, X_Forwarded_For="10.9.3.4")


def test_the_proxy_itself_does_not(serve, held):
    server = {"trusted_proxies": [PROXY]}
    target = blob("team/app", held.layer.digest)
    with serve({"stream_to": ["127.0.9.0/24"]}, server=server) as gateway:
        assert_sent_on(gateway, PROXY, target, held.layer, X_Forwarded_For="192.0.2.1")
        assert_streamed(gateway, PROXY, target, held.layer)
