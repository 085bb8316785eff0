# SPDX-License-Identifier: Apache-2.0
"""`fairlead token issue | inspect`: what is issued works with real clients, and no further than it
says; what inspect says of a token is what the gateway does with it."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from testbed import fairlead as program
from testbed.certificates import write_private_key
from testbed.checks import assert_error
from testbed.clients import Skopeo, missing_reason
from testbed.fairlead import Fairlead
from testbed.http_request import basic, fetch
from testbed.images import OCI_INDEX, sha256
from testbed.waiting import wait_until

SECRET = "a secret of forty bytes, more than needed"
MANIFEST = "/v2/team/app/manifests/1.0"
ACCEPT = {"Accept": OCI_INDEX}


def write_pair(directory, name, key):
    """A private key in `name`.key, its public one in `name`.pem."""
    write_private_key(key, directory / f"{name}.key")
    (directory / f"{name}.pem").write_bytes(key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    directory = tmp_path_factory.mktemp("keys")
    write_pair(directory, "rsa", rsa.generate_private_key(65537, 2048))
    write_pair(directory, "ec", ec.generate_private_key(ec.SECP256R1()))
    write_pair(directory, "foreign", rsa.generate_private_key(65537, 2048))
    return directory


@pytest.fixture(scope="module")
def gateway(upstreams, keys):
    """Nobody may anything without a token; clocks agree to the second."""
    upstream = upstreams["open"]
    jwt = [{"algorithm": "RS256", "key": str(keys / "rsa.pem"), "issuer": "ci.example",
            "audience": "registry", "kid": "2026"},
           {"algorithm": "HS256", "secret": SECRET, "issuer": "ops", "skew": "0s"},
           {"algorithm": "ES256", "key": str(keys / "ec.pem")}]
    rules = [{"who": "auditor", "repositories": ["**"], "actions": ["pull"]}]
    with Fairlead(upstream.config(
            auth={"anonymous": [], "jwt": jwt, "rules": rules},
            routes=[{"match": "", "to": "upstream.test/"}])) as fairlead:
        yield fairlead


def token(gateway, verb, *arguments, stdin=""):
    return program.run("token", verb, "--config", gateway.config_path, *arguments, stdin=stdin)


def issue(gateway, *arguments):
    done = token(gateway, "issue", *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    issued, = done.stdout.splitlines()
    return issued


def inspect(gateway, text, accepted):
    done = token(gateway, "inspect", "--json", stdin=text + "\n")
    assert done.returncode == (0 if accepted else 1), done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["accepted"] == accepted
    return report


def get(gateway, authorization, target=MANIFEST, method="GET"):
    return fetch(gateway.url, target, method=method,
                 headers={"Authorization": authorization, **ACCEPT})


KINDS = {
    "sealed": lambda keys: ["--sealed"],
    "HS256": lambda keys: [],
    "RS256": lambda keys: ["--key", keys / "rsa.key", "--algorithm", "RS256", "--kid", "2026"],
    "ES256": lambda keys: ["--key", keys / "ec.key", "--algorithm", "ES256"],
}


@pytest.fixture(params=KINDS)
def kind(request, keys):
    """The arguments that make a token of one kind."""
    return KINDS[request.param](keys)


@pytest.mark.parametrize("repository", ["team/app", "team/**", "team/", "**"])
def test_what_is_issued_opens_what_it_names(gateway, pushed, kind, repository):
    issued = issue(gateway, "--subject", "ci", "--repository", repository, *kind)
    assert get(gateway, f"Bearer {issued}").digest == pushed.multi_arch.digest
    # docker, with it as the password
    assert get(gateway, basic("ci", issued)).digest == pushed.multi_arch.digest
    # podman --creds "<token>:..."
    assert get(gateway, basic("<token>", issued)).digest == pushed.multi_arch.digest
    report = inspect(gateway, issued, accepted=True)
    assert report["caller"]["name"] == "ci"
    assert report["access"][0]["actions"] == "pull"


@pytest.mark.parametrize("repository", ["team/ap", "team/app/web/**", "tea/**", "other/**"])
def test_and_nothing_else(gateway, kind, repository):
    issued = issue(gateway, "--subject", "ci", "--repository", repository, *kind)
    for authorization in (f"Bearer {issued}", basic("ci", issued)):
        answer = get(gateway, authorization)
        assert answer.status in (401, 403)
        assert_error(answer, answer.status, "UNAUTHORIZED", "DENIED")
    # It is good, and says nothing of this repository.
    inspect(gateway, issued, accepted=True)
    assert get(gateway, f"Bearer {issued}", "/v2/").status == 200


def test_skopeo_pulls_with_it(gateway, pushed, kind):
    if reason := missing_reason(Skopeo.programs):
        pytest.skip(reason)
    issued = issue(gateway, "--repository", "team/app", *kind)
    source = f"{gateway.host}/team/app:1.0"
    with Skopeo() as skopeo:
        for option in (f"--src-creds=ci:{issued}", f"--src-registry-token={issued}"):
            directory = skopeo.copy(source, "--src-tls-verify=false", option)
            assert sha256((directory / "manifest.json").read_bytes()) == pushed.multi_arch.digest
        other = issue(gateway, "--repository", "team/other", *kind)
        with pytest.raises(Exception, match="(?i)denied|unauthorized|authentication required"):
            skopeo.copy(source, "--src-tls-verify=false", f"--src-creds=ci:{other}")


def test_without_repositories_the_rules_decide(gateway, kind):
    auditor = issue(gateway, "--subject", "auditor", *kind)
    assert get(gateway, f"Bearer {auditor}").status == 200
    assert get(gateway, basic("auditor", auditor)).status == 200
    somebody = issue(gateway, "--subject", "somebody", *kind)
    assert get(gateway, f"Bearer {somebody}").status == 403
    assert inspect(gateway, somebody, accepted=True)["access"] is None


def test_it_is_refused_when_its_time_is_over(gateway):
    for arguments in ([], ["--sealed"]):
        issued = issue(gateway, "--repository", "team/app", "--lifetime", "2s", *arguments)
        wait_until(lambda: token(gateway, "inspect", stdin=issued).returncode == 1,
                   "the token to expire", 10)
        report = inspect(gateway, issued, accepted=False)
        assert "expired" in report["why_not"]
        assert report["access"][0]["name"] == "team/app"
        answer = get(gateway, f"Bearer {issued}")
        assert_error(answer, 401, "UNAUTHORIZED")
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
        assert_error(get(gateway, basic("ci", issued)), 401, "UNAUTHORIZED")


def with_claims(issued, **changed):
    """The token with other claims, under its old signature."""
    header, claims, signature = issued.split(".")
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    text = base64.urlsafe_b64encode(json.dumps({**claims, **changed}).encode()).decode()
    return ".".join([header, text.rstrip("="), signature])


def test_what_was_tampered_with_or_is_foreign_is_refused(gateway, keys):
    wanted = ["--subject", "ci", "--repository", "team/app"]
    sealed = issue(gateway, *wanted, "--sealed")
    cut = len(sealed) // 2
    jwt = issue(gateway, *wanted)
    with Fairlead({"auth": {"keys": ["ab" * 32]}}) as elsewhere:
        other_key = issue(elsewhere, *wanted, "--sealed")
    foreign = token(gateway, "issue", *wanted, "--key", keys / "foreign.key",
                    "--algorithm", "RS256", "--issuer", "ci.example", "--audience", "registry")
    assert "no entry of auth.jwt has this key" in foreign.stderr
    for text, why in [
        (sealed[:cut] + ("A" if sealed[cut] != "A" else "B") + sealed[cut + 1:], ""),
        (other_key, "no key that is known here"),
        (with_claims(jwt, sub="root"), "signature is wrong"),
        (foreign.stdout.strip(), "signature is wrong"),
        ("eyJhbGciOiJub25lIn0.e30.e30", "algorithm is not accepted"),
    ]:
        assert why in inspect(gateway, text, accepted=False)["why_not"]
        assert get(gateway, f"Bearer {text}").status == 401, text


def test_inspect_takes_a_token_from_the_command_line_or_from_standard_input(gateway):
    issued = issue(gateway, "--subject", "ci", "--repository", "team/**", "--sealed")
    for arguments, stdin in (((issued,), ""), (("-",), issued), ((), f" {issued}\r\n")):
        done = token(gateway, "inspect", *arguments, stdin=stdin)
        assert done.returncode == 0
        assert "who         ci," in done.stdout
        assert "gives       team and all below it: pull" in done.stdout
        assert done.stdout.endswith("accepted    yes\n")
    done = token(gateway, "inspect", "no token at all")
    assert done.returncode == 1
    assert "neither a JWT nor a sealed token" in done.stdout
    done = token(gateway, "inspect")
    assert (done.returncode, done.stdout) == (1, "")
    assert "see what is on a command line" in program.run("token", "inspect", "--help").stdout


def test_a_sealed_token_needs_the_gateways_key(tmp_path):
    """None is made: the gateway's own user could perhaps not read it."""
    done = program.run("token", "issue", "--sealed", "--subject", "ci", "--cache-directory", tmp_path)
    assert done.returncode == 1
    assert "the gateway makes it when it starts" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments, why", [
    ([], "--subject"),
    (["--repository", "Team"], "no name of a repository"),
    (["--repository", "a", "--repository", "b/**"], "both exact names and subtrees"),
    (["--repository", "b/**", "--form", "distribution"], "exact names only"),
    (["--subject", "ci", "--lifetime", "60"], "has no unit"),
    (["--subject", "ci", "--sealed", "--audience", "a"], "--audience is of JWTs"),
    (["--subject", "ci", "--sealed", "--key", "k"], "--key is of JWTs"),
    (["--subject", "ci", "--key", "/nowhere", "--algorithm", "RS256"], "/nowhere"),
    (["--subject", "ci", "--algorithm", "RS256"], "no secret of auth.jwt"),
])
def test_nonsense_is_refused_in_words(gateway, arguments, why):
    done = token(gateway, "issue", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert why in done.stderr
