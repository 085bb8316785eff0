# SPDX-License-Identifier: Apache-2.0
"""The CNCF registry (Debian's docker-registry) as an upstream, and its access log.

Several registries may serve one storage directory, so that an image is pushed once, through an
open one, and served with any kind of access control:

    with Registry(storage) as loader, Registry(storage, auth=Htpasswd("user", "secret")) as registry:
        ...
        assert registry.count("GET", r"/blobs/") == 1
"""

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from .http_request import fetch
from .process import Process, run
from .waiting import wait_until

_ACCESS = re.compile(
    r'^\S+ - (?P<user>\S+) \[[^\]]*\] "(?P<method>[A-Z]+) (?P<target>\S+) HTTP/[0-9.]+" '
    r'(?P<status>\d+) (?P<size>\d+|-) "(?:[^"\\]|\\.)*" "(?P<user_agent>(?:[^"\\]|\\.)*)"$')
_MARK = "/v2/?mark="


@dataclass(frozen=True)
class Request:
    """One answered request. `size` is the body bytes sent."""
    method: str
    target: str
    status: int
    size: int
    user_agent: str


@dataclass(frozen=True)
class Htpasswd:
    """Basic authentication with one user."""
    username: str
    password: str

    def settings(self, directory):
        path = directory / "htpasswd"
        path.write_text(subprocess.run(["htpasswd", "-Bbn", "-C4", self.username, self.password],
                                       check=True, capture_output=True, text=True).stdout)
        return {"htpasswd": {"realm": "testbed", "path": str(path)}}


@dataclass(frozen=True)
class TokenAuth:
    """Bearer tokens of a `TokenServer`."""
    server: object

    def settings(self, _):
        return {"token": {"realm": self.server.realm, "service": self.server.service,
                          "issuer": self.server.issuer,
                          "rootcertbundle": str(self.server.certificate_path)}}


def s3_storage(endpoint, bucket, access_key, secret_key):
    """Storage in a bucket: blobs are then answered with a 307 to a presigned URL."""
    return {"s3": {"region": "us-east-1", "regionendpoint": endpoint, "bucket": bucket,
                   "accesskey": access_key, "secretkey": secret_key, "secure": False,
                   "v4auth": True, "rootdirectory": "/registry"}}


class Registry:
    def __init__(self, storage=None, *, auth=None, tls=None, address="127.0.0.1:0",
                 deletes=True, within=None):
        """`storage` is a directory, or the dictionary of `s3_storage`; by default an own one.

        `tls` is a `Certificate`. `within` is a `Namespace` to run in.
        """
        self.directory = Path(tempfile.mkdtemp(prefix="registry-"))
        self.tls = tls
        self._storage = storage if storage is not None else self.directory / "storage"
        self._auth = auth
        self._address = address
        self._deletes = deletes
        self._within = within
        self._process = None
        self._marks = 0
        self._seen = 0
        self.host = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def start(self):
        """Starts, on the port of the last start where there was one."""
        storage = self._storage
        if not isinstance(storage, dict):
            storage = {"filesystem": {"rootdirectory": str(storage)}}
        settings = {
            "version": 0.1,
            "log": {"level": "info", "formatter": "json"},
            "storage": {**storage, "delete": {"enabled": self._deletes},
                        "maintenance": {"uploadpurging": {"enabled": False}}},
            "http": {"addr": self.host or self._address, "secret": "testbed"},
        }
        if self.tls:
            settings["http"]["tls"] = {"certificate": str(self.tls.chain_path),
                                       "key": str(self.tls.key_path)}
        if self._auth:
            settings["auth"] = self._auth.settings(self.directory)
        path = self.directory / "config.yml"
        path.write_text(yaml.safe_dump(settings))
        (self.directory / "registry.stderr").unlink(missing_ok=True)
        # With AWS_CA_BUNDLE set, the S3 driver panics.
        self._process = Process("registry", ["docker-registry", "serve", path], self.directory,
                                {"AWS_CA_BUNDLE": None}, self._within.enter if self._within else ())
        self.host = self._process.wait_for_stderr(r'listening on ([0-9.]+:\d+)')[1]

    def stop(self):
        """Ends the registry; its log can still be read, and `start` begins again."""
        if self._process:
            self._process.end(timeout=1)

    def collect_garbage(self):
        """Blobs that no manifest names are gone after that. Nobody may push meanwhile."""
        run(["docker-registry", "garbage-collect", self.directory / "config.yml"])

    @property
    def url(self):
        return ("https://" if self.tls else "http://") + self.host

    # -- the access log -----------------------------------------------------------------------

    def requests(self, method=None, pattern="", status=None, user_agent=""):
        """The requests answered since `forget`, oldest first.

        `pattern` and `user_agent` are searched as regular expressions in the request target and
        in the header. A request is logged when its answer has ended, so that a running
        transfer is not yet among them.
        """
        self._settle()
        found = []
        for line in self._lines()[self._seen:]:
            access = _ACCESS.match(line)
            if not access or access["target"].startswith(_MARK):
                continue
            request = Request(access["method"], access["target"], int(access["status"]),
                              int(access["size"].replace("-", "0")), access["user_agent"])
            if ((method is None or request.method == method)
                    and (status is None or request.status == status)
                    and re.search(pattern, request.target)
                    and re.search(user_agent, request.user_agent)):
                found.append(request)
        return found

    def count(self, method=None, pattern="", status=None, user_agent=""):
        return len(self.requests(method, pattern, status, user_agent))

    def forget(self):
        """Begins counting anew."""
        self._settle()
        self._seen = len(self._lines())

    def protocols(self):
        """Of the requests answered, "HTTP/1.1" and "HTTP/2.0"."""
        self._settle()
        lines = (line for line in self._lines() if _MARK not in line)
        return set(re.findall(r"HTTP/[0-9.]+", "\n".join(lines)))

    def _lines(self):
        return self._process.stdout().splitlines()

    def _settle(self):
        """The log is written after the answer: what was answered before a marked request is in
        the log once the mark is."""
        if not self._process.is_running:
            return
        self._marks += 1
        mark = f"{_MARK}{self._marks} "
        call = self._within.run if self._within else lambda function: function()
        call(lambda: fetch(self.url, f"{_MARK}{self._marks}", verify=False))
        wait_until(lambda: mark in self._process.stdout(), "the registry's log")

    def errors(self):
        """The lines the registry logged as errors, for messages of failed tests."""
        lines = (line for line in self._process.stderr().splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if line.get("level") == "error"]
