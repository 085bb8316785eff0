# SPDX-License-Identifier: Apache-2.0
"""Signatures as a real S3 server sees them: Ceph's RGW checks every byte."""

import hashlib
from urllib.parse import urlsplit

import pytest
from testbed.presigner import Presigner, fetch

BUCKET = "sigv4"
ODD_KEYS = [
    "plain",
    "docker/registry/v2/blobs/sha256/ab/abcdef/data",
    "with space",
    "plus+plus",
    "percent%percent",
    "encoded%20already",
    "what?is=this&that",
    "frag#ment",
    "ünïcödé/日本語/😀",
    "double//slash",
    "/leading-slash",
    "trailing-slash/",
    ".leading-dot/..two",
    "reserved!*'();:@&=+$,/[]",
    'quotes"<>\\^`{|}',
    "tilde~-_.",
    "new\nline\ttab",
    "sha256:0123",
]


@pytest.fixture(scope="module")
def bucket(rgw):
    """A client of boto3; each key's content is the key."""
    import boto3
    client = boto3.client("s3", endpoint_url=rgw.endpoint, region_name="us-east-1",
                          aws_access_key_id=rgw.access_key,
                          aws_secret_access_key=rgw.secret_key)
    client.create_bucket(Bucket=BUCKET)
    for key in ODD_KEYS:
        client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
    return client


@pytest.fixture(scope="module")
def make_signer(rgw, bucket):
    made = []

    def make(endpoint=rgw.endpoint, secret_key=rgw.secret_key, **options):
        signer = Presigner(endpoint, BUCKET, rgw.access_key, secret_key, **options)
        made.append(signer)
        return signer

    yield make
    for signer in made:
        signer.__exit__()


@pytest.fixture(scope="module")
def signer(make_signer):
    return make_signer()


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_presigned_url_gets_the_object(signer, key):
    status, _, body = fetch(signer.presign(key.encode()))
    assert (status, body.decode()) == (200, key)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_signed_headers_get_the_object(signer, key):
    url, headers = signer.sign(key.encode())
    status, _, body = fetch(url, headers=headers)
    assert (status, body.decode()) == (200, key)


def test_a_range_may_be_added(signer):
    status, headers, body = fetch(signer.presign(b"plain"), headers={"Range": "bytes=1-2"})
    assert (status, body) == (206, b"la")
    assert headers["Content-Range"] == "bytes 1-2/5"


def test_the_answer_has_the_type_that_was_signed(signer):
    media_type = "application/vnd.oci.image.manifest.v1+json; a=b c"
    status, headers, _ = fetch(signer.presign(b"plain", response_content_type=media_type))
    assert (status, headers["Content-Type"]) == (200, media_type)


def test_a_url_is_for_one_method(signer):
    get, head = signer.presign(b"plain"), signer.presign(b"plain", method="HEAD")
    assert fetch(head, method="HEAD")[0] == 200
    assert fetch(get, method="HEAD")[0] == 403
    assert fetch(head)[0] == 403


def _tampered(url):
    signature = url[-64:]
    other_digit = "0" if signature[-1] != "0" else "1"
    return {
        "signature": url[:-1] + other_digit,
        "no signature": url[:url.rindex("&")],
        "key": url.replace("/plain?", "/with%20space?"),
        "expiry": url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"),
        "type": url.replace("text%2Fplain", "text%2Fhtml"),
        "one more parameter": url.replace("?", "?response-content-encoding=gzip&"),
        "access key": url.replace("X-Amz-Credential=T", "X-Amz-Credential=U"),
        "anonymous": url[:url.index("?")],
    }


@pytest.mark.parametrize("what", _tampered("https://h/plain?&" + "0" * 64))
def test_a_tampered_url_is_refused(signer, what):
    url = signer.presign(b"plain", response_content_type="text/plain")
    changed = _tampered(url)[what]
    assert changed != url
    assert fetch(url)[0] == 200
    status, _, body = fetch(changed)
    assert status == 403 and body != b"plain"


def test_a_url_ends(make_signer):
    past = make_signer(seconds_from_now=-100)
    assert fetch(past.presign(b"plain", expiry=160))[0] == 200
    assert fetch(past.presign(b"plain", expiry=90))[0] == 403


def test_a_wrong_secret_key_is_refused(make_signer):
    assert fetch(make_signer(secret_key="x" * 40).presign(b"plain"))[0] == 403


def test_requests_with_parameters_and_payload(signer, bucket):
    url, headers = signer.sign(b"", list_type=2, prefix="with ", delimiter="/+ &")
    status, _, body = fetch(url, headers=headers)
    assert status == 200 and b"<Key>with space</Key>" in body and b"percent" not in body
    empty = hashlib.sha256(b"").hexdigest()
    url, headers = signer.sign(b"made/empty one", method="PUT", payload_hash=empty)
    assert fetch(url, method="PUT", headers=headers)[0] == 200
    assert bucket.head_object(Bucket=BUCKET, Key="made/empty one")["ContentLength"] == 0
    headers["x-amz-date"] = headers["x-amz-date"][:-2] + (
        "1Z" if headers["x-amz-date"][-2] != "1" else "2Z")
    assert fetch(url, method="PUT", headers=headers)[0] == 403


@pytest.mark.parametrize("key", ODD_KEYS)
def test_virtual_host_style(rgw, make_signer, key):
    port = urlsplit(rgw.endpoint).port
    signer = make_signer(endpoint=f"http://{rgw.domain}:{port}", style="virtual-host")
    url = signer.presign(key.encode())
    assert url.startswith(f"http://{BUCKET}.{rgw.domain}:{port}/")
    status, _, body = fetch(url, address=("127.0.0.1", port))
    assert (status, body.decode()) == (200, key)
