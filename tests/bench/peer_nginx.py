# SPDX-License-Identifier: Apache-2.0
"""nginx with Lua, of Debian, in front of nothing: one worker, listening on a free port.

    with Nginx({"secret": ..., "held": {...}}, prefix=["taskset", "-c", "0"]) as nginx:
        nginx.port, nginx.pid        # of the worker
"""

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

PATIENCE = 20  # seconds
MODULES = Path("/usr/lib/nginx/modules")
_HERE = Path(__file__).parent

_CONFIGURATION = """\
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log {directory}/error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log /dev/stdout;
  keepalive_requests 1000000000;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  lua_package_path "{here}/?.lua;;";
  init_worker_by_lua_block {{ require("redirect").configure({settings}) }}
  server {{
    listen 127.0.0.1:{port};
    location /v2/ {{ content_by_lua_block {{ require("redirect").answer() }} }}
  }}
}}
"""


def missing_reason() -> str:
    if not shutil.which("nginx"):
        return "nginx is not installed (nginx-core)"
    if not (MODULES / "ngx_http_lua_module.so").exists():
        return "nginx's Lua is not installed (libnginx-mod-http-lua)"
    return ""


def _lua(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"[{_lua(key)}] = {_lua(each)}" for key, each in value.items()) + "}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    assert '"' not in value and "\\" not in value and "\n" not in value
    return f'"{value}"'


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Nginx:
    def __init__(self, settings: dict, prefix=()):
        self.directory = Path(tempfile.mkdtemp(prefix="nginx-bench-"))
        self.port = _free_port()
        self.pid = 0
        self._settings = settings
        self._prefix = [*prefix]
        self._master = None

    def __enter__(self):
        path = self.directory / "nginx.conf"
        path.write_text(_CONFIGURATION.format(
            modules=MODULES, directory=self.directory, here=_HERE, port=self.port,
            settings=_lua(self._settings)))
        self.directory.chmod(0o755)     # the worker is another user
        self._master = subprocess.Popen(
            [*self._prefix, "nginx", "-c", path, "-p", self.directory], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        threading.Thread(target=self._drain, daemon=True).start()
        until = time.monotonic() + PATIENCE
        while not self.pid:
            if self._master.poll() is not None or time.monotonic() > until:
                log = self.directory / "error.log"
                said = log.read_text() if log.exists() else ""
                self.__exit__()
                raise SystemExit(f"bench: nginx does not start\n{said}")
            self.pid = self._worker()
            time.sleep(0.02)
        return self

    def _worker(self) -> int:
        """Once it accepts."""
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return 0
        path = Path(f"/proc/{self._master.pid}/task/{self._master.pid}/children")
        workers = path.read_text().split()
        return int(workers[0]) if workers else 0

    def _drain(self):
        while self._master.stdout.read(65536):
            pass

    def __exit__(self, *_):
        self._master.terminate()
        try:
            self._master.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._master.kill()
            self._master.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
