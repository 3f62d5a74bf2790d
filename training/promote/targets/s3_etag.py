"""Tells by an object's entity tag that its content is a file's, without reading the object.

S3 computes the tag of what it received: MD5 of the content, or for an upload in parts MD5 over the parts'
MD5, a dash, and their number. A server that encrypts with keys of its own gives other tags: one that does not
fit says nothing, and the object has to be read.
"""

from hashlib import md5
from pathlib import Path

PART_BYTES = 8 << 20
"""Content above this size is sent in parts of this size, in bytes."""


def fits(etag: str, path: Path) -> bool:
    """Whether a tag is the one of a file's content, sent whole or in parts of `PART_BYTES`."""
    parts = []
    with path.open("rb") as stream:
        while block := stream.read(PART_BYTES):
            parts.append(md5(block, usedforsecurity=False))
    digest, dash, count = etag.strip('"').partition("-")
    if not dash:
        whole = parts[0] if len(parts) == 1 else md5(path.read_bytes(), usedforsecurity=False)
        return digest == whole.hexdigest()
    joined = md5(b"".join(part.digest() for part in parts), usedforsecurity=False)
    return (digest, count) == (joined.hexdigest(), str(len(parts)))
