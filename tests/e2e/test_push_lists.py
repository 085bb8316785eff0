# SPDX-License-Identifier: Apache-2.0
"""Lists of tags beside those of the registry: in pages, at once after pushes and deletes, and while
the registry is away."""

import json
import re
import secrets

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.images import OCI_MANIFEST
from testbed.push_targets import configuration, under
from testbed.registry import Registry
from testbed.waiting import wait_until
from testbed.writable_upstream import WritableUpstream

TAGS = [f"v{number}" for number in range(25)]       # v10 comes before v2
STALE = '110 - "Response is Stale"'


@pytest.fixture(scope="module", params=["docker-registry", "with pages"])
def gateway(request):
    """docker-registry 2.8 knows no pages, and no order either: its lists pass as they are."""
    kind = {"docker-registry": Registry, "with pages": WritableUpstream}[request.param]
    with kind() as upstream, Fairlead(configuration(upstream)) as running:
        running.upstream = upstream
        yield running


@pytest.fixture(scope="module")
def content():
    return images.image([images.noise_layer("lists", 500)])


@pytest.fixture(scope="module")
def many(gateway, content):
    """A repository of 25 tags, pushed through the gateway, whose list is known."""
    path = "apps/many"
    images.push(gateway.url, path, content, *reversed(TAGS))
    assert sorted(tags(gateway, path)) == sorted(TAGS)
    return path


@pytest.fixture
def path(gateway, content):
    """A repository with the tags `a` and `c`, whose list is known."""
    path = f"apps/{secrets.token_hex(4)}"
    images.push(gateway.url, path, content, "a", "c")
    assert sorted(tags(gateway, path)) == ["a", "c"]
    return path


def ask(server, path, query=""):
    return fetch(server.url, f"/v2/{path}/tags/list{query}")


def tags(server, path, query=""):
    answer = ask(server, path, query)
    assert answer.status == 200, answer.body
    document = json.loads(answer.body)
    assert document["name"] == path
    return document["tags"]


def next_page(answer):
    """The target of the link, or None."""
    link = answer.headers["Link"]
    if link is None:
        return None
    found = re.fullmatch(r'<(/v2/[^>]+)>; *rel="?next"?', link)
    assert found, link
    return found[1]


def pages(server, path, query):
    found, target = [], f"/v2/{path}/tags/list{query}"
    while target:
        answer = fetch(server.url, target)
        assert answer.status == 200, (target, answer.body)
        found.append(json.loads(answer.body)["tags"])
        target = next_page(answer)
        assert target is None or target.startswith(f"/v2/{path}/tags/list?")
        assert len(found) <= len(TAGS), "the pages have no end"
    return found


def whole_and_unordered(gateway, path, found):
    """The pages are the whole list, as of a registry that knows none."""
    return (isinstance(gateway.upstream, Registry) and len(found) == 1
            and found[0] == tags(gateway.upstream, under(path)))


def push_tag(gateway, path, tag, content):
    images.push_manifest(gateway.url, path, content, tag)


def delete(gateway, path, reference):
    answer = fetch(gateway.url, f"/v2/{path}/manifests/{reference}", method="DELETE")
    assert answer.status == 202, answer.body


def test_all_tags_as_the_registry_has_them(gateway, many):
    assert sorted(tags(gateway, many)) == sorted(tags(gateway.upstream, under(many))) == sorted(TAGS)
    assert next_page(ask(gateway, many)) is None


@pytest.mark.parametrize("size", [1, 7, 24, 25, 100])
def test_pages_of_a_known_list(gateway, many, size):
    in_order = [sorted(TAGS)[at:at + size] for at in range(0, 25, size)]
    found = pages(gateway, many, f"?n={size}")
    assert found == in_order or whole_and_unordered(gateway, many, found)
    if isinstance(gateway.upstream, WritableUpstream):
        assert pages(gateway.upstream, under(many), f"?n={size}") == in_order


@pytest.mark.parametrize("size", [1, 7, 25])
def test_pages_of_a_list_that_is_not_known(gateway, content, size):
    path = f"apps/{secrets.token_hex(4)}"
    images.push(gateway.url, path, content, *TAGS)
    found = pages(gateway, path, f"?n={size}")
    assert sorted(tag for page in found for tag in page) == sorted(TAGS)
    if isinstance(gateway.upstream, WritableUpstream):
        assert found == [sorted(TAGS)[at:at + size] for at in range(0, 25, size)]


@pytest.mark.parametrize("last", ["", "v1", "v10", "v24", "v9", "between"])
def test_from_a_tag_on(gateway, many, last):
    rest = [tag for tag in sorted(TAGS) if tag > last]
    for query in (f"?n=5&last={last}", f"?last={last}"):
        found = pages(gateway, many, query)
        assert ([tag for page in found for tag in page] == rest
                or whole_and_unordered(gateway, many, found))


def test_a_page_of_nothing(gateway, many):
    answer = ask(gateway, many, "?n=0")
    found = json.loads(answer.body)["tags"]
    assert answer.status == 200 and (found == [] or whole_and_unordered(gateway, many, [found]))
    assert next_page(answer) is None


def test_skopeo_lists_them(gateway, many, all_clients):
    said = all_clients["skopeo"].run("skopeo", "list-tags", "--tls-verify=false",
                                     f"docker://{gateway.host}/{many}")
    assert sorted(json.loads(said)["Tags"]) == sorted(TAGS)


def test_a_list_follows_a_push(gateway, path, content):
    push_tag(gateway, path, "b", content)
    assert sorted(tags(gateway, path)) == ["a", "b", "c"]
    found = pages(gateway, path, "?n=2")
    assert found == [["a", "b"], ["c"]] or whole_and_unordered(gateway, path, found)


def test_a_list_follows_the_deletion_of_a_manifest(gateway, path, content):
    other = images.image([images.noise_layer("other", 300)])
    images.push(gateway.url, path, other, "b")
    assert sorted(tags(gateway, path)) == ["a", "b", "c"]
    delete(gateway, path, content.digest)
    assert tags(gateway, path) == ["b"]


def test_a_list_follows_the_deletion_of_a_tag(content):
    """Not all registries can do that; this one can."""
    with WritableUpstream() as upstream, Fairlead(configuration(upstream)) as gateway:
        images.push(gateway.url, "apps/web", content, "a", "b")
        assert tags(gateway, "apps/web") == ["a", "b"]
        delete(gateway, "apps/web", "a")
        assert tags(gateway, "apps/web") == ["b"]
        assert_error(fetch(gateway.url, "/v2/apps/web/manifests/a"), 404, "MANIFEST_UNKNOWN")
        assert fetch(gateway.url, f"/v2/apps/web/manifests/{content.digest}",
                     headers={"Accept": OCI_MANIFEST}).status == 200


def test_a_known_list_is_not_asked_for_again(content):
    with WritableUpstream() as upstream, Fairlead(configuration(upstream)) as gateway:
        images.push(gateway.url, "apps/web", content, "a", "b", "c")
        for query in ("", "?n=1", "?n=1&last=a", "?last=b", ""):
            assert ask(gateway, "apps/web", query).status == 200
        assert len(upstream.seen("GET", "/tags/list")) == 1
        push_tag(gateway, "apps/web", "d", content)
        assert tags(gateway, "apps/web", "?n=10") == ["a", "b", "c", "d"]
        assert len(upstream.seen("GET", "/tags/list")) == 2


def test_what_is_pushed_directly_is_listed_later(content):
    with WritableUpstream() as upstream:
        settings = configuration(upstream) | {"cache": {"fresh_for": "1s"}}
        with Fairlead(settings) as gateway:
            images.push(gateway.url, "apps/web", content, "a")
            assert tags(gateway, "apps/web") == ["a"]
            images.push(upstream.url, under("apps/web"), content, "b")
            assert tags(gateway, "apps/web") in (["a"], ["a", "b"])
            wait_until(lambda: tags(gateway, "apps/web") == ["a", "b"], "the list to follow")


def test_lists_while_the_registry_is_away(content):
    subject = content
    signature = images.artifact(subject, "application/vnd.testbed.signature", b"signed")
    with WritableUpstream() as upstream:
        settings = configuration(upstream, timeouts={"connect": "1s"})
        with Fairlead(settings | {"cache": {"fresh_for": "1s"}}) as gateway:
            images.push(gateway.url, "apps/web", content, "a", "b")
            images.push(gateway.url, "apps/web", signature)
            referrers = f"/v2/apps/web/referrers/{subject.digest}"
            known = fetch(gateway.url, referrers)
            assert tags(gateway, "apps/web") == ["a", "b"]
            assert signature.digest in known.body.decode()
            upstream.stop()

            for target, about in (("/v2/apps/web/tags/list", "b"), (referrers, signature.digest)):
                stale = wait_until(lambda: (lambda answer: answer.headers["Warning"] and answer)(
                    fetch(gateway.url, target)), "a stale list")
                assert (stale.status, stale.headers["Warning"]) == (200, STALE)
                assert f'"{about}"' in stale.body.decode()
            assert tags(gateway, "apps/web", "?n=1") == ["a"]
            answer = ask(gateway, "apps/never-asked")
            assert answer.status in (502, 504)
            assert_error(answer, answer.status, "UNAVAILABLE")

            upstream.start()
            wait_until(lambda: ask(gateway, "apps/web").headers["Warning"] is None, "a fresh list")
            push_tag(gateway, "apps/web", "c", content)
            assert tags(gateway, "apps/web") == ["a", "b", "c"]
