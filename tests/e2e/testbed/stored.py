# SPDX-License-Identifier: Apache-2.0
"""What is in a cache directory, seen from outside the program.

Files are found by the layout of docs/on-disk-format.md; the cache index is read by
`indexed_digests` alone, so that its schema is known in one place.
"""

import hashlib
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path


def files(directory: Path) -> dict[str, Path]:
    """The content below blobs/, by digest."""
    return {
        f"{path.relative_to(directory / 'blobs').parts[0]}:{path.name}": path
        for path in (directory / "blobs").rglob("*")
        if path.is_file()
    }


def damaged(directory: Path) -> list[str]:
    """The digests whose files are not what they are called."""
    return [
        digest
        for digest, path in files(directory).items()
        if hashlib.new(digest.split(":")[0], path.read_bytes()).hexdigest() != path.name
    ]


def bytes_held(directory: Path) -> int:
    """The space that content takes on the disk, by the file system's own count."""
    total = 0
    for path in (directory / "blobs").rglob("*"):
        try:
            total += path.stat().st_blocks * 512 if path.is_file() else 0
        except FileNotFoundError:
            pass  # removed just now
    return total


def size_held(directory: Path) -> int:
    """The sum of the contents' sizes."""
    total = 0
    for path in files(directory).values():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            pass
    return total


def open_but_removed(pid: int) -> list[str]:
    """Content that the process holds open and that has no name any more."""
    found = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # closed just now
        if "/blobs/" in target and target.endswith(" (deleted)"):
            found.append(target)
    return found


def index_path(directory: Path) -> Path:
    return directory / "index.db"


def query(directory: Path, statement: str) -> list[tuple]:
    """Asks a copy of the cache index, so that nothing of the original changes; for an index that
    no process has open, or that a killed one left behind."""
    with tempfile.TemporaryDirectory() as copy:
        for path in directory.glob("index.db*"):
            shutil.copy(path, copy)
        with closing(sqlite3.connect(index_path(Path(copy)))) as connection:
            return connection.execute(statement).fetchall()


def merge_log(directory: Path) -> None:
    """Puts all of the cache index into the one file; for one that no process has open."""
    with closing(sqlite3.connect(index_path(directory))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert not list(directory.glob("index.db-*"))


def indexed_digests(directory: Path) -> set[str]:
    """The digests of all rows of content that is said to be stored."""
    found = set()
    for (digest,) in query(directory, "SELECT digest FROM content WHERE is_stored"):
        if isinstance(digest, bytes) and len(digest) in (32, 64):
            digest = f"sha{len(digest) * 8}:{digest.hex()}"
        elif isinstance(digest, bytes):
            digest = digest.decode()
        found.add(digest)
    return found


def unindexed(directory: Path) -> set[str]:
    """The files that have no row yet, of a process that is running."""
    found = set(files(directory))
    if not found:
        return set()
    try:
        uri = f"file:{index_path(directory)}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute("SELECT digest FROM content WHERE is_stored").fetchall()
    except sqlite3.OperationalError:
        return found  # being made
    return found - {digest for (digest,) in rows}


def alter(path: Path, at: int = -1) -> None:
    """Turns one byte over; the size stays."""
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    _write(path, data)


def truncate(path: Path, size: int) -> None:
    _write(path, path.read_bytes()[:size])


def _write(path: Path, data: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(data)
    path.chmod(0o444)
