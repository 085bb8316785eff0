# SPDX-License-Identifier: Apache-2.0
"""The container clients of the field behind one method.

    digests = client.pull(fairlead.host, "upstream.test/team/app", "1.0")

pulls `upstream.test/team/app:1.0` through a proxy, into a storage that is empty before, and
returns the digests under which the client now knows the image. containerd is told by hosts.toml
that the host `upstream.test` is to be asked at the proxy, and so sends `?ns=upstream.test`; all
others are given `PROXY/upstream.test/team/app:1.0`.

To push, a client takes an image of testbed/oci_layout.py into its own storage, once, and gives
it away under as many names as it is told:

    local = client.load(image)
    digest = client.push(local, fairlead.host, "team/app", "1.0")

docker and containerd keep one daemon each for as long as their `with` block lasts.
"""

import json
import os
import re
import shutil
import tempfile
from pathlib import Path

from .images import sha256
from .process import CommandFailed, Process, run  # noqa: F401
from .waiting import wait_until


_POLICY = object()     # stands for the path of a policy.json that accepts everything
_NO_PROXY = {name: "" for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}


def join(path, reference):
    """`path:tag` or `path@digest`."""
    return f"{path}{'@' if ':' in reference else ':'}{reference}"


def missing_reason(programs, root=False):
    """Why these programs cannot be used here, or an empty string."""
    missing = [program for program in programs if not shutil.which(program)]
    if missing:
        return f"not installed: {', '.join(missing)} (scripts/setup --test)"
    if root and os.geteuid() != 0:
        return f"{programs[0]} needs root"
    return ""


class _Client:
    programs = ()
    needs_root = True

    def __init__(self, within=None):
        """`within` is a `Namespace` to run in."""
        self.directory = Path(tempfile.mkdtemp(prefix=f"{type(self).__name__.lower()}-"))
        self._enter = within.enter if within else ()
        self._pulls = 0
        self._loaded = {}

    def __enter__(self):
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start(self):
        pass

    def _stop(self):
        pass

    def load(self, image):
        """What the client calls the image in its own storage."""
        if image.directory not in self._loaded:
            self._loaded[image.directory] = self._load(image)
        return self._loaded[image.directory]

    def _empty_directory(self):
        self._pulls += 1
        directory = self.directory / f"pull{self._pulls}"
        directory.mkdir()
        return directory


class Docker(_Client):
    programs = ("dockerd", "docker", "containerd", "runc")

    def __init__(self, within=None, settings=None):
        """`settings` are those of daemon.json, as `registry-mirrors`."""
        super().__init__(within)
        self._settings = settings or {}
        self._daemon = None

    def _start(self):
        settings = self.directory / "daemon.json"
        settings.write_text(json.dumps(self._settings))
        self._socket = self.directory / "docker.sock"
        self._daemon = Process(
            "dockerd",
            ["dockerd", "--config-file", settings, "--iptables=false", "--ip6tables=false",
             "--ip-forward=false", "--ip-masq=false", "--bridge=none",
             "--data-root", self.directory / "data", "--exec-root", self.directory / "exec",
             "--pidfile", self.directory / "pid", "-H", f"unix://{self._socket}",
             "--storage-driver", "vfs"],
            self.directory, _NO_PROXY, self._enter)
        self._daemon.wait_for_stderr("API listen on", timeout=40)

    def _stop(self):
        if self._daemon:
            self._daemon.end()

    def run(self, *arguments):
        """A docker command. Debian's binary: another on the PATH may be too new for its daemon."""
        return run(["/usr/bin/docker", "-H", f"unix://{self._socket}", *arguments],
                   env={"DOCKER_CONFIG": str(self.directory / "client")}, timeout=90)

    def remove_all(self):
        self._loaded.clear()
        images = self.run("images", "--all", "--quiet", "--no-trunc").split()
        if images:
            self.run("rmi", "--force", *sorted(set(images)))

    def _load(self, image):
        said = self.run("load", "--input", image.docker_archive)
        local = f"localhost/loaded:{len(self._loaded)}"
        self.run("tag", re.search(r"^Loaded image(?: ID)?: (\S+)$", said, re.MULTILINE)[1], local)
        return local

    def push(self, local, host, path, tag):
        name = f"{host}/{path}:{tag}"
        self.run("tag", local, name)
        try:
            said = self.run("push", name)
        finally:
            self.run("rmi", name)
        return re.search(r"^\S+: digest: (\S+) size: \d+$", said, re.MULTILINE)[1]

    def pull_reference(self, reference):
        self.remove_all()
        return {re.search(r"^Digest: (\S+)$", self.run("pull", reference), re.MULTILINE)[1]}

    def pull(self, host, path, reference):
        return self.pull_reference(join(f"{host}/{path}", reference))


class Containerd(_Client):
    programs = ("containerd", "ctr", "runc")

    def __init__(self, within=None):
        super().__init__(within)
        self._daemon = None

    def _start(self):
        config = self.directory / "config.toml"
        self._socket = self.directory / "containerd.sock"
        config.write_text(
            'version = 2\n'
            f'root = "{self.directory}/root"\n'
            f'state = "{self.directory}/state"\n'
            'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt",'
            ' "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs",'
            ' "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.aufs"]\n'
            f'[grpc]\n  address = "{self._socket}"\n'
            f'[ttrpc]\n  address = "{self._socket}.ttrpc"\n')
        self._daemon = Process("containerd", ["containerd", "--config", config], self.directory,
                               _NO_PROXY, self._enter)
        self._daemon.wait_for_stderr("containerd successfully booted", timeout=40)

    def _stop(self):
        if self._daemon:
            self._daemon.end()

    def run(self, *arguments):
        return run(["ctr", "--address", self._socket, *arguments], env=_NO_PROXY,
                   enter=self._enter, timeout=90)

    def remove_all(self):
        self._loaded.clear()
        images = self.run("images", "list", "--quiet").split()
        if images:
            self.run("images", "remove", "--sync", *images)
        wait_until(lambda: not self.run("content", "list", "--quiet").split(),
                   "containerd to collect its garbage")

    def pull(self, host, path, reference, *options, header=None):
        """`options` of `ctr images pull`, as `--user`; `header` is the Authorization to send."""
        hosts = self._hosts(host, path, header)
        return self._pull_name(join(path, reference), "--hosts-dir", hosts, *options)

    def _hosts(self, host, path, header=None):
        """A directory that sends whoever asks for `path` to the proxy."""
        namespace = path.split("/", 1)[0]
        hosts = self._empty_directory()
        (hosts / namespace).mkdir()
        # Without a `server` that refuses, a 404 of the proxy goes on to the real host.
        (hosts / namespace / "hosts.toml").write_text(
            'server = "http://127.0.0.1:9"\n'
            f'[host."http://{host}"]\n  capabilities = ["pull", "resolve", "push"]\n'
            + (f'[host."http://{host}".header]\n  authorization = "{header}"\n' if header else ""))
        return hosts

    def _load(self, image):
        self.run("images", "import", "--no-unpack", "--all-platforms", image.archive)
        return image.name

    def push(self, local, host, path, tag, *options):
        """By the proxy's own name; with all platforms. ctr does not say what it pushed."""
        self.run("images", "push", "--plain-http", *options, f"{host}/{path}:{tag}", local)

    def push_by_hosts(self, local, host, path, tag, *options):
        """As `pull`: with `?ns=`."""
        self.run("images", "push", "--hosts-dir", self._hosts(host, path), *options,
                 f"{path}:{tag}", local)

    def pull_direct(self, host, path, reference, *options):
        """By the proxy's own name, so without `?ns=`."""
        return self._pull_name(join(f"{host}/{path}", reference), "--plain-http", *options)

    def _pull_name(self, name, *options):
        self.remove_all()
        self.run("images", "pull", "--snapshotter", "native", *options, name)
        lines = [line.split() for line in self.run("images", "list").splitlines()]
        return {line[2] for line in lines if line[0] == name}


# Root's cache of where blobs were seen is the machine's, whatever the environment says.
_PLACES = "/var/lib/containers/cache"
_OWN_PLACES = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
               f'mkdir -p {_PLACES} && mount --bind "$0" {_PLACES} && exec "$@"']


class _Daemonless(_Client):
    """podman, buildah and skopeo read the same files; these are our own."""

    def forget_places(self):
        """From now on it knows of no blob that it lies in some repository already."""
        for path in self._places().iterdir():
            path.unlink()

    def _places(self):
        places = self.directory / "places"
        places.mkdir(exist_ok=True)
        return places

    def _environment(self):
        home = self.directory / "home"
        if not home.exists():
            home.mkdir()
            (home / "policy.json").write_text('{"default": [{"type": "insecureAcceptAnything"}]}')
            (home / "registries.conf").write_text("")
            (home / "auth.json").write_text("{}")
            (home / "storage.conf").write_text(
                f'[storage]\ndriver = "vfs"\nrunroot = "{home}/run"\ngraphroot = "{home}/root"\n')
        return {**_NO_PROXY, "HOME": str(home), "XDG_RUNTIME_DIR": str(home),
                "CONTAINERS_REGISTRIES_CONF": str(home / "registries.conf"),
                "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
                "REGISTRY_AUTH_FILE": str(home / "auth.json"), "TMPDIR": str(home)}

    def run(self, *arguments):
        environment = self._environment()
        policy = Path(environment["HOME"]) / "policy.json"
        arguments = [policy if argument is _POLICY else argument for argument in arguments]
        enter = self._enter
        if os.geteuid() == 0:
            enter = [*enter, *_OWN_PLACES, self._places()]
        return run(arguments, env=environment, enter=enter, timeout=90)

    def _store(self, directory):
        return ["--root", directory / "root", "--runroot", directory / "run",
                "--storage-driver", "vfs"]


class _Storing(_Daemonless):
    """podman and buildah have a storage, and most of their commands in common."""

    def _program(self, directory):
        """The program over the storage in `directory`."""
        raise NotImplementedError

    def _own(self):
        """The storage of what is to be pushed."""
        return self._program(self.directory / "own")

    def _load(self, image):
        return self.run(*self._own(), "pull", "--quiet", "--signature-policy", _POLICY,
                        image.oci).strip()

    def push(self, local, host, path, tag, *options):
        """The one image for this machine, whose layers are packed anew."""
        return self._push(host, path, tag, "push", "--signature-policy", _POLICY, *options, local)

    def push_index(self, image, host, path, tag, *options):
        """`manifest push --all` of an index that is made of the image's own one."""
        made = f"localhost/list{self._pulls}"
        self.run(*self._own(), "manifest", "create", made)
        try:
            self.run(*self._own(), "manifest", "add", "--all", made, image.oci)
            return self._push(host, path, tag, "manifest", "push", "--all", *options, made)
        finally:
            self.run(*self._own(), "manifest", "rm", made)

    def _push(self, host, path, tag, *command):
        digest = self._empty_directory() / "digest"
        *command, local = command
        self.run(*self._own(), *command, "--tls-verify=false", "--digestfile", digest, local,
                 f"docker://{host}/{path}:{tag}")
        return digest.read_text().strip()


class Podman(_Storing):
    programs = ("podman",)

    def _program(self, directory):
        return ["podman", *self._store(directory), "--cgroup-manager", "cgroupfs",
                "--events-backend", "file", "--tmpdir", directory / "tmp"]

    def pull(self, host, path, reference):
        podman = self._program(self._empty_directory())
        name = join(f"{host}/{path}", reference)
        self.run(*podman, "pull", "--quiet", "--tls-verify=false", "--signature-policy", _POLICY, name)
        image, = json.loads(self.run(*podman, "image", "inspect", name))
        return {image["Digest"], *(name.split("@")[1] for name in image["RepoDigests"])}


class Buildah(_Storing):
    programs = ("buildah",)

    def _program(self, directory):
        return ["buildah", *self._store(directory)]

    def pull(self, host, path, reference):
        buildah = self._program(self._empty_directory())
        name = join(f"{host}/{path}", reference)
        self.run(*buildah, "pull", "--quiet", "--tls-verify=false", "--signature-policy", _POLICY, name)
        image = json.loads(self.run(*buildah, "inspect", "--type", "image", name))
        images = json.loads(self.run(*buildah, "images", "--json", "--digests"))
        return {image["FromImageDigest"], *(each["digest"] for each in images)}


class Skopeo(_Daemonless):
    programs = ("skopeo",)
    needs_root = False

    def copy(self, source, *options):
        """Copies with all platforms into an empty directory, and returns it."""
        directory = self._empty_directory()
        self.run("skopeo", "copy", "--quiet", "--policy", _POLICY, "--all", "--preserve-digests",
                 *options, f"docker://{source}", f"dir:{directory}")
        return directory

    def push(self, image, host, path, tag, *options):
        """A `LocalImage`, as it is."""
        self.run("skopeo", "copy", "--quiet", "--policy", _POLICY, "--all", "--preserve-digests",
                 "--dest-tls-verify=false", *options, image.oci, f"docker://{host}/{path}:{tag}")

    def sync(self, image, host, path, tag, *options):
        """`skopeo sync` of a directory of images, which holds this one."""
        parent, _, name = f"{path}:{tag}".rpartition("/")
        self.run("skopeo", "sync", "--policy", _POLICY, "--all", "--preserve-digests",
                 "--dest-tls-verify=false", *options, "--src", "dir", "--dest", "docker",
                 image.as_dir(name), "/".join(filter(None, (host, parent))))

    def pull(self, host, path, reference, *options):
        directory = self.copy(join(f"{host}/{path}", reference), "--src-tls-verify=false", *options)
        return {sha256((directory / "manifest.json").read_bytes())}


ALL = {"docker": Docker, "containerd": Containerd, "podman": Podman, "skopeo": Skopeo,
       "buildah": Buildah}
