# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints and how it exits."""

import re
import socket
import subprocess

import pytest

from testbed import fairlead as program
from testbed.fairlead import Fairlead

GOOD = """\
registries:
  corp: {url: "https://registry.corp.example"}
routes:
  - {match: "", to: corp/}
"""

# Each line that is wrong, with the key that its message must name.
BAD = """\
server:
  listen: ["127.0.0.1:99999"]
  speed: fast
registries:
  corp:
    url: "ftp://registry.corp.example"
    colour: blue
routes:
  - {match: "a/", to: nowhere/}
  - {match: "b/", to: corp/}
  - {match: "b/", to: corp/x/}
cache:
  directory: [a, b]
log: {level: loud}
"""
BAD_LINES = {2: "server.listen", 3: "server.speed", 6: "registries.corp.url",
             7: "registries.corp.colour", 9: "routes", 11: "routes", 13: "cache.directory",
             14: "log.level"}


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "fairlead.yaml"
        path.write_text(text)
        return path
    return write


def test_version():
    for arguments in (["version"], ["--version"]):
        done = program.run(*arguments)
        assert done.returncode == 0
        assert re.match(r"^fairlead \d+\.\d+", done.stdout)


def test_help():
    done = program.run("--help")
    assert done.returncode == 0
    for command in ("serve", "check", "version"):
        assert command in done.stdout


def test_check_accepts(config):
    done = program.run("check", "--config", config(GOOD))
    assert (done.returncode, done.stderr) == (0, "")


def test_check_names_every_error_with_its_line_and_key(config):
    path = config(BAD)
    done = program.run("check", "--config", path)
    assert done.returncode == 1
    found = dict(re.findall(rf"^{re.escape(str(path))}:(\d+): ([\w.\[\]]+): ", done.stderr, re.MULTILINE))
    for line, key in BAD_LINES.items():
        assert found.get(str(line), "").startswith(key), (line, key, done.stderr)


def test_serve_refuses_what_check_refuses(config):
    path = config(BAD)
    done = program.run("serve", "--config", path)
    assert done.returncode == 1
    assert f"{path}:6: registries.corp.url" in done.stderr


@pytest.mark.parametrize("text", ["registries: [", "- just\n- a list\n", "\tserver: {}\n",
                                  "server: {listen: [*unknown]}\n"])
def test_check_of_what_is_no_configuration(config, text):
    path = config(text)
    done = program.run("check", "--config", path)
    assert done.returncode == 1
    assert str(path) in done.stderr


def test_check_of_a_missing_file(tmp_path):
    done = program.run("check", "--config", tmp_path / "absent.yaml")
    assert done.returncode == 1
    assert "absent.yaml" in done.stderr


def test_a_secret_is_never_printed(config, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("hunter2hunter2\n")
    path = config("registries:\n  corp:\n    url: not-a-url\n    username: robot\n"
                  "    password: hunter2hunter2\n")
    done = program.run("check", "--config", path)
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["frobnicate"], ["serve", "--no-such-option"], []])
def test_wrong_usage(arguments):
    done = program.run(*arguments)
    assert done.returncode not in (0, 1)
    assert done.stderr or done.stdout


@pytest.mark.parametrize("arguments, nearest, help_of", [
    (["bogus"], None, "fairlead --help"), (["serv"], "serve", "fairlead --help"),
    (["cache", "bogus"], None, "fairlead cache --help"),
    (["cache", "state"], "stats", "fairlead cache --help"), (["help", "chek"], "check", None)])
def test_an_unknown_command(arguments, nearest, help_of):
    done = program.run(*arguments)
    assert done.returncode == 2
    assert f'unknown command "{arguments[-1]}"' in done.stderr
    if nearest:
        assert f"did you mean {nearest}?" in done.stderr
    assert not help_of or help_of in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("arguments, same", [
    (["help"], ["--help"]), (["help", "cache"], ["cache", "--help"]),
    (["cache", "help"], ["cache", "--help"]),
    (["help", "cache", "purge"], ["cache", "purge", "--help"])])
def test_help_as_a_command(arguments, same):
    done = program.run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == program.run(*same).stdout != ""


@pytest.mark.parametrize("arguments", [["version"], ["check"]])
def test_output_that_cannot_be_written(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([program.binary(), *arguments], stdout=full, stderr=subprocess.PIPE,
                              text=True, timeout=20)
    assert done.returncode == 1
    assert "standard output" in done.stderr


def test_a_taken_port_is_said_plainly():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        with Fairlead({"server": {"listen": [address]}}, ready=False) as fairlead:
            assert fairlead.wait() == 1
            assert address in fairlead.stderr()
