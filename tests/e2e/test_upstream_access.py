# SPDX-License-Identifier: Apache-2.0
"""What a client notices when the upstream refuses, is away, sends elsewhere or asks who is there.

Refusals reach clients in the protocol's own words and never in the upstream's; credentials reach
nobody but the registry they are for, whatever the upstream says.
"""

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed.faulty_upstream import FaultyUpstream
from testbed.misbehaving import gateway, impatient, upstream  # noqa: F401
from testbed.pulling import (
    FOREIGN,
    IMPATIENT,
    assert_not_completed,
    assert_nothing_kept,
    assert_problem,
    assert_right,
    assert_unavailable,
    fetch,
    pull,
    serving,
)
from testbed.upstream_faults import (
    HTML,
    digest_of,
    failing,
    held_at,
    patterned,
    redirected,
    stalled,
)
from testbed.upstream_tokens import TokenService, basic

LAYER = patterned(200_000, seed=1)
USER, PASSWORD = "robot", "pa55,w:ord"


# Refusals and outages, in the protocol's own words.

REFUSALS = {  # upstream's status: what a client may be told
    401: (
        {401, 403, 404, 502},
        {
            "UNAUTHORIZED",
            "DENIED",
            "NAME_UNKNOWN",
            "MANIFEST_UNKNOWN",
            "BLOB_UNKNOWN",
            "UNAVAILABLE",
        },
    ),
    403: ({403, 404}, {"DENIED", "NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"}),
    404: ({404}, {"NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"}),
    429: ({429}, {"TOOMANYREQUESTS"}),
    500: ({502, 504}, {"UNAVAILABLE"}),
    502: ({502, 504}, {"UNAVAILABLE"}),
    503: ({502, 504}, {"UNAVAILABLE"}),
}


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("what", ["manifests/1", "blobs"])
def test_refusals_in_html_become_the_protocols_errors(upstream, gateway, status, what):
    upstream.add_image("app", "1", [LAYER])
    path = f"/v2/app/{what}" if "/" in what else f"/v2/app/{what}/{digest_of(LAYER)}"
    upstream.fault(
        "*", ".", failing(status, headers={"Retry-After": "3600", "X-Upstream": "secret-host"})
    )
    statuses, codes = REFUSALS[status]
    answer = fetch(gateway, path)
    assert_problem(answer, statuses, codes)
    assert answer.header("X-Upstream") is None
    if status == 429:
        assert answer.header("Retry-After") == "3600"
    head = fetch(gateway, path, method="HEAD")
    assert head.status in statuses and head.body == b""
    if status >= 500:  # an outage is not remembered
        upstream.heal()
        assert fetch(gateway, path).status == 200


def test_too_many_requests_is_waited_out(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("*", "/blobs/", failing(429, headers={"Retry-After": "1"}), times=1)
    assert_right(pull(gateway, digest), LAYER)


def test_upstream_down(upstream, gateway):
    upstream.add_image("app", "1", [LAYER])
    upstream.close()
    assert_unavailable(fetch(gateway, "/v2/app/manifests/1"))
    assert_unavailable(pull(gateway, digest_of(LAYER)))


def test_upstream_that_never_begins_to_answer(upstream, impatient):
    upstream.add_image("app", "1", [LAYER])
    upstream.fault("*", ".", stalled(upstream.gate()))
    with ThreadPoolExecutor(2) as pool:
        paths = "/v2/app/manifests/1", f"/v2/app/blobs/{digest_of(LAYER)}"
        for answer in [pool.submit(fetch, impatient, path) for path in paths]:
            assert_unavailable(answer.result())
        assert fetch(impatient, "/health").status == 200


def test_stalling_for_ever_ends_the_clients_wait(upstream, impatient):
    digest = upstream.add_blob("app", LAYER)
    upstream.fault("GET", "/blobs/", held_at(100_000, upstream.gate()), times=1)
    upstream.fault("GET", "/blobs/", stalled(upstream.gate()))
    assert_not_completed(pull(impatient, digest, deadline=30))
    assert_nothing_kept(impatient, digest)


# Mirrors.


@pytest.mark.parametrize("primary", ["down", "stalling", "failing"])
def test_mirrors_are_tried_in_turn(upstream, primary):
    with FaultyUpstream() as dead, FaultyUpstream() as mirror:
        for server in (upstream, mirror):
            server.add_image("app", "1", [LAYER])
        dead.close()
        with serving(upstream, mirrors=[dead.url, mirror.url], timeouts=IMPATIENT) as gateway:
            if primary == "down":
                upstream.close()
            else:
                upstream.fault(
                    "*", ".", stalled(upstream.gate()) if primary == "stalling" else failing(503)
                )
            assert fetch(gateway, "/v2/app/manifests/1").status == 200
            assert_right(pull(gateway, digest_of(LAYER)), LAYER)
            assert mirror.seen("GET", "/blobs/")


def test_mirrors_are_left_alone_while_the_first_answers(upstream):
    with FaultyUpstream() as mirror:
        upstream.add_image("app", "1", [LAYER])
        mirror.add_image("app", "2", [LAYER])
        with serving(upstream, mirrors=[mirror.url]) as gateway:
            assert fetch(gateway, "/v2/app/manifests/1").status == 200
            assert fetch(gateway, "/v2/app/manifests/2").status == 404
            assert mirror.requests == []


# Redirects.


def target_of(other: FaultyUpstream):
    return lambda request: f"{other.url}{request.path}?signature=a%2Fb%3D"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("address", [FOREIGN, "127.0.0.1"], ids=["another host", "another port"])
def test_credentials_never_follow_a_redirect(upstream, address, status):
    upstream.tokens = TokenService(users={USER: PASSWORD})
    with (
        FaultyUpstream(address) as bucket,
        # One worker: each learns for itself that this registry wants a token.
        serving(upstream, workers=1, username=USER, password=PASSWORD) as gateway,
    ):
        first, second = upstream.add_blob("app", b"first"), upstream.add_blob("app", LAYER)
        bucket.add_blob("app", LAYER)
        assert_right(
            pull(gateway, first), b"first"
        )  # from here on there is a token that could leak
        upstream.fault("GET", f"/blobs/{second}", redirected(status, target_of(bucket)))
        assert_right(pull(gateway, second), LAYER)
        assert (
            upstream.seen("GET", f"/blobs/{second}")[-1]
            .header("Authorization")
            .startswith("Bearer ")
        )
        assert bucket.requests
        for request in bucket.requests:
            assert request.header("Authorization") is None and request.header("Cookie") is None
            assert request.query.get("signature") == ["a/b="]


def test_relative_redirects_are_followed(upstream, gateway):
    digest = upstream.add_blob("app", LAYER)
    upstream.add_blob("other", LAYER)
    upstream.fault("GET", "/v2/app/blobs/", redirected(307, f"../../other/blobs/{digest}"))
    assert_right(pull(gateway, digest), LAYER)


@pytest.mark.parametrize(
    "location", ["/v2/app/blobs/{0}", "file:///etc/passwd", "ftp://127.0.0.1/", "http://", ""]
)
def test_redirects_that_lead_nowhere(upstream, gateway, location):
    digest = upstream.add_blob("app", LAYER)
    loop = upstream.fault("GET", "/blobs/", redirected(302, location.format(digest)))
    answer = pull(gateway, digest)
    assert_unavailable(answer)
    assert 1 <= loop.used < 64
    upstream.heal()
    assert_right(pull(gateway, digest), LAYER)


# Upstream credentials and tokens.

CHALLENGES = {
    "usual": 'Bearer realm="{realm}",service="{service}",scope="{scope}"',
    "other order, spaces": 'Bearer scope="{scope}" ,  service="{service}" , realm="{realm}"',
    "any case": 'bEARER Realm="{realm}",SERVICE="{service}",Scope="{scope}"',
    "quoted commas": 'Bearer realm="{realm}",service="a, b=\\"c\\"",scope="{scope}",error="x, y"',
    "bare tokens": 'Bearer realm="{realm}",service=reg,scope="{scope}"',
    "several schemes": 'Negotiate, Digest realm="x, Bearer realm=y", nonce="n", '
    'Bearer realm="{realm}",service="{service}",scope="{scope}"',
    "no scope": 'Bearer realm="{realm}",service="{service}"',
    "no service": 'Bearer realm="{realm}",scope="{scope}"',
}


@pytest.mark.parametrize("challenge", CHALLENGES.values(), ids=CHALLENGES.keys())
@pytest.mark.parametrize("users", [{}, {USER: PASSWORD}], ids=["anonymous", "user"])
def test_challenges_of_any_shape(upstream, challenge, users):
    upstream.tokens = TokenService(users=users, challenge=challenge)
    upstream.add_image("team/app", "1", [LAYER])
    known = {"username": USER, "password": PASSWORD} if users else {}
    with serving(upstream, **known) as gateway:
        assert fetch(gateway, "/v2/team/app/manifests/1").status == 200
        assert_right(pull(gateway, digest_of(LAYER), "team/app"), LAYER)


def test_a_token_is_asked_once_and_reused(upstream):
    upstream.tokens = TokenService(users={USER: PASSWORD})
    layers = [patterned(50_000, seed) for seed in range(5)]
    upstream.add_image("app", "1", layers)
    upstream.add_image("other", "1", layers)
    with serving(upstream, username=USER, password=PASSWORD) as gateway:
        assert fetch(gateway, "/v2/app/manifests/1").status == 200
        for layer in layers:
            assert_right(pull(gateway, digest_of(layer)), layer)
        assert len(upstream.seen("*", "^/token$")) == 1
        assert (
            fetch(gateway, "/v2/other/manifests/1").status == 200
        )  # another repository, another token
        assert len(upstream.seen("*", "^/token$")) == 2


def test_a_token_refused_later_is_replaced(upstream):
    upstream.tokens = TokenService()
    first, second = patterned(50_000, 1), patterned(50_000, 2)
    for data in (first, second):
        upstream.add_blob("app", data)
    with serving(upstream) as gateway:
        assert_right(pull(gateway, digest_of(first)), first)
        upstream.tokens.issued.clear()
        assert_right(pull(gateway, digest_of(second)), second)


TOKEN_ANSWERS = {  # answer: whether it is one
    "only access_token": (lambda t: json.dumps({"access_token": t}).encode(), True),
    "no expiry": (lambda t: json.dumps({"token": t}).encode(), True),
    "over 64 KiB": (lambda t: json.dumps({"token": t, "filler": "f" * 70_000}).encode(), False),
    "HTML": (lambda t: HTML, False),
    "cut JSON": (lambda t: b'{"token": "' + t.encode(), False),
    "a token that breaks headers": (
        lambda t: json.dumps({"token": t + "\r\nX-Injected: 1"}).encode(),
        False,
    ),
    "a number for a token": (lambda t: b'{"token": 7}', False),
    "empty token": (lambda t: b'{"token": ""}', False),
}


@pytest.mark.parametrize("answer, good", TOKEN_ANSWERS.values(), ids=TOKEN_ANSWERS.keys())
def test_token_answers(upstream, gateway, answer, good):
    upstream.tokens = TokenService(answer=answer)
    digest = upstream.add_blob("app", LAYER)
    if good:
        assert_right(pull(gateway, digest), LAYER)
        return
    assert_problem(
        pull(gateway, digest), {401, 403, 502, 504}, {"UNAUTHORIZED", "DENIED", "UNAVAILABLE"}
    )
    assert not [r for r in upstream.requests if r.header("X-Injected")]
    upstream.tokens = TokenService()
    assert_right(pull(gateway, digest), LAYER)


def test_basic_only_upstream(upstream):
    upstream.tokens = TokenService(users={USER: PASSWORD}, challenge='basic realm="ECR, of a kind"')
    digest = upstream.add_blob("app", LAYER)
    with serving(upstream, username=USER, password=PASSWORD) as gateway:
        assert_right(pull(gateway, digest), LAYER)
        assert upstream.seen("GET", "/blobs/")[-1].header("Authorization") == basic(USER, PASSWORD)


def test_wrong_upstream_password_is_told_without_the_upstreams_challenge(upstream):
    upstream.tokens = TokenService(users={USER: PASSWORD})
    digest = upstream.add_blob("app", LAYER)
    with serving(upstream, username=USER, password="wrong-but-secret") as gateway:
        answer = pull(gateway, digest)
        assert_problem(answer, *REFUSALS[401])
        assert upstream.host not in (answer.header("WWW-Authenticate") or "")
        assert b"wrong-but-secret" not in answer.body
        assert "wrong-but-secret" not in gateway.stderr()
        assert_nothing_kept(gateway, digest)


def secrets_shown_to(collector: FaultyUpstream) -> list:
    told = [PASSWORD, basic(USER, PASSWORD).removeprefix("Basic "), "upstream-token"]
    return [
        r
        for r in collector.requests
        if r.header("Authorization") or any(s in repr(r) for s in told)
    ]


@pytest.mark.parametrize("scheme", ["bearer", "basic"])
def test_a_foreign_realm_collects_no_credentials(upstream, scheme):
    with FaultyUpstream(FOREIGN) as collector:
        collector.tokens = TokenService()
        upstream.tokens = TokenService(users={USER: PASSWORD}, realm=f"{collector.url}/token")
        digest = upstream.add_blob("app", LAYER)
        if scheme == "basic":  # a bucket that asks for a password
            upstream.tokens = None
            collector.tokens.challenge = 'Basic realm="give it to me"'
            collector.tokens.users = {"nobody": "nothing"}
            upstream.fault("GET", "/blobs/", redirected(307, target_of(collector)))
        with serving(upstream, username=USER, password=PASSWORD) as gateway:
            assert pull(gateway, digest).status >= 400
            assert secrets_shown_to(collector) == []
            assert_nothing_kept(gateway, digest)


def test_realms_that_only_look_like_ours(upstream):
    with FaultyUpstream(FOREIGN) as collector:
        collector.tokens = TokenService()
        digest = upstream.add_blob("app", LAYER)
        with serving(upstream, username=USER, password=PASSWORD) as gateway:
            for realm in (
                f"http://{upstream.host}@{collector.host}/token",
                f"http://{upstream.host}%40{collector.host}/token",
                f"http://{collector.host}\\@{upstream.host}/token",
                f"http://{collector.host}#@{upstream.host}/token",
                f"//{collector.host}/token",
            ):
                upstream.tokens = TokenService(users={USER: PASSWORD}, realm=realm)
                pull(gateway, digest)
                assert secrets_shown_to(collector) == [], realm


def test_a_configured_token_host_is_trusted(upstream):
    with FaultyUpstream(FOREIGN) as issuer:
        issuer.tokens = TokenService(users={USER: PASSWORD})
        upstream.tokens = TokenService(
            users={USER: PASSWORD}, realm=f"{issuer.url}/token", issued=issuer.tokens.issued
        )
        digest = upstream.add_blob("app", LAYER)
        with serving(upstream, username=USER, password=PASSWORD, token_hosts=[FOREIGN]) as gateway:
            assert_right(pull(gateway, digest), LAYER)
            assert issuer.seen("*", "^/token$")


HELPER = f"""#!{sys.executable}
import pathlib, sys
here = pathlib.Path(__file__).parent
with open(here / "asked", "a") as log:
    print(sys.argv[1], sys.stdin.read().strip(), file=log)
answer = here / "answer.json"
if not answer.exists():
    sys.exit("credentials not found in native keychain")
print(answer.read_text())
"""


@pytest.fixture
def credential_helper(tmp_path):
    """A docker credential helper: notes questions in `asked`, says what is in `answer.json`."""
    program, answer = tmp_path / "docker-credential-test", tmp_path / "answer.json"
    program.write_text(HELPER)
    program.chmod(0o755)
    answer.write_text(json.dumps({"ServerURL": "whatever", "Username": USER, "Secret": PASSWORD}))
    return program


def test_credentials_from_a_helper_program(upstream, credential_helper):
    upstream.tokens = TokenService(users={USER: PASSWORD})
    upstream.add_image("app", "1", [LAYER])
    with serving(upstream, credentials={"exec": [str(credential_helper), "get"]}) as gateway:
        assert fetch(gateway, "/v2/app/manifests/1").status == 200
        assert_right(pull(gateway, digest_of(LAYER)), LAYER)
    asked = (credential_helper.parent / "asked").read_text().splitlines()
    assert len(asked) == 1  # kept, not asked again for each request
    verb, server = asked[0].split(" ")
    assert verb == "get" and upstream.host in server


def test_a_helper_program_that_fails(upstream, credential_helper):
    (credential_helper.parent / "answer.json").unlink()
    upstream.tokens = TokenService(users={USER: PASSWORD})
    digest = upstream.add_blob("app", LAYER)
    with serving(upstream, credentials={"exec": [str(credential_helper), "get"]}) as gateway:
        # The operator's to mend, so the client learns no more than the id that is in the log.
        assert_problem(pull(gateway, digest), {500}, {"UNKNOWN"})
