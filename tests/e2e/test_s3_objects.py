# SPDX-License-Identifier: Apache-2.0
"""The client of S3 before a real server: Ceph's RGW."""

import time

import pytest
from testbed.object_tool import ObjectError, ObjectTool
from testbed.presigner import fetch
from testbed.wall_clock import WallClock

BUCKET = "objects"
MIB = 1 << 20
ODD_KEYS = sorted(key.encode() for key in [
    "odd/with space", "odd/plus+plus", "odd/percent%25", "odd/ünïcödé/日本語/😀", "odd/a//b",
    "odd/what?is=this&that#now", "odd/<&>\"'", "odd/new\nline\ttab", "odd/../dots/.", "odd/~-_.",
])


@pytest.fixture(scope="module")
def make_tool(rgw):
    rgw.make_bucket(BUCKET)
    made = []

    def make(bucket=BUCKET, secret_key=rgw.secret_key, access_key=rgw.access_key, **options):
        made.append(ObjectTool(rgw.endpoint, bucket, access_key, secret_key, **options))
        return made[-1]

    yield make
    for tool in made:
        tool.__exit__()


@pytest.fixture(scope="module")
def tool(make_tool):
    return make_tool()


@pytest.fixture(scope="module")
def odd(tool):
    for key in ODD_KEYS:
        tool.ask("put", key, key, "text/plain", "")


def listed(tool, prefix, delimiter="", after="", size=1000):
    """All pages: the names, and how many pages there were."""
    names, continuation, pages = [], b"", 0
    while pages == 0 or continuation:
        continuation, *rest = tool.ask("list", prefix, delimiter, after, continuation, size)
        names += rest[::2]
        pages += 1
    return names, pages


def test_a_small_object(tool):
    tool.ask("put", "small/a", b"0123456789", "application/vnd.test+json", "writing-1")
    size, media_type, etag, writing, modified = tool.ask("head", "small/a")
    assert (size, media_type, writing) == (b"10", b"application/vnd.test+json", b"writing-1")
    assert etag.startswith(b'"') and abs(int(modified) - time.time()) < 60
    assert tool.ask("text", "small/a", 10) == [b"0123456789"]
    assert tool.ask("get", "small/a", 0, "") == [b"10", b"0123456789"]
    assert tool.ask("get", "small/a", 3, "") == [b"10", b"3456789"]
    assert tool.ask("get", "small/a", 3, 4) == [b"10", b"3456"]
    assert tool.ask("get", "small/a", 8, 100) == [b"10", b"89"]
    for question in (("text", "small/a", 9), ("get", "small/a", 10, "")):
        with pytest.raises(ObjectError, match="too large|corrupt"):
            tool.ask(*question)
    tool.ask("remove", "small/a")
    tool.ask("remove", "small/a")
    for question in (("head", "small/a"), ("get", "small/a", 0, ""), ("text", "small/a", 9)):
        with pytest.raises(ObjectError, match="not found: the bucket objects: it has no small/a"):
            tool.ask(*question)


def test_an_empty_object(tool):
    tool.ask("put", "empty", b"", "", "w")
    assert tool.ask("head", "empty")[0] == b"0"
    assert tool.ask("get", "empty", 0, "") == tool.ask("get", "empty", 0, 5) == [b"0", b""]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys(tool, odd, key):
    assert tool.ask("text", key, 1000) == [key]
    status, headers, body = fetch(tool.ask("presign", key, "application/x-y; a=b c", 60)[0].decode())
    assert (status, headers["Content-Type"], body) == (200, "application/x-y; a=b c", key)


@pytest.mark.parametrize("size, pages", [(1000, 1), (3, 4)])
def test_a_listing(tool, odd, size, pages):
    assert listed(tool, "odd/", size=size) == (ODD_KEYS, pages)
    assert listed(tool, "odd/", after=ODD_KEYS[2], size=1000)[0] == ODD_KEYS[3:]
    short = {key if key.count(b"/") == 1 else b"/".join(key.split(b"/")[:2]) + b"/"
             for key in ODD_KEYS}
    assert sorted(listed(tool, "odd/", "/", size=size)[0]) == sorted(short)
    assert listed(tool, "none/", size=size) == ([], 1)


def test_an_upload_in_parts(tool):
    key = "parts/+ ü"
    upload, = tool.ask("begin", key, "application/x-blob", "mine")
    etags = [tool.ask("part", key, upload, 1, b"a" * 1024, 5 * 1024)[0],
             tool.ask("part", key, upload, 2, b"b" * 1024, 20 * 1024)[0],
             tool.ask("part", key, upload, 3, b"end", 1)[0]]
    assert tool.ask("unfinished", "parts/") == [key.encode(), upload]
    assert tool.ask("unfinished", "elsewhere/") == []
    with pytest.raises(ObjectError, match="not found"):
        tool.ask("head", key)
    tool.ask("complete", key, upload, *etags)
    size, media_type, _, writing, _ = tool.ask("head", key)
    assert (int(size), media_type, writing) == (25 * MIB + 3, b"application/x-blob", b"mine")
    assert tool.ask("get", key, 5 * MIB - 1, 2)[1] == b"ab"
    whole = tool.ask("get", key, 0, "")[1]
    assert whole == b"a" * 5 * MIB + b"b" * 20 * MIB + b"end"
    assert tool.ask("unfinished", "parts/") == []


def test_an_upload_that_is_given_up(make_tool):
    tool = make_tool()
    upload, = tool.ask("begin", "given-up", "", "")
    etag, = tool.ask("part", "given-up", upload, 1, b"x", 1)
    tool.ask("abort", "given-up", upload)
    tool.ask("abort", "given-up", upload)
    assert tool.ask("unfinished", "given-up") == []
    with pytest.raises(ObjectError, match="not found|InternalError"):    # the latter from Ceph
        tool.ask("complete", "given-up", upload, etag)


def test_parts_that_are_too_small(tool):
    upload, = tool.ask("begin", "tiny", "", "")
    etags = [tool.ask("part", "tiny", upload, number, b"x", 1)[0] for number in (1, 2)]
    with pytest.raises(ObjectError, match="EntityTooSmall"):
        tool.ask("complete", "tiny", upload, *etags)
    tool.ask("abort", "tiny", upload)


@pytest.mark.parametrize("question", [("head", "x"), ("get", "x", 0, ""), ("put", "x", "", "", ""),
                                      ("list", "", "", "", "", 1), ("begin", "x", "", "")])
@pytest.mark.parametrize("options, code, words", [
    ({"secret_key": "x" * 40}, "unauthorized", "`secret_key` is not that of the access key"),
    ({"access_key": "NOBODY"}, "unauthorized", "does not know the access key"),
    ({"bucket": "missing"}, "invalid argument", "there is no such bucket"),
])
def test_what_is_wrong_is_said(make_tool, question, options, code, words):
    tool = make_tool(**options)
    if options.get("bucket") and question[0] == "head":
        code, words = "not found", "it has no x"        # all that a HEAD can tell
    with pytest.raises(ObjectError, match=words) as caught:
        tool.ask(*question)
    assert caught.value.code == code
    assert caught.value.context.startswith(f"the bucket {options.get('bucket', BUCKET)}: ")
    assert "x" * 40 not in caught.value.context
    if code != "not found":
        assert tool.ask("trouble") == [caught.value.context.encode()]


@pytest.mark.parametrize("days, words", [(1, "24 hours ahead of"), (-3, "3 days behind")])
@pytest.mark.parametrize("question", [("head", "x"), ("text", "x", 10)])
def test_a_wrong_clock(make_tool, tmp_path, days, words, question):
    clock = WallClock(tmp_path)
    clock.set(days)
    with pytest.raises(ObjectError, match=f"this machine's clock is {words} S3's.*set the clock"):
        make_tool(env=clock.environment).ask(*question)


def test_no_server(make_tool):
    with ObjectTool("http://127.0.0.1:1", BUCKET, "a", "b") as tool:
        for _ in range(2):
            with pytest.raises(ObjectError, match="unavailable: the bucket objects: no connection"):
                tool.ask("head", "x")
