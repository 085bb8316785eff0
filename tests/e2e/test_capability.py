# SPDX-License-Identifier: Apache-2.0
"""Capability routes: whoever knows the name may pull, and the name is a secret like a password."""

import json

import pytest
from testbed import fairlead
from testbed.cache_command import cache
from testbed.cache_command import run as cache_run
from testbed.fairlead import Fairlead
from testbed.guarded import (  # noqa: F401
    ALICE,
    anonymized,
    configuration,
    guarded,
    upstream,
    users,
)
from testbed.http_request import basic, fetch
from testbed.token_client import bearer, blob, get, get_token, manifest, scope

SECRET = "0ebb01be-0a22-4639-898c-bc8c2d20942d"
NAME = f"{SECRET}/nginx"
NEAR = ["0ebb01be-0a22-4639-898c-bc8c2d20942e/nginx", f"{SECRET}/nginx2", f"{SECRET}/ngin",
        f"{SECRET}/nginx/deeper", SECRET, f"x{NAME}", "no/such"]
ROUTES = [{"match": NAME, "to": "up/team/app", "capability": True},
          {"match": "open/", "to": "up/public/"}]


@pytest.fixture(params=["anonymous: []", "anonymous: [pull]"])
def gateway(request, upstream, users):
    auth = {"users": users} | ({"anonymous": []} if request.param == "anonymous: []" else {})
    with guarded(upstream, auth, route_list=ROUTES, log={"level": "debug"}) as running:
        yield running


def everything(gateway, upstream, headers=None):
    """All that is asked of an image; the answers."""
    digest = upstream.manifest_digest
    targets = [manifest(NAME), manifest(NAME, digest), blob(NAME, upstream.blobs_of["team/app"])]
    return [fetch(gateway.url, target, method=method, headers=headers or {})
            for target in targets for method in ("HEAD", "GET")]


@pytest.fixture(autouse=True)
def manifest_digest(upstream):
    upstream.manifest_digest = next(
        reference for repository, reference in upstream.manifests
        if repository == "team/app" and reference.startswith("sha256:"))


def test_who_knows_the_name_pulls(gateway, upstream):
    assert {answer.status for answer in everything(gateway, upstream)} == {200}
    assert fetch(gateway.url, f"/v2/{NAME}/tags/list").status == 200


def test_with_a_token_or_a_password_too(gateway, upstream):
    """docker is asked for one by the ping, and so sends it here as well."""
    for headers in (bearer(get_token(gateway, None, scope(NAME))), bearer(get_token(gateway)),
                    bearer(get_token(gateway, None, scope("other/app"), user=ALICE)),
                    {"Authorization": basic(*ALICE)}):
        assert {answer.status for answer in everything(gateway, upstream, headers)} == {200}


@pytest.mark.parametrize("user", [None, ALICE], ids=["anonymous", "alice"])
def test_who_does_not_know_it_learns_nothing(gateway, user):
    headers = {"Authorization": basic(*user)} if user else {}
    for target in (manifest, lambda name: f"/v2/{name}/tags/list",
                   lambda name: blob(name, "sha256:" + 64 * "0")):
        answers = [anonymized(fetch(gateway.url, target(name), headers=headers), name)
                   for name in NEAR]
        assert all(answer == answers[-1] for answer in answers)
        assert answers[0][0] in (401, 404)


def test_nobody_writes_there(gateway, upstream):
    for method, target in (("PUT", manifest(NAME, "new")), ("DELETE", manifest(NAME)),
                           ("POST", f"/v2/{NAME}/blobs/uploads/")):
        for headers in ({}, {"Authorization": basic(*ALICE)},
                        bearer(get_token(gateway, None, scope(NAME, "*"), user=ALICE))):
            answer = fetch(gateway.url, target, method=method, body=b"{}", headers=headers)
            assert answer.status in (401, 403)
    assert not [each for each in upstream.requests if each.method not in ("GET", "HEAD")]


def test_the_name_is_nowhere(gateway, upstream):
    answers = everything(gateway, upstream)
    for target in (manifest(NAME, "absent"), blob(NAME, "sha256:" + 64 * "0"),
                   manifest(NAME, "sha256:" + 64 * "0"), f"/v2/{NAME}/tags/list?n=x",
                   f"/v2/{NAME}/manifests/bad..tag!", f"/v2/{NAME}/nothing/like/it",
                   f"/v2/{NAME}/referrers/sha256:" + 64 * "0"):
        answers.append(fetch(gateway.url, target))
    answers.append(fetch(gateway.url, manifest(NAME, "new"), method="PUT", body=b"{}"))
    answers.append(get(gateway, manifest(NAME), user=ALICE))
    answers.append(get_token(gateway, None, scope(NAME), more=[("account", "a")]))
    upstream.stop()
    answers.append(fetch(gateway.url, manifest(NAME, "other")))      # an error with a reason
    upstream.start()
    gateway.wait_until_idle()
    gateway.wait_for_records(len(answers))
    assert SECRET not in gateway.stderr()
    for answer in answers:
        assert SECRET.encode() not in answer.body
        for key, value in answer.headers.items():
            assert SECRET not in value or key.lower() == "www-authenticate", (key, value)
    for arguments in (("list",), ("stats",), ("verify",)):
        done = cache_run(gateway, *arguments, "--json")
        assert SECRET not in done.stdout + done.stderr
    assert cache(gateway, "stats")["contents"] >= 2
    for path in gateway.cache_directory.rglob("*"):
        assert SECRET not in str(path)
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes()
    assert not [each for each in upstream.requests if SECRET in repr(each)]


def test_the_record_says_that_there_was_one(gateway, upstream):
    """Operators see that it was pulled, from which repository, and not by which name."""
    fetch(gateway.url, manifest(NAME), headers={"User-Agent": "knows-it"})
    record, = gateway.wait_for_records(1, user_agent="knows-it")
    assert (record.status, record.method) == (200, "GET")
    assert record.target and SECRET not in str(vars(record))


def test_the_name_is_not_told_by_a_check(upstream, users, tmp_path):
    """A mistake in such a route is named by its number."""
    path = tmp_path / "fairlead.yaml"
    config = configuration(upstream, {"users": users},
                           route_list=[ROUTES[0] | {"to": "absent/team/app"}])
    path.write_text(json.dumps(config))
    done = fairlead.run("check", "--config", path)
    assert done.returncode == 1 and "routes[0]" in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("client", ["docker", "podman", "skopeo"], indirect=True)
def test_clients_pull_by_it(client, upstreams, pushed, tmp_path, users):
    """Not logged in, from a gateway that asks everybody else who he is."""
    real = upstreams["open"]
    config = real.config(auth={"users": users, "anonymous": []}, routes=[
        {"match": NAME, "to": f"upstream.test/{pushed.repository}", "capability": True},
        {"match": "closed/", "to": "upstream.test/team/"}])
    with Fairlead(config) as gateway:
        assert pushed.multi_arch.digest in client.pull(gateway.host, NAME, "1.0")
        with pytest.raises(AssertionError, match="exit code"):
            client.pull(gateway.host, "closed/app", "1.0")
        assert SECRET not in gateway.stderr()


@pytest.mark.parametrize("target", [
    "/v2//{name}/manifests/1", "/v2/{name}/manifests/%zz", "/v2/{upper}/manifests/1",
    "/{name}/manifests/1", "/token/?scope=repository:{name}:pull"])
def test_the_log_has_it_not_from_what_is_not_understood(gateway, target):
    target = target.format(name=NAME, upper=NAME.upper())
    assert fetch(gateway.url, target).status in (400, 404)
    assert SECRET not in gateway.stderr().lower()


def test_the_log_has_it_not_from_a_browser_that_asks_first(upstream):
    """A page of another origin: OPTIONS before the request itself."""
    headers = {"Origin": "https://ui.example.org", "Access-Control-Request-Method": "GET"}
    cors = {"cors": {"allowed_origins": ["https://ui.example.org"]}}
    with guarded(upstream, route_list=ROUTES, server=cors) as gateway:
        assert fetch(gateway.url, manifest(NAME), method="OPTIONS", headers=headers).status == 204
        assert SECRET not in gateway.stderr()
