# SPDX-License-Identifier: Apache-2.0
"""Deleting through Fairlead: what is gone is gone for everybody at once, whatever was kept of it;
and what was deleted, or collected as garbage, can be pushed again."""

import secrets

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.clients import CommandFailed
from testbed.contents import contents, headers_of
from testbed.fairlead import Fairlead
from testbed.http_request import fetch
from testbed.issuers import access_to
from testbed.oci_layout import everything
from testbed.push_targets import (  # noqa: F401
    ALICE, ISSUER, configuration, local, routes, targets, under)
from testbed.pushing import ALL
from testbed.registry import Registry
from testbed.token_client import ACCEPT, bearer, challenge, get_token, scope

GONE = r"not found|manifest unknown|404"


@pytest.fixture
def path():
    return f"apps/{secrets.token_hex(4)}/web"


@pytest.fixture
def content(path):
    """An image of which no other repository has anything."""
    return images.image([images.noise_layer(path, 3000), images.noise_layer(path + "2", 200)])


@pytest.fixture
def pushed(targets, content, path):
    """In the open registry, pulled through the gateway and so kept there."""
    target = targets["open"]
    images.push(target.url, path, content, "1", "2")
    assert contents(target, path, "1") == contents(target, path, content.digest)
    return target


def delete(server, target, headers=None):
    return fetch(server.url, target, method="DELETE", headers=headers)


def get(server, target, method="GET", headers=None):
    return fetch(server.url, target, method=method, headers={"Accept": ACCEPT} | (headers or {}))


def assert_gone(server, target, code, headers=None):
    assert_error(get(server, target, headers=headers), 404, code)
    assert get(server, target, "HEAD", headers=headers).status == 404


def manifest(path, reference):
    return f"/v2/{path}/manifests/{reference}"


def blob(path, each):
    return f"/v2/{path}/blobs/{each.digest}"


# -- what is gone -----------------------------------------------------------------------------


def test_a_manifest_is_gone_at_once(pushed, content, path):
    answer = delete(pushed, manifest(path, content.digest))
    assert (answer.status, answer.body) == (202, b"")
    for reference in (content.digest, "1", "2"):
        assert_gone(pushed, manifest(path, reference), "MANIFEST_UNKNOWN")
        assert_gone(pushed.direct, manifest(under(path), reference), "MANIFEST_UNKNOWN")
    assert_error(delete(pushed, manifest(path, content.digest)), 404, "MANIFEST_UNKNOWN")
    assert pushed.gateway.wait_for_records(method="DELETE", status=202)


@pytest.mark.parametrize("client", ["docker", "podman", "skopeo", "buildah", "containerd"])
def test_skopeo_deletes_and_nobody_pulls(pushed, content, path, all_clients, client):
    skopeo, puller = all_clients["skopeo"], all_clients[client]
    pull = getattr(puller, "pull_direct", puller.pull)
    runnable = images.image([images.busybox_layer(), images.noise_layer(path, 100)])
    images.push(pushed.url, path, runnable, "run")
    assert runnable.digest in pull(pushed.host, path, "run")
    skopeo.run("skopeo", "delete", "--tls-verify=false", f"docker://{pushed.host}/{path}:run")
    for reference in ("run", runnable.digest):
        with pytest.raises(CommandFailed, match=GONE):
            pull(pushed.host, path, reference)
    with pytest.raises(CommandFailed):
        skopeo.run("skopeo", "delete", "--tls-verify=false", f"docker://{pushed.host}/{path}:run")


def test_a_tag_as_the_registry_takes_it(pushed, content, path):
    """2.8 deletes tags or refuses to; what it says is what the client is told."""
    images.push(pushed.direct.url, under(path), content, "other")
    direct = delete(pushed.direct, manifest(under(path), "other"))
    answer = delete(pushed, manifest(path, "1"))
    assert answer.status == direct.status, answer.body
    if answer.status == 202:
        assert_gone(pushed, manifest(path, "1"), "MANIFEST_UNKNOWN")
    else:
        assert_error(answer, direct.status, "UNSUPPORTED", "DIGEST_INVALID", "TAG_INVALID")
        assert get(pushed, manifest(path, "1")).status == 200
    assert get(pushed, manifest(path, "2")).status == 200
    assert get(pushed, manifest(path, content.digest)).status == 200


def test_a_blob_is_gone_at_once(pushed, content, path):
    config, first, second = content.blobs
    answer = delete(pushed, blob(path, first))
    assert answer.status == 202
    assert_gone(pushed, blob(path, first), "BLOB_UNKNOWN")
    assert_gone(pushed.direct, blob(under(path), first), "BLOB_UNKNOWN")
    assert get(pushed, blob(path, second)).body == second.data
    assert_error(delete(pushed, blob(path, first)), 404, "BLOB_UNKNOWN")


def test_only_from_the_one_repository(pushed, content, path):
    other = path + "-copy"
    images.push(pushed.url, other, content, "1")
    assert delete(pushed, manifest(path, content.digest)).status == 202
    assert delete(pushed, blob(path, content.blobs[1])).status == 202
    assert_gone(pushed, blob(path, content.blobs[1]), "BLOB_UNKNOWN")
    assert contents(pushed, other, "1") == everything(content)


def test_gone_while_the_registry_is_away(content, path):
    """What was kept is no reason to bring it back."""
    with (Registry() as registry,
          Fairlead(configuration(registry, timeouts={"connect": "1s"})) as gateway):
        images.push(gateway.url, path, content, "1", "2")
        other = images.image([images.noise_layer(path, 10)])
        images.push(gateway.url, path, other, "stays")
        assert contents(gateway, path, "1")
        assert delete(gateway, manifest(path, content.digest)).status == 202
        registry.stop()
        for reference in ("1", content.digest):
            answer = get(gateway, manifest(path, reference))
            assert answer.status in (404, 502, 504), "it is served still"
        assert contents(gateway, path, "stays") == everything(other)


@pytest.mark.parametrize("kind", ["s3", "bucket"])
def test_gone_from_a_bucket_at_once(targets, content, path, kind):
    """Also where the gateway knows the place in the bucket, and sends clients there."""
    target = targets[kind]
    images.push(target.url, path, content, "1")
    _, first, second = content.blobs
    expected = 307 if kind == "bucket" else 200
    assert get(target, blob(path, first)).status == get(target, blob(path, second)).status == expected
    assert get(target, manifest(path, "1")).status == get(target, manifest(path, content.digest)).status == 200

    assert delete(target, blob(path, first)).status == 202
    assert_gone(target, blob(path, first), "BLOB_UNKNOWN")
    assert get(target, blob(path, second)).status == expected
    assert delete(target, manifest(path, content.digest)).status == 202
    for reference in ("1", content.digest):
        assert_gone(target, manifest(path, reference), "MANIFEST_UNKNOWN")
        assert_gone(target.direct, manifest(under(path), reference), "MANIFEST_UNKNOWN")

    other = images.image([images.noise_layer(path, 100)])
    for pushed in (content, other):     # again, and the tag means something else
        images.push(target.url, path, pushed, "1")
        assert contents(target, path, "1") == everything(pushed)
        assert contents(target.direct, under(path), "1") == everything(pushed)


# -- who may ----------------------------------------------------------------------------------


def test_with_a_token_for_that(targets, content, path):
    target = targets["users"]
    writes = headers_of(target, ALICE, path, "pull,push")
    for each in content.blobs:
        images.push_blob(target.url, path, each, writes["Authorization"])
    images.push_manifest(target.url, path, content, "1", writes["Authorization"])
    doomed = manifest(path, content.digest)

    refused = delete(target, doomed)
    assert_error(refused, 401, "UNAUTHORIZED")
    asked = challenge(refused)
    assert asked["scope"] == scope(path, "delete")
    insufficient = delete(target, doomed, writes)
    assert_error(insufficient, 401, "UNAUTHORIZED")
    assert challenge(insufficient)["error"] == "insufficient_scope"
    assert get(target, doomed, headers=writes).status == 200

    deletes = bearer(get_token(target, asked, user=ALICE))
    assert delete(target, doomed, deletes).status == 202
    assert_gone(target, doomed, "MANIFEST_UNKNOWN", writes)


def test_who_may_push_may_not_delete(targets, content, path):
    target = targets["users"]
    pusher = ("carol", ISSUER.token("carol", access=access_to(path, "pull", "push")))
    writes = headers_of(target, pusher, path, "pull,push")
    images.push(target.url, path, content, "1", authorization=writes["Authorization"])
    target.registry.forget()
    deletes = headers_of(target, pusher, path, "delete")
    for doomed in (manifest(path, "1"), manifest(path, content.digest), blob(path, content.blobs[0])):
        answer = delete(target, doomed, deletes)
        assert answer.status in (401, 403)
        assert_error(answer, answer.status, "DENIED", "UNAUTHORIZED")
    assert target.registry.requests("DELETE") == []
    assert contents(target, path, "1", writes) == everything(content)


def test_a_route_that_lets_nothing_be_deleted(content, path):
    with (Registry() as registry,
          Fairlead(configuration(registry, route_list=routes(["pull", "push"]))) as gateway):
        images.push(gateway.url, path, content, "1")
        for doomed in (manifest(path, content.digest), blob(path, content.blobs[0])):
            assert_error(delete(gateway, doomed), 403, "DENIED")
        assert registry.requests("DELETE") == []
        assert contents(gateway, path, "1") == everything(content)


@pytest.mark.parametrize("kind", ["token", "relay_token"])
def test_scopes_that_are_asked_for(targets, content, path, kind):
    target = targets[kind]
    images.push(target.direct.url, under(path), content, "1")
    headers = headers_of(target, ALICE, path, "delete") if kind == "relay_token" else None
    assert delete(target, manifest(path, content.digest), headers).status == 202
    assert delete(target, blob(path, content.blobs[0]), headers).status == 202
    asked = [each for request in target.tokens.requests for each in request.scopes if request.status == 200]
    names = {each.rpartition(":")[0] for each in asked}
    assert names == {f"repository:{under(path)}"}
    assert any("delete" in each.rpartition(":")[2].split(",") for each in asked)
    assert_gone(target.direct, manifest(under(path), "1"), "MANIFEST_UNKNOWN")


def test_a_registry_that_deletes_nothing(content, path, all_clients):
    with Registry(deletes=False) as registry, Fairlead(configuration(registry)) as gateway:
        images.push(gateway.url, path, content, "1")
        for doomed in (manifest(path, content.digest), blob(path, content.blobs[0])):
            answer = delete(gateway, doomed)
            assert_error(answer, 405, "UNSUPPORTED")
            assert under(path) not in answer.body.decode()
        assert contents(gateway, path, "1") == everything(content)
        with pytest.raises(CommandFailed) as failure:
            all_clients["skopeo"].run("skopeo", "delete", "--tls-verify=false",
                                      f"docker://{gateway.host}/{path}:1")
        assert under(path) not in failure.value.said and registry.host not in failure.value.said


# -- and again --------------------------------------------------------------------------------


def test_deleted_and_pushed_again(pushed, content, path):
    assert delete(pushed, manifest(path, content.digest)).status == 202
    assert delete(pushed, blob(path, content.blobs[1])).status == 202
    assert_gone(pushed, manifest(path, "1"), "MANIFEST_UNKNOWN")
    images.push(pushed.url, path, content, "1")
    assert contents(pushed, path, "1") == everything(content)
    assert contents(pushed.direct, under(path), "1") == everything(content)


@pytest.mark.parametrize("way", ["docker push", "podman push", "buildah manifest push", "skopeo copy",
                                 "ctr push"])
def test_pushing_again_what_was_collected_as_garbage(targets, all_clients, local, path, way):
    """The gateway has all of it still, and the client knows that it pushed it: but the registry is
    asked, and it has nothing."""
    with Registry() as registry, Fairlead(configuration(registry)) as gateway:
        digest = ALL[way].push_anew(all_clients, local, gateway.host, path, "1")
        first = contents(registry, under(path), "1")
        assert contents(gateway, path, "1") == first
        for each in [*first]:
            answer = delete(registry, manifest(under(path), each))
            assert answer.status in (202, 404)
        registry.collect_garbage()
        registry.stop()
        registry.start()        # it has forgotten what it had, too
        assert get(registry, blob(under(path), local.one.blobs[0])).status == 404

        assert ALL[way].push(all_clients, local, gateway.host, path, "1") == digest
        assert contents(registry, under(path), "1") == first
        assert contents(gateway, path, "1") == first
