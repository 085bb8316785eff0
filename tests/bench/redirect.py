# SPDX-License-Identifier: Apache-2.0
"""What a redirect to a bucket costs: a JWT (HS256) looked at, a URL of S3 signed, 307.

    redirect.py PROGRAM

Fairlead, with a docker-registry's bucket and nothing else, beside nginx with a program in Lua that
answers the same (redirect.lua; what it is spared is in its head). Each has one processor to itself
and never both at once; wrk has the other one. Tokens and blobs are known to both before, as they
are to a gateway in its second minute. Both write a line of log for each request.

Before anything is measured, both must answer right, refuse right, and give URLs that an S3 server
which verifies signatures, Ceph's RGW, answers with the bytes.

A program in Lua that has no routes, no rules and no other formats than this one is the least that
the answer can cost, not a gateway. Prints the medians and ranges of the rounds and of their ratios: processor time a request, by
/proc/PID/stat, and requests a second. Ends with 1 where a server was wrong.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from gateway import Gateway
from peer_nginx import Nginx, missing_reason

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from testbed import ceph, images  # noqa: E402

PAIRS = 7
SECONDS = 4
WARM_UP = 2
CONNECTIONS = 32
DEADLINE = 300  # seconds for all of it
TOKENS, BLOBS = 16, 64
REPOSITORY, HIDDEN = "team/app", "other/app"
BUCKET = "bench"
SECRET = "a secret of forty bytes, more than needed"
TICKS = os.sysconf("SC_CLK_TCK")

_SCRIPT = """\
local paths, tokens, requests, at = {{{paths}}}, {{{tokens}}}, {{}}, 0
function init()
  for i, path in ipairs(paths) do
    for j, token in ipairs(tokens) do
      requests[#requests + 1] = wrk.format("GET", path, {{
        Host = "registry.example", Authorization = "Bearer " .. token, Accept = "*/*",
        ["User-Agent"] = "containerd/1.6.20"}})
    end
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"""


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(subject: str, repository: str = REPOSITORY, secret: str = SECRET) -> str:
    claims = {"iss": "ci", "sub": subject, "aud": "registry", "iat": int(time.time()),
              "exp": int(time.time()) + 3600,
              "access": [{"type": "repository", "name": repository, "actions": ["pull"]}]}
    text = ".".join(_base64url(json.dumps(part).encode())
                    for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{text}.{_base64url(hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest())}"


def target(blob, repository: str = REPOSITORY) -> str:
    return f"/v2/{repository}/blobs/{blob.digest}"


def settings_of_fairlead(rgw) -> dict:
    bucket = {"name": BUCKET, "endpoint": rgw.endpoint, "layout": "distribution", "root": "/registry",
              "access_key": rgw.access_key, "secret_key": rgw.secret_key}
    return {"registries": {"up": {"bucket": bucket, "deliver": "redirect"}},
            "routes": [{"match": "", "to": "up/"}],
            "auth": {"anonymous": [],
                     "jwt": [{"algorithm": "HS256", "secret": SECRET, "audience": "registry"}]}}


def settings_of_nginx(rgw, blobs) -> dict:
    return {"secret": SECRET, "audience": "registry", "access_key": rgw.access_key,
            "secret_key": rgw.secret_key, "region": "us-east-1", "scheme": "http",
            "host": urlsplit(rgw.endpoint).netloc, "bucket": BUCKET, "root": "registry",
            "expiry": 1200, "held": {f"{REPOSITORY}@{blob.digest}": True for blob in blobs}}


# Right answers.


def ask(url: str, token: str = "", host: str = "") -> tuple:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request("GET", url[url.index(parts.netloc) + len(parts.netloc):], headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def must(is_right: bool, name: str, what: str, seen) -> None:
    if not is_right:
        raise SystemExit(f"bench: {name}: {what}: {seen}")


def check(name: str, port: int, blobs, tokens, hidden) -> None:
    """Every token and every blob, which makes them known as well."""
    url = f"http://127.0.0.1:{port}"
    for number, blob in enumerate(blobs):
        status, headers, body = ask(url + target(blob), tokens[number % len(tokens)])
        must(status == 307 and body == b"", name, "not redirected", (status, body[:300]))
        must(headers["Docker-Content-Digest"] == blob.digest and headers["Content-Length"] == "0"
             and headers["Cache-Control"] == "no-store", name, "the redirect's headers", headers)
        status, headers, body = ask(headers["Location"])
        must((status, body) == (200, blob.data), name, "the bucket refuses the URL", (status, body[:300]))
        must(headers["Content-Type"] == "application/octet-stream", name, "the type", headers)
    refused = {"no token": ("", 401), "another secret": (jwt("x", secret="x" * 40), 401),
               "a changed one": (tokens[0][:-4] + "AAAA", 401), "no right": (jwt("x", HIDDEN), 403)}
    for what, (token, expected) in refused.items():
        status, headers, _ = ask(url + target(blobs[0]), token)
        must(status == expected and not headers["Location"], name, what, status)
    status, headers, _ = ask(url + target(hidden), tokens[0])
    must(status == 404 and not headers["Location"], name, "another repository's blob", status)


# Measuring.


def cpu_seconds(pid: int) -> tuple:
    """In the program and in the kernel, of all threads, those that ended too."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / TICKS, int(fields[12]) / TICKS


def load(port: int, pid: int, script: Path, core: int, seconds: int) -> dict:
    before = cpu_seconds(pid)
    done = subprocess.run(
        ["taskset", "-c", str(core), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency",
         "-s", script, f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, timeout=seconds + 30)
    user, system = (after - at_first for after, at_first in zip(cpu_seconds(pid), before))
    requests = re.search(r"(\d+) requests in ", done.stdout)
    must(done.returncode == 0 and requests is not None and "Non-2xx" not in done.stdout
         and "Socket errors" not in done.stdout, "wrk", "errors", done.stdout + done.stderr)
    rate = float(re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)[1])
    return {"us of processor time a request": (user + system) * 1e6 / int(requests[1]),
            "us of it in the program itself": user * 1e6 / int(requests[1]),
            "requests a second": rate, "busy": (user + system) / seconds}


def measure(servers: dict, script: Path, core: int) -> dict:
    """Rounds of each server, in pairs that take turns in who is first."""
    for server in servers.values():
        load(*server, script, core, WARM_UP)
    found = {name: [] for name in servers}
    for number in range(PAIRS):
        names = [*servers] if number % 2 else [*reversed(servers)]
        for name in names:
            found[name].append(load(*servers[name], script, core, SECONDS))
    return found


def told(values: list) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def report(found: dict) -> None:
    ours, theirs = found.values()
    for name, rounds in found.items():
        for what in rounds[0]:
            print(f"redirect: {name:<13} {what}: {told([each[what] for each in rounds])}")
    for what in ("us of processor time a request", "us of it in the program itself",
                 "requests a second"):
        ratios = [one[what] / other[what] for one, other in zip(ours, theirs)]
        print(f"redirect: {what}, fairlead / nginx and Lua: {told(ratios)} "
              f"(median and range of {PAIRS} pairs of {SECONDS} s)")


def main() -> None:
    missing = [name for name in ("wrk", "taskset", *ceph.PROGRAMS) if not shutil.which(name)]
    reason = missing_reason() or (f"not installed: {', '.join(missing)}" if missing else "")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        reason = "needs two processors"
    if reason:
        raise SystemExit(f"bench: {reason}")
    for number in (signal.SIGTERM, signal.SIGALRM):     # ends with all that was started ended
        signal.signal(number, lambda *_: sys.exit("bench: interrupted, or it took too long"))
    signal.alarm(DEADLINE)
    served, loading = cores[0], cores[-1]
    os.sched_setaffinity(0, {loading})      # for all that is started without a prefix
    pinned = ["taskset", "-c", str(served)]

    source = random.Random(1)
    blobs = [images.Blob(source.randbytes(500)) for _ in range(BLOBS)]
    hidden = images.Blob(source.randbytes(500))
    tokens = [jwt(f"ci-{number}") for number in range(TOKENS)]
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="redirect-bench-")))
        for blob in blobs:
            images.place_blob(directory / "storage", REPOSITORY, blob)
        images.place_blob(directory / "storage", HIDDEN, hidden)
        script = directory / "load.lua"
        script.write_text(_SCRIPT.format(paths=", ".join(f'"{target(blob)}"' for blob in blobs),
                                         tokens=", ".join(f'"{token}"' for token in tokens)))
        rgw = stack.enter_context(ceph.Ceph())
        rgw.make_bucket(BUCKET, directory / "storage", "registry/")
        fairlead = stack.enter_context(Gateway(sys.argv[1], settings_of_fairlead(rgw), prefix=pinned))
        nginx = stack.enter_context(Nginx(settings_of_nginx(rgw, blobs), prefix=pinned))
        servers = {"fairlead": (fairlead.port, fairlead.pid), "nginx and Lua": (nginx.port, nginx.pid)}
        for name, (port, _) in servers.items():
            check(name, port, blobs, tokens, hidden)
        found = measure(servers, script, loading)
        for name, (port, _) in servers.items():
            check(name, port, blobs[:3], tokens, hidden)
    report(found)


if __name__ == "__main__":
    main()
