# SPDX-License-Identifier: Apache-2.0
"""Blobs that are pushed: every way to upload one, under every kind of name, to docker-registry and
to a registry that does all that the specification names."""

import hashlib
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed import fairlead, images
from testbed.checks import assert_error
from testbed.oci_registry import OciRegistry
from testbed.push_protocol import ALL, Repository, chunks, writable
from testbed.registry import Registry
from testbed.upstream_faults import patterned

ROUTES = [
    {"match": "team/", "to": "up/corp/apps/", "allow": ALL},
    {"match": "single", "to": "up/one/repository", "allow": ALL},
    {"host": "images.example.org", "to": "up/hosted/", "allow": ALL},
    {"namespace": "up.test", "to": "up/spaces/", "allow": ALL},
    {"match": "nowhere/", "to": "up/absent/", "allow": ALL},
]
# The client's name, its headers and query; the registry's name.
WAYS = {
    "as it is": ("plain/app", {}, "", "plain/app"),
    "prefix": ("team/app", {}, "", "corp/apps/app"),
    "one": ("single", {}, "", "one/repository"),
    "host": ("app", {"Host": "images.example.org"}, "", "hosted/app"),
    "namespace": ("app", {}, "ns=up.test", "spaces/app"),
    "v2": ("v2/v2", {}, "", "v2/v2"),
    "blobs": ("team/blobs", {}, "", "corp/apps/blobs"),
    "uploads": ("blobs/uploads", {}, "", "blobs/uploads"),
    "manifests": ("team/manifests/tags", {}, "", "corp/apps/manifests/tags"),
}
DATA = patterned(100_000, seed=7)
DIGEST = images.sha256(DATA)


@pytest.fixture(scope="module")
def distribution():
    with Registry() as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        yield gateway


@pytest.fixture(scope="module")
def complete():
    with OciRegistry(chunk_min_length=16) as registry, writable(registry, routes=ROUTES) as gateway:
        gateway.registry = registry
        yield gateway


@pytest.fixture(params=["distribution", "complete"])
def gateway(request):
    found = request.getfixturevalue(request.param)
    found.registry.forget()
    return found


@pytest.fixture
def app(gateway, request):
    """A repository of this test's own, mapped."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower()).strip("-")
    found = Repository(gateway.url, f"team/{name}")
    found.behind = Repository(gateway.registry.url, f"corp/apps/{name}")
    return found


def assert_pushed(app, answer, data=DATA, digest=None):
    """201 under the client's name, and the bytes come back, from here and from the registry."""
    digest = digest or images.sha256(data)
    assert answer.status == 201, (answer.status, answer.body[:300])
    assert answer.headers["Location"].split("?")[0] == f"/v2/{app.name}/blobs/{digest}"
    assert answer.body == b""
    for side in (app.behind, app):
        pulled = side.blob(digest)
        assert (pulled.status, pulled.body) == (200, data)


def assert_goes_on(app, answer, status=202, end=None):
    """The upload goes on under the client's name; the registry has it up to `end`."""
    assert answer.status == status, (answer.status, answer.body[:300])
    assert answer.body == b""
    ns = re.escape(f"?{app.query}" if app.query else "")
    location = answer.headers["Location"]
    assert re.fullmatch(rf"/v2/{app.name}/blobs/uploads/[A-Za-z0-9_.-]+{ns}", location), location
    if end is not None:
        assert answer.headers["Range"] == f"0-{end}"
    return answer


# Names.


@pytest.mark.parametrize("way", WAYS)
def test_an_upload_keeps_to_the_name_of_the_client(gateway, way):
    name, headers, query, behind = WAYS[way]
    app = Repository(gateway.url, name, headers, query)
    app.behind = Repository(gateway.registry.url, behind)
    opened = assert_goes_on(app, app.open())
    assert opened.headers["Docker-Upload-UUID"]
    sent = assert_goes_on(app, app.patch(opened, DATA[:5000]), end=4999)
    told = assert_goes_on(app, app.status(sent), 204, end=4999)
    done = app.put(told, DIGEST, DATA[5000:])
    assert done.headers["Docker-Content-Digest"] == DIGEST
    assert_pushed(app, done)


def test_the_session_tells_nothing_of_what_is_behind(app, gateway):
    location = app.open().headers["Location"]
    session = location.rpartition("/")[2].split("?")[0]
    for word in ("corp", gateway.registry.host, "up/"):
        assert word not in location
    assert len(session) > 100, "sealed, not named"


def test_the_id_of_an_upload_is_the_one_of_the_registry(complete):
    opened = Repository(complete.url, "team/named").open()
    named = {session for name, session in complete.registry.sessions if name == "corp/apps/named"}
    assert named == {opened.headers["Docker-Upload-UUID"]}


@pytest.mark.parametrize("name,status,code", [
    ("Team/app", 400, "NAME_INVALID"), ("team/-app", 400, "NAME_INVALID"),
    ("team/..", 400, "NAME_INVALID")])
def test_what_is_no_name(distribution, name, status, code):
    distribution.registry.forget()
    assert_error(Repository(distribution.url, name).open(), status, code)
    assert distribution.registry.count() == 0


def test_no_route():
    routes = [{"match": "team/", "to": "up/", "allow": ALL}]
    with OciRegistry() as registry, writable(registry) as gateway:
        gateway.write_config({**gateway.config, "routes": routes})
        gateway.restart()
        assert_error(Repository(gateway.url, "other/app").open(), 404, "NAME_UNKNOWN")
        assert registry.count() == 0


def test_a_repository_that_the_registry_does_not_make(complete):
    answer = Repository(complete.url, "nowhere/app").open()
    assert_error(answer, 404, "NAME_UNKNOWN")
    assert b"absent" not in answer.body


# Ways to upload.


@pytest.mark.parametrize("body", [bytes, chunks], ids=["length", "chunked"])
def test_in_one_put(app, body):
    assert_pushed(app, app.put(app.open(), DIGEST, body(DATA)))


@pytest.mark.parametrize("body", [bytes, chunks], ids=["length", "chunked"])
@pytest.mark.parametrize("ranges", [False, True], ids=["streamed", "ranges"])
def test_in_patches(app, body, ranges):
    at = app.open()
    for first in range(0, len(DATA), 30_000):
        piece = DATA[first:first + 30_000]
        headers = {"Content-Range": f"{first}-{first + len(piece) - 1}"} if ranges else {}
        at = assert_goes_on(app, app.patch(at, body(piece), headers=headers),
                            end=first + len(piece) - 1)
    assert_pushed(app, app.put(at, DIGEST))


def test_with_the_last_part_in_the_put(app):
    at = app.patch(app.open(), DATA[:60_000], first=0)
    headers = {"Content-Range": f"60000-{len(DATA) - 1}"}
    assert_pushed(app, app.put(at, DIGEST, DATA[60_000:], headers))


def test_a_single_post(complete):
    app = Repository(complete.url, "team/post")
    app.behind = Repository(complete.registry.url, "corp/apps/post")
    assert_pushed(app, app.open(DATA, digest=DIGEST))
    assert complete.registry.count("PUT", "/corp/apps/post/") == 0


def test_a_single_post_with_another_digest(complete):
    app = Repository(complete.url, "team/post")
    wrong = images.sha256(b"other")
    assert_error(app.open(DATA, digest=wrong), 400, "DIGEST_INVALID")
    assert app.blob(wrong, "HEAD").status == 404


def test_a_single_post_to_a_registry_that_knows_none(distribution):
    """It begins an upload instead, and the client has to send again."""
    app = Repository(distribution.url, "team/post")
    app.behind = Repository(distribution.registry.url, "corp/apps/post")
    opened = assert_goes_on(app, app.open(DATA, digest=DIGEST))
    assert_pushed(app, app.put(opened, DIGEST, DATA))


@pytest.mark.parametrize("body", [bytes, chunks], ids=["length", "chunked"])
def test_an_empty_blob(app, body):
    assert_pushed(app, app.put(app.open(), images.sha256(b""), body(b"")), b"")


def test_an_empty_patch(app):
    at = assert_goes_on(app, app.patch(app.open(), b""))
    assert_pushed(app, app.put(at, DIGEST, DATA))


def test_sha512(app):
    """docker-registry names it by its sha256 as well; it is there by both."""
    digest = "sha512:" + hashlib.sha512(DATA).hexdigest()
    answer = app.put(app.open(), digest, DATA)
    direct = app.behind.put(app.behind.open(), digest, DATA)
    assert answer.status == direct.status == 201
    assert answer.headers["Docker-Content-Digest"] == direct.headers["Docker-Content-Digest"]
    assert app.blob(digest).body == DATA


def test_the_same_blob_by_many_at_once(app):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: app.put(app.patch(app.open(), DATA[:50_000]), DIGEST,
                                                  DATA[50_000:]), range(16)))
    assert {answer.status for answer in answers} == {201}
    assert_pushed(app, answers[0])


def test_a_blob_that_is_there_already(app):
    for _ in range(2):
        assert_pushed(app, app.put(app.open(), DIGEST, DATA))


# What the registry refuses.


def test_out_of_order(complete):
    app = Repository(complete.url, "team/order")
    app.behind = Repository(complete.registry.url, "corp/apps/order")
    at = app.patch(app.open(), DATA[:1000], first=0)
    for first in (0, 500, 2000):
        refused = app.patch(at, DATA[first:first + 500], first=first)
        assert_error(refused, 416, "BLOB_UPLOAD_INVALID")
        assert refused.headers["Range"] == "0-999"
        if refused.headers["Location"]:
            assert refused.headers["Location"].startswith("/v2/team/order/blobs/uploads/")
            assert "?of=us" not in refused.headers["Location"]
    told = assert_goes_on(app, app.status(at), 204, end=999)
    assert_pushed(app, app.put(app.patch(told, DATA[1000:2000], first=1000), DIGEST, DATA[2000:]))


def test_too_large_for_the_registry(complete):
    app = Repository(complete.url, "team/large")
    complete.registry.largest_blob = 50_000
    try:
        assert_error(app.put(app.open(), DIGEST, DATA), 413, "SIZE_INVALID")
    finally:
        complete.registry.largest_blob = 1 << 30


@pytest.mark.parametrize("digest", [images.sha256(b"other"), "sha256:" + "0" * 64])
def test_a_wrong_digest(app, digest):
    for at in (app.open(), app.patch(app.open(), DATA[:1000])):
        assert_error(app.put(at, digest, DATA), 400, "DIGEST_INVALID")
    for side in (app, app.behind):
        assert side.blob(digest, "HEAD").status == 404
        assert side.blob(DIGEST, "HEAD").status == 404


@pytest.mark.parametrize("digest", ["sha256:abc", "nonsense", "sha256:" + "G" * 64,
                                    "md5:" + "0" * 32])
def test_what_is_no_digest(app, digest):
    assert_error(app.put(app.open(), digest, DATA), 400, "DIGEST_INVALID")
    assert app.behind.blob(DIGEST, "HEAD").status == 404


def test_a_put_without_a_digest(app):
    at = app.where(app.open())
    assert_error(app.send("PUT", at, DATA), 400, "DIGEST_INVALID")


# The state of an upload.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_where_an_upload_is(app, method):
    opened = app.open()
    assert_goes_on(app, app.status(opened, method), 204)
    sent = app.patch(opened, DATA[:777])
    for _ in range(2):
        told = assert_goes_on(app, app.status(sent, method), 204, end=776)
        assert told.headers["Docker-Upload-UUID"] == opened.headers["Docker-Upload-UUID"]
    assert_pushed(app, app.put(told, DIGEST, DATA[777:]))


def test_an_upload_that_is_given_up(app):
    at = app.patch(app.open(), DATA[:777])
    assert app.cancel(at).status == 204
    for answer in (app.status(at), app.patch(at, DATA[777:]), app.cancel(at),
                   app.put(at, DIGEST, DATA[777:])):
        assert_error(answer, 404, "BLOB_UPLOAD_UNKNOWN")
    assert app.behind.blob(DIGEST, "HEAD").status == 404


@pytest.mark.parametrize("session", ["", "nonsense", "00000000-0000-0000-0000-000000000000",
                                     "v4.local.AAAA", "a" * 8000])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PATCH", "PUT", "DELETE"])
def test_what_is_no_session(distribution, session, method):
    app = Repository(distribution.url, "team/app")
    distribution.registry.forget()
    answer = app.send(method, app.target(f"blobs/uploads/{session}", {"digest": DIGEST}), b"x")
    assert answer.status in ((404, 405) if not session else (404,))
    if method != "HEAD" and answer.status == 404:
        assert_error(answer, 404, "BLOB_UPLOAD_UNKNOWN")
    assert distribution.registry.count() == 0


# What is passed on, and what is told.


def test_headers_of_the_client_are_passed_on(complete):
    """But for the type: what is called a form, some registries read parameters from."""
    app = Repository(complete.url, "team/headers")
    at = app.patch(app.open(), DATA[:100], first=0, headers={"Content-Type": "application/x-odd"})
    _, _, headers = complete.registry.seen("PATCH", "/corp/apps/headers/")[-1]
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-range"] == "0-99"
    assert headers["content-length"] == "100"
    app.patch(at, chunks(DATA[100:5000]))
    _, _, headers = complete.registry.seen("PATCH", "/corp/apps/headers/")[-1]
    assert headers["transfer-encoding"] == "chunked" and "content-length" not in headers
    assert "content-range" not in headers


def test_ns_is_for_the_gateway_alone(complete):
    app = Repository(complete.url, "app", query="ns=up.test")
    complete.registry.forget()
    app.put(app.patch(app.open(), DATA[:10]), DIGEST, DATA[10:])
    assert complete.registry.count() >= 3
    assert complete.registry.count(pattern="ns=") == 0


def test_the_smallest_part_is_told(complete):
    assert Repository(complete.url, "team/app").open().headers["OCI-Chunk-Min-Length"] == "16"


def test_what_is_logged(complete):
    app = Repository(complete.url, "team/logged")
    at = app.patch(app.open(), DATA[:5000])
    app.put(at, DIGEST, chunks(DATA[5000:]))
    app.put(app.open(), images.sha256(b"other"), DATA)
    for method, status, received, outcome in (
            ("PATCH", 202, 5000, "push"), ("PUT", 201, len(DATA) - 5000, "push"),
            ("PUT", 400, len(DATA), None)):
        records = [record for record in complete.wait_for_records(1, method=method, status=status)
                   if "team/logged" in record.target]
        assert [record.received for record in records] == [received]
        assert (records[0].outcome == "push") == (outcome == "push")
        assert (records[0].repository, records[0].registry) == ("team/logged", "up")
    assert not any(at.headers["Location"].rpartition("/")[2] in line["target"]
                   for line in complete.log() if "target" in line), "a session is a secret"


def test_what_a_client_adds_to_the_query_stays_here(complete):
    """Of a Location that is sealed nothing can be overridden by what is put behind it."""
    app = Repository(complete.url, "team/query")
    at = app.where(app.open())
    query = f"of=them&mount={DIGEST}&digest={DIGEST}&from=corp/apps/other"
    answer = app.send("PUT", f"{at}?{query}", DATA)
    assert answer.status == 201
    [(_, target, _)] = complete.registry.seen("PUT", "/corp/apps/query/")
    assert target.partition("?")[2].replace("%3A", ":") == f"of=us&digest={DIGEST}"


def test_over_tls(authority):
    """To a registry that would rather speak HTTP/2."""
    certificate = authority.issue("pushed", ["127.0.0.1"])
    with (Registry(tls=certificate) as registry,
          writable(registry, ca=str(authority.certificate_path)) as gateway):
        app = Repository(gateway.url, "team/app")
        for body in (bytes, chunks):
            assert app.put(app.patch(app.open(), body(DATA[:50_000])), DIGEST,
                           body(DATA[50_000:])).status == 201
            assert app.blob(DIGEST).body == DATA
            assert app.send("DELETE", app.target(f"blobs/{DIGEST}")).status == 202


# Routes.


def test_a_registry_without_a_url_cannot_be_written_to(tmp_path):
    bucket = {"name": "bucket", "endpoint": "http://127.0.0.1:9", "access_key": "a",
              "secret_key": "b", "root": "/data", "layout": "oci"}
    path = tmp_path / "fairlead.yaml"
    for actions, code in ((["pull"], 0), (["pull", "push"], 1), (["pull", "delete"], 1)):
        path.write_text(json.dumps({
            "registries": {"held": {"bucket": bucket}}, "cache": {"directory": str(tmp_path / "c")},
            "routes": [{"match": "", "to": "held/", "allow": actions}]}))
        done = fairlead.run("check", "--config", path)
        assert done.returncode == code, done.stdout + done.stderr
        if code:
            assert "routes[0].allow" in done.stdout + done.stderr
