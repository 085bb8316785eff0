# SPDX-License-Identifier: Apache-2.0
"""Registries that answer a push with what they should not: clients get nothing but the errors of the
specification under their own names, and nobody gets our credentials."""

import json

import pytest
from testbed import images
from testbed.checks import assert_error
from testbed.faulty_upstream import FaultyUpstream
from testbed.http_request import basic
from testbed.push_protocol import ALL, Repository, writable
from testbed.upstream_faults import HTML, failing, hung_up

ROUTES = [{"match": "team/", "to": "up/corp/apps/", "allow": ALL}]
ROBOT = {"username": "robot", "password": "s3cret:with:colons"}
DIGEST = images.sha256(b"data")
HERE = "/v2/corp/apps/app/blobs/uploads/1"


def told(code, message, detail=None):
    return json.dumps({"errors": [{"code": code, "message": message, "detail": detail}]}).encode()


def answering(status, body=b"", kind="application/json", **headers):
    return failing(status, body, kind, {name.replace("_", "-"): value
                                        for name, value in headers.items()})


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        yield server


@pytest.fixture
def gateway(upstream):
    with writable(upstream, routes=ROUTES) as running:
        yield running


@pytest.fixture
def app(gateway):
    return Repository(gateway.url, "team/app")


# Each way to write, and how the registry hears of it.
WRITES = {
    "POST": ("POST", "/blobs/uploads/", lambda app: app.open()),
    "PATCH": ("PATCH", "/blobs/uploads/", lambda app: app.patch(app.open(), b"data")),
    "PUT": ("PUT", "/blobs/uploads/", lambda app: app.put(app.open(), DIGEST, b"data")),
    "GET": ("GET", "/blobs/uploads/", lambda app: app.status(app.open())),
    "cancel": ("DELETE", "/blobs/uploads/", lambda app: app.cancel(app.open())),
    "manifest": ("PUT", "/manifests/", lambda app: app.put_manifest("1", b"{}")),
    "delete": ("DELETE", "/manifests/", lambda app: app.send("DELETE", app.target("manifests/1"))),
    "delete a blob": ("DELETE", f"/blobs/{DIGEST}",
                      lambda app: app.send("DELETE", app.target(f"blobs/{DIGEST}"))),
}


@pytest.fixture(params=WRITES)
def write(request, app, upstream):
    """A write, for which the fault is still to be set; its upload begins well."""
    method, path, ask = WRITES[request.param]

    def asking(*faults):
        upstream.fault(method, path, *faults)
        if method != "POST":
            upstream.fault("POST", "/blobs/uploads/", answering(202, Location=HERE, Range="0-0"))
        return ask(app)

    return asking


# Errors.


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_registry_in_trouble(write, status):
    answer = write(answering(status, HTML, "text/html"))
    assert answer.status in (502, 504)
    assert_error(answer, answer.status, "UNAVAILABLE")
    assert b"own words" not in answer.body


@pytest.mark.parametrize("status", [400, 404, 405, 413, 416])
def test_html_reaches_nobody(write, status):
    answer = write(answering(status, HTML, "text/html"))
    assert answer.status == status
    assert answer.headers.get_content_type() == "application/json"
    [error] = json.loads(answer.body)["errors"]
    assert error["code"].isupper() and error["message"]
    assert b"own words" not in answer.body


def test_code_and_message_are_passed_on_under_our_names(write):
    body = told("BLOB_UPLOAD_INVALID", "nothing of corp/apps/app today", {"name": "corp/apps/app"})
    answer = write(answering(400, body))
    assert_error(answer, 400, "BLOB_UPLOAD_INVALID")
    assert json.loads(answer.body)["errors"][0]["message"] == "nothing of team/app today"
    assert b"corp" not in answer.body


@pytest.mark.parametrize("retry_after", ["1", None])
def test_too_many_requests(write, retry_after):
    more = {"Retry_After": retry_after} if retry_after else {}
    answer = write(answering(429, told("TOOMANYREQUESTS", "slow down"), **more))
    assert_error(answer, 429, "TOOMANYREQUESTS")
    if retry_after:
        assert answer.headers["Retry-After"] == retry_after


@pytest.mark.parametrize("status", [401, 403])
def test_what_it_refuses_to_us(write, status):
    answer = write(answering(status, told("DENIED", "you there, no")))
    assert_error(answer, 403, "DENIED")
    assert answer.headers["WWW-Authenticate"] is None


@pytest.mark.parametrize("status", [200, 204, 206, 299, 304, 399, 418, 599])
def test_statuses_that_mean_nothing_here(write, status):
    """Whatever it becomes, the client is not left without an answer."""
    answer = write(answering(status))
    assert 200 <= answer.status < 600 and answer.status != 500


def test_hung_up(upstream, app):
    upstream.fault("POST", "/blobs/uploads/", hung_up())
    answer = app.open()
    assert_error(answer, answer.status, "UNAVAILABLE")
    assert answer.status in (502, 504)


def test_an_upload_is_not_begun_twice_by_one_request(upstream, app):
    """A POST that ended without an answer may have been served."""
    upstream.fault("PUT", "/manifests/", hung_up())
    app.put_manifest("1", b"{}")
    assert 1 <= len(upstream.seen("PUT")) <= 3


# Locations.


@pytest.mark.parametrize("location", [
    None, "", "http://", "nonsense://x/y", "file:///etc/passwd", "http://[::1", "//", "\x01",
    "http://127.0.0.1:99999/x", "x" * 40_000], ids=lambda each: repr(each)[:20])
def test_locations_that_are_none(upstream, app, location):
    more = {} if location is None else {"Location": location}
    upstream.fault("POST", "/blobs/uploads/", answering(202, Range="0-0", **more))
    answer = app.open()
    if answer.status == 202:            # what cannot be opened is found out when it is asked
        answer = app.status(answer)
    assert_error(answer, answer.status, "UNAVAILABLE", "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID",
                 "NAME_UNKNOWN")
    assert answer.status in (404, 502, 504)


@pytest.mark.parametrize("location", [
    HERE, f"{HERE}?_state=a%2Fb&c=d", "http://HOST" + HERE, "//HOST" + HERE, "1?relative=yes"])
def test_locations_of_all_forms(upstream, app, location):
    upstream.fault("POST", "/blobs/uploads/", answering(
        202, Range="0-0", Location=location.replace("HOST", upstream.host)))
    upstream.fault("GET", "/blobs/uploads/", answering(204, Range="0-9"))
    upstream.fault("PUT", "/blobs/uploads/", answering(201))
    opened = app.open()
    assert (opened.status, app.status(opened).status) == (202, 204)
    assert app.put(opened, DIGEST, b"data").status == 201
    expected = location.split("HOST")[-1] if "relative" not in location else HERE + "?relative=yes"
    [asked] = upstream.seen("GET", "/blobs/uploads/")
    assert asked.target == expected
    [put] = upstream.seen("PUT", "/blobs/uploads/")
    assert put.query["digest"] == [DIGEST]
    assert put.target.startswith(expected + ("&" if "?" in expected else "?"))


def test_an_upload_that_goes_on_elsewhere_gets_no_credentials(upstream):
    """The attack: a registry that was taken over sends uploads, and with them our password, to a host
    of its choice. The bytes may go there; the password may not."""
    with FaultyUpstream("127.0.0.2") as other, writable(upstream, routes=ROUTES, **ROBOT) as gateway:
        app = Repository(gateway.url, "team/app")
        upstream.fault("POST", "/blobs/uploads/", answering(202, Location=other.url + HERE))
        for each in (upstream, other):
            each.fault("*", "/blobs/uploads/", answering(
                401, told("UNAUTHORIZED", "who"), WWW_Authenticate='Basic realm="come on"'))
        opened = app.open()
        if opened.status == 202:
            for answer in (app.patch(opened, b"data"), app.status(opened), app.put(opened, DIGEST)):
                assert answer.status >= 400
        secret = basic(*ROBOT.values()).split()[1]
        for request in other.requests:
            assert "authorization" not in request.headers
            assert secret not in str(request.headers) + request.target


@pytest.mark.parametrize("digest", [None, "nonsense", images.sha256(b"other")])
def test_a_digest_that_is_not_the_one_that_was_pushed(upstream, gateway, app, digest):
    """Of a 201: the cache believes what it has hashed itself."""
    upstream.fault("POST", "/blobs/uploads/", answering(202, Location=HERE, Range="0-0"))
    more = {"Docker_Content_Digest": digest} if digest else {}
    upstream.fault("PUT", "/blobs/uploads/", answering(201, Location="/v2/x/blobs/y", **more))
    answer = app.put(app.open(), DIGEST, b"data")
    if answer.status == 201:
        said = digest if digest == images.sha256(b"other") else DIGEST
        assert answer.headers["Location"] == f"/v2/team/app/blobs/{said}"
    assert app.blob(images.sha256(b"other")).status == 404
    if digest == images.sha256(b"other"):
        assert app.blob(DIGEST).status == 404, "the registry does not say that it has this"


def test_headers_that_are_not_for_clients(upstream, app):
    upstream.fault("POST", "/blobs/uploads/", answering(
        202, Location=HERE, Range="0-0", Set_Cookie="a=b", X_Internal="corp", Server="their/1.0"))
    answer = app.open()
    assert answer.status == 202
    assert answer.headers["Set-Cookie"] is None and answer.headers["X-Internal"] is None
    assert "corp" not in str(answer.headers)
