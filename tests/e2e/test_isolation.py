# SPDX-License-Identifier: Apache-2.0
"""Stored bytes are served only through a repository whose registry says that it holds them.

Two users' private repositories in one registry share a layer. What one of them pulled spares the
other the transfer, and never the question.
"""

from types import SimpleNamespace

import pytest
from testbed import images
from testbed.faulty_upstream import FaultyUpstream
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.pulling import assert_problem, assert_right, kept, manifest, pull, pull_image, serving
from testbed.registry import Registry, TokenAuth
from testbed.token_server import TokenServer
from testbed.upstream_faults import failing, patterned
from testbed.waiting import wait_until

# A real registry, with tokens; each user has an entry of its own for it.


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    found = SimpleNamespace(shared=images.noise_layer("shared", 200_000))
    storage = tmp_path_factory.mktemp("private")
    owners = {"alice": ("secret-a", "alice/"), "bob": ("secret-b", "bob/")}
    with Registry(storage) as loader:
        for owner in owners:
            found.__dict__[owner] = images.image(
                [found.shared, images.noise_layer(owner, 50_000)], label=owner)
            images.push(loader.url, f"{owner}/app", found.__dict__[owner], "1")
    with TokenServer(tmp_path_factory.mktemp("tokens"), owners=owners) as tokens:
        with Registry(storage, auth=TokenAuth(tokens)) as registry:
            found.registry = registry
            found.config = {
                "registries": {user: {"url": registry.url, "username": user, "password": secret}
                               for user, (secret, _) in owners.items()},
                "routes": [{"match": f"{user}/", "to": f"{user}/"} for user in owners]}
            yield found


@pytest.fixture
def users(private):
    """One gateway with which alice and bob reach the registry as `alice/` and `bob/`."""
    private.registry.forget()
    with Fairlead(private.config) as gateway:
        yield gateway


def given(registry, method, pattern):
    return registry.count(method, pattern, 200)


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_a_shared_layer_travels_once_and_is_asked_for_twice(client, private, users):
    for user in ("alice", "bob"):
        pulled = client.pull(users.host, f"{user}/{user}/app", "1")
        assert pulled == {private.__dict__[user].digest}
    layer = private.shared.blob.digest
    assert given(private.registry, "GET", f"/blobs/{layer}") == 1
    assert given(private.registry, "HEAD", f"/v2/bob/app/blobs/{layer}") == 1
    assert given(private.registry, "HEAD", f"/v2/alice/app/blobs/{layer}") == 0


@pytest.mark.parametrize("client", ["skopeo"], indirect=True)
def test_nobody_gets_what_is_another_ones(client, private, users):
    client.pull(users.host, "alice/alice/app", "1")
    client.pull(users.host, "bob/bob/app", "1")

    def asked_as_bob():
        own = private.alice.blobs[2]
        assert own.digest not in {blob.digest for blob in private.bob.blobs}
        for repository in ("bob/bob/app", "bob/alice/app"):
            for kind, digest in (("blobs", own.digest), ("manifests", private.alice.digest)):
                for method in ("GET", "HEAD"):
                    yield fetch(users.url, f"/v2/{repository}/{kind}/{digest}", method=method)

    def assert_no_bytes(answers, statuses):
        for answer in answers:
            assert answer.status in statuses
            assert len(answer.body) < 1000

    assert_no_bytes(asked_as_bob(), {401, 403, 404})
    private.registry.stop()
    try:
        for _ in range(2):
            assert_no_bytes(asked_as_bob(), {401, 403, 404, 502, 504})
            for user in ("alice", "bob"):
                assert client.pull(users.host, f"{user}/{user}/app", "1") == {
                    private.__dict__[user].digest}
            users.restart()
    finally:
        private.registry.start()


# A registry that is played, for what it is asked and what it refuses.

SECRET = patterned(300_000, seed=1)


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.secret = server.add_blob("private/app", SECRET)
        yield server


@pytest.fixture
def gateway(upstream):
    with serving(upstream) as fairlead:
        assert_right(pull(fairlead, upstream.secret, "private/app"), SECRET)
        assert_right(pull(fairlead, upstream.secret, "private/app"), SECRET)
        wait_until(lambda: kept(fairlead, upstream.secret), "the blob to be kept")
        yield fairlead


def assert_no_bytes(answer, statuses):
    codes = {"UNAUTHORIZED", "DENIED", "UNAVAILABLE", "BLOB_UNKNOWN", "NAME_UNKNOWN",
             "MANIFEST_UNKNOWN"}
    assert_problem(answer, statuses, codes)
    assert SECRET[:100] not in answer.body


@pytest.mark.parametrize("when", ["at once", "after a restart"])
def test_the_asked_repository_is_asked_first(upstream, gateway, when):
    upstream.add_blob("public/app", SECRET)
    if when == "after a restart":
        gateway.restart()
    transfers = len(upstream.seen("GET", "/blobs/"))
    for _ in range(3):
        assert_right(pull(gateway, upstream.secret, "public/app"), SECRET)
    assert len(upstream.seen("HEAD", "^/v2/public/app/blobs/")) == 1
    assert len(upstream.seen("GET", "/blobs/")) == transfers


@pytest.mark.parametrize("when", ["at once", "after a restart"])
@pytest.mark.parametrize("status", [401, 403, 404])
def test_the_upstreams_refusal_is_the_answer(upstream, gateway, status, when):
    upstream.fault("*", "^/v2/public/app/", failing(status))
    if when == "after a restart":
        gateway.restart()
    for headers in ({}, {"Range": "bytes=0-9"}, {"If-None-Match": f'"{upstream.secret}"'}):
        assert_no_bytes(pull(gateway, upstream.secret, "public/app", headers=headers),
                        {401, 403, 404, 502})
    assert pull(gateway, upstream.secret, "public/app", method="HEAD").status >= 400
    assert len(upstream.seen("*", "^/v2/public/app/")) >= 1
    # Once it is given to that repository, it is served there.
    upstream.heal()
    upstream.add_blob("public/app", SECRET)

    def is_served():
        return pull(gateway, upstream.secret, "public/app").status == 200

    wait_until(is_served, "the refusal to be forgotten", 30, every=0.1)


@pytest.mark.parametrize("when", ["at once", "after a restart"])
def test_with_nobody_to_ask_the_answer_is_no(upstream, gateway, when):
    upstream.add_blob("public/app", SECRET)
    upstream.stop()
    if when == "after a restart":
        gateway.restart()
    for headers in ({}, {"Range": "bytes=0-9"}):
        assert_no_bytes(pull(gateway, upstream.secret, "public/app", headers=headers), {502, 504})
    assert_right(pull(gateway, upstream.secret, "private/app"), SECRET)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_upstream_that_fails_says_neither_yes_nor_no(upstream, gateway, status):
    upstream.fault("*", "^/v2/public/app/", failing(status, headers={"Retry-After": "3600"}))
    answer = pull(gateway, upstream.secret, "public/app")
    assert answer.status in (429, 502, 503, 504)
    assert SECRET[:100] not in answer.body


def test_a_manifest_is_nobody_elses_either(upstream):
    digest = upstream.add_image("private/app", "1", [SECRET])
    with serving(upstream) as gateway:
        pull_image(gateway, "1", "private/app")
        body = manifest(gateway, digest, "private/app").body
        assert_no_bytes(manifest(gateway, digest, "public/app"), {404})
        upstream.stop()
        for _ in range(2):
            answer = manifest(gateway, digest, "public/app")
            assert answer.status in (404, 502, 504) and body not in answer.body
            assert manifest(gateway, "1", "public/app").status in (404, 502, 504)
            gateway.restart()


def test_a_manifest_that_names_a_layer_is_no_proof_of_holding_it(upstream, gateway):
    """The attack: push, to a repository of one's own, a manifest that names the wanted digest."""
    upstream.add_image("public/app", "1", [SECRET])
    del upstream.blobs["public/app", upstream.secret]
    assert manifest(gateway, "1", "public/app").status == 200
    assert_no_bytes(pull(gateway, upstream.secret, "public/app"), {404})
    upstream.stop()
    assert_no_bytes(pull(gateway, upstream.secret, "public/app"), {404, 502, 504})


def test_one_registrys_word_does_not_count_for_another(upstream):
    with FaultyUpstream() as other, Fairlead({
        "registries": {"one": {"url": upstream.url}, "two": {"url": other.url}},
        "routes": [{"match": "one/", "to": "one/"}, {"match": "two/", "to": "two/"}],
    }) as gateway:
        assert_right(pull(gateway, upstream.secret, "one/private/app"), SECRET)
        assert_no_bytes(pull(gateway, upstream.secret, "two/private/app"), {404})
        other.stop()
        for _ in range(2):
            assert_no_bytes(pull(gateway, upstream.secret, "two/private/app"), {404, 502, 504})
            gateway.restart()
