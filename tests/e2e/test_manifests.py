# SPDX-License-Identifier: Apache-2.0
"""Manifests by tag and digest: their bytes, headers, conditions and failures."""

import pytest

from testbed import images
from testbed.checks import assert_error, etag
from testbed.http_request import fetch
from testbed.registry import Registry

REPOSITORY = "team/app"


@pytest.fixture(scope="module")
def odd_names(pushed):
    """Repositories whose names hold the words of the protocol's own paths."""
    names = ["team/manifests", "blobs/tags", "tags/list", "manifests/manifests/manifests",
             "v2/0ebb01be-0a22-4639-898c-bc8c2d20942d/app", "v2/v2", "a.b__c/d--e/f-g"]
    found = {name: images.image([images.noise_layer("odd", 100)], label=name) for name in names}
    with Registry(pushed.storage) as loader:
        for name, content in found.items():
            images.push(loader.url, name, content, "1", "blobs", "list")
    return found


def test_ping(served):
    for target in ("/v2/", "/v2"):
        answer = fetch(served.url, target)
        assert answer.status == 200
    assert fetch(served.url, "/v2/").headers["Docker-Distribution-Api-Version"] == "registry/2.0"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["tag", "digest"])
@pytest.mark.parametrize("name", ["multi_arch", "docker"])
def test_headers(served, pushed, method, by, name):
    content = getattr(pushed, name)
    tag = {"multi_arch": "1.0", "docker": "schema2"}[name]
    reference = tag if by == "tag" else content.digest
    answer = fetch(served.url, f"/v2/{REPOSITORY}/manifests/{reference}", method=method,
                   headers={"Accept": content.media_type})
    assert answer.status == 200
    assert answer.headers["Content-Type"] == content.media_type
    assert answer.headers["Content-Length"] == str(len(content.manifest))
    assert answer.headers["Docker-Content-Digest"] == content.digest
    assert answer.headers["ETag"] == etag(content.digest)
    assert answer.body == (content.manifest if method == "GET" else b"")


def test_without_accept_the_index_comes_as_it_is(served, pushed):
    answer = fetch(served.url, f"/v2/{REPOSITORY}/manifests/{pushed.multi_arch.digest}")
    assert answer.body == pushed.multi_arch.manifest


def test_every_child_of_an_index_is_there(served, pushed):
    for child in pushed.multi_arch.children:
        answer = fetch(served.url, f"/v2/{REPOSITORY}/manifests/{child.digest}",
                       headers={"Accept": child.media_type})
        assert (answer.status, answer.body) == (200, child.manifest)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("given,status", [
    ('"{}"', 304), ('W/"{}"', 304), ('"other", "{}"', 304), ("*", 304), ('"other"', 200)])
@pytest.mark.parametrize("by", ["tag", "digest"])
def test_if_none_match(served, pushed, method, given, status, by):
    content = pushed.multi_arch
    reference = "1.0" if by == "tag" else content.digest
    answer = fetch(served.url, f"/v2/{REPOSITORY}/manifests/{reference}", method=method,
                   headers={"If-None-Match": given.format(content.digest),
                            "Accept": content.media_type})
    assert answer.status == status
    assert answer.headers["ETag"] == etag(content.digest)
    if status == 304:
        assert answer.body == b""


def test_what_a_head_has_found_is_not_fetched_again(served, pushed, upstream):
    target = f"/v2/{REPOSITORY}/manifests/latest"
    digest = fetch(served.url, target, method="HEAD").headers["Docker-Content-Digest"]
    assert digest == pushed.multi_arch.digest
    fetch(served.url, f"/v2/{REPOSITORY}/manifests/{digest}")
    upstream.registry.forget()
    assert fetch(served.url, target).body == pushed.multi_arch.manifest
    assert fetch(served.url, f"/v2/{REPOSITORY}/manifests/{digest}").status == 200
    assert upstream.registry.requests("GET", "/manifests/") == []


def test_names_that_hold_the_words_of_paths(served, odd_names):
    for name, content in odd_names.items():
        for reference in ("1", "blobs", "list", content.digest):
            answer = fetch(served.url, f"/v2/{name}/manifests/{reference}")
            assert (answer.status, answer.body) == (200, content.manifest), (name, reference)
        for blob in content.blobs:
            answer = fetch(served.url, f"/v2/{name}/blobs/{blob.digest}")
            assert (answer.status, answer.digest) == (200, blob.digest), name


def test_missing(served):
    absent = "sha256:" + "0" * 64
    for method in ("GET", "HEAD"):
        for target in (f"{REPOSITORY}/manifests/no-such-tag", f"{REPOSITORY}/manifests/{absent}",
                       "team/absent/manifests/1"):
            assert fetch(served.url, f"/v2/{target}", method=method).status == 404
    assert_error(fetch(served.url, f"/v2/{REPOSITORY}/manifests/no-such-tag"), 404,
                 "MANIFEST_UNKNOWN")
    assert_error(fetch(served.url, "/v2/team/absent/manifests/1"), 404,
                 "NAME_UNKNOWN", "MANIFEST_UNKNOWN")


@pytest.mark.parametrize("target,code", [
    ("team/app/manifests/.dot-first", "TAG_INVALID"),
    ("team/app/manifests/" + "t" * 129, "TAG_INVALID"),
    ("team/app/manifests/sha256:abc", "DIGEST_INVALID"),
    ("team/app/manifests/sha256:" + "A" * 64, "DIGEST_INVALID"),
    ("team/app/manifests/sha256:" + "g" * 64, "DIGEST_INVALID"),
    ("team/app/manifests/md5:" + "a" * 32, "DIGEST_INVALID"),
    ("team/app/blobs/sha256:" + "a" * 63, "DIGEST_INVALID"),
    ("team/app/blobs/no-digest", "DIGEST_INVALID"),
    ("Team/App/manifests/1", "NAME_INVALID"),
    ("team//app/manifests/1", "NAME_INVALID"),
    ("team/../app/manifests/1", "NAME_INVALID"),
    ("team/-app/manifests/1", "NAME_INVALID"),
    ("team/app%2f..%2f..%2fetc/manifests/1", "NAME_INVALID"),
    ("a" * 300 + "/manifests/1", "NAME_INVALID"),
])
def test_outside_the_grammar(served, upstream, target, code):
    assert_error(fetch(served.url, f"/v2/{target}"), 400, code)
    assert upstream.registry.requests() == [], "the upstream was asked nonsense"


@pytest.mark.parametrize("method,target", [
    ("PUT", "team/app/manifests/1.0"),
    ("DELETE", "team/app/manifests/1.0"),
    ("POST", "team/app/blobs/uploads/"),
    ("POST", "team/app/blobs/uploads/?mount=sha256:" + "0" * 64 + "&from=team/other"),
    ("PATCH", "team/app/blobs/uploads/some-session"),
    ("PUT", "team/app/blobs/uploads/some-session?digest=sha256:" + "0" * 64),
    ("DELETE", "team/app/blobs/sha256:" + "0" * 64),
])
def test_writes_are_refused(served, upstream, method, target):
    body = b"{}" if method in ("PUT", "PATCH") else None
    assert_error(fetch(served.url, f"/v2/{target}", method=method, body=body), 403, "DENIED")
    assert upstream.registry.requests() == []
