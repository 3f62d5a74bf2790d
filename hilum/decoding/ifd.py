"""Image file directories: the tag tables of TIFF, which EXIF borrows.

Reads of them only what is needed to show pixels, so that no other tag, however large or however
often it claims the same bytes, is loaded by anything.
"""

import struct
from collections.abc import Collection
from dataclasses import dataclass

ORIENTATION = 0x0112
"""Tag of the orientation, 1 to 8, in TIFF and in EXIF."""

_ENTRY_BYTES = 12
_FORMATS = {1: "B", 3: "H", 4: "L"}
"""Field types that hold unsigned integers, and how `struct` reads them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One tag of a directory."""

    raw: bytes
    """The entry as it stands in the file: 12 bytes."""
    kind: int
    """Field type: 3 is SHORT, 4 is LONG, ..."""
    count: int
    """How many values it claims to hold."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The wanted entries of one directory."""

    byte_order: str
    """`<` or `>`, as `struct` has it."""
    start: int
    """Where the directory begins in the file, in bytes."""
    entries: dict[int, Entry]
    """By tag; of a repeated tag the first."""
    next_start: int
    """Where the next page's directory begins; 0 where there is none."""

    def numbers(self, data: bytes, tag: int, *, most: int = 8) -> tuple[int, ...]:
        """Return the unsigned integers of `tag`, at most `most` of them; empty where the tag is absent.

        Raises:
            struct.error: the values lie outside `data`.
            KeyError: the tag holds no unsigned integers.
        """
        entry = self.entries.get(tag)
        if entry is None:
            return ()
        values = f"{self.byte_order}{min(entry.count, most)}{_FORMATS[entry.kind]}"
        width = struct.calcsize(self.byte_order + _FORMATS[entry.kind])
        if entry.count * width <= 4:
            return struct.unpack_from(values, entry.raw, 8)
        (start,) = struct.unpack_from(f"{self.byte_order}L", entry.raw, 8)
        return struct.unpack_from(values, data, start)


def read_directory(data: bytes, tags: Collection[int]) -> Directory:
    """Return the first directory of a TIFF stream, reduced to `tags`.

    Raises:
        ValueError: there is no TIFF header (BigTIFF has another).
        struct.error: the stream is cut short.
    """
    byte_order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if byte_order is None:
        raise ValueError("no TIFF header")
    (start,) = struct.unpack_from(f"{byte_order}L", data, 4)
    (count,) = struct.unpack_from(f"{byte_order}H", data, start)
    entries: dict[int, Entry] = {}
    for position in range(start + 2, start + 2 + count * _ENTRY_BYTES, _ENTRY_BYTES):
        tag, kind, values = struct.unpack_from(f"{byte_order}HHL", data, position)
        if tag in tags and tag not in entries:
            entries[tag] = Entry(data[position : position + _ENTRY_BYTES], kind, values)
    end = start + 2 + count * _ENTRY_BYTES
    # A file may end with its directory: then there is no next page.
    (next_start,) = struct.unpack(f"{byte_order}L", data[end : end + 4].ljust(4, b"\0"))
    return Directory(byte_order, start, entries, next_start)


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, of an EXIF block; 1, as stored, where it has none or is broken."""
    try:
        stream = exif.removeprefix(b"Exif\0\0")
        orientation = read_directory(stream, {ORIENTATION}).numbers(stream, ORIENTATION)
    except (ValueError, KeyError, struct.error):
        return 1
    return valid_orientation(orientation)


def valid_orientation(values: tuple[int, ...]) -> int:
    """Return the orientation that a tag's values give: 1, as stored, where they make no sense."""
    return values[0] if values and 1 <= values[0] <= 8 else 1
