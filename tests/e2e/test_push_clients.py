# SPDX-License-Identifier: Apache-2.0
"""Every client pushes through Fairlead to every kind of registry, and what it pushed is there byte
for byte: for who pulls from the registry, and for who pulls through Fairlead."""

import re
import secrets

import pytest
from testbed import clients, images
from testbed.contents import contents, digest_of, headers_of
from testbed.issuers import access_to
from testbed.oci_layout import everything
from testbed.push_targets import (  # noqa: F401
    ALICE, IN_A_BUCKET, ISSUER, OPEN_TO_ALL, ROBOT, local, small, targets, under)
from testbed.pushing import ALL, NAMESPACE

every_way = pytest.mark.parametrize("way", ALL.values(), ids=ALL.keys())
every_client = pytest.mark.parametrize("client", clients.ALL, indirect=True)
one_of_each = pytest.mark.parametrize(
    "way", [ALL[name] for name in ("docker push", "podman manifest push", "skopeo copy", "ctr push")],
    ids=["docker", "podman", "skopeo", "ctr"])


@pytest.fixture
def path():
    """A repository that nobody has pushed to."""
    return f"apps/{secrets.token_hex(4)}/web"


def assert_all_there(way, digest, found, image):
    """What the registry has is what the client had."""
    assert next(iter(found)) == digest
    if way.keeps:
        assert found == everything(image.content)
    elif way.is_index:
        children = {key: value for child in image.content.children
                    for key, value in everything(child).items()}
        assert children.items() <= found.items()


def blobs_asked_for(registry):
    return [request.target for request in registry.requests("GET", "/blobs/sha256:")]


def assert_no_trouble(gateway):
    """Writes are logged as pushes, nothing went wrong, and the log gives nothing away."""
    records = gateway.records()
    assert max(record.status for record in records) < 500
    taken = [record for record in records if record.received and record.status in (201, 202)
             and record.target.startswith("/v2/")]
    assert taken and {record.outcome for record in taken} == {"push"}
    said = gateway.stderr()
    for secret in (ALICE[1], ROBOT["password"], "v4.local.", "_state=", "eyJ"):
        assert secret not in said


@pytest.mark.parametrize("kind", OPEN_TO_ALL)
@every_way
def test_pushed_through_is_the_same_everywhere(targets, all_clients, local, way, kind, path):
    target = targets[kind]
    found = assert_pushed(way, all_clients, target, local, path)
    target.registry.forget()
    assert contents(target, path, "1.0") == found
    assert contents(target, path, next(iter(found))) == found
    assert blobs_asked_for(target.registry) == [], "what was pushed was not kept"


@pytest.mark.parametrize("kind", IN_A_BUCKET)
@one_of_each
def test_pushed_to_a_registry_on_s3(targets, all_clients, small, way, kind, path):
    """It answers what is asked of it by sending to its bucket; and clients may be sent there."""
    target = targets[kind]
    found = assert_pushed(way, all_clients, target, small, path)
    target.registry.forget()
    assert contents(target, path, "1.0") == found
    assert blobs_asked_for(target.registry) == []
    assert next(iter(found)) in _pull(all_clients[way.client], target, path, "1.0")
    redirected = target.gateway.records(method="GET", status=307)
    assert bool(redirected) == (kind == "bucket")


def assert_pushed(way, all_clients, target, image, path):
    """Pushes, and looks what the registry has then; returns that."""
    digest = way.push_anew(all_clients, image, target.host, path, "1.0")
    asked = target.registry.requests()
    assert {request.user_agent.split("/")[0] for request in asked} == {"fairlead"}
    assert all(request.target.startswith(f"/v2/{under(path)}/") for request in asked
               if request.target.rstrip("/") != "/v2"), "another name than the route's"
    found = contents(target.direct, under(path), "1.0")
    assert_all_there(way, digest, found, image)
    assert_no_trouble(target.gateway)
    return found


@every_way
def test_scopes_that_are_asked_for(targets, all_clients, local, way, path):
    """For the registry's own names, and no more than push needs; docker may want to mount what it
    pushed elsewhere before."""
    target = targets["token"]
    way.push_anew(all_clients, local, target.host, path, "1.0")
    scopes = {scope for request in target.tokens.requests for scope in request.scopes}
    pushing = f"repository:{under(path)}:pull,push"
    assert pushing in scopes
    assert all(re.fullmatch(f"repository:{under('apps/')}.*:pull", each) for each in scopes - {pushing})
    assert {request.user for request in target.tokens.requests} == {"robot"}
    assert len(target.tokens.requests) <= 4, "tokens are not kept"


@every_way
def test_the_same_again_uploads_nothing(targets, all_clients, local, way, path):
    target = targets["open"]
    digest = way.push(all_clients, local, target.host, path, "1.0")
    target.registry.forget()
    assert way.push(all_clients, local, target.host, path, "1.0") == digest
    assert target.registry.requests("PATCH") == []
    assert target.registry.requests("PUT", "/blobs/uploads/") == []


@pytest.mark.parametrize("kind", ["open", "token"])
@every_client
def test_pushed_directly_and_pulled_through(targets, client, local, kind, path):
    target = targets[kind]
    images.push(target.direct.url, under(path), local.content, "1.0")
    assert contents(target, path, "1.0") == everything(local.content)
    assert local.content.digest in _pull(client, target, path, "1.0")


@pytest.mark.parametrize("kind", ["open", "token"])
@every_client
def test_pushed_and_pulled_through(targets, all_clients, client, small, kind, path):
    """One pushes, everybody pulls; and what a tag means changes at once."""
    target = targets[kind]
    all_clients["skopeo"].push(small, target.host, path, "1.0")
    assert small.content.digest in _pull(client, target, path, "1.0")
    one = small.one
    images.push(target.url, path, one, "1.0")
    assert one.digest in _pull(client, target, path, "1.0")
    assert digest_of(target.direct, under(path), "1.0") == one.digest


def test_by_digest_alone(targets, all_clients, small, path):
    """Without a tag."""
    target = targets["open"]
    all_clients["skopeo"].run("skopeo", "copy", "--insecure-policy", "--all", "--preserve-digests",
                              "--dest-tls-verify=false", small.oci,
                              f"docker://{target.host}/{path}@{small.content.digest}")
    assert contents(target.direct, under(path), small.content.digest) == everything(small.content)
    assert contents(target, path, small.content.digest) == everything(small.content)


@pytest.mark.parametrize("client", ["podman", "buildah"], indirect=True)
@pytest.mark.parametrize("options", [("--format", "v2s2"), ("--format", "oci", "--compression-format", "zstd")],
                         ids=["docker", "zstd"])
def test_in_other_forms(targets, client, small, options, path):
    target = targets["open"]
    client.forget_places()
    if options[1] == "oci" and isinstance(client, clients.Buildah):
        options = options[:2]       # this one cannot
    digest = client.push(client.load(small), target.host, path, "1.0", *options)
    found = contents(target.direct, under(path), "1.0")
    assert next(iter(found)) == digest
    assert contents(target, path, "1.0") == found


@every_way
def test_the_last_push_counts(targets, all_clients, small, way, path):
    """Also when somebody else gave the tag another meaning, past the gateway, a moment ago."""
    target = targets["open"]
    digest = way.push(all_clients, small, target.host, path, "1.0")
    assert digest_of(target, path, "1.0") == digest
    images.push(target.direct.url, under(path), images.image([images.noise_layer(path, 100)]), "1.0")
    assert digest_of(target.direct, under(path), "1.0") != digest
    assert way.push(all_clients, small, target.host, path, "1.0") == digest
    assert digest_of(target.direct, under(path), "1.0") == digest
    assert digest_of(target, path, "1.0") == digest


def _pull(client, target, path, reference):
    if isinstance(client, clients.Containerd):
        return client.pull(target.host, f"{NAMESPACE}/{path}", reference)
    return client.pull(target.host, path, reference)


# -- as somebody ------------------------------------------------------------------------------


def credentials(kind, path):
    if kind == "JWT":
        access = [entry for name in (path, f"{NAMESPACE}/{path}")
                  for entry in access_to(name, "pull", "push")]
        return "users", ("whoever", ISSUER.token("carol", access=access))
    return {"password": "users"}.get(kind, kind), ALICE


@pytest.mark.parametrize("kind", ["password", "JWT", "relay_basic", "relay_token"])
@every_way
def test_with_credentials(targets, all_clients, local, way, kind, path):
    name, user = credentials(kind, path)
    push_as(user, targets[name], all_clients, local, way, path)


@one_of_each
def test_with_a_token_that_rules_are_for(targets, all_clients, local, way, path):
    push_as(("whoever", ISSUER.token(ALICE[0])), targets["users"], all_clients, local, way, path)


def push_as(user, target, all_clients, image, way, path):
    digest = way.push_anew(all_clients, image, target.host, path, "1.0", user)
    found = contents(target.direct, under(path), "1.0")
    assert_all_there(way, digest, found, image)
    assert contents(target, path, "1.0", headers_of(target, user, path)) == found
    assert_no_trouble(target.gateway)
    if target.tokens:
        scopes = {scope for request in target.tokens.requests for scope in request.scopes}
        assert f"repository:{under(path)}:pull,push" in scopes
        assert all(NAMESPACE not in scope for scope in scopes)


@pytest.mark.parametrize("kind", ["users", "relay_basic", "relay_token"])
def test_nobody_has_it_but_who_may(targets, all_clients, local, kind, path):
    """What one may push is kept here, and not for all."""
    target = targets[kind]
    all_clients["skopeo"].push(local, target.host, path, "1.0", "--dest-creds", ":".join(ALICE))
    with pytest.raises(AssertionError, match="401|403"):
        contents(target, path, "1.0")
    with pytest.raises(clients.CommandFailed):
        all_clients["skopeo"].push(local, target.host, path, "2.0")
    assert contents(target.direct, under(path), "1.0")
    with pytest.raises(AssertionError, match="404"):
        contents(target.direct, under(path), "2.0")


def test_a_pushed_image_runs(targets, all_clients, local, path):
    docker, target = all_clients["docker"], targets["open"]
    docker.push(docker.load(local), target.host, path, "1.0")
    docker.pull(target.host, path, "1.0")
    said = docker.run("run", "--rm", "--network=none", f"{target.host}/{path}:1.0")
    assert said == "hello\n"
