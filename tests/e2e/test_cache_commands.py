# SPDX-License-Identifier: Apache-2.0
"""`fairlead cache stats | list | purge | verify`, beside a running gateway and without one."""

import contextlib
import datetime
import json
import os
import pty
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from testbed import fairlead as program
from testbed import stored
from testbed.cache_command import cache, run
from testbed.faulty_upstream import FaultyUpstream
from testbed.pulling import assert_right, manifest, pull, pull_image, serving
from testbed.upstream_faults import digest_of, held_at, patterned
from testbed.waiting import wait_until

SHARED, OWN, OTHER = (patterned(50_000, seed=seed) for seed in range(3))
COMMANDS = {"stats": [], "list": [], "verify": [], "purge": ["up/**"]}

every_command = pytest.mark.parametrize("command", COMMANDS)


@pytest.fixture
def upstream():
    with FaultyUpstream() as server:
        server.app = server.add_image("team/app", "1", [SHARED, OWN])
        server.tool = server.add_image("team/tool", "2.0", [SHARED, OTHER])
        yield server


@pytest.fixture(params=["running", "stopped"])
def gateway(request, upstream):
    """A gateway with the two images, or what it left."""
    with serving(upstream) as started:
        for _ in range(2):
            started.parts = {"app": pull_image(started, "1", "team/app"),
                             "tool": pull_image(started, "2.0", "team/tool")}
        started.wait_until_idle()
        if request.param == "stopped":
            started.terminate()
            assert started.wait() == 0
        yield started


def start_where_stopped(gateway):
    if not gateway.is_running:
        gateway.start()


def on_a_terminal(*arguments):
    """The exit code of a command and what a terminal got from it."""
    ours, theirs = pty.openpty()
    done = subprocess.run([program.binary(), *map(str, arguments)], stdin=subprocess.DEVNULL,
                          stdout=theirs, stderr=theirs, timeout=30)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # what a terminal says at its end
        while piece := os.read(ours, 65536):
            shown += piece
    os.close(ours)
    return done.returncode, shown


# What is there.


def test_stats(gateway):
    found = cache(gateway, "stats")
    contents = stored.files(gateway.cache_directory)
    assert found["contents"] == len(contents) == 7  # 2 manifests, 2 configs, 3 layers
    assert found["bytes"] == sum(path.stat().st_size for path in contents.values())
    assert (found["manifests"], found["tags"], found["repositories"]) == (2, 2, 2)


def test_stats_for_people(gateway):
    done = run(gateway, "stats")
    assert done.returncode == 0
    assert "7" in done.stdout.split()
    assert "KiB" in done.stdout or "bytes" in done.stdout


def test_stats_show_the_limit_and_the_share_of_it(gateway):
    gateway.set_cache(max_size="1MiB")
    used = cache(gateway, "stats")["bytes"]
    shown = run(gateway, "stats").stdout
    assert "1.0 MiB" in shown
    assert f"{100 * used / 2**20:.1f} %" in shown
    gateway.set_cache(max_size=0)
    assert "%" not in run(gateway, "stats").stdout


def test_list(gateway, upstream):
    found = {entry["repository"]: entry for entry in cache(gateway, "list") if entry["tag"]}
    assert set(found) == {"team/app", "team/tool"}
    for repository, tag, digest, layers in (("team/app", "1", upstream.app, SHARED + OWN),
                                            ("team/tool", "2.0", upstream.tool, SHARED + OTHER)):
        entry = found[repository]
        assert (entry["registry"], entry["tag"], entry["digest"]) == ("up", tag, digest)
        assert 0 < entry["size"] <= len(layers) + 2000
        assert_recent(entry["last_use"])


def assert_recent(moment):
    if isinstance(moment, str):
        used = datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()
    else:
        used = moment
    now = datetime.datetime.now().timestamp()
    assert now - 300 < used <= now + 5


@pytest.mark.parametrize("pattern, repositories", [
    ("up/team/app", {"team/app"}), ("up/team/*", {"team/app", "team/tool"}),
    ("up/**:2.*", {"team/tool"}), ("up/team/app:2*", set()), ("other/**", set())])
def test_list_of_some(gateway, pattern, repositories):
    found = cache(gateway, "list", pattern)
    assert {entry["repository"] for entry in found if entry["tag"]} == repositories


def test_list_for_people(gateway):
    done = run(gateway, "list")
    assert done.returncode == 0
    assert "up/team/app" in done.stdout and "up/team/tool" in done.stdout
    assert "\x1b" not in done.stdout, "colours into a pipe"


def test_list_on_a_terminal_has_a_header(gateway):
    code, shown = on_a_terminal("cache", "list", "--config", gateway.config_path)
    assert code == 0
    assert shown.splitlines()[0].split() == [b"LAST", b"USE", b"SIZE", b"IMAGE"]
    assert "IMAGE" not in run(gateway, "list").stdout


# Throwing away.


def test_purge_leaves_what_others_use(gateway, upstream):
    parts = gateway.parts
    goes = parts["app"] - parts["tool"]
    size = sum(stored.files(gateway.cache_directory)[digest].stat().st_size for digest in goes)
    answer = cache(gateway, "purge", "up/team/app")
    wait_until(lambda: set(stored.files(gateway.cache_directory)) == parts["tool"],
               "what was purged to be gone", 20)
    assert (answer["removed"], answer["bytes"]) == (len(goes), size)
    assert {entry["repository"] for entry in cache(gateway, "list")} == {"team/tool"}
    assert cache(gateway, "stats")["contents"] == len(parts["tool"])

    start_where_stopped(gateway)
    before = len(upstream.seen("GET", "^/v2/team/app/"))
    assert pull_image(gateway, "2.0", "team/tool") == parts["tool"]
    assert pull_image(gateway, "1", "team/app") == parts["app"]
    assert len(upstream.seen("GET", "^/v2/team/app/")) > before


def test_purge_takes_the_permission_with_it(gateway, upstream):
    """The shared layer stays for the other repository, and is nobody else's any more."""
    cache(gateway, "purge", "up/team/app")
    start_where_stopped(gateway)
    upstream.stop()
    assert pull(gateway, digest_of(SHARED), "team/app").status in (502, 504)
    assert manifest(gateway, "1", "team/app").status in (502, 504)
    assert_right(pull(gateway, digest_of(SHARED), "team/tool"), SHARED)


def test_purge_of_several_and_of_one_tag(gateway, upstream):
    answer = cache(gateway, "purge", "up/team/tool:2.0", "up/team/app:1")
    assert answer["removed"] >= 2
    assert [entry for entry in cache(gateway, "list") if entry["tag"]] == []


def test_purge_of_everything(gateway):
    assert cache(gateway, "purge", "**")["removed"] == 7
    wait_until(lambda: not stored.files(gateway.cache_directory), "everything to be gone", 20)
    assert cache(gateway, "list") == []
    assert cache(gateway, "stats")["bytes"] == 0
    start_where_stopped(gateway)
    pull_image(gateway, "1", "team/app")


def test_purge_of_nothing(gateway):
    answer = cache(gateway, "purge", "up/absent")
    assert (answer["removed"], answer["bytes"]) == (0, 0)
    assert len(stored.files(gateway.cache_directory)) == 7


def test_purge_names_the_patterns_that_matched_nothing(gateway):
    done = run(gateway, "purge", "up/absent", "up/team/app", "up/team/tool:9")
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["no image matches up/absent", "no image matches up/team/tool:9"]
    assert "removed" in done.stdout


def test_a_purge_is_in_the_gateways_log_with_its_patterns(upstream):
    with serving(upstream) as gateway:
        cache(gateway, "purge", "up/team/app:1", "**")
        lines = [json.loads(line) for line in gateway.stderr().splitlines()]
        patterns = [line["patterns"] for line in lines if line["message"] == "purged on request"]
        assert patterns == ["up/team/app:1 **"]


# Checking.


def test_verify_of_what_is_right(gateway):
    answer = cache(gateway, "verify")
    assert answer["checked"] == 7
    assert answer["damaged"] in (0, [])
    assert run(gateway, "verify").returncode == 0


def test_verify_removes_what_is_wrong(gateway, upstream):
    files = stored.files(gateway.cache_directory)
    stored.alter(files[digest_of(OWN)])
    stored.truncate(files[digest_of(OTHER)], 10)
    answer = cache(gateway, "verify", code=1)
    wrong = answer["damaged"]
    assert wrong == 2 or len(wrong) == 2
    wait_until(lambda: len(stored.files(gateway.cache_directory)) == 5, "what is wrong to go", 20)
    assert stored.damaged(gateway.cache_directory) == []
    assert cache(gateway, "verify")["checked"] == 5

    start_where_stopped(gateway)
    assert_right(pull(gateway, digest_of(OWN), "team/app"), OWN)
    assert_right(pull(gateway, digest_of(SHARED), "team/app"), SHARED)


def test_verify_names_what_is_wrong(gateway):
    stored.alter(stored.files(gateway.cache_directory)[digest_of(OWN)])
    done = run(gateway, "verify")
    assert done.returncode == 1
    assert digest_of(OWN) in done.stdout + done.stderr


def test_verify_into_a_pipe_shows_no_progress(gateway):
    done = run(gateway, "verify")
    assert "\r" not in done.stdout + done.stderr and "\x1b" not in done.stdout + done.stderr


def test_verify_on_a_terminal_shows_how_far_it_is(gateway):
    code, shown = on_a_terminal("cache", "verify", "--config", gateway.config_path)
    assert code == 0
    assert re.search(rb"\r[^\n]|\x1b\[", shown), "nothing was drawn over"


# How it is called.


@every_command
def test_the_directory_may_be_given(gateway, command):
    done = program.run("cache", command, *COMMANDS[command], "--json",
                       "--cache-directory", gateway.cache_directory)
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)


@every_command
def test_output_that_cannot_be_written(command, tmp_path):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [program.binary(), "cache", command, *COMMANDS[command], "--json", "--cache-directory",
             tmp_path], stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
    assert done.returncode == 1
    assert "standard output" in done.stderr


@pytest.mark.parametrize("command, counts", [
    ("stats", ["contents", "bytes", "manifests", "tags", "repositories"]), ("list", []),
    ("purge", ["removed", "bytes"]), ("verify", ["checked"])])
def test_an_empty_directory(command, counts, tmp_path):
    done = program.run("cache", command, *COMMANDS[command], "--json", "--cache-directory", tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer == [] if command == "list" else [answer[name] for name in counts] == [0] * len(counts)


@every_command
def test_a_directory_that_is_not_there(command, tmp_path):
    absent = tmp_path / "absent"
    done = program.run("cache", command, *COMMANDS[command], "--cache-directory", absent)
    assert done.returncode == 1
    assert str(absent) in done.stderr
    assert not absent.exists()


@every_command
def test_what_only_serving_needs_is_not_read(command, tmp_path):
    path = tmp_path / "fairlead.yaml"
    directory = tmp_path / "cache"
    directory.mkdir()
    path.write_text(f"cache: {{directory: {directory}}}\nregistries:\n"
                    f"  ghcr.io: {{username: robot, password: 'file:{tmp_path}/absent'}}\n")
    assert program.run("check", "--config", path).returncode == 1
    done = program.run("cache", command, *COMMANDS[command], "--config", path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["stats", "list"])
def test_a_damaged_index(command, tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "index.db").write_bytes(bytes(range(256)) * 64)
    done = program.run("cache", command, "--cache-directory", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "index.db" in done.stderr and "damaged" in done.stderr
    assert f"fairlead cache verify --cache-directory {tmp_path}" in done.stderr
    assert program.run("cache", "verify", "--cache-directory", tmp_path).returncode == 0


@every_command
def test_a_configuration_that_is_wrong(command, tmp_path):
    path = tmp_path / "fairlead.yaml"
    path.write_text("cache: {max_size: much}\n")
    done = program.run("cache", command, *COMMANDS[command], "--config", path)
    assert done.returncode == 1
    assert "cache.max_size" in done.stderr


@pytest.mark.parametrize("arguments", [
    [], ["frobnicate"], ["purge"], ["stats", "extra"], ["stats", "--frobnicate"], ["verify", "x"]],
    ids=" ".join)
def test_what_is_not_understood(arguments):
    done = program.run("cache", *arguments)
    assert done.returncode == 2
    assert done.stderr


@pytest.mark.parametrize("pattern", ["", "up//app", "up/[a", "up/app:"])
def test_a_pattern_that_is_none(pattern, tmp_path):
    done = program.run("cache", "purge", pattern, "--cache-directory", tmp_path)
    assert done.returncode in (1, 2)
    assert done.stderr


def test_help_names_the_commands():
    done = program.run("cache", "--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout


def test_the_commands_disturb_no_pull(upstream):
    data = patterned(5_000_000, seed=9)
    digest = upstream.add_blob("team/app", data)
    gate = upstream.gate()
    upstream.fault("GET", "/blobs/", held_at(1_000_000, gate), times=1)
    with serving(upstream) as gateway, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(pull, gateway, digest, "team/app")
        gate.wait_reached()
        for command, arguments in COMMANDS.items():
            cache(gateway, command, *arguments)
        gate.open()
        assert_right(reading.result(), data)
        assert_right(pull(gateway, digest, "team/app"), data)
