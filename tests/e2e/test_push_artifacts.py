# SPDX-License-Identifier: Apache-2.0
"""Signatures, bills of materials and the like: pushed through Fairlead, found again by who asks what
refers to an image, and deleted; at a registry that keeps such lists, and at one that does not."""

import json
import secrets
from contextlib import ExitStack
from urllib.parse import urlencode

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.contents import contents
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.images import OCI_INDEX, OCI_MANIFEST
from testbed.oci_layout import LocalImage, everything
from testbed.push_targets import configuration, under
from testbed.registry import Registry
from testbed.writable_upstream import WritableUpstream

SIGNATURE, BILL = "application/vnd.testbed.signature", "application/vnd.testbed.sbom"


@pytest.fixture(scope="module")
def servers():
    with ExitStack() as stack:
        made = {}
        for kind, upstream in (("with the API", WritableUpstream()), ("without the API", Registry())):
            stack.enter_context(upstream)
            gateway = stack.enter_context(Fairlead(configuration(upstream)))
            gateway.upstream, gateway.has_api = upstream, kind == "with the API"
            made[kind] = gateway
        yield made


@pytest.fixture(params=["with the API", "without the API"])
def gateway(request, servers):
    return servers[request.param]


@pytest.fixture
def with_api(servers):
    return servers["with the API"]


@pytest.fixture
def path():
    return f"apps/{secrets.token_hex(4)}/web"


@pytest.fixture
def subject(gateway, path):
    """An image that is there, and nothing refers to it."""
    content = images.image([images.noise_layer(path, 500)])
    images.push(gateway.url, path, content, "1")
    assert listed(gateway, path, content) == []
    return content


def put(gateway, path, content, reference=None):
    """Pushes what the manifest names, and then the manifest, whose answer it returns."""
    for blob in content.blobs:
        images.push_blob(gateway.url, path, blob)
    answer = fetch(gateway.url, f"/v2/{path}/manifests/{reference or content.digest}", method="PUT",
                   body=content.manifest, headers={"Content-Type": content.media_type})
    assert answer.status == 201, answer.body
    assert answer.headers["Docker-Content-Digest"] == content.digest
    assert answer.headers["Location"] == f"/v2/{path}/manifests/{content.digest}"
    return answer


def entry(artifact):
    document = json.loads(artifact.manifest)
    return artifact.descriptor() | {"artifactType": document["artifactType"]}


def attach(gateway, path, subject, *artifacts):
    """Pushes artifacts as clients do, which keep the list themselves where the registry does not
    say by OCI-Subject that it does."""
    for number, artifact in enumerate(artifacts, 1):
        kept = put(gateway, path, artifact).headers["OCI-Subject"]
        assert kept == (subject.digest if gateway.has_api else None)
        if not kept:
            document = {"schemaVersion": 2, "mediaType": OCI_INDEX,
                        "manifests": [entry(each) for each in artifacts[:number]]}
            index = images.Content(json.dumps(document).encode(), OCI_INDEX)
            put(gateway, path, index, subject.digest.replace(":", "-"))


def ask(server, path, subject, **query):
    target = f"/v2/{path}/referrers/{subject.digest}" + ("?" + urlencode(query) if query else "")
    return fetch(server.url, target)


def listed(gateway, path, subject, **query):
    """The descriptors of what refers to it, sorted."""
    answer = ask(gateway, path, subject, **query)
    assert answer.status == 200, answer.body
    assert answer.headers.get_content_type() == OCI_INDEX
    document = json.loads(answer.body)
    assert (document["schemaVersion"], document["mediaType"]) == (2, OCI_INDEX)
    return sorted(document["manifests"], key=lambda each: each["digest"])


def expected(*artifacts):
    return sorted(map(entry, artifacts), key=lambda each: each["digest"])


def without_size_of_nothing(entries):
    return [{key: each[key] for key in ("mediaType", "digest", "size", "artifactType")} for each in entries]


def two_artifacts(subject):
    return (images.artifact(subject, SIGNATURE, b"signed by " + secrets.token_bytes(4)),
            images.artifact(subject, BILL, b"made of " + secrets.token_bytes(4)))


def test_what_refers_to_an_image_is_listed_at_once(gateway, path, subject):
    signature, bill = two_artifacts(subject)
    attach(gateway, path, subject, signature)
    assert listed(gateway, path, subject) == expected(signature)
    attach(gateway, path, subject, signature, bill)
    found = listed(gateway, path, subject)
    assert without_size_of_nothing(found) == expected(signature, bill)
    if gateway.has_api:
        direct = json.loads(ask(gateway.upstream, under(path), subject).body)["manifests"]
        assert sorted(direct, key=lambda each: each["digest"]) == found
    for each in (signature, bill):
        assert contents(gateway, path, each.digest) == everything(each)
        assert contents(gateway.upstream, under(path), each.digest) == everything(each)


def test_only_one_kind(gateway, path, subject):
    signature, bill = two_artifacts(subject)
    attach(gateway, path, subject, signature, bill)
    for kind, artifacts in ((SIGNATURE, [signature]), (BILL, [bill]), ("application/none", [])):
        answer = ask(gateway, path, subject, artifactType=kind)
        assert answer.headers["OCI-Filters-Applied"] == "artifactType"
        assert listed(gateway, path, subject, artifactType=kind) == expected(*artifacts)
    assert ask(gateway, path, subject).headers["OCI-Filters-Applied"] is None


def test_a_subject_that_is_not_there_yet(with_api, path):
    """A signature may come before the image."""
    subject = images.image([images.noise_layer(path, 500)])
    signature, _ = two_artifacts(subject)
    assert put(with_api, path, signature).headers["OCI-Subject"] == subject.digest
    assert listed(with_api, path, subject) == expected(signature)
    assert_error(fetch(with_api.url, f"/v2/{path}/manifests/{subject.digest}"), 404, "MANIFEST_UNKNOWN")


def test_skopeo_copies_an_artifact(gateway, path, subject, all_clients, tmp_path):
    signature, _ = two_artifacts(subject)
    local = LocalImage(tmp_path, signature)
    all_clients["skopeo"].push(local, gateway.host, path, "signature")
    assert contents(gateway.upstream, under(path), "signature") == everything(signature)
    assert contents(gateway, path, "signature") == everything(signature)
    if gateway.has_api:
        assert listed(gateway, path, subject) == expected(signature)
    assert signature.digest in all_clients["skopeo"].pull(gateway.host, path, "signature")


@pytest.mark.parametrize("ending", ["sig", "att", "sbom"])
def test_tags_as_cosign_makes_them(gateway, path, subject, ending, all_clients):
    tag = f"{subject.digest.replace(':', '-')}.{ending}"
    assert_error(fetch(gateway.url, f"/v2/{path}/manifests/{tag}"), 404, "MANIFEST_UNKNOWN")
    signature = images.image([images.noise_layer(ending, 300)])
    images.push(gateway.url, path, signature, tag)
    assert contents(gateway, path, tag) == everything(signature)
    assert contents(gateway.upstream, under(path), tag) == everything(signature)
    assert signature.digest in all_clients["skopeo"].pull(gateway.host, path, tag)
    assert listed(gateway, path, subject) == [], "such a tag is no list"


def test_a_deleted_artifact_is_listed_no_more(with_api, path):
    subject = images.image([images.noise_layer(path, 500)])
    images.push(with_api.url, path, subject, "1")
    signature, bill = two_artifacts(subject)
    attach(with_api, path, subject, signature, bill)
    assert listed(with_api, path, subject) == expected(signature, bill)
    gone = fetch(with_api.url, f"/v2/{path}/manifests/{signature.digest}", method="DELETE")
    assert gone.status == 202
    assert listed(with_api, path, subject) == expected(bill)
    assert_error(fetch(with_api.url, f"/v2/{path}/manifests/{signature.digest}"), 404,
                 "MANIFEST_UNKNOWN")
    assert contents(with_api, path, "1") == everything(subject)


def test_the_list_of_a_client_is_deleted_with_its_tag(servers, path):
    gateway = servers["without the API"]
    subject = images.image([images.noise_layer(path, 500)])
    images.push(gateway.url, path, subject, "1")
    signature, _ = two_artifacts(subject)
    attach(gateway, path, subject, signature)
    assert listed(gateway, path, subject) == expected(signature)
    tag = subject.digest.replace(":", "-")
    digest = fetch(gateway.url, f"/v2/{path}/manifests/{tag}", headers={"Accept": OCI_INDEX}).digest
    assert fetch(gateway.url, f"/v2/{path}/manifests/{digest}", method="DELETE").status == 202
    assert listed(gateway, path, subject) == []


def test_an_artifact_keeps_its_media_type(gateway, path, subject):
    signature, _ = two_artifacts(subject)
    put(gateway, path, signature, "typed")
    for server, name in ((gateway, path), (gateway.upstream, under(path))):
        found = fetch(server.url, f"/v2/{name}/manifests/typed", headers={"Accept": OCI_MANIFEST})
        assert found.headers.get_content_type() == OCI_MANIFEST
        assert found.body == signature.manifest
