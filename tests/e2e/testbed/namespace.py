# SPDX-License-Identifier: Apache-2.0
"""A private internet: a network and mount namespace with its own /etc/hosts.

Nothing in it can leave. Programs enter it by the command prefix `enter`; `run` calls a Python
function in it, so that a test can make sockets there, to listen or to ask. Needs root.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

_CLONE_NEWNET = 0x40000000


class Namespace:
    def __init__(self, hosts):
        """`hosts` maps names to addresses of 127.0.0.0/8."""
        self.directory = Path(tempfile.mkdtemp(prefix="namespace-"))
        self._hosts = hosts
        self._holder = None

    def __enter__(self):
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._holder:
            self._holder.stdin.close()
            self._holder.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _begin(self):
        # The holder says a line when it is inside, and ends with its standard input.
        self._holder = subprocess.Popen(
            ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._holder.stdout.readline() == b"\n", "cannot make a namespace"
        self._must(["ip", "link", "set", "lo", "up"])
        hosts = self.directory / "hosts"
        hosts.write_text("127.0.0.1 localhost\n" + "".join(
            f"{address} {name}\n" for name, address in self._hosts.items()))
        resolv = self.directory / "resolv.conf"
        resolv.write_text("")
        self.put(hosts, "/etc/hosts")
        self.put(resolv, "/etc/resolv.conf")

    @property
    def enter(self):
        """What to put before a command. The process keeps its id."""
        return ["nsenter", "--target", str(self._holder.pid), "--net", "--mount", "--"]

    def put(self, source, place):
        """Shows the file or directory `source` at the existing path `place`, in here only."""
        self._must(["mount", "--bind", str(source), str(place)])

    def run(self, function):
        """Calls `function` on a thread inside the network namespace; returns what it returns."""
        outcome = {}

        def inside():
            try:
                descriptor = os.open(f"/proc/{self._holder.pid}/ns/net", os.O_RDONLY)
                try:
                    if ctypes.CDLL(None, use_errno=True).setns(descriptor, _CLONE_NEWNET) != 0:
                        raise OSError(ctypes.get_errno(), "setns")
                finally:
                    os.close(descriptor)
                outcome["value"] = function()
            except BaseException as error:
                outcome["error"] = error

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if "error" in outcome:
            raise outcome["error"]
        return outcome["value"]

    def _must(self, command):
        done = subprocess.run([*self.enter, *command], capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
