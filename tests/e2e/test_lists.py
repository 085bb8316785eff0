# SPDX-License-Identifier: Apache-2.0
"""Lists of tags and of referrers, under the names the client knows."""

import json
from dataclasses import replace

import pytest

from testbed import images
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import fetch
from testbed.registry import Registry


def test_tags_under_the_name_asked(served):
    for name in ("team/app", "mapped/app"):
        answer = fetch(served.url, f"/v2/{name}/tags/list")
        assert answer.status == 200
        assert answer.headers.get_content_type() == "application/json"
        document = json.loads(answer.body)
        assert document["name"] == name
        assert {"1.0", "latest", "schema2", "zstd"} <= set(document["tags"])


def test_tags_of_a_missing_repository(served):
    assert_error(fetch(served.url, "/v2/team/absent/tags/list"), 404, "NAME_UNKNOWN")


@pytest.mark.parametrize("link", ["{path}", "{url}{path}"])
def test_pages(link):
    """The registry of the other tests has no pages; this one is scripted."""
    with FaultyUpstream() as upstream:
        upstream.add_image("team/app", "a", [b"layer"])
        next_page = link.format(url=upstream.url, path="/v2/team/app/tags/list?n=1&last=a&x=%2F")

        def paged(answer, _):
            return replace(answer, headers={**answer.headers, "Link": f'<{next_page}>; rel="next"'})

        upstream.fault("GET", "/tags/list", paged, times=1)
        with Fairlead({"registries": {"upstream.test": {"url": upstream.url}},
                       "routes": [{"match": "mapped/", "to": "upstream.test/team/"}]}) as fairlead:
            first = fetch(fairlead.url, "/v2/mapped/app/tags/list?n=1")
            assert json.loads(first.body) == {"name": "mapped/app", "tags": ["a"]}
            assert upstream.seen("GET", "/tags/list")[-1].query == {"n": ["1"]}
            target, _, relation = first.headers["Link"].partition(";")
            assert relation.strip() == 'rel="next"'
            target = target.strip("<>").removeprefix(fairlead.url)
            assert target == "/v2/mapped/app/tags/list?n=1&last=a&x=%2F"

            second = fetch(fairlead.url, target)
            assert second.status == 200
            assert "Link" not in second.headers
            assert upstream.seen("GET", "/tags/list")[-1].query == {
                "n": ["1"], "last": ["a"], "x": ["/"]}


@pytest.fixture(scope="module")
def signed(pushed):
    """An image, and the index of its referrers under the tag that stands for the API where a
    registry, as this one, does not have it."""
    content = images.image([images.noise_layer("signed", 100)])
    signature = images.artifact(content, "application/vnd.testbed.signature", b"signed")
    bill = images.artifact(content, "application/vnd.testbed.sbom", b"bill of materials")
    entries = [{**artifact.descriptor(), "artifactType": json.loads(artifact.manifest)["artifactType"]}
               for artifact in (signature, bill)]
    referrers = images.Content(json.dumps({
        "schemaVersion": 2, "mediaType": images.OCI_INDEX, "manifests": entries}).encode(),
        images.OCI_INDEX, children=(signature, bill))
    with Registry(pushed.storage) as loader:
        images.push(loader.url, "team/signed", content, "1")
        images.push(loader.url, "team/signed", referrers, content.digest.replace(":", "-"))
    return content, entries


def test_referrers(served, signed):
    content, entries = signed
    answer = fetch(served.url, f"/v2/team/signed/referrers/{content.digest}")
    assert answer.status == 200
    assert answer.headers.get_content_type() == images.OCI_INDEX
    document = json.loads(answer.body)
    assert (document["schemaVersion"], document["mediaType"]) == (2, images.OCI_INDEX)
    assert document["manifests"] == entries
    for entry in document["manifests"]:
        found = fetch(served.url, f"/v2/team/signed/manifests/{entry['digest']}")
        assert (found.status, found.digest) == (200, entry["digest"])


def test_referrers_of_one_kind(served, signed):
    content, entries = signed
    kind = entries[1]["artifactType"]
    answer = fetch(served.url, f"/v2/team/signed/referrers/{content.digest}?artifactType={kind}")
    found = json.loads(answer.body)["manifests"]
    if answer.headers.get("OCI-Filters-Applied"):
        assert found == [entries[1]]
    else:
        assert found == entries


def test_what_nothing_refers_to_has_an_empty_list(served, pushed):
    answer = fetch(served.url, f"/v2/team/app/referrers/{pushed.docker.digest}")
    assert answer.status == 200
    assert answer.headers.get_content_type() == images.OCI_INDEX
    assert json.loads(answer.body)["manifests"] == []


def test_referrers_of_what_is_no_digest(served):
    assert_error(fetch(served.url, "/v2/team/app/referrers/1.0"), 400, "DIGEST_INVALID")
