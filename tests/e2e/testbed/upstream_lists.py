# SPDX-License-Identifier: Apache-2.0
"""The lists of a `FaultyUpstream`: tags in pages, and referrers with a filter.

`manifests` maps (repository, tag or digest) to a media type and a body.
"""

import json

from .upstream_faults import Answer, Request

INDEX = "application/vnd.oci.image.index.v1+json"


def tags(request: Request, repository: str, manifests: dict) -> Answer | None:
    """None where there is no such repository."""
    found = sorted(tag for name, tag in manifests if name == repository and ":" not in tag)
    if not found:
        return None
    headers = {"Content-Type": "application/json"}
    found = [tag for tag in found if tag > request.query.get("last", [""])[0]]
    count = int(request.query.get("n", [len(found)])[0])
    if count < len(found):
        found = found[:count]
        headers["Link"] = f'<{request.path}?n={count}&last={found[-1]}>; rel="next"'
    return Answer(200, headers, json.dumps({"name": repository, "tags": found}).encode())


def referrers(request: Request, repository: str, subject: str, manifests: dict) -> Answer:
    wanted = request.query.get("artifactType", [None])[0]
    entries = []
    for (name, reference), (kind, body) in manifests.items():
        document = json.loads(body) if name == repository and ":" in reference else {}
        artifact_type = document.get("artifactType")
        is_about = document.get("subject", {}).get("digest") == subject
        if is_about and wanted in (None, artifact_type):
            entries.append(
                {
                    "mediaType": kind,
                    "digest": reference,
                    "size": len(body),
                    "artifactType": artifact_type,
                }
            )
    headers = {"Content-Type": INDEX} | ({"OCI-Filters-Applied": "artifactType"} if wanted else {})
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
    return Answer(200, headers, json.dumps(index).encode())
