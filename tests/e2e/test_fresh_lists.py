# SPDX-License-Identifier: Apache-2.0
"""Lists that an upstream has given whole are not asked for again while they are fresh."""

import json
from dataclasses import replace

import pytest
from testbed import images
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import fetch
from testbed.pulling import serving
from testbed.upstream_faults import HTML, Answer
from testbed.waiting import wait_until

SIGNATURE = "application/vnd.testbed.signature"
BILL = "application/vnd.testbed.sbom"


@pytest.fixture
def played():
    with FaultyUpstream() as upstream:
        for tag in "abcde":
            upstream.add_image("app", tag, [b"layer"])
        yield upstream


def tags(gateway, query=""):
    answer = fetch(gateway.url, f"/v2/app/tags/list{query}")
    assert answer.status == 200
    return json.loads(answer.body)["tags"], answer.headers.get("Link")


def referrers(gateway, subject, query=""):
    answer = fetch(gateway.url, f"/v2/app/referrers/{subject}{query}")
    assert answer.status == 200 and answer.headers.get_content_type() == images.OCI_INDEX
    found = {entry["digest"] for entry in json.loads(answer.body)["manifests"]}
    return found, answer.headers.get("OCI-Filters-Applied")


def test_every_page_comes_from_the_whole_list(played):
    with serving(played) as gateway:
        assert tags(gateway) == (list("abcde"), None)
        assert tags(gateway) == (list("abcde"), None)
        wait_until(lambda: gateway.records()[-1].freshness == "fresh", "the record")
        page, link = tags(gateway, "?n=2&last=a")
        assert page == ["b", "c"]
        assert link == '</v2/app/tags/list?n=2&last=c>; rel="next"'
        assert tags(gateway, "?n=0") == ([], None)
        assert tags(gateway, "?n=9&last=bb") == (["c", "d", "e"], None)
        assert tags(gateway, "?last=zz") == ([], None)
        assert len(played.seen("GET", "/tags/list")) == 1


def test_a_page_is_no_list(played):
    with serving(played) as gateway:
        for _ in range(2):
            assert tags(gateway, "?n=5")[0] == list("abcde")
            assert tags(gateway, "?n=2")[0] == ["a", "b"]
        assert len(played.seen("GET", "/tags/list")) == 4


def test_a_list_in_another_order_is_asked_for_each_time(played):
    def turned(answer, _):
        return replace(answer, body=json.dumps({"name": "app", "tags": ["b", "a"]}).encode())

    played.fault("GET", "/tags/list", turned)
    with serving(played) as gateway:
        for _ in range(2):
            assert tags(gateway)[0] == ["b", "a"]
        assert len(played.seen("GET", "/tags/list")) == 2


def test_referrers(played):
    subject = played.add_image("app", "a", [b"layer"])
    signature = played.add_referrer("app", subject, SIGNATURE)
    bill = played.add_referrer("app", subject, BILL)
    with serving(played) as gateway:
        assert referrers(gateway, subject) == ({signature, bill}, None)
        assert referrers(gateway, subject) == ({signature, bill}, None)
        assert referrers(gateway, subject, f"?artifactType={BILL}") == ({bill}, "artifactType")
        assert len(played.seen("GET", "/referrers/")) == 1


@pytest.mark.parametrize("status, body", [(404, HTML), (405, b""), (400, b"{}"), (200, HTML)])
def test_registries_without_the_api(played, status, body):
    """They keep referrers under a tag, unfiltered: then we filter."""
    subject = played.add_image("app", "a", [b"layer"])
    signature, bill = (played.add_referrer("app", subject, kind) for kind in (SIGNATURE, BILL))
    entries = [{"mediaType": images.OCI_MANIFEST, "digest": digest, "size": 2, "artifactType": kind}
               for digest, kind in ((signature, SIGNATURE), (bill, BILL))]
    index = json.dumps({"schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": entries})
    played.fault("GET", "/referrers/",
                 lambda *_: Answer(status, {"Content-Type": "text/html"}, body))
    with serving(played) as gateway:
        assert referrers(gateway, subject) == (set(), None), "there is no such tag"
        played.add_manifest("app", subject.replace(":", "-"), index.encode(), images.OCI_INDEX)
    query = f"?artifactType={BILL}"
    with serving(played) as gateway:
        assert referrers(gateway, subject, query) == ({bill}, "artifactType")
        assert referrers(gateway, subject) == ({signature, bill}, None)


def test_a_tag_that_is_no_index_has_no_referrers(played):
    subject = played.add_image("app", "a", [b"layer"])
    played.fault("GET", "/referrers/", lambda *_: Answer(404, {}, b""))
    played.add_image("app", subject.replace(":", "-"), [b"layer"])
    with serving(played) as gateway:
        assert referrers(gateway, subject) == (set(), None)
