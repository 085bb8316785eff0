# SPDX-License-Identifier: Apache-2.0
"""zot as an upstream: open to some, closed to others.

    with Zot(users={"alice": "secret"}, policies={"public/**": ANYBODY, "team/**": only("alice")}) as zot:
        zot.put("team/app", image, "1.0")

`policies` maps patterns of repositories to zot's own words. With `tokens`, a `TokenServer`, zot
takes Bearer tokens of that server and nothing else. It is installed by scripts/setup --test where
Go can build it; `missing_reason` says why a test cannot have one, and testbed/zot_stand_in.py is
what there is then.
"""

import json
import os
import shutil
import tempfile
from pathlib import Path

from . import images
from .http_request import basic, fetch
from .passwords import htpasswd
from .process import Process
from .waiting import wait_until

ANYBODY = {"anonymousPolicy": ["read"], "defaultPolicy": ["read"]}
_LOADER = ("loader", "testbed")  # may write, so that a test can put images in


def only(*users):
    return {"policies": [{"users": list(users), "actions": ["read"]}]}


def program():
    """The path of zot, or None."""
    go = Path(os.environ.get("GOPATH") or Path.home() / "go") / "bin" / "zot"
    return shutil.which("zot") or (str(go) if os.access(go, os.X_OK) else None)


def missing_reason():
    return "" if program() else "not installed: zot (scripts/setup --test builds it, given Go)"


def s3_storage(endpoint, bucket, access_key, secret_key, dedupe):
    """Storage in a bucket; what zot knows of it besides stays in its own directory."""
    return {"dedupe": dedupe, "remoteCache": False, "storageDriver": {
        "name": "s3", "rootdirectory": "/zot", "region": "us-east-1", "regionendpoint": endpoint,
        "bucket": bucket, "secure": False, "skipverify": True, "forcepathstyle": True,
        "accesskey": access_key, "secretkey": secret_key}}


class Zot:
    def __init__(self, *, users=None, policies=None, tokens=None, storage=None):
        """`storage` is the dictionary of `s3_storage`; by default an own directory."""
        self.directory = Path(tempfile.mkdtemp(prefix="zot-"))
        self._storage = self.directory / "storage"
        self._users = users or {}
        self._policies = policies or {}
        self._tokens = tokens
        self._more_storage = storage or {}
        self._process = None
        self.host = None

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def stop(self):
        if self._process:
            self._process.end(timeout=5)

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def url(self):
        return f"http://{self.host}"

    def start(self):
        http = {"address": "127.0.0.1", "port": "0"}
        if self._tokens:
            http["auth"] = {"bearer": {"realm": self._tokens.realm, "service": self._tokens.service,
                                       "cert": str(self._tokens.certificate_path)}}
        else:
            users = self._users | dict([_LOADER])
            path = htpasswd(self.directory / "htpasswd", users)
            http["auth"] = {"htpasswd": {"path": str(path)}}
            http["accessControl"] = {
                "repositories": self._policies,
                "adminPolicy": {"users": [_LOADER[0]],
                                "actions": ["read", "create", "update", "delete"]}}
        log = self.directory / "zot.log"
        settings = {"distSpecVersion": "1.1.0", "http": http,
                    "storage": {"rootDirectory": str(self._storage), "gc": False,
                                **self._more_storage},
                    "log": {"level": "info", "output": str(log)}}
        path = self.directory / "config.json"
        path.write_text(json.dumps(settings))
        self._process = Process("zot", [program(), "serve", path], self.directory)

        def chosen():
            if not self._process.is_running:
                raise AssertionError(f"zot ended:\n{self._process.last_words()}\n{self.log()}")
            return next((port for port in self._ports() if port), None)

        self.host = f"127.0.0.1:{wait_until(chosen, 'zot to listen', 20)}"
        wait_until(self._answers, "zot to answer", 20)

    def log(self):
        path = self.directory / "zot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def _ports(self):
        for line in self.log().splitlines():
            if "kernel chosen port" in line and line.startswith("{") and line.endswith("}"):
                yield json.loads(line).get("port")

    def _answers(self):
        try:
            return fetch(self.url, "/v2/", timeout=5).status in (200, 401)
        except ConnectionError:
            return False

    def put(self, repository, content, *tags):
        """Pushes the image as somebody who may."""
        images.push(self.url, repository, content, *tags, authorization=self._writer(repository))

    def _writer(self, repository):
        if not self._tokens:
            return basic(*_LOADER)
        access = [{"type": "repository", "name": repository, "actions": ["pull", "push"]}]
        return f"Bearer {self._tokens.signed('loader', access)}"
