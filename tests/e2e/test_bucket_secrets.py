# SPDX-License-Identifier: Apache-2.0
"""What opens a bucket is in no log, no error and no file: neither its keys, nor what is signed with
them, whether things go well or not."""

import base64
import json
import re
from urllib.parse import quote, quote_plus

import pytest
from testbed.bucket import NAME, Watch, bucket, configuration, keys, signed
from testbed.cache_command import run as cache_run
from testbed.fairlead import Fairlead, run
from testbed.http_request import fetch
from testbed.issuers import HmacIssuer
from testbed.pulling import IMPATIENT
from testbed.redirecting import ABSENT, BUCKET, held  # noqa: F401
from testbed.registry import Registry, s3_storage
from testbed.s3_proxy import S3Proxy, s3_error
from testbed.token_client import ACCEPT, bearer, blob, manifest
from testbed.upstream_faults import failing, hung_up, other_bytes
from testbed.wall_clock import WallClock

NEAR = "127.0.7.1"      # gets bytes from the gateway
HMAC = HmacIssuer(secret=b"an-hmac-secret-of-some-forty-characters!")
SESSION = "a/session+token=of-temporary-credentials"
# What every signed URL and header has, of whatever time.
SIGNS = (b"X-Amz-Signature", b"X-Amz-Credential", b"AWS4-HMAC-SHA256", b"x-amz-signature", b"Signature=")


def spellings(secret):
    raw = secret.encode()
    encoded = base64.b64encode(raw).rstrip(b"=")
    return {raw, encoded, quote(secret).encode(), quote_plus(secret).encode(),
            quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}


def found_in(data, secrets):
    return [what for what, secret in secrets.items()
            if any(spelling in data for spelling in spellings(secret))] + [
                sign for sign in SIGNS if sign in data]


def use(gateway, held, token):
    """Everything that is answered by, or needs, a signature; the answers."""
    answers = []
    for headers in ({}, bearer(token), bearer(token + "x")):
        for source in ("127.0.0.1", NEAR):
            for name in ("team/app", "handed/team/app", "no/such"):
                for target in (blob(name, held.layer.digest), blob(name, held.hidden.digest),
                               blob(name, ABSENT), manifest(name), manifest(name, held.team.digest),
                               manifest(name, "absent"), f"/v2/{name}/tags/list"):
                    for method in ("GET", "HEAD"):
                        answers.append(fetch(gateway.url, target, method=method, source=source,
                                             headers={"Accept": ACCEPT} | headers))
    answers.append(fetch(gateway.url, "/ready"))
    return answers


@pytest.mark.parametrize("level, manifests", [("debug", "redirect"), ("info", "inline")])
def test_no_secret_is_anywhere(rgw, held, tmp_path, level, manifests):
    clock = WallClock(tmp_path)
    storage = s3_storage(rgw.endpoint, BUCKET, rgw.access_key, rgw.secret_key)
    secrets = {"access key": rgw.access_key, "secret key": rgw.secret_key, "the HMAC secret":
               HMAC.secret.decode()}
    token = HMAC.token("ci")
    secrets["a JWT"] = token
    with S3Proxy(rgw.endpoint) as proxy, Registry(storage) as registry:
        settings = bucket(rgw, BUCKET, endpoint=proxy.url, public_endpoint=rgw.endpoint,
                          timeouts=IMPATIENT)
        config = configuration(
            settings, registry={"deliver": {"blobs": "redirect", "manifests": manifests},
                                "stream_to": [NEAR]},
            auth={"anonymous": [], "jwt": [HMAC.entry() | {"secret": "env:JWT_SECRET"}]},
            log={"level": level})
        config["registries"]["handed"] = {"url": registry.url, "deliver": "redirect"}
        config["routes"].append({"match": "handed/", "to": "handed/"})
        env = keys(rgw, JWT_SECRET=HMAC.secret.decode()) | clock.environment
        with Fairlead(config, env=env) as gateway:
            good = use(gateway, held, token)
            locations = [answer.headers["Location"] for answer in good if answer.headers["Location"]]
            assert len(locations) >= 3
            secrets |= {f"signature {number}": signed(location)["X-Amz-Signature"]
                        for number, location in enumerate(set(locations))}
            bad = []
            for fault in (s3_error(503, "SlowDown"), s3_error(403, "SignatureDoesNotMatch"),
                          s3_error(403, "InvalidAccessKeyId",
                                   f"<AWSAccessKeyId>{rgw.access_key}</AWSAccessKeyId>"),
                          s3_error(403, "RequestTimeTooSkewed"), hung_up(), failing(302), other_bytes()):
                proxy.fault("*", ".", fault)
                try:
                    bad += use(gateway, held, token)
                except Exception:   # an answer that is cut, as it should be
                    pass
                proxy.heal()
            clock.set(1)
            bad += use(gateway, held, HMAC.token("ci", exp=3 * 86400))
            clock.set(0)
            assert {200, 307, 401, 404, 502} <= {answer.status for answer in (*good, *bad)}

            gateway.wait_for_records(len(good))
            log = gateway.stderr().encode()
            assert found_in(log, secrets) == []
            assert rgw.endpoint.encode() + b"/" + BUCKET.encode() not in log
            for answer in (*good, *bad):
                told = answer.body + b"".join(
                    f"{name}: {value}\n".encode() for name, value in answer.headers.items()
                    if name != "Location")
                assert found_in(told, secrets) == [], (answer.status, told[:300])
                assert rgw.secret_key not in str(answer.headers)
                if answer.headers["Location"]:
                    assert answer.status == 307
            for path in gateway.cache_directory.rglob("*"):
                assert found_in(path.read_bytes() if path.is_file() else b"", secrets) == [], path
            for done in (run("check", "--config", gateway.config_path, env=env),
                         cache_run(gateway, "list", "--json", env=env),
                         cache_run(gateway, "stats", env=env), cache_run(gateway, "verify", env=env)):
                assert found_in((done.stdout + done.stderr).encode(), secrets) == []


@pytest.mark.parametrize("wrong", [
    {"layout": "other"}, {"layout": None}, {"endpoint": "not a URL"}, {"name": "UPPER/../case"},
    {"access_key": None}, {"session_token": "with a space"}, {"timeouts": {"connect": "soon"}}])
def test_mistakes_are_told_without_the_keys(rgw, tmp_path, wrong):
    settings = bucket(rgw, BUCKET, access_key="NOBODYSACCESSKEY0000",
                      secret_key="written/in+the/file") | wrong
    settings = {key: value for key, value in settings.items() if value is not None}
    path = tmp_path / "fairlead.yaml"
    path.write_text(json.dumps(configuration(settings)))
    done = run("check", "--config", path)
    told = done.stdout + done.stderr
    assert done.returncode == 1 and re.search(r"bucket", told), told
    assert "written/in+the/file" not in told
    assert NAME in told


def test_keys_that_are_written_in_the_file(rgw, held):
    """Also of temporary credentials: RGW knows no such token, and S3 says it back."""
    secrets = {"secret": rgw.secret_key, "access": rgw.access_key, "session": SESSION}
    settings = bucket(rgw, BUCKET, access_key=rgw.access_key, secret_key=rgw.secret_key,
                      session_token=SESSION)
    with Fairlead(configuration(settings, log={"level": "debug"})) as gateway:
        watch = Watch(rgw)
        for target in (blob("team/app", held.layer.digest), manifest("team/app")):
            answer = fetch(gateway.url, target, headers={"Accept": ACCEPT})
            assert found_in(answer.body, secrets) == []
        assert watch.by_fairlead(), "nobody was asked"
        assert found_in(gateway.stderr().encode(), secrets) == []
        assert found_in(fetch(gateway.url, "/ready").body, secrets) == []
        done = run("check", "--config", gateway.config_path)
        assert found_in((done.stdout + done.stderr).encode(), secrets) == []
