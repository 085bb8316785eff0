# SPDX-License-Identifier: Apache-2.0
"""What was pulled once is served without any upstream, also after a restart.

Images go through skopeo, from registries with every kind of login; lists come from a registry
that is played, because the real one here has no referrers.
"""

import json
from contextlib import contextmanager

import pytest
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import fetch
from testbed.pulling import STALE, assert_current, assert_stale, manifest, pull_image, serving
from testbed.upstream_faults import failing, patterned

PATH = "upstream.test/team/app"

every_end = pytest.mark.parametrize("end", ["stopped", "killed"])


def end_and_start(gateway, end):
    if end == "killed":
        gateway.kill()
    gateway.restart()


# Images.


@contextmanager
def away(upstream):
    """The registry does not listen; its token server would tell if it were asked."""
    upstream.registry.stop()
    if upstream.tokens:
        upstream.tokens.forget()
    try:
        yield
        assert not (upstream.tokens and upstream.tokens.requests)
    finally:
        upstream.registry.start()


@every_end
@pytest.mark.parametrize("upstream", ["open", "htpasswd", "token"], indirect=True)
@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_an_image_outlives_its_registry(client, upstream, pushed, end):
    image = pushed.multi_arch
    with Fairlead(upstream.config()) as gateway:
        for _ in range(2):
            assert client.pull(gateway.host, PATH, "1.0") == {image.digest}
        with away(upstream):
            end_and_start(gateway, end)
            for reference in ("1.0", image.digest, image.children[0].digest):
                digest = image.digest if reference == "1.0" else reference
                assert client.pull(gateway.host, PATH, reference) == {digest}
            assert {r.status for r in gateway.records(method="GET")} <= {200, 206}
            outcomes = {r.outcome for r in gateway.records(method="GET") if "/blobs/" in r.target}
            assert outcomes == {"hit"}


@pytest.mark.parametrize("client", ["skopeo", "podman", "containerd"], indirect=True)
def test_every_client_takes_a_stale_tag(client, upstream, pushed):
    with Fairlead(upstream.config(cache={"fresh_for": "0s"})) as gateway:
        assert pushed.docker.digest in client.pull(gateway.host, PATH, "schema2")
        with away(upstream):
            gateway.restart()
            assert pushed.docker.digest in client.pull(gateway.host, PATH, "schema2")
            assert gateway.wait_for_records(1, freshness="stale")


# Starting.


@pytest.fixture
def played():
    with FaultyUpstream() as server:
        for tag in ("a", "b", "c", "d", "e"):
            server.add_image("app", tag, [patterned(2000, seed=ord(tag))])
        yield server


def test_starting_talks_to_no_upstream(played):
    with serving(played) as gateway:
        digest = manifest(gateway, "a").header("Docker-Content-Digest")
        pull_image(gateway, digest)
        gateway.terminate()
        gateway.wait()
        played.stop()
        played.start()  # without the connections that were kept alive
        before = played.connections_made
        gateway.restart()
        pull_image(gateway, digest)
        assert_current(manifest(gateway, digest, method="HEAD"), digest)
        assert played.connections_made == before


def test_what_was_fresh_is_fresh_after_a_restart(played):
    with serving(played, {"fresh_for": "1h"}) as gateway:
        digest = manifest(gateway, "a").header("Docker-Content-Digest")
        gateway.restart()
        asked = len(played.seen())
        assert_current(manifest(gateway, "a"), digest)
        assert len(played.seen()) == asked


@every_end
def test_what_was_stale_is_stale_after_a_restart(played, end):
    with serving(played, {"fresh_for": "0s"}) as gateway:
        digest = manifest(gateway, "a").header("Docker-Content-Digest")
        manifest(gateway, "a")
        played.stop()
        end_and_start(gateway, end)
        assert_stale(manifest(gateway, "a"), digest)


def test_what_was_never_pulled_is_an_error(played):
    with serving(played) as gateway:
        pull_image(gateway, "a")
        played.stop()
        gateway.restart()
        assert manifest(gateway, "b").status in (502, 504)
        assert manifest(gateway, "a", "other").status in (502, 504)


# Lists.


def tags(gateway, query=""):
    answer = fetch(gateway.url, f"/v2/app/tags/list{query}")
    assert answer.status == 200
    document = json.loads(answer.body)
    assert document["name"] == "app"
    return document["tags"], answer.headers.get("Link"), answer.headers.get("Warning")


def assert_next(link, **wanted):
    """A link to the next page, of the size that was asked, after the last tag of this one."""
    target, _, relation = link.partition(";")
    assert relation.strip() == 'rel="next"'
    for name, value in wanted.items():
        assert f"{name}={value}" in target


@every_end
def test_tags_are_listed_stale_and_in_the_pages_asked_for(played, end):
    with serving(played, {"fresh_for": "0s"}) as gateway:
        assert tags(gateway) == (["a", "b", "c", "d", "e"], None, None)
        tags(gateway)
        played.stop()
        end_and_start(gateway, end)

        assert tags(gateway) == (["a", "b", "c", "d", "e"], None, STALE)
        page, link, warning = tags(gateway, "?n=2")
        assert (page, warning) == (["a", "b"], STALE)
        assert_next(link, n="2", last="b")
        page, link, _ = tags(gateway, "?n=2&last=b")
        assert page == ["c", "d"]
        assert_next(link, n="2", last="d")
        assert tags(gateway, "?n=2&last=d") == (["e"], None, STALE)
        assert tags(gateway, "?last=c") == (["d", "e"], None, STALE)
        assert tags(gateway, "?n=5")[:2] == (["a", "b", "c", "d", "e"], None)


def test_pages_that_were_read_are_there_offline(played):
    with serving(played, {"fresh_for": "0s"}) as gateway:
        for query in ("?n=3", "?n=3&last=c"):
            tags(gateway, query)
        played.stop()
        page, link, warning = tags(gateway, "?n=3")
        assert (page, warning) == (["a", "b", "c"], STALE)
        assert_next(link, n="3", last="c")
        assert tags(gateway, "?n=3&last=c") == (["d", "e"], None, STALE)


def test_the_list_of_tags_follows_the_upstream(played):
    with serving(played, {"fresh_for": "0s"}) as gateway:
        tags(gateway)
        played.add_image("app", "f", [b"layer"])
        played.remove_tag("app", "a")
        assert tags(gateway) == (["b", "c", "d", "e", "f"], None, None)
        played.stop()
        assert tags(gateway) == (["b", "c", "d", "e", "f"], None, STALE)


def test_a_list_that_was_never_read_is_an_error(played):
    with serving(played) as gateway:
        pull_image(gateway, "a")
        played.stop()
        assert fetch(gateway.url, "/v2/app/tags/list").status in (502, 504)
        digest = manifest(gateway, "a").header("Docker-Content-Digest")
        assert fetch(gateway.url, f"/v2/app/referrers/{digest}").status in (502, 504)


def referrers(gateway, subject, query=""):
    answer = fetch(gateway.url, f"/v2/app/referrers/{subject}{query}")
    assert answer.status == 200
    entries = json.loads(answer.body)["manifests"]
    return ({entry["digest"] for entry in entries}, answer.headers.get("OCI-Filters-Applied"),
            answer.headers.get("Warning"))


@every_end
def test_referrers_are_served_stale(played, end):
    with serving(played, {"fresh_for": "0s"}) as gateway:
        subject = manifest(gateway, "a").header("Docker-Content-Digest")
        signature = played.add_referrer("app", subject, "application/vnd.testbed.signature")
        bill = played.add_referrer("app", subject, "application/vnd.testbed.sbom")
        for _ in range(2):
            assert referrers(gateway, subject) == ({signature, bill}, None, None)
        manifest(gateway, signature)
        manifest(gateway, signature)
        played.stop()
        end_and_start(gateway, end)

        assert referrers(gateway, subject) == ({signature, bill}, None, STALE)
        found, filtered, warning = referrers(
            gateway, subject, "?artifactType=application/vnd.testbed.sbom")
        assert (found, filtered, warning) == ({bill}, "artifactType", STALE)
        assert_current(manifest(gateway, signature), signature)


def test_referrers_read_with_a_filter_are_there_offline(played):
    with serving(played, {"fresh_for": "0s"}) as gateway:
        subject = manifest(gateway, "a").header("Docker-Content-Digest")
        played.add_referrer("app", subject, "application/vnd.testbed.signature")
        bill = played.add_referrer("app", subject, "application/vnd.testbed.sbom")
        query = "?artifactType=application/vnd.testbed.sbom"
        assert referrers(gateway, subject, query)[:2] == ({bill}, "artifactType")
        played.stop()
        assert referrers(gateway, subject, query) == ({bill}, "artifactType", STALE)


def test_a_refused_list_is_not_served_stale(played):
    with serving(played, {"fresh_for": "0s"}) as gateway:
        tags(gateway)
        played.fault("GET", "/tags/", failing(403))
        assert fetch(gateway.url, "/v2/app/tags/list").status in (403, 404)
