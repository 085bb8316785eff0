# SPDX-License-Identifier: Apache-2.0
"""A bucket as zot keeps its images in, without zot.

    put_image(client, "zot", "data", "team/app", image, "1.0")      # bytes in the repository
    put_image(client, "zot", "data", "copy/app", image, "1.0", blobs=marked)

`marked` leaves objects without bytes where zot with dedupe has the bytes elsewhere; `put_store`
puts them where newer ones keep them. The blobs of manifests are never deduplicated.
"""

import json

from .images import OCI_INDEX

STORE = "_blobstore"
_LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'


def key(root, repository, digest):
    return f"{root}/{repository}/blobs/{digest.replace(':', '/')}"


def whole(blob):
    return blob.data


def marked(_):
    return b""


def put_image(client, bucket, root, repository, content, *tags, blobs=whole):
    """Adds the image, and what it names, to the repository. `blobs` says what is at a blob's own
    place: its bytes, nothing, or None for no object at all."""
    def put(name, data):
        client.put_object(Bucket=bucket, Key=f"{root}/{repository}/{name}", Body=data)

    for child in content.children:
        put_image(client, bucket, root, repository, child, blobs=blobs)
    for blob in content.blobs:
        data = blobs(blob)
        if data is not None:
            put(f"blobs/{blob.digest.replace(':', '/')}", data)
    put(f"blobs/{content.digest.replace(':', '/')}", content.manifest)
    put("oci-layout", _LAYOUT)
    index = _index(client, bucket, f"{root}/{repository}/index.json")
    described = {"mediaType": content.media_type, "digest": content.digest,
                 "size": len(content.manifest)}
    index["manifests"] += [described | {"annotations": {"org.opencontainers.image.ref.name": tag}}
                           for tag in tags] or [described]
    put("index.json", json.dumps(index).encode())


def put_store(client, bucket, root, *contents):
    """The bytes of all blobs, in the store that all repositories share."""
    for content in contents:
        put_store(client, bucket, root, *content.children)
        for blob in content.blobs:
            client.put_object(Bucket=bucket, Key=key(root, STORE, blob.digest), Body=blob.data)


def _index(client, bucket, name):
    try:
        return json.loads(client.get_object(Bucket=bucket, Key=name)["Body"].read())
    except client.exceptions.NoSuchKey:
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}
