# SPDX-License-Identifier: Apache-2.0
"""Pushes, one request at a time, and the answer to each as it came; and gateways that let them
through.

    with writable(registry) as gateway:
        app = Repository(gateway.url, "team/app")
        sent = app.patch(app.open(), data[:100])        # to where the answer before it says
        assert app.put(sent, images.sha256(data), data[100:]).status == 201

A `Repository` of a registry's own url asks the registry itself.
"""

import json
from urllib.parse import urlencode

from . import images
from .fairlead import Fairlead
from .http_request import Answer, fetch

ALL = ["pull", "push", "delete"]
ACCEPT = ", ".join((images.OCI_MANIFEST, images.OCI_INDEX, images.DOCKER_MANIFEST,
                    images.DOCKER_LIST))


def writable(*upstreams, routes=None, auth=None, cache=None, server=None, env=None, of_all=None,
             **registry) -> Fairlead:
    """A gateway that lets everybody write to the registries `up`, `up2`, ...; the first has its
    own names, and the others are below `up2/` and so on. `of_all` are more settings of each of
    these routes, `routes` come before them, and `registry` are more settings of each registry."""
    names = ["up", *(f"up{number}" for number in range(2, len(upstreams) + 1))]
    config = {
        "registries": {name: {"url": upstream.url} | registry
                       for name, upstream in zip(names, upstreams)},
        "routes": [*(routes or []), *(
            {"match": "" if name == "up" else f"{name}/", "to": f"{name}/", "allow": ALL}
            | (of_all or {}) for name in names)],
        "auth": {"anonymous": ALL} | (auth or {})}
    more = {"cache": cache, "server": server}
    return Fairlead(config | {name: value for name, value in more.items() if value}, env=env)


def chunks(data: bytes, size: int = 1000):
    """A body that is sent with Transfer-Encoding: chunked."""
    return iter([data[at:at + size] for at in range(0, len(data), size)])


def codes(answer: Answer) -> list[str]:
    return [error["code"] for error in json.loads(answer.body)["errors"]]


class Repository:
    def __init__(self, url: str, name: str, headers: dict | None = None, query: str = ""):
        """`headers` and `query` go with each request: credentials, Host; ns=up.test."""
        self.url = url
        self.name = name
        self.headers = headers or {}
        self.query = query

    def send(self, method: str, target: str, body=None, headers=None, **options) -> Answer:
        return fetch(self.url, target, method=method, body=body,
                     headers=self.headers | (headers or {}), **options)

    def target(self, rest: str, query: dict | None = None) -> str:
        asked = "&".join(filter(None, (self.query, urlencode(query or {}, doseq=True, safe=":/"))))
        return f"/v2/{self.name}/{rest}" + (f"?{asked}" if asked else "")

    def where(self, at: Answer | str) -> str:
        """Where the answer says that the upload goes on, without scheme and host."""
        return at if isinstance(at, str) else at.headers["Location"].removeprefix(self.url)

    # -- uploads: `at` is the answer before, or a path --------------------------------------------

    def open(self, body=None, headers=None, **query) -> Answer:
        """POST; `query` is digest, mount, from_."""
        query = {name.rstrip("_"): value for name, value in query.items()}
        return self.send("POST", self.target("blobs/uploads/", query), body, headers)

    def patch(self, at, body, first: int | None = None, headers=None, **options) -> Answer:
        """`first` is the offset to name in Content-Range."""
        headers = {"Content-Type": "application/octet-stream"} | (headers or {})
        if first is not None:
            headers["Content-Range"] = f"{first}-{first + len(body) - 1}"
        return self.send("PATCH", self.where(at), body, headers, **options)

    def put(self, at, digest: str, body=b"", headers=None, **options) -> Answer:
        where = self.where(at)
        headers = {"Content-Type": "application/octet-stream"} | (headers or {})
        joint = "&" if "?" in where else "?"
        return self.send("PUT", f"{where}{joint}digest={digest}", body, headers, **options)

    def status(self, at, method: str = "GET") -> Answer:
        return self.send(method, self.where(at))

    def cancel(self, at) -> Answer:
        return self.send("DELETE", self.where(at))

    # -- what is pushed ---------------------------------------------------------------------------

    def push(self, data: bytes) -> str:
        """A blob by POST and PUT; its digest."""
        digest = images.sha256(data)
        answer = self.put(self.open(), digest, data)
        assert answer.status == 201, (answer.status, answer.body[:300])
        return digest

    def put_manifest(self, reference: str, content, headers=None, **query) -> Answer:
        """`content` is an `images.Content`, or the bytes of a manifest of OCI's kind."""
        is_known = isinstance(content, images.Content)
        kind = content.media_type if is_known else images.OCI_MANIFEST
        return self.send("PUT", self.target(f"manifests/{reference}", query),
                         content.manifest if is_known else content,
                         {"Content-Type": kind} | (headers or {}))

    def push_image(self, content, *tags: str):
        """The image and all that it names, by digest where no tag is given."""
        for child in content.children:
            self.push_image(child)
        for blob in content.blobs:
            self.push(blob.data)
        for reference in tags or (content.digest,):
            answer = self.put_manifest(reference, content)
            assert answer.status == 201, (answer.status, answer.body[:300])
        return content

    # -- what is there ----------------------------------------------------------------------------

    def blob(self, digest: str, method: str = "GET", headers=None) -> Answer:
        return self.send(method, self.target(f"blobs/{digest}"), headers=headers)

    def manifest(self, reference: str, method: str = "GET", headers=None) -> Answer:
        return self.send(method, self.target(f"manifests/{reference}"),
                         headers={"Accept": ACCEPT} | (headers or {}))

    def tags(self, **query) -> Answer:
        return self.send("GET", self.target("tags/list", query))

    def referrers(self, digest: str, **query) -> Answer:
        return self.send("GET", self.target(f"referrers/{digest}", query))
