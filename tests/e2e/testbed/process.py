# SPDX-License-Identifier: Apache-2.0
"""One started program: its output in files, its end certain.

`Process.shown` lists the processes whose output a failed test should show: those that are
alive, and those that were started since the test began (`forget_ended` is called before each).
"""

import os
import re
import signal
import subprocess
from pathlib import Path

from .waiting import wait_until


class CommandFailed(AssertionError):
    """`said` is all that the command wrote, without its own arguments; `code` its exit code."""

    def __init__(self, argv, done):
        self.code, self.said = done.returncode, done.stdout + done.stderr
        super().__init__(f"{' '.join(argv)}: exit code {self.code}\n{self.said}")


class Process:
    shown = []

    @classmethod
    def forget_ended(cls):
        cls.shown = [process for process in cls.shown if process.is_running]

    def __init__(self, name, argv, directory, env=None, enter=()):
        """`enter` is a command prefix, as that of a namespace; it must exec what follows it.

        In `env` a value of None takes the variable away.
        """
        self.name = name
        self.argv = [*map(str, enter), *map(str, argv)]
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.stdout_path = self.directory / f"{name}.stdout"
        self.stderr_path = self.directory / f"{name}.stderr"
        environment = {**os.environ, **(env or {})}
        environment = {key: value for key, value in environment.items() if value is not None}
        with open(self.stdout_path, "ab") as stdout, open(self.stderr_path, "ab") as stderr:
            self._child = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                cwd=self.directory, env=environment)
        self._last_words = None
        Process.shown.append(self)

    @property
    def pid(self):
        return self._child.pid

    @property
    def is_running(self):
        return self._child.poll() is None

    @property
    def exit_code(self):
        return self._child.poll()

    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    def last_words(self, lines=40, width=600):
        """The end of what it wrote to stderr; still known when the directory is gone."""
        text = self.stderr() if self.stderr_path.exists() else self._last_words or ""
        return "\n".join(line[:width] for line in text.splitlines()[-lines:])

    def wait_for_stderr(self, pattern, timeout=15.0):
        """Returns the first match of `pattern` in what the process writes to stderr."""

        def look():
            found = re.search(pattern, self.stderr())
            if not found and not self.is_running:
                raise AssertionError(
                    f"{self.name} ended with {self.exit_code}:\n{self.last_words()}")
            return found

        return wait_until(look, f"{pattern!r} from {self.name}", timeout)

    def signal(self, number):
        if self.is_running:
            self._child.send_signal(number)

    def wait(self, timeout=15.0):
        """Returns the exit code, negative for a signal."""
        wait_until(lambda: not self.is_running, f"the end of {self.name}", timeout)
        return self.exit_code

    def end(self, timeout=10.0):
        """SIGTERM, and SIGKILL where that is not enough. Never fails."""
        self.signal(signal.SIGTERM)
        try:
            self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
        self._last_words = self.last_words()

    def kill(self):
        self.signal(signal.SIGKILL)
        self._child.wait()
        self._last_words = self.last_words()


def run(argv, *, env=None, enter=(), timeout=60):
    """Runs one command to its end; returns its standard output. A failure shows all it said."""
    argv = [*map(str, enter), *map(str, argv)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, env={**os.environ, **(env or {})})
    if done.returncode != 0:
        raise CommandFailed(argv, done)
    return done.stdout
