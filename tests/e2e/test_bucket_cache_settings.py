# SPDX-License-Identifier: Apache-2.0
"""How the cache's bucket is written down: in the file, in the environment, and badly."""

import re

import pytest
from testbed import fairlead as program
from testbed.cache_bucket import blob_key
from testbed.fairlead import Fairlead
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import serving
from testbed.redirects import pull_image, pull_right
from testbed.upstream_faults import digest_of, patterned
from testbed.waiting import wait_until

SECRET = "s3cret/key+of/some/forty/characters/long"

GOOD = """\
cache:
  directory: /tmp/of-no-use
  s3:
    name: cache
    endpoint: "http://127.0.0.1:7480"
    public_endpoint: "https://s3.example.com"
    region: us-east-1
    path_style: true
    access_key: AKIDEXAMPLE
    secret_key: s3cret/key+of/some/forty/characters/long
    root: /fairlead
    max_size: 1TiB
    max_age: 30d
    scrub: 90d
    presign_expiry: 20m
    timeouts: {connect: 1s, first_byte: 2s, stall: 3s}
"""

# What stands in place of a line, or is added, and the key that is then told beside that line.
BAD = {
    "endpoint with a path": ("endpoint:", "endpoint: https://s3.example.com/cache", "endpoint"),
    "endpoint of another scheme": ("endpoint:", "endpoint: s3://cache", "endpoint"),
    "endpoint with a query": ("endpoint:", "endpoint: https://s3.example.com?a=b", "endpoint"),
    "endpoint with a login": ("endpoint:", "endpoint: https://me:pw@s3.example.com", "endpoint"),
    "public endpoint with a path": ("public_endpoint:",
                                    "public_endpoint: https://cdn.example.com/x", "public_endpoint"),
    "no region": ("region:", "region: US East", "region"),
    "path style": ("path_style:", "path_style: sometimes", "path_style"),
    "size": ("max_size:", "max_size: lots", "max_size"),
    "age": ("max_age:", "max_age: -1d", "max_age"),
    "scrub": ("scrub:", "scrub: often", "scrub"),
    "expiry of nothing": ("presign_expiry:", "presign_expiry: 0s", "presign_expiry"),
    "expiry below a second": ("presign_expiry:", "presign_expiry: 10ms", "presign_expiry"),
    "expiry above 7 days": ("presign_expiry:", "presign_expiry: 169h", "presign_expiry"),
    "timeouts": ("timeouts:", "timeouts: {connect: soon}", "timeouts.connect"),
    "layout": ("root:", "layout: oci", "layout"),
    "unknown key": ("root:", "bucket: cache", "bucket"),
    "secret of a variable that is not set": ("secret_key:", "secret_key: env:NOT_SET_AT_ALL",
                                             "secret_key"),
}
# Of several lines together: the line may be that of the section.
BAD_TOGETHER = {
    "missing name": ("name: cache", ""),
    "empty name": ("name: cache", 'name: ""'),
    "name that is too short": ("name: cache", "name: ab"),
    "name with a slash": ("name: cache", "name: cache/fairlead"),
    "name with a space": ("name: cache", 'name: "my cache"'),
    "access key alone": (f"secret_key: {SECRET}", ""),
    "secret key alone": ("access_key: AKIDEXAMPLE", ""),
}


def check(tmp_path, text, env=None):
    path = tmp_path / "fairlead.yaml"
    path.write_text(text)
    done = program.run("check", "--config", path, env=env)
    problems = re.findall(rf"^{re.escape(str(path))}:(\d+): ([\w.\[\]]+): (.+)$", done.stderr,
                          re.MULTILINE)
    assert SECRET not in done.stdout + done.stderr
    return done, [(int(line), key, words) for line, key, words in problems]


def number_of(text, beginning):
    return next(number for number, line in enumerate(text.splitlines(), 1)
                if line.strip().startswith(beginning))


def test_a_good_bucket(tmp_path):
    done, problems = check(tmp_path, GOOD)
    assert (done.returncode, problems) == (0, []), done.stderr


def test_the_least_there_can_be(tmp_path):
    done, _ = check(tmp_path, "cache: {directory: /tmp/x, s3: {name: cache}}\n")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("what", BAD)
def test_a_bad_value_is_told_with_its_line_and_key(tmp_path, what):
    beginning, instead, key = BAD[what]
    text = re.sub(rf"^    {re.escape(beginning)}.*$", lambda _: f"    {instead}", GOOD,
                  flags=re.MULTILINE)
    assert text != GOOD
    done, problems = check(tmp_path, text)
    assert done.returncode == 1
    assert [(line, name) for line, name, _ in problems] == [
        (number_of(text, instead), f"cache.s3.{key}")], done.stderr


@pytest.mark.parametrize("what", BAD_TOGETHER)
def test_values_that_do_not_go_together(tmp_path, what):
    old, new = BAD_TOGETHER[what]
    text = "\n".join(line for line in GOOD.replace(old, new).splitlines() if line.strip())
    done, problems = check(tmp_path, text)
    assert done.returncode == 1
    near = {number_of(text, "s3:"), number_of(text, "s3:") + 1}
    near |= {number_of(text, new)} if new else set()
    assert problems, done.stderr
    for line, key, _ in problems:
        assert line in near and key in ("cache.s3", "cache.s3.name"), done.stderr


def test_an_unknown_key_is_told_with_the_nearest(tmp_path):
    done, _ = check(tmp_path, GOOD.replace("public_endpoint:", "public_endpont:"))
    assert done.returncode == 1
    assert "did you mean public_endpoint?" in done.stderr


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    text = GOOD.replace("presign_expiry: 20m", "presign_expiry: 8d").replace(
        "max_size: 1TiB", "max_size: big").replace("path_style: true", "path_style: 3")
    _, problems = check(tmp_path, text)
    assert [key for _, key, _ in problems] == [
        f"cache.s3.{key}" for key in ("path_style", "max_size", "presign_expiry")]


@pytest.mark.parametrize("deliver, key", [
    ("deliver: sometimes", "deliver"), ("deliver: {blobs: inline}", "deliver.blobs"),
    ("deliver: {manifests: stream}", "deliver.manifests"), ("deliver: {layers: redirect}",
                                                            "deliver.layers"),
    ("stream_to: [10.0.0.0/33]", "stream_to"), ("stream_to: [example.com]", "stream_to")])
def test_a_bad_way_to_deliver(tmp_path, deliver, key):
    registry = f"registries:\n  corp:\n    url: https://corp.example\n    {deliver}\n"
    done, problems = check(tmp_path, registry)
    assert done.returncode == 1
    (line, name, _), = problems
    assert line == 4 and name.startswith(f"registries.corp.{key}"), done.stderr
    route = f"routes:\n  - match: a/\n    to: docker.io/\n    {deliver}\n"
    done, problems = check(tmp_path, route)
    (line, name, _), = problems
    assert line == 4 and name.startswith("routes") and key in name, done.stderr


# The environment.


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.add_image("app", "1", [patterned(100_000, seed=1)])
        yield server


def variables(bucket, **more):
    return {f"FAIRLEAD_CACHE_S3_{name.upper()}": value
            for name, value in (bucket.settings() | more).items()}


def test_the_whole_bucket_from_the_environment(upstream, cache_bucket):
    env = variables(cache_bucket, path_style="true", root="/from/env", max_size="10GiB",
                    max_age="30d")
    with serving(upstream, env=env, deliver="redirect") as gateway:
        image = pull_image(gateway, "1")
        wait_until(lambda: {blob_key(digest, "from/env") for digest in image}
                   <= set(cache_bucket.keys()), "the uploads", 30, 0.05)
        answer = pull_right(gateway, digest_of(patterned(100_000, seed=1)))
        assert answer.header("Location", "").startswith(cache_bucket.endpoint + "/")


def test_the_environment_comes_before_the_file(upstream, cache_bucket):
    env = {"FAIRLEAD_CACHE_S3_NAME": cache_bucket.name, "FAIRLEAD_CACHE_S3_ROOT": "/env"}
    s3 = cache_bucket.settings(name="of-the-file", root="/file")
    with serving(upstream, {"s3": s3}, env=env) as gateway:
        image = pull_image(gateway, "1")
        wait_until(lambda: len(cache_bucket.keys("env/blobs/")) == len(image), "the uploads", 30)


@pytest.mark.parametrize("where", ["file", "environment"])
def test_credentials_as_other_programs_have_them(upstream, cache_bucket, rgw, where):
    env = {"AWS_ACCESS_KEY_ID": rgw.access_key, "AWS_SECRET_ACCESS_KEY": rgw.secret_key}
    if where == "file":
        s3 = {"s3": cache_bucket.settings(access_key=None, secret_key=None)}
    else:
        s3 = None
        found = variables(cache_bucket)
        env |= {name: value for name, value in found.items() if not name.endswith("_KEY")}
    with serving(upstream, s3, env=env, deliver="redirect") as gateway:
        image = pull_image(gateway, "1")
        cache_bucket.wait_for(*image)
        assert pull_image(gateway, "1") == image


def test_keys_of_variables_that_the_file_names(upstream, cache_bucket, rgw):
    s3 = cache_bucket.settings(access_key="env:MY_ACCESS", secret_key="env:MY_SECRET")
    env = {"MY_ACCESS": rgw.access_key, "MY_SECRET": rgw.secret_key}
    with serving(upstream, {"s3": s3}, env=env) as gateway:
        cache_bucket.wait_for(*pull_image(gateway, "1"))


@pytest.mark.parametrize("name, value", [("ENDPOINT", "https://s3.example.com/x"),
                                         ("MAX_SIZE", "lots"), ("PATH_STYLE", "perhaps")])
def test_a_bad_variable_is_told_by_its_name(tmp_path, name, value):
    env = {"FAIRLEAD_CACHE_S3_NAME": "cache", f"FAIRLEAD_CACHE_S3_{name}": value}
    done, _ = check(tmp_path, "log: {level: info}\n", env)
    assert done.returncode == 1
    assert f"FAIRLEAD_CACHE_S3_{name}: " in done.stderr


def test_serve_refuses_what_check_refuses(tmp_path):
    config = {"cache": {"s3": {"name": "cache", "endpoint": "https://s3.example.com/x",
                               "access_key": "AKID", "secret_key": SECRET}}}
    with Fairlead(config, ready=False) as gateway:
        assert gateway.wait() == 1
        assert "cache.s3.endpoint" in gateway.stderr() and SECRET not in gateway.stderr()
