# SPDX-License-Identifier: Apache-2.0
"""A private registry shown in part to everybody, with a password that only the gateway knows."""

import pytest
from testbed.checks import assert_error
from testbed.fairlead import Fairlead
from testbed.guarded import assert_unauthorized
from testbed.http_request import fetch
from testbed.relaying import ALICE, _private, private, private_storage  # noqa: F401
from testbed.token_client import blob, get, manifest

ROUTES = [
    {"match": "hello", "to": "corp/team/app", "anonymous": ["pull"]},       # one repository
    {"match": "world/", "to": "corp/public/", "anonymous": ["pull"]},       # a part
    {"match": "corp/", "to": "corp/"},                                      # all, and not for all
]


@pytest.fixture(params=["one user", "nobody"])
def gateway(request, private):
    config = {
        "registries": {"corp": {"url": private.registry.url, "username": ALICE[0],
                                "password": "env:CORP_PASSWORD"}},
        "routes": ROUTES, "auth": {"anonymous": []}}
    if request.param == "nobody":       # the same without a password: what the upstream shows all
        del config["registries"]["corp"]["username"], config["registries"]["corp"]["password"]
    with Fairlead(config, env={"CORP_PASSWORD": ALICE[1]}) as running:
        running.has_password = request.param == "one user"
        yield running


def targets(name, image):
    return [manifest(name), manifest(name, image.digest),
            *(blob(name, each.digest) for each in image.blobs)]


def test_what_is_shown_is_there_for_all(gateway, private):
    if not gateway.has_password:
        image = private.images["public/app"]
        for target in targets("world/app", image):
            assert fetch(gateway.url, target).status == 200
        return
    image = private.images["team/app"]
    for target in targets("hello", image):
        answer = fetch(gateway.url, target)
        assert answer.status == 200
        assert ALICE[1] not in str(answer.headers)
    assert {request.user for request in private.tokens.requests} == {"alice"}
    assert ALICE[1] not in gateway.stderr()


def test_what_is_not_shown_is_not(gateway, private):
    for name in ("corp/team/app", "corp/public/app", "team/app", "hello/app", "corp/nothing"):
        for target in targets(name, private.images["team/app"]):
            assert_unauthorized(fetch(gateway.url, target), name)
            assert get(gateway, target).status in (401, 403)


def test_other_images_are_not_reached_by_their_digest(gateway, private):
    """Also where the gateway's own password would open them, and they are in its cache."""
    if gateway.has_password:
        for target in targets("hello", private.images["team/app"]):
            assert fetch(gateway.url, target).status == 200
        gateway.wait_until_idle()
    for name, others in (("hello", "team/hidden"), ("hello", "other/app"), ("world/app", "team/app")):
        image = private.images[others]
        for target in targets(name, image)[1:]:
            answer = fetch(gateway.url, target)
            assert answer.status in (401, 403, 404)
            assert_error(answer, answer.status, "UNAUTHORIZED", "DENIED", "NAME_UNKNOWN",
                         "MANIFEST_UNKNOWN", "BLOB_UNKNOWN")


def test_nobody_writes_with_the_gateways_password(gateway, private):
    for method, target in (("PUT", manifest("hello", "new")), ("DELETE", manifest("hello")),
                           ("POST", "/v2/hello/blobs/uploads/")):
        assert fetch(gateway.url, target, method=method, body=b"{}").status in (401, 403)
    assert {request.method for request in private.registry.requests()} <= {"GET", "HEAD"}


@pytest.mark.parametrize("client", ["docker", "podman", "buildah", "skopeo"], indirect=True)
def test_clients_pull_without_a_login(client, upstreams, pushed):
    """From a gateway whose ping asks for one."""
    private = upstreams["token"]
    registries = private.config()["registries"]
    config = {"registries": registries, "auth": {"anonymous": []}, "routes": [
        {"match": "hello", "to": f"upstream.test/{pushed.repository}", "anonymous": ["pull"]},
        {"match": "closed/", "to": "upstream.test/team/"}]}
    with Fairlead(config) as gateway:
        assert pushed.multi_arch.digest in client.pull(gateway.host, "hello", "1.0")
        with pytest.raises(AssertionError, match="exit code"):
            client.pull(gateway.host, "closed/app", "1.0")


def test_containerd_pulls_without_a_login(all_clients, upstreams, pushed):
    private = upstreams["token"]
    config = {"registries": private.config()["registries"], "auth": {"anonymous": []},
              "routes": [{"match": "hello", "to": f"upstream.test/{pushed.repository}",
                          "anonymous": ["pull"]}]}
    with Fairlead(config) as gateway:
        found = all_clients["containerd"].pull_direct(gateway.host, "hello", "1.0")
        assert pushed.multi_arch.digest in found
