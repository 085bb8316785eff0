# SPDX-License-Identifier: Apache-2.0
"""Layers that the registry has in another repository are mounted, not uploaded a second time; where
that cannot be, because it is another registry or nobody's business, they are uploaded, and nobody
learns what exists."""

import secrets
from contextlib import ExitStack
from types import SimpleNamespace
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from testbed import images
from testbed.contents import contents, headers_of
from testbed.fairlead import Fairlead
from testbed.guarded import anonymized
from testbed.http_request import fetch
from testbed.issuers import access_to
from testbed.oci_layout import LocalImage, everything
from testbed.push_targets import (  # noqa: F401
    ALICE, EVERYTHING, ISSUER, configuration, routes, targets, under)
from testbed.pushing import ALL, NAMESPACE
from testbed.registry import Registry
from testbed.upstream_faults import failing
from testbed.writable_upstream import WritableUpstream

MOUNTING = ["docker push", "podman push", "buildah push", "skopeo copy"]
every_way = pytest.mark.parametrize("way", [ALL[name] for name in MOUNTING], ids=MOUNTING)


@pytest.fixture
def image(tmp_path):
    """An image that no client, and no registry, knows anything of."""
    unique = secrets.token_hex(8)
    return LocalImage(tmp_path, images.image([images.noise_layer(unique, 300_000),
                                              images.noise_layer(unique + "2", 1000)]))


@pytest.fixture
def names():
    group = secrets.token_hex(4)
    return SimpleNamespace(base=f"apps/{group}/base", derived=f"apps/{group}/derived")


@pytest.fixture(scope="module")
def two():
    """apps/ and other/ are in different registries."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(Registry()) for _ in range(2))
        config = configuration(one, route_list=[
            *routes(), {"match": "other/", "to": "other.test/other/", "allow": EVERYTHING}])
        config["registries"]["other.test"] = {"url": other.url}
        gateway = stack.enter_context(Fairlead(config))
        gateway.one, gateway.other = one, other
        yield gateway


def begun(registry):
    """The uploads that were begun at it: status, and what was asked to be mounted from where."""
    found = []
    for request in registry.requests("POST", "/blobs/uploads/"):
        query = parse_qs(urlsplit(request.target).query)
        if request.status != 401:
            found.append((request.status, query.get("mount", [None])[0], query.get("from", [None])[0]))
    return found


def uploaded(registry):
    """The digests of blobs that were sent to it."""
    return {parse_qs(urlsplit(request.target).query)["digest"][0]
            for request in registry.requests("PUT", "/blobs/uploads/", status=201)}


def layers_of(found):
    return {digest for digest, data in found.items() if data[:2] == b"\x1f\x8b"}


def assert_mounted(registry, layers, source):
    mounted = {digest for status, digest, origin in begun(registry) if status == 201 and origin == source}
    assert layers <= mounted, begun(registry)
    assert not layers & uploaded(registry), "a layer was uploaded a second time"


@pytest.mark.parametrize("kind", ["open", "htpasswd", "token"])
@every_way
def test_mounted_within_a_registry(targets, all_clients, image, names, way, kind):
    target = targets[kind]
    before = len(target.gateway.records())
    digest = way.push(all_clients, image, target.host, names.base, "1")
    first = contents(target.direct, under(names.base), "1")
    layers = layers_of(first)
    assert len(layers) == 2 and layers <= uploaded(target.registry)

    target = targets[kind]
    assert way.push(all_clients, image, target.host, names.derived, "1") == digest
    assert_mounted(target.registry, layers, under(names.base))
    assert contents(target.direct, under(names.derived), "1") == first
    assert contents(target, names.derived, "1") == first
    assert max(record.status for record in target.gateway.records()[before:]) < 500, "docker tries again then"


@every_way
def test_mounted_with_two_scopes(targets, all_clients, image, names, way):
    """push for one repository, pull for the other, under the names of the registry."""
    target = targets["token"]
    way.push(all_clients, image, target.host, names.base, "1")
    target = targets["token"]
    way.push(all_clients, image, target.host, names.derived, "1")
    wanted = {f"repository:{under(names.derived)}:pull,push", f"repository:{under(names.base)}:pull"}
    assert any(wanted <= set(request.scopes) for request in target.tokens.requests), [
        request.scopes for request in target.tokens.requests]
    assert not any(f"{under(names.base)}:pull,push" in scope
                   for request in target.tokens.requests for scope in request.scopes)


@pytest.mark.parametrize("kind", ["users", "relay_basic", "relay_token"])
@every_way
def test_mounted_for_somebody(targets, all_clients, image, names, way, kind):
    target = targets[kind]
    digest = way.push(all_clients, image, target.host, names.base, "1", ALICE)
    first = contents(target.direct, under(names.base), "1")
    target = targets[kind]
    assert way.push(all_clients, image, target.host, names.derived, "1", ALICE) == digest
    assert contents(target.direct, under(names.derived), "1") == first
    assert_mounted(target.registry, layers_of(first), under(names.base))
    headers = headers_of(target, ALICE, names.derived)
    assert contents(target, names.derived, "1", headers) == first


def test_containerd_mounts_what_it_pulled(targets, all_clients, image, names):
    """Only what it pulled: it does not remember what it pushed."""
    target, containerd = targets["open"], all_clients["containerd"]
    images.push(target.url, names.base, image.content, "1")
    target.registry.forget()
    containerd.pull_direct(target.host, names.base, "1")
    containerd.push(f"{target.host}/{names.base}:1", target.host, names.derived, "1")
    layers = {layer.digest for layer in image.content.blobs[1:]}
    assert_mounted(target.registry, layers, under(names.base))
    assert contents(target, names.derived, "1") == everything(image.content)


@every_way
def test_uploaded_across_registries(two, all_clients, image, names, way):
    two.other.forget()
    digest = way.push(all_clients, image, two.host, names.base, "1")
    first = contents(two.one, under(names.base), "1")
    path = names.derived.replace("apps/", "other/")
    assert way.push(all_clients, image, two.host, path, "1") == digest
    assert layers_of(first) <= uploaded(two.other)
    assert {(mount, origin) for _, mount, origin in begun(two.other)} == {(None, None)}
    assert contents(two.other, path, "1") == first
    assert contents(two, path, "1") == first


# -- by hand, where clients would not ----------------------------------------------------------


def ask_to_mount(gateway, path, digest, source, headers=None, ns=None):
    target = f"/v2/{path}/blobs/uploads/?mount={digest}&from={quote(source, safe='')}"
    return fetch(gateway.url, target + (f"&ns={ns}" if ns else ""), method="POST", headers=headers)


def assert_uploads(server, path, answer, data, headers=None):
    """It is the beginning of an ordinary upload, that goes on."""
    assert answer.status == 202, answer.body
    location = answer.headers["Location"]
    assert location.startswith(f"/v2/{path}/blobs/uploads/")
    joint = "&" if "?" in location else "?"
    ended = fetch(server.url, f"{location}{joint}digest={images.sha256(data)}", method="PUT", body=data,
                  headers=headers)
    assert ended.status == 201, ended.body


def test_what_the_answer_to_a_mount_says(targets, image, names):
    target = targets["open"]
    images.push(target.url, names.base, image.content, "1")
    blob = image.content.blobs[1]
    target.registry.forget()
    answer = ask_to_mount(target, names.derived, blob.digest, names.base)
    assert (answer.status, answer.body) == (201, b"")
    assert answer.headers["Location"] == f"/v2/{names.derived}/blobs/{blob.digest}"
    assert answer.headers["Docker-Content-Digest"] == blob.digest
    assert begun(target.registry) == [(201, blob.digest, under(names.base))]
    assert fetch(target.url, f"/v2/{names.derived}/blobs/{blob.digest}").body == blob.data


def test_the_name_of_the_source_is_in_the_same_namespace(targets, image, names):
    """As containerd writes it, which says ?ns= and names without a host."""
    target = targets["open"]
    images.push(target.url, names.base, image.content, "1")
    blob = image.content.blobs[1]
    target.registry.forget()
    answer = ask_to_mount(target, names.derived, blob.digest, names.base, ns=NAMESPACE)
    assert answer.status == 201, answer.body
    assert begun(target.registry) == [(201, blob.digest, under(names.base))]


@pytest.mark.parametrize("source", ["elsewhere/app", "upstream.test/corp/apps/base", "UPPER/case", "..",
                                    "apps/never/was"])
def test_a_source_that_leads_nowhere(targets, image, names, source):
    target = targets["open"]
    blob = image.content.blobs[1]
    answer = ask_to_mount(target, names.derived, blob.digest, source)
    assert_uploads(target, names.derived, answer, blob.data)
    if source != "apps/never/was":
        assert begun(target.registry) == [(202, None, None)]


def test_nobody_learns_what_others_have(targets, image, names):
    """carol may push to her own repository, and asks for what is in alice's."""
    target = targets["users"]
    alice = headers_of(target, ALICE, names.base, "pull,push")
    images.push(target.url, names.base, image.content, "1", authorization=alice["Authorization"])
    carol = ("carol", ISSUER.token("carol", access=access_to(names.derived, "pull", "push")))
    headers = headers_of(target, carol, names.derived, "pull,push")
    target.registry.forget()

    blob = image.content.blobs[1]
    there = ask_to_mount(target, names.derived, blob.digest, names.base, headers)
    not_there = ask_to_mount(target, names.derived, images.sha256(b"nobody's"), names.base, headers)
    nowhere = ask_to_mount(target, names.derived, blob.digest, "apps/never/was", headers)
    assert {(mount, origin) for _, mount, origin in begun(target.registry)} == {(None, None)}
    for answer in (there, not_there, nowhere):
        assert answer.status == 202
        assert _shape(answer) == _shape(there)
    assert fetch(target.url, f"/v2/{names.derived}/blobs/{blob.digest}", headers=headers).status == 404
    assert_uploads(target, names.derived, there, blob.data, headers)


def _shape(answer):
    """What of an answer does not differ each time."""
    status, headers, body = anonymized(answer, "none")
    varying = ("location", "docker-upload-uuid")
    return status, [(name, value) for name, value in headers if name not in varying], body


@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_mounts_nothing_for_us(image, names, status):
    with WritableUpstream() as upstream, Fairlead(configuration(upstream)) as gateway:
        images.push(gateway.url, names.base, image.content, "1")
        blob = image.content.blobs[1]
        upstream.fault("POST", "/blobs/uploads/", failing(status), times=1)
        before = len(upstream.seen("POST", "/blobs/uploads/"))
        answer = ask_to_mount(gateway, names.derived, blob.digest, names.base)
        assert_uploads(gateway, names.derived, answer, blob.data)
        asked = upstream.seen("POST", "/blobs/uploads/")[before:]
        assert "mount" in asked[0].query and "mount" not in asked[-1].query
