# SPDX-License-Identifier: Apache-2.0
"""The Fairlead binary under test.

    with Fairlead({"registries": {...}, "routes": [...]}) as fairlead:
        requests.get(fairlead.url + "/v2/")
        assert fairlead.records()[-1].outcome == "hit"

The configuration is a dictionary, written as YAML; what it leaves out of `server.listen`,
`cache.directory` and `log` gets a free port, a temporary directory and JSON lines. The
addresses are those the server reports when it starts to listen.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

import yaml

from . import stored
from .process import Process
from .waiting import wait_until

_ROOT = Path(__file__).resolve().parents[3]
_LISTENING = re.compile(r"listening on ((?:https?://|unix:)[^\s\"\\]+)")

# Of the environment of whoever runs the tests: nothing that could change what is tested.
_WITHOUT = {name: None for name in
            ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
             *(name for name in os.environ if name.startswith("FAIRLEAD_")))}


def binary():
    """The program under test: $FAIRLEAD_BINARY, else the release build."""
    return os.environ.get("FAIRLEAD_BINARY") or str(_ROOT / "build" / "release" / "fairlead")


def run(*arguments, env=None, timeout=20, stdin=""):
    """One command to its end: `run("check", "--config", path)`. Has returncode, stdout, stderr."""
    return subprocess.run([binary(), *map(str, arguments)], input=stdin, capture_output=True,
                          text=True, timeout=timeout,
                          env={**{key: value for key, value in os.environ.items()
                                  if key not in _WITHOUT}, **(env or {})})


class Record(SimpleNamespace):
    """One access record: id, peer, method, target, host, status, bytes, outcome, registry,
    repository, duration_ms, first_byte_ms, user_agent, error. A field not logged is None."""

    def __getattr__(self, name):
        return None


class Fairlead:
    def __init__(self, config=None, *, env=None, within=None, arguments=(), ready=True, timeout=20.0):
        """With `config=None` there is no file: the program's own defaults, which listen on :5000.

        `within` is a `Namespace` to run in. With `ready=False` the `with` statement does not wait
        for a listener.
        """
        self.directory = Path(tempfile.mkdtemp(prefix="fairlead-"))
        self.cache_directory = self.directory / "cache"
        self.config_path = None
        self._config = config
        self._env = dict(env or {})
        self._within = within
        self._arguments = list(arguments)
        self._wait_for_ready = ready
        self._timeout = timeout
        self._process = None
        self._starts = 0
        self.urls = []

    # -- life ---------------------------------------------------------------------------------

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._process:
            self._process.end(self._timeout)
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        argv = [binary(), "serve"]
        if self._config is not None:
            self.write_config(self._config)
            argv += ["--config", self.config_path]
        env = {**_WITHOUT, "XDG_CACHE_HOME": str(self.directory), **self._env}
        self._starts += 1
        self._process = Process("fairlead", argv + self._arguments,
                                self.directory / f"run{self._starts}", env,
                                self._within.enter if self._within else ())
        self.urls = []
        if self._wait_for_ready:
            self.wait_until_listening()

    def write_config(self, config):
        """Writes the file the server reads at start and at SIGHUP."""
        config = {**config}
        config["server"] = {"listen": ["127.0.0.1:0"], **config.get("server", {})}
        config["cache"] = {"directory": str(self.cache_directory), **config.get("cache", {})}
        config["log"] = {"level": "info", "format": "json", **config.get("log", {})}
        self._config = config
        self.cache_directory = Path(config["cache"]["directory"])
        self.config_path = self.directory / "fairlead.yaml"
        replacement = self.directory / "fairlead.yaml.new"
        replacement.write_text(yaml.safe_dump(config, sort_keys=False))
        replacement.rename(self.config_path)

    @property
    def config(self):
        """As last written, with all that was filled in."""
        return self._config

    def set_cache(self, **settings):
        """Changes settings of `cache` from the next start on; None takes one away."""
        cache = {**self._config["cache"], **settings}
        self.write_config({**self._config, "cache": {
            key: value for key, value in cache.items() if value is not None}})

    def wait_until_listening(self):
        listeners = len((self._config or {}).get("server", {}).get("listen", [""]))

        def look():
            urls = _LISTENING.findall(self._process.stderr())
            if len(urls) < listeners and not self._process.is_running:
                raise AssertionError(
                    f"fairlead ended with {self._process.exit_code}:\n{self._process.last_words()}")
            return urls if len(urls) >= listeners else None

        self.urls = wait_until(look, "fairlead to listen", self._timeout)

    def terminate(self):
        """SIGTERM, and returns at once; `wait()` has the exit code."""
        self._process.signal(signal.SIGTERM)

    def reload(self):
        """SIGHUP. What it changes is seen a moment later."""
        self._process.signal(signal.SIGHUP)

    def kill(self):
        """SIGKILL, and waits for the end."""
        self._process.kill()

    def wait(self, timeout=None):
        """Waits for the end; returns the exit code, negative for a signal."""
        return self._process.wait(timeout or self._timeout)

    def restart(self):
        """Starts again over the same data, after SIGTERM where it is still running."""
        self._process.end(self._timeout)
        self.start()

    # -- addresses ----------------------------------------------------------------------------

    @property
    def url(self):
        """The first listener, as http://127.0.0.1:43123."""
        return self.urls[0]

    @property
    def host(self):
        """The first listener's host:port."""
        return self.url.split("://", 1)[1]

    @property
    def port(self):
        return int(self.host.rsplit(":", 1)[1])

    # -- what it tells ------------------------------------------------------------------------

    @property
    def pid(self):
        return self._process.pid

    @property
    def is_running(self):
        return self._process.is_running

    def stderr(self):
        return self._process.stderr()

    def log(self):
        """The log's lines of this run, parsed; a line being written just now is left out."""
        lines = []
        for line in self._process.stderr().splitlines():
            try:
                lines.append(json.loads(line))
            except ValueError:
                continue
        return lines

    def records(self, **wanted):
        """The access records of this run, oldest first: `records(method="GET", status=206)`."""
        records = [Record(**line) for line in self.log() if line.get("message") == "request"]
        return [record for record in records
                if all(getattr(record, key) == value for key, value in wanted.items())]

    def wait_for_records(self, count=1, timeout=10.0, **wanted):
        """Waits until at least `count` such records are there: a record follows its last byte."""
        return wait_until(
            lambda: (lambda found: found if len(found) >= count else None)(self.records(**wanted)),
            f"{count} access records with {wanted}", timeout)

    def rss_bytes(self):
        """Resident memory now."""
        return self._memory("VmRSS")

    def peak_rss_bytes(self):
        """The most resident memory since the start, or since `reset_peak_rss`."""
        return self._memory("VmHWM")

    def reset_peak_rss(self):
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _memory(self, field):
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)[1]) * 1024

    # -- its files ----------------------------------------------------------------------------

    def unfinished(self):
        """The files under the cache's tmp/: fills that run, or that a crash left behind."""
        return [path for path in (self.cache_directory / "tmp").rglob("*") if path.is_file()]

    def wait_until_idle(self, timeout=20.0):
        """Waits until no fill is running, and all that was kept is in the cache index."""
        wait_until(lambda: not self.unfinished() and not stored.unindexed(self.cache_directory),
                   "the last fill to end", timeout)
