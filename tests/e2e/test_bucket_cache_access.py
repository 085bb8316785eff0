# SPDX-License-Identifier: Apache-2.0
"""What one repository's pull put into the bucket is given to no other that does not hold it, and to
nobody who may not pull: neither bytes nor a URL, from the gateway that put it there or another."""

from contextlib import contextmanager

import pytest
from testbed import token_client
from testbed.cache_bucket import blob_key
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import basic
from testbed.http_request import fetch as fetch_as
from testbed.passwords import htpasswd
from testbed.pulling import fetch, manifest, serving
from testbed.redirects import has_redirect, pull_image, pull_right
from testbed.relaying import ALICE, BOB, _private, private, private_storage  # noqa: F401
from testbed.upstream_faults import digest_of, failing, patterned

DATA = patterned(300_000, seed=1)
DIGEST = digest_of(DATA)

both_ways = pytest.mark.parametrize("deliver", ["stream", "redirect"])


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.image = server.add_image("mine", "1", [DATA])
        server.add_image("other", "1", [patterned(1000, seed=2)])
        yield server


def caching(upstream, bucket, deliver, **more):
    return serving(upstream, {"s3": bucket.settings()}, deliver=deliver, **more)


@contextmanager
def asked_by(whom, upstream, bucket, deliver):
    """A gateway, after `mine` was pulled into the bucket by itself or by another one."""
    with caching(upstream, bucket, deliver) as first:
        bucket.wait_for(*pull_image(first, "1", "mine"))
        if whom == "the same gateway":
            pull_image(first, "1", "mine")
            yield first
            return
    with caching(upstream, bucket, deliver) as second:
        yield second


def assert_kept_back(answer, statuses):
    assert answer.status in statuses, (answer.status, answer.body[:300])
    assert not has_redirect(answer)
    assert DATA[:64] not in answer.body and len(answer.body) < 2000


@both_ways
@pytest.mark.parametrize("whom", ["the same gateway", "another gateway"])
@pytest.mark.parametrize("refusal", [404, 403, 401])
def test_a_repository_without_it(upstream, cache_bucket, deliver, whom, refusal):
    with asked_by(whom, upstream, cache_bucket, deliver) as gateway:
        if refusal != 404:
            upstream.fault("*", "^/v2/other/", failing(refusal, b"{}", "application/json"))
        with cache_bucket.asked("GET", DIGEST[-60:]) as asked:
            for path in (f"/v2/other/blobs/{DIGEST}", f"/v2/other/manifests/{upstream.image}"):
                for method in ("GET", "HEAD", "GET"):
                    assert_kept_back(fetch(gateway, path, method=method), {refusal, 401, 403, 404})
            ranged = fetch(gateway, f"/v2/other/blobs/{DIGEST}", headers={"Range": "bytes=0-99"})
            assert_kept_back(ranged, {401, 403, 404})
            known = fetch(gateway, f"/v2/other/blobs/{DIGEST}",
                          headers={"If-None-Match": f'"{DIGEST}"'})
            assert_kept_back(known, {401, 403, 404})
        assert asked == [], "what the caller may not have was fetched"
        # Who holds it still gets it; and the other, once it does.
        pull_right(gateway, DIGEST, "mine")
        upstream.heal()
        upstream.add_blob("other", DATA)
        pull_right(gateway, DIGEST, "other")


@both_ways
@pytest.mark.parametrize("whom", ["the same gateway", "another gateway"])
def test_a_repository_whose_registry_is_away(upstream, cache_bucket, deliver, whom):
    """Nobody can say whether it holds it."""
    with asked_by(whom, upstream, cache_bucket, deliver) as gateway:
        upstream.stop()
        for path in (f"/v2/other/blobs/{DIGEST}", f"/v2/other/manifests/{upstream.image}"):
            assert_kept_back(fetch(gateway, path), {502, 504})


@both_ways
def test_an_upload_gives_nothing_to_who_asks_meanwhile(upstream, cache_bucket, deliver):
    """In the moment between the disk and the bucket."""
    with caching(upstream, cache_bucket, deliver) as gateway:
        for number in range(10):
            data = patterned(50_000, seed=100 + number)
            digest = upstream.add_blob("mine", data)
            pull_right(gateway, digest, "mine")
            answer = fetch(gateway, f"/v2/other/blobs/{digest}")
            assert answer.status == 404 and not has_redirect(answer)


@both_ways
def test_callers_who_may_not_pull(upstream, cache_bucket, deliver, tmp_path):
    auth = {"users": str(htpasswd(tmp_path / "users", {"alice": "her pass word"})),
            "anonymous": []}
    config = {"registries": {"up": {"url": upstream.url, "deliver": deliver}},
              "routes": [{"match": "", "to": "up/"}], "auth": auth,
              "cache": {"s3": cache_bucket.settings()}}
    target = f"/v2/mine/blobs/{DIGEST}"
    alice = {"Authorization": basic("alice", "her pass word")}
    with Fairlead(config) as gateway:
        assert fetch_as(gateway.url, target, headers=alice).digest == DIGEST
        cache_bucket.wait_for(DIGEST)
        for headers in ({}, {"Authorization": basic("alice", "wrong")}):
            answer = fetch_as(gateway.url, target, headers=headers)
            assert answer.status == 401 and "Location" not in answer.headers
            assert DATA[:64] not in answer.body
        answer = fetch_as(gateway.url, target, headers=alice)
        assert answer.status == (307 if deliver == "redirect" else 200)


@both_ways
def test_callers_of_a_relayed_registry(private, cache_bucket, deliver):  # noqa: F811
    """Each as the registry itself says, on what another caller's pull put into the bucket."""
    image = private.images["team/app"]
    config = {"registries": {"up": {"url": private.registry.url, "credentials": "relay",
                                    "deliver": deliver}},
              "routes": [{"match": "", "to": "up/"}], "cache": {"s3": cache_bucket.settings()}}
    with Fairlead(config) as gateway:
        blobs = [each.digest for each in image.blobs]
        for digest in blobs:
            answer = token_client.get(gateway, f"/v2/team/app/blobs/{digest}", user=ALICE)
            assert (answer.status, answer.digest) == (200, digest)
        cache_bucket.wait_for(*blobs)
        for user in (BOB, None):
            for repository in ("team/app", "other/app", "public/app"):
                for digest in blobs[1:]:    # the layers are each repository's own
                    answer = token_client.get(gateway, f"/v2/{repository}/blobs/{digest}", user=user)
                    assert answer.status in (401, 403, 404), (user, repository)
                    assert "Location" not in answer.headers
        again = token_client.get(gateway, f"/v2/team/app/blobs/{blobs[1]}", user=ALICE)
        assert again.status == (307 if deliver == "redirect" else 200)


def test_what_others_put_into_the_bucket_is_no_image(upstream, cache_bucket):
    """Content of no repository, under a right name: its digest alone opens nothing."""
    stray = b"of nobody" * 1000
    cache_bucket.put(blob_key(digest_of(stray)), stray)
    with caching(upstream, cache_bucket, "redirect") as gateway:
        pull_image(gateway, "1", "mine")
        assert_kept_back(fetch(gateway, f"/v2/mine/blobs/{digest_of(stray)}"), {404})
        assert_kept_back(manifest(gateway, digest_of(stray), "mine"), {404})
