# SPDX-License-Identifier: Apache-2.0
"""An S3 server that verifies signatures for real: one Ceph monitor, one OSD in memory and an RGW.

    with Ceph() as ceph:
        ceph.make_bucket("blobs")
        Registry(s3_storage(ceph.endpoint, "blobs", ceph.access_key, ceph.secret_key))

Ready in two to five seconds from an empty directory. A registry is slow in pushing to it: give
`make_bucket` the storage directory of one that keeps files, with the prefix "registry/".
`requests()` tells what was fetched.
"""

import re
import shutil
import signal
import socket
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path

from .process import Process, run
from .waiting import wait_until

PROGRAMS = ("radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool",
            "ceph-authtool")

# Without the short paxos intervals the start takes 13 s. The thread counts are those of a small
# machine that has other things to do.
_CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}/0
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
public addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
auth supported = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data avail warn = 1
mon data avail crit = 1
paxos propose interval = 0.02
paxos min wait = 0.01
osd objectstore = memstore
memstore device bytes = 4294967296
osd memory target = 939524096
rgw frontends = beast endpoint=127.0.0.1:{rgw_port}
rgw dns name = {domain}
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw thread pool size = 8
osd op num shards = 1
osd op num threads per shard = 2
ms async op threads = 1
debug ms = 0/0
debug osd = 0/0
rgw enable usage log = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
run dir = {directory}
admin socket = {directory}/$name.asok
pid file = {directory}/$name.pid
log file = {directory}/$name.log
keyring = /dev/null
[mon.a]
mon data = {directory}/mon
[osd.0]
osd data = {directory}/osd
[client.rgw.a]
rgw data = {directory}/rgw
"""


def _free_port():
    # A monitor must know its port before it starts; another program may take it in between.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Ceph:
    access_key = "TESTBEDACCESSKEY0000"
    secret_key = "testbed/secret+key/of/forty/characters00"
    domain = "s3.test"      # BUCKET.s3.test is virtual-host style; addresses are path style

    def __init__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="ceph-"))
        self._processes = []

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self._processes):
            process.signal(signal.SIGKILL)      # nothing to save, and SIGTERM takes an OSD 6 s
        for process in self._processes:
            process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self):
        directory = self.directory
        fsid, osd = str(uuid.uuid4()), str(uuid.uuid4())
        mon_port, rgw_port = _free_port(), _free_port()
        self.endpoint = f"http://127.0.0.1:{rgw_port}"
        configuration = directory / "ceph.conf"
        configuration.write_text(_CONFIGURATION.format(
            fsid=fsid, mon_port=mon_port, rgw_port=rgw_port, directory=directory,
            domain=self.domain))
        for name in ("mon", "osd", "rgw"):
            (directory / name).mkdir()
        use = ["-c", configuration]

        monmap, keyring = directory / "monmap", directory / "keyring"
        run(["monmaptool", "--create", "--fsid", fsid, "--addv", "a",
             f"[v1:127.0.0.1:{mon_port}]", monmap])
        run(["ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.",
             "--cap", "mon", "allow *"])
        run(["ceph-mon", *use, "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring])
        self._begin("ceph-mon", ["ceph-mon", *use, "-i", "a", "-f"])
        run(["ceph", *use, "--connect-timeout", "20", "osd", "new", osd])
        run(["ceph-osd", *use, "-i", "0", "--mkfs", "--osd-uuid", osd])
        self._begin_osd(use)
        # Before the gateway: both make the pools that are not there, and would wait for each other.
        run(["radosgw-admin", *use, "user", "create", "--uid=testbed", "--display-name=testbed",
             f"--access-key={self.access_key}", f"--secret-key={self.secret_key}"])
        self._begin_gateway()

    def _begin_gateway(self):
        configuration, port = self.directory / "ceph.conf", int(self.endpoint.rsplit(":", 1)[1])
        self._begin("radosgw", ["radosgw", "-c", configuration, "-n", "client.rgw.a", "-f"])
        wait_until(lambda: self._accepts(port), "RGW to listen", 40)

    @contextmanager
    def paused(self):
        """RGW takes connections meanwhile, and answers nobody."""
        gateway = self._processes[-1]
        gateway.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            gateway.signal(signal.SIGCONT)

    @contextmanager
    def killed(self):
        """RGW is not there meanwhile."""
        self._processes.pop().kill()
        try:
            yield
        finally:
            self._begin_gateway()

    def _begin_osd(self, use):
        """On a loaded machine an OSD now and then never gets to know the first maps; a second
        start does."""
        for _ in range(4):
            osd = self._begin("ceph-osd", ["ceph-osd", *use, "-i", "0", "-f"])
            try:
                wait_until(lambda: "1 up" in run(["ceph", *use, "osd", "stat"]), "the OSD", 12, 0.1)
                return
            except AssertionError:
                osd.kill()
                self._processes.remove(osd)
        raise AssertionError("the OSD does not come up")

    def _begin(self, name, argv):
        self._processes.append(Process(name, argv, self.directory))
        return self._processes[-1]

    def _accepts(self, port):
        assert all(process.is_running for process in self._processes), "a Ceph daemon has ended"
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def make_bucket(self, name, tree=None, prefix=""):
        """Makes a bucket that holds the files of the directory `tree`, under `prefix`."""
        import boto3
        client = boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1",
                              aws_access_key_id=self.access_key,
                              aws_secret_access_key=self.secret_key)
        client.create_bucket(Bucket=name)
        for path in sorted(Path(tree).rglob("*") if tree else ()):
            if path.is_file():
                client.put_object(Bucket=name, Key=prefix + str(path.relative_to(tree)),
                                  Body=path.read_bytes())

    def requests(self):
        """The lines of RGW's access log: `"GET /bucket/key... HTTP/1.1" 200 bytes - "agent"`."""
        log = (self.directory / "client.rgw.a.log").read_text(errors="replace")
        return re.findall(r'beast: .*?("[A-Z]+ .*)', log)
