# SPDX-License-Identifier: Apache-2.0
"""Who gets a redirect to the registry's bucket, and who gets none."""

import pytest
from testbed.bucket import (
    Watch,
    assert_gets,
    assert_no_location,
    assert_redirected,
)
from testbed.checks import assert_error
from testbed.guarded import assert_denied, assert_unauthorized
from testbed.http_request import fetch
from testbed.issuers import HmacIssuer, access_to
from testbed.redirecting import (  # noqa: F401
    ABSENT,
    BUCKET,
    CAPABILITY,
    ROUTES,
    ask,
    gateway,
    held,
    serve,
)
from testbed.registry import Registry, s3_storage
from testbed.token_client import ACCEPT, bearer, blob, get_token, manifest, scope

HMAC = HmacIssuer()


@pytest.fixture(scope="module")
def guarded(serve):
    """The same for holders of tokens."""
    with serve(routes=ROUTES, auth={"anonymous": [], "jwt": [HMAC.entry()]}) as running:
        yield running


@pytest.fixture(scope="module")
def behind(serve, rgw):
    """With the registry itself behind the bucket."""
    storage = s3_storage(rgw.endpoint, BUCKET, rgw.access_key, rgw.secret_key)
    with Registry(storage) as registry, serve({"url": registry.url}) as running:
        running.registry = registry
        yield running


def test_what_is_not_there(gateway, behind):
    for each in (gateway, behind):
        for repository in ("team/app", "no/such"):
            for method in ("GET", "HEAD"):
                answer = ask(each, blob(repository, ABSENT), method)
                assert answer.status == 404
                assert_no_location(answer)
            assert_error(ask(each, blob(repository, ABSENT)), 404, "BLOB_UNKNOWN", "NAME_UNKNOWN")
        answer = ask(each, manifest("team/app", "absent"))
        assert_error(answer, 404, "MANIFEST_UNKNOWN")
        assert_no_location(answer)


def assert_not_shown(gateway, held):
    """A blob that only another repository has, whether or not that one was just asked for it."""
    for warm in (False, True):
        if warm:
            assert_redirected(ask(gateway, blob("other/app", held.hidden.digest)), held.hidden.digest)
        for method in ("GET", "HEAD"):
            for content in (*held.other.blobs, held.other):
                answer = ask(gateway, blob("team/app", content.digest), method)
                assert answer.status == 404
                assert_no_location(answer)
        answer = ask(gateway, manifest("team/app", held.other.digest), Accept=ACCEPT)
        assert_error(answer, 404, "MANIFEST_UNKNOWN")


def test_no_blob_of_another_repository(gateway, behind, held):
    assert_not_shown(gateway, held)
    assert_not_shown(behind, held)
    behind.registry.stop()
    try:
        assert ask(behind, blob("team/app", held.hidden.digest)).status in (404, 502)
        assert_no_location(ask(behind, blob("team/app", held.hidden.digest)))
    finally:
        behind.registry.start()


def test_a_blob_is_no_manifest(gateway, held):
    """It is there, but nobody pushed it as one."""
    answer = ask(gateway, manifest("team/app", held.layer.digest), Accept=ACCEPT)
    assert_error(answer, 404, "MANIFEST_UNKNOWN")


def test_who_has_no_right_gets_none(guarded, held, rgw):
    watch = Watch(rgw)
    for target in (blob("team/app", held.layer.digest), blob("team/app", ABSENT)):
        for method in ("GET", "HEAD"):
            nobody = ask(guarded, target, method)
            assert nobody.status == 401
            assert_no_location(nobody)
            for access in (access_to("other/app"), access_to("team/app", "push"), []):
                token = bearer(HMAC.token("ci", access=access))
                answer = fetch(guarded.url, target, method=method, headers=token)
                assert answer.status == 403
                assert_no_location(answer)
        assert_unauthorized(ask(guarded, target), "team/app")
        assert_denied(fetch(guarded.url, target,
                            headers=bearer(HMAC.token("ci", access=access_to("other/app")))))
        for token in (HMAC.token("ci", exp=-3600), HmacIssuer(secret=40 * b"x").token("ci")):
            answer = fetch(guarded.url, target, headers=bearer(token))
            assert_unauthorized(answer, "team/app", "invalid_token")
            assert_no_location(answer)
    assert watch.by_fairlead() == []


def test_who_has_the_right_gets_one(guarded, held):
    target = blob("team/app", held.layer.digest)
    token = HMAC.token("ci", access=access_to("team/app"))
    own = get_token(guarded, None, scope("team/app"), user=("ci", token))
    for headers in (bearer(token), bearer(own)):
        answer = fetch(guarded.url, target, headers=headers)
        location = assert_redirected(answer, held.layer.digest)
        assert_gets(location, held.layer)
        assert token not in location
    hidden = fetch(guarded.url, blob("team/app", held.hidden.digest), headers=bearer(token))
    assert hidden.status == 404
    assert_no_location(hidden)


def test_a_capability_is_streamed_unless_its_route_redirects(guarded, held, serve):
    """Clients tell the bucket by Referer which name they came by, and there it would be logged."""
    answer = ask(guarded, blob(CAPABILITY, held.layer.digest))
    assert answer.status == 200 and answer.body == held.layer.data
    assert_no_location(answer)
    with serve(routes=[{**ROUTES[-1], "deliver": "redirect"}]) as told:
        location = assert_redirected(ask(told, blob(CAPABILITY, held.layer.digest)),
                                     held.layer.digest)
        assert_gets(location, held.layer)
        assert CAPABILITY.split("/")[0] not in location
    other = ask(guarded, blob(CAPABILITY, held.hidden.digest))
    assert other.status == 404
    assert_no_location(other)
