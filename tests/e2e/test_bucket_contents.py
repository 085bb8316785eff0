# SPDX-License-Identifier: Apache-2.0
"""Buckets that do not have everything, or have nonsense: what a docker-registry's bucket says is
believed only as far as it says it of the very content that is asked for."""

import itertools

import pytest
from testbed import images
from testbed.bucket import (
    assert_gets,
    assert_no_location,
    assert_redirected,
    bucket,
    configuration,
    keys,
    s3_client,
)
from testbed.fairlead import Fairlead
from testbed.redirecting import ask
from testbed.registry import Registry
from testbed.token_client import ACCEPT, blob, manifest

V2 = "registry/docker/registry/v2"
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def storage(tmp_path_factory):
    found = tmp_path_factory.mktemp("contents")
    with Registry(found) as loader:
        images.push(loader.url, "team/app", IMAGE, "1")
    return found


IMAGE = images.image([images.noise_layer("there", 30_000), images.noise_layer("gone", 20_000)])
CONFIG, THERE, GONE = IMAGE.blobs


class Bucket:
    """A new one with the image, to be changed."""

    def __init__(self, rgw, storage):
        self.name = f"contents-{next(_numbers)}"
        self._s3 = s3_client(rgw)
        rgw.make_bucket(self.name, storage, "registry/")

    def put(self, key, data):
        self._s3.put_object(Bucket=self.name, Key=f"{V2}/{key}", Body=data)

    def remove(self, key):
        self._s3.head_object(Bucket=self.name, Key=f"{V2}/{key}")
        self._s3.delete_object(Bucket=self.name, Key=f"{V2}/{key}")


@pytest.fixture
def contents(rgw, storage):
    return Bucket(rgw, storage)


@pytest.fixture
def alone(rgw, contents):
    with Fairlead(configuration(bucket(rgw, contents.name)), env=keys(rgw)) as gateway:
        yield gateway


@pytest.fixture
def behind(rgw, contents, storage):
    with Registry(storage) as registry:
        config = configuration(bucket(rgw, contents.name), registry={"url": registry.url})
        with Fairlead(config, env=keys(rgw)) as gateway:
            gateway.registry = registry
            yield gateway


def link(digest, repository="team/app", kind="_layers"):
    return f"repositories/{repository}/{kind}/{digest.replace(':', '/')}/link"


def data(digest):
    algorithm, encoded = digest.split(":")
    return f"blobs/{algorithm}/{encoded[:2]}/{encoded}/data"


TAG = "repositories/team/app/_manifests/tags/1/current/link"
REVISION = link(IMAGE.digest, kind="_manifests/revisions")


@pytest.mark.parametrize("missing", [link(GONE.digest), data(GONE.digest)], ids=["link", "data"])
def test_what_the_bucket_has_not_comes_from_the_registry(behind, contents, missing):
    contents.remove(missing)
    for _ in range(2):
        answer = ask(behind, blob("team/app", GONE.digest))
        assert (answer.status, answer.body == GONE.data) == (200, True)
        assert_no_location(answer)
        behind.wait_until_idle()
    assert behind.registry.count("GET", GONE.digest) == 1
    head = ask(behind, blob("team/app", GONE.digest), "HEAD")
    assert (head.status, head.headers["Content-Length"]) == (200, str(GONE.size))
    part = ask(behind, blob("team/app", GONE.digest), Range="bytes=1-3")
    assert (part.status, part.body) == (206, GONE.data[1:4])
    location = assert_redirected(ask(behind, blob("team/app", THERE.digest)), THERE.digest)
    assert_gets(location, THERE)
    assert behind.registry.count("GET", THERE.digest) == 0


@pytest.mark.parametrize("missing", [link(GONE.digest), data(GONE.digest)], ids=["link", "data"])
def test_what_the_bucket_has_not_is_not_there(alone, contents, missing):
    contents.remove(missing)
    for method in ("GET", "HEAD"):
        answer = ask(alone, blob("team/app", GONE.digest), method)
        assert answer.status == 404
        assert_no_location(answer)


@pytest.mark.parametrize("missing", [TAG, REVISION, data(IMAGE.digest)], ids=["tag", "revision", "data"])
def test_manifests_that_the_bucket_has_not(alone, behind, contents, missing):
    contents.remove(missing)
    assert ask(alone, manifest("team/app"), Accept=ACCEPT).status == 404
    answer = ask(behind, manifest("team/app"), Accept=ACCEPT)
    assert (answer.status, answer.digest) == (200, IMAGE.digest)
    by_digest = ask(alone, manifest("team/app", IMAGE.digest), Accept=ACCEPT)
    assert by_digest.status == (200 if missing == TAG else 404)


OTHER = images.Blob(b"of another repository")
NONSENSE = {"empty": b"", "another digest": OTHER.digest.encode(), "no digest": b"sha256:xyz",
            "binary": bytes(range(256)), "huge": b"sha256:" + b"0" * 3_000_000,
            "a path": b"sha256:../../../../repositories/other/app/_layers"}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_links_that_say_something_else(alone, behind, contents, nonsense):
    """Whoever may write below one repository is no reader of the others."""
    contents.put(data(OTHER.digest), OTHER.data)
    contents.put(link(OTHER.digest, "other/app"), OTHER.digest.encode())
    contents.put(link(THERE.digest), NONSENSE[nonsense])
    answer = ask(alone, blob("team/app", THERE.digest))
    assert answer.status in (404, 502)
    assert_no_location(answer)
    assert ask(alone, blob("team/app", OTHER.digest)).status == 404
    answer = ask(behind, blob("team/app", THERE.digest))
    assert (answer.status, answer.body == THERE.data) == (200, True)


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_tags_that_say_something_else(alone, contents, nonsense):
    """The other digest is content of the bucket, but no manifest of this repository."""
    contents.put(data(OTHER.digest), OTHER.data)
    contents.put(link(OTHER.digest, "other/app", "_manifests/revisions"), OTHER.digest.encode())
    contents.put(TAG, NONSENSE[nonsense])
    answer = ask(alone, manifest("team/app"), Accept=ACCEPT)
    assert answer.status in (404, 502)
    assert OTHER.data not in answer.body


def test_a_line_end_in_a_link(alone, contents):
    """As an editor leaves it."""
    contents.put(link(THERE.digest), THERE.digest.encode() + b"\n")
    assert ask(alone, blob("team/app", THERE.digest)).status in (307, 404, 502)


def test_manifests_that_are_damaged(alone, contents):
    changed = IMAGE.manifest.replace(b'"schemaVersion": 2', b'"schemaVersion": 3')
    assert changed != IMAGE.manifest and len(changed) == len(IMAGE.manifest)
    contents.put(data(IMAGE.digest), changed)
    for reference in ("1", IMAGE.digest):
        answer = ask(alone, manifest("team/app", reference), Accept=ACCEPT)
        assert answer.status == 502 and b"schemaVersion" not in answer.body


def test_a_new_image_is_seen(rgw, contents, storage):
    """The bucket is asked for tags as a registry would be."""
    config = configuration(bucket(rgw, contents.name), cache={"fresh_for": "0s"})
    new = images.image([images.noise_layer("new", 7_000)])
    with Fairlead(config, env=keys(rgw)) as gateway:
        assert ask(gateway, manifest("team/app"), Accept=ACCEPT).digest == IMAGE.digest
        for each in (*new.blobs, images.Blob(new.manifest)):
            contents.put(data(each.digest), each.data)
            contents.put(link(each.digest), each.digest.encode())
        contents.put(link(new.digest, kind="_manifests/revisions"), new.digest.encode())
        contents.put(TAG, new.digest.encode())
        assert ask(gateway, manifest("team/app"), Accept=ACCEPT).digest == new.digest
        for each in new.blobs:
            location = assert_redirected(ask(gateway, blob("team/app", each.digest)), each.digest)
            assert_gets(location, each)
