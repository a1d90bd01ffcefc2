# SPDX-License-Identifier: Apache-2.0
"""What a chunked driver's metadata says of a backup's objects, and how they are compressed."""

from __future__ import annotations

import bz2
import importlib
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from backup_dispatch.drivers.chunked_objects import ObjectDamaged, ObjectUnread
from backup_dispatch.drivers.digests import Digests, NoDigests, read_digests
from backup_dispatch.errors import VerdictUnknown, one_line, reason_of

_STEP = 1 << 20

Pieces = Callable[[Iterable[bytes]], Iterator[bytes]]


@dataclass(frozen=True)
class Stored:
    """One object, as a backup's metadata describes it."""

    name: str
    offset: int
    length: int
    compression: str
    md5: str

    @property
    def end(self) -> int:
        """The first byte of the volume behind it."""
        return self.offset + self.length


def metadata_name(backup: Any) -> str:
    """The object that names all others of the backup."""
    return f"{backup.service_metadata}_metadata"


def digests_name(backup: Any) -> str:
    """The object with the sha256 of each block of the volume."""
    return f"{backup.service_metadata}_sha256file"


def metadata_in(body: bytes) -> dict[str, Any]:
    """The metadata, parsed.

    :raises ObjectDamaged: it is something else.
    """
    try:
        metadata: dict[str, Any] = json.loads(body)
        list(objects_in(metadata))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ObjectDamaged(f"it cannot be understood: {reason_of(error)}") from error
    return metadata


def objects_in(metadata: dict[str, Any]) -> Iterator[Stored]:
    """The objects with the volume's blocks, in the order in which they were written."""
    for entry in metadata["objects"]:
        for name, one in entry.items():
            yield Stored(name, one["offset"], one["length"], one["compression"], one["md5"])


def digests_in(body: bytes) -> Digests:
    """The digests, parsed.

    :raises ObjectDamaged: it is something else.
    """
    try:
        return read_digests(body)
    except NoDigests as error:
        raise ObjectDamaged(str(error)) from error


def is_plain(one: Stored) -> bool:
    """Whether the object is stored as it is."""
    return _PIECES.get(one.compression.lower()) is _plain


def decompressed(one: Stored, body: bytes) -> bytes | bytearray:
    """The object's plain bytes.

    :raises ObjectDamaged: it cannot be decompressed.
    :raises ObjectUnread: its compression is not known here.
    :raises VerdictUnknown: the module that decompresses it is not installed here.
    """
    if is_plain(one):
        return body
    plain = bytearray()
    for piece in pieces_of(one, [body]):
        plain += piece
    return plain


def pieces_of(one: Stored, body: Iterable[bytes]) -> Iterator[bytes]:
    """The object's plain bytes, piece by piece; what comes before damage comes, too.

    :raises ObjectDamaged: it cannot be decompressed.
    :raises ObjectUnread: its compression is not known here.
    :raises VerdictUnknown: the module that decompresses it is not installed here.
    """
    pieces = _PIECES.get(one.compression.lower())
    if pieces is None:
        raise ObjectUnread(
            f"its metadata says compression {one.compression}, which this Cinder does not know"
        )
    parts = pieces(body)
    while True:
        try:
            piece = next(parts, None)
        except ImportError as missing:
            raise VerdictUnknown(
                f"whether object {one.name} is whole: it is compressed with zstd, and the Python "
                "module zstd is not installed here"
            ) from missing
        except (_Broken, zlib.error) as error:
            why = f"its {one.compression} data is broken: {one_line(str(error))}"
            raise ObjectDamaged(why) from error
        if piece is None:
            return
        yield piece


class _Broken(Exception):
    """The data is not what a compressor wrote."""


def _plain(body: Iterable[bytes]) -> Iterator[bytes]:
    yield from body


def _unzlib(body: Iterable[bytes]) -> Iterator[bytes]:
    one = zlib.decompressobj()
    for data in body:
        rest = data
        while rest and not one.eof:
            yield one.decompress(rest, _STEP)
            rest = one.unconsumed_tail
    yield one.flush()
    if not one.eof:
        raise _Broken("incomplete or truncated stream")


def _unbz2(body: Iterable[bytes]) -> Iterator[bytes]:
    one = bz2.BZ2Decompressor()
    for data in body:
        rest = data
        while not one.eof and (rest or not one.needs_input):
            try:
                yield one.decompress(rest, _STEP)
            except OSError as error:
                raise _Broken(str(error)) from error
            rest = b""
    if not one.eof:
        raise _Broken("incomplete or truncated stream")


def _unzstd(body: Iterable[bytes]) -> Iterator[bytes]:
    # The module that Cinder itself uses; not every installation has it.
    decompress = importlib.import_module("zstd").decompress
    whole = b"".join(body)
    try:
        yield decompress(whole)
    except Exception as error:  # the module has an error of its own, which is not always named
        raise _Broken(str(error)) from error


_PIECES: dict[str, Pieces] = {
    **dict.fromkeys(("none", "off", "no"), _plain),
    **dict.fromkeys(("zlib", "gzip"), _unzlib),
    **dict.fromkeys(("bz2", "bzip2"), _unbz2),
    "zstd": _unzstd,
}
"""By the names that Cinder accepts as ``backup_compression_algorithm``."""
