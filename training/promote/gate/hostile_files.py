"""Small files that would cost a careless decoder its time, its memory or its life."""

import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
from PIL import Image


def hostile_files() -> Mapping[str, bytes]:
    """Return small files that cost a careless decoder its time, its memory or its life, by name."""
    picture = np.random.default_rng(0).integers(0, 256, (128, 128), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG")
    jpeg = stream.getvalue()
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    png = stream.getvalue()
    return {
        "empty": b"",
        "text": b"this is no radiograph\n" * 40,
        "random bytes": np.random.default_rng(1).bytes(4096),
        "html": b"<!doctype html><script>alert(1)</script>" * 20,
        "JPEG cut in its header": jpeg[:100],
        "JPEG cut in half": jpeg[: len(jpeg) // 2],
        "PNG without its pixels": png[:33],
        "PNG that claims 30000 x 30000": _png(30_000, 30_000, zlib.compress(bytes(1000))),
        "PNG that claims a strip two pixels high": _png(2**31 - 1, 2, b""),
        "PNG whose pixels are no deflate stream": _png(128, 128, b"\xff" * 64),
        "PNG of one pixel": _png(1, 1, zlib.compress(bytes(2))),
        "DICOM without pixels": bytes(128) + b"DICM" + bytes(64),
        "TIFF whose directory points past its end": b"II*\0" + struct.pack("<L", 2**31) + bytes(16),
        "zip": b"PK\x03\x04" + bytes(60),
    }


def _png(width: int, height: int, data: bytes) -> bytes:
    """Return a gray PNG that claims a size and holds these bytes for pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))

    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
