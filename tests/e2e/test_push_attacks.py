# SPDX-License-Identifier: Apache-2.0
"""Pushes by who wants more than to push: other repositories' blobs, by the gateway's own rights at the
registry; others' uploads; the registry's storage that wants the registry's login; everybody's disk."""

from pathlib import Path
from urllib.parse import urlencode

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.faulty_upstream import FaultyUpstream
from testbed.guarded import ALICE, BOB, PASSWORDS
from testbed.http_request import basic, fetch
from testbed.passwords import htpasswd
from testbed.push_protocol import ALL, Repository, writable
from testbed.registry import Registry
from testbed.upstream_faults import failing, patterned
from testbed.waiting import wait_until

SECRET = patterned(3000, seed=7)
DIGEST = images.sha256(SECRET)
MINE = b"what is mine"
ROUTES = [{"match": "mine/", "to": "up/corp/mine/", "allow": ALL},
          {"match": "theirs/", "to": "up/corp/theirs/", "allow": ALL}]
BOUNDARY = "cut"


def multipart(fields):
    return "".join(f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                   for name, value in fields.items()) + f"--{BOUNDARY}--\r\n"


FORMS = {"application/x-www-form-urlencoded": urlencode,
         f"multipart/form-data; boundary={BOUNDARY}": multipart}


@pytest.fixture
def users(tmp_path):
    return str(htpasswd(tmp_path / "htpasswd", PASSWORDS))


@pytest.fixture
def guarded(users):
    """A real registry; alice has `theirs/`, bob `mine/`, and each nothing else."""
    rules = [{"who": who, "repositories": [f"{where}/**"], "actions": ALL}
             for who, where in ((ALICE[0], "theirs"), (BOB[0], "mine"))]
    auth = {"anonymous": [], "users": users, "rules": rules}
    with Registry() as registry, writable(registry, routes=ROUTES, auth=auth) as running:
        running.registry = registry
        alice = Repository(running.url, "theirs/app", {"Authorization": basic(*ALICE)})
        alice.push(SECRET)
        assert alice.blob(DIGEST).body == SECRET
        yield running


@pytest.fixture
def bob(guarded):
    return Repository(guarded.url, "mine/app", {"Authorization": basic(*BOB)})


def assert_has_not(bob, guarded):
    assert bob.blob(DIGEST).status == 404
    assert Repository(guarded.registry.url, "corp/mine/app").blob(DIGEST).status == 404


@pytest.mark.parametrize("kind", FORMS)
def test_a_mount_in_a_form(guarded, bob, kind):
    """docker-registry reads its parameters from bodies that are called forms as well."""
    form = FORMS[kind]({"mount": DIGEST, "from": "corp/theirs/app"})
    assert bob.open(form.encode(), {"Content-Type": kind}).status == 202
    assert_has_not(bob, guarded)


@pytest.mark.parametrize("kind", FORMS)
def test_a_digest_in_a_form(guarded, bob, kind):
    """The registry takes the form's; the gateway must not believe that it took the query's."""
    sent = bob.patch(bob.open(), MINE)
    form = FORMS[kind]({"digest": images.sha256(MINE)})
    bob.put(sent, DIGEST, form.encode(), {"Content-Type": kind})
    assert_has_not(bob, guarded)


@pytest.mark.parametrize("kind", FORMS)
def test_a_form_is_no_manifest(guarded, bob, kind):
    answer = bob.put_manifest("1", b"{}", {"Content-Type": kind})
    assert_error(answer, 400, "MANIFEST_INVALID")


@pytest.mark.parametrize("query", [
    f"x=1;mount={DIGEST};from=corp/theirs/app", f"digest={images.sha256(MINE)};mount={DIGEST}",
    f"%6dount={DIGEST}&from=corp/theirs/app", f"from=corp/theirs/app&a=b&mount={DIGEST}"])
def test_what_is_said_in_the_query_is_written_anew(guarded, bob, query):
    guarded.registry.forget()
    bob.send("POST", bob.target("blobs/uploads/") + "?" + query, b"")
    for each in guarded.registry.requests("POST"):
        assert "theirs" not in each.target and ";" not in each.target
    assert_has_not(bob, guarded)


@pytest.mark.parametrize("name", ["digest", "mount", "from"])
def test_nothing_is_said_twice(guarded, bob, name):
    guarded.registry.forget()
    query = f"{name}={DIGEST}&{name}={images.sha256(MINE)}"
    answer = bob.send("POST", bob.target("blobs/uploads/") + "?" + query, b"")
    assert answer.status == 400
    assert not guarded.registry.requests("POST")


def test_two_digests_at_the_end(guarded, bob):
    at = bob.where(bob.patch(bob.open(), MINE))
    for query in (f"digest={DIGEST}&digest={images.sha256(MINE)}",
                  f"digest={images.sha256(MINE)}&digest={DIGEST}"):
        answer = bob.send("PUT", f"{at}?{query}", b"")
        assert_error(answer, 400, "DIGEST_INVALID")
    assert_has_not(bob, guarded)


def test_the_storage_gets_no_login_for_what_it_names_at_the_registry():
    """It is sent the parts of an upload, and says that it goes on at a manifest of the registry."""
    robot = {"username": "robot", "password": "s3cret"}
    with FaultyUpstream() as registry, FaultyUpstream() as storage:
        with writable(registry, routes=ROUTES, server={"workers": 1}, **robot) as gateway:
            app = Repository(gateway.url, "mine/app")
            registry.fault("*", "", failing(401, b"", headers={
                "WWW-Authenticate": 'Basic realm="registry"'}), times=1)
            registry.fault("POST", "/blobs/uploads/", failing(
                202, b"", headers={"Location": storage.url + "/put/1", "Range": "0-0"}))
            storage.fault("PATCH", "/put/", failing(202, b"", headers={
                "Location": registry.url + "/v2/corp/theirs/app/manifests/1", "Range": "0-3"}))
            sent = app.patch(app.open(), b"data")
            app.cancel(sent)
            assert any("authorization" in request.headers for request in registry.seen("POST"))
            for request in registry.seen("DELETE"):
                assert "authorization" not in request.headers


def files_in(gateway):
    directory = Path(gateway.config["cache"]["directory"])
    return [file for file in directory.glob("tmp/*") if file.is_file()]


def test_a_blob_that_is_refused_leaves_nothing():
    with Registry() as registry, writable(registry, routes=ROUTES) as gateway:
        app = Repository(gateway.url, "mine/app")
        for number in range(5):
            wrong = images.sha256(b"another %d" % number)
            app.send("POST", app.target("blobs/uploads/", {"digest": wrong}), SECRET * 100)
        wait_until(lambda: not files_in(gateway), "what was kept of them is gone")


def test_uploads_that_never_end_hold_no_more_than_the_cache_may():
    cache = {"max_size": "8MiB"}
    with Registry() as registry, writable(registry, routes=ROUTES, cache=cache) as gateway:
        kept = Repository(gateway.url, "theirs/app")
        kept.push(SECRET)
        app = Repository(gateway.url, "mine/app")
        for number in range(8):
            data = patterned(3 << 20, seed=number)
            assert app.patch(app.open(), data).status == 202
            assert sum(file.stat().st_blocks * 512 for file in files_in(gateway)) <= 9 << 20
        registry.stop()
        assert kept.blob(DIGEST).body == SECRET, "it was not driven out"


def test_a_session_is_no_token(guarded, bob):
    """Both are sealed with the same keys; shown as a token, it lets nobody in."""
    at = bob.where(bob.open())
    session = at.rpartition("/")[2].partition("?")[0]
    answer = fetch(guarded.url, "/v2/mine/app/tags/list",
                   headers={"Authorization": f"Bearer {session}"})
    assert answer.status == 401
