# SPDX-License-Identifier: Apache-2.0
"""Disks that are small, full or read-only. Needs the right to mount."""

import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest


def _mount(*arguments):
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs the right to mount: {done.stderr.strip()}")


@contextmanager
def small_disk(path: Path, size: str):
    """A tmpfs of `size` at the new directory `path`."""
    path.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", path)
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


@contextmanager
def read_only(path: Path):
    """What is opened below `path` from now on is read-only; what was open before stays as it was."""
    _mount("--bind", path, path)
    try:
        _mount("-o", "remount,bind,ro", path)
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Fills the disk up to `leave` bytes; the file to remove when there is to be room again."""
    ballast = disk / "ballast"
    size = 0
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                size += file.write(bytes(65536))
        except OSError:
            pass
    with ballast.open("ab") as file:
        file.truncate(max(0, ballast.stat().st_size - leave))
    return ballast
