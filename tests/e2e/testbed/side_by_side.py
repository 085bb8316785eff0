# SPDX-License-Identifier: Apache-2.0
"""The same request to a gateway and to the registry behind it, and what differs of the answers.

A `Side` is where a case asks: at a gateway, or at a registry of the same kind and contents that
nobody else writes to. What has to differ (names, hosts, sessions, the ids of requests) is evened
out by `told`; `differing` names what is left.
"""

import json
import re
from dataclasses import dataclass

from .push_protocol import Repository

_HEADERS = ("Location", "Range", "Docker-Content-Digest", "Docker-Upload-UUID", "Content-Type",
            "Content-Length", "Link", "Warning", "OCI-Subject", "OCI-Tag", "OCI-Chunk-Min-Length",
            "OCI-Filters-Applied")
_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Place:
    """Where the repositories of the cases are: of a registry that deletes, of one that does not, and
    of one that nothing is given without a login."""
    main: tuple[str, str]       # url, and what their names begin with
    frozen: tuple[str, str]
    closed: tuple[str, str]


class Side:
    """The repositories of one case. `behind` is the main one at the registry itself, for what has to
    be there before."""

    def __init__(self, place: Place, behind: tuple[str, str], case: str):
        self.names = {prefix + case for _, prefix in (place.main, place.frozen, place.closed, behind)}
        self.app, self.frozen, self.closed, self.behind = (
            Repository(url, prefix + case)
            for url, prefix in (place.main, place.frozen, place.closed, behind))
        self.other = Repository(self.app.url, self.app.name + "-other")
        self.absent = Repository(self.app.url, self.app.name.rpartition("/")[0].replace(
            "team", "absent").replace("corp/apps", "absent") + "/" + case)

    def even(self, text: str) -> str:
        for name in sorted({*self.names, self.absent.name}, key=len, reverse=True):
            text = text.replace(name, "NAME")
        return re.sub(r"https?://[0-9.]+:\d+", "", text)

    def told(self, answer, method: str) -> dict:
        """What the answer says, by field."""
        found = {"status": answer.status}
        for name in _HEADERS:
            value = ", ".join(answer.headers.get_all(name) or [])
            if value:
                found[name] = self.even(value)
        if "Location" in found:
            found["Location"] = re.sub(r"(/uploads/)[^/]+", r"\1SESSION", found["Location"])
        if "Docker-Upload-UUID" in found:
            found["Docker-Upload-UUID"] = re.sub(_UUID, "ID", found["Docker-Upload-UUID"])
        if "Content-Type" in found:
            found["Content-Type"] = found["Content-Type"].partition(";")[0]
        if answer.status >= 400:
            found.pop("Content-Length", None)
            found |= _errors(answer)
        elif found.get("Content-Type", "").endswith("json") and method != "HEAD":
            found["body"] = json.loads(self.even(answer.body.decode()))
            if "Docker-Content-Digest" not in found:
                del found["Content-Length"]     # of a list, whose names are of another length
        else:
            found["body"] = answer.body
        if answer.status == 204:
            found.pop("Content-Length", None)
        return found


def _errors(answer) -> dict:
    """An error's code and message; a body of another kind is said to be that."""
    if not answer.body:
        return {}
    try:
        errors = json.loads(answer.body)["errors"]
    except (ValueError, KeyError, TypeError):
        return {"codes": "no errors of the specification's form"}
    return {"codes": [error["code"] for error in errors],
            "messages": [error.get("message") for error in errors]}


def differing(ours: dict, theirs: dict) -> set[str]:
    return {name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name)}
