# SPDX-License-Identifier: Apache-2.0
"""How long a gateway takes from its start to its first answer, with a large cache.

    start.py PROGRAM DIRECTORY

DIRECTORY holds an index.db, as bench_index_start leaves it; the files that its rows name are made
first, sparse and of the right size. Prints one line.
"""

import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROUNDS = 5
PATIENCE = 120  # seconds


def make_files(directory: Path) -> int:
    (directory / "lock").touch()
    for first in range(256):
        (directory / "blobs" / "sha256" / f"{first:02x}").mkdir(parents=True, exist_ok=True)
    count = 0
    with sqlite3.connect(directory / "index.db") as index:
        for digest, size in index.execute("SELECT digest, size FROM content WHERE is_stored"):
            name = digest.removeprefix("sha256:")
            path = directory / "blobs" / "sha256" / name[:2] / name
            file = os.open(path, os.O_CREAT | os.O_WRONLY, 0o440)
            os.ftruncate(file, size)
            os.close(file)
            count += 1
    return count


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def time_to_answer(program: str, directory: Path) -> float:
    address = f"127.0.0.1:{free_port()}"
    began = time.monotonic()
    gateway = subprocess.Popen(
        [program, "serve", "--listen", address, "--cache-directory", directory,
         "--log-level", "error"],
        env=os.environ | {"FAIRLEAD_CACHE_MAX_SIZE": "0", "FAIRLEAD_CACHE_SCRUB": "0s"})
    try:
        while True:
            try:
                urllib.request.urlopen(f"http://{address}/health", timeout=PATIENCE).close()
                return time.monotonic() - began
            except urllib.error.URLError:
                if gateway.poll() is not None or time.monotonic() > began + PATIENCE:
                    raise SystemExit("start: the gateway does not answer") from None
                time.sleep(0.005)
    finally:
        gateway.terminate()
        gateway.wait(PATIENCE)


def main() -> None:
    program, directory = sys.argv[1], Path(sys.argv[2])
    count = make_files(directory)
    times = [time_to_answer(program, directory) for _ in range(ROUNDS)]
    print(f"start: a gateway with {count} cached blobs answers {statistics.median(times):.2f} s after "
          f"its start (median of {ROUNDS}; {min(times):.2f} to {max(times):.2f} s)")


if __name__ == "__main__":
    main()
