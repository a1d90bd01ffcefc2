# SPDX-License-Identifier: Apache-2.0
"""Changing a container as a forger would: whatever vouches for what was changed is made anew.

A forgery is a list of edits, plain dictionaries, so that one that once did harm can be kept as JSON
and be made again from other golden containers.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import zstandard

from datera_backup.container import BackupReader, BytesAbsent, Container
from datera_backup.container.format.log_record import KINDS, RecordRef
from tests.fixtures.containers.devices import Buffer, MemoryDevice

GOLDEN = Path(__file__).parents[1] / "golden"
BASES = {"chain": ("first", "second"), "third": ("third",)}
COPY = 2 << 20
HEADER = 128
REFERENCE = struct.Struct("<QI32s")
Edit = dict[str, Any]
_DIGITS = re.compile(rb"(?<=:)[0-9]+")


class Overlay:
    """A device of which only what was changed is kept beside what is shared."""

    def __init__(self, base: bytes) -> None:
        self._base = base
        self._patches: list[tuple[int, bytes]] = []
        self.size = len(base)

    def pread(self, offset: int, buffer: memoryview) -> None:
        end = offset + len(buffer)
        if end >= 1 << 63:
            raise OverflowError("as of a descriptor")
        if end > self.size:
            raise BytesAbsent(f"The device ends at byte {self.size}.")
        part = self._base[offset:end]
        buffer[: len(part)] = part
        buffer[len(part) :] = bytes(len(buffer) - len(part))
        for at, data in self._patches:
            low, high = max(at, offset), min(at + len(data), end)
            if low < high:
                buffer[low - offset : high - offset] = data[low - at : high - at]

    def get(self, offset: int, length: int) -> bytes:
        """Return what lies in a range, as much as there is."""
        buffer = bytearray(max(0, min(length, self.size - offset)))
        if buffer:
            self.pread(offset, memoryview(buffer))
        return bytes(buffer)

    def pwrite(self, offset: int, *buffers: Buffer) -> None:
        data = b"".join(buffers)[: max(0, self.size - offset)]
        self._patches.append((offset, data))

    def flush(self) -> None:
        pass

    def forget(self, offset: int = 0, length: int | None = None) -> None:
        pass

    def discard(self, offset: int, length: int) -> bool:
        return False


@dataclass(frozen=True)
class Node:
    """A record of a golden container.

    :param parents: where it is referred to: by the number of a record and a byte of its payload;
        a commit record by the number of its entry.
    :param rank: records refer to those of lower ranks.
    """

    kind: bytes
    offset: int
    fields: bytes
    plain: bytes
    parents: tuple[tuple[int, int], ...]
    rank: int


@dataclass
class _Parts:
    """A container taken apart."""

    content: bytes
    nodes: list[Node] = field(default_factory=list)
    segments: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    blocks: list[tuple[int, int]] = field(default_factory=list)


@cache
def parts(name: str) -> _Parts:
    """Take a golden container apart."""
    content = lzma.decompress((GOLDEN / f"version-2-{name}.xz").read_bytes())
    result = _Parts(content)
    container = Container.open(MemoryDevice(content=content))
    found: dict[int, Any] = {}

    def note(ref: RecordRef, plain: bytes, parent: tuple[int, int], rank: int) -> int:
        if ref.offset not in found:
            found[ref.offset] = [ref, plain, [], rank, len(found)]
        found[ref.offset][2].append(parent)
        return int(found[ref.offset][4])

    def plain_of(ref: RecordRef) -> bytes:
        raw = content[ref.offset : ref.offset + ref.length]
        stored = raw[HEADER:]
        return zstandard.decompress(stored) if raw[80] == 2 else stored

    def below(ref: RecordRef | None, rank: int, parent: tuple[int, int]) -> None:
        if ref is None:
            return
        plain = plain_of(ref)
        known = ref.offset in found
        me = note(ref, plain, parent, rank)
        if rank and not known:
            for at in range(0, len(plain), REFERENCE.size):
                child = RecordRef(*REFERENCE.unpack_from(plain, at))
                below(child if child.offset else None, rank - 1, (me, at))

    for number, entry in enumerate(container.entries):
        if entry.backup_id in container.committed and entry.commit is not None:
            reader = BackupReader(container, entry.backup_id)
            me = note(entry.commit, plain_of(entry.commit), (-1, number), 9)
            below(reader.commit.root, reader.depth, (me, 120))
    for ref, plain, parents, rank, _ in found.values():
        raw = content[ref.offset : ref.offset + ref.length]
        result.nodes.append(Node(raw[:8], ref.offset, raw[:96], plain, tuple(parents), rank))
    for at in range(4 << 20, len(content), 4096):
        if content[at : at + 8] == KINDS[0]:
            stored, trailer = struct.unpack_from("<I8xI", content, at + 64)
            behind = at + HEADER + stored
            result.segments.append((at, content[at : at + 96], content[behind : behind + trailer]))
    for number, node in enumerate(result.nodes):
        if node.kind == KINDS[1]:
            stored = struct.unpack_from("<I", node.plain, 4)[0]
            result.blocks += [(number, row) for row in range(stored)]
    return result


class Forger:
    """Applies edits to one container."""

    def __init__(self, name: str) -> None:
        self._parts = parts(name)
        self.device = Overlay(self._parts.content)
        first = min(node.offset for node in self._parts.nodes)
        self._free = first + (512 << 10)
        self._plain: dict[int, bytearray] = {}
        self._fields: dict[int, list[Edit]] = {}
        self._stored: dict[int, bytes] = {}
        length = int.from_bytes(self._parts.content[60:64], "little")
        self._head = bytearray(self._parts.content[:length])
        self._size = self.device.size

    def apply(self, edits: Iterable[Edit]) -> Overlay:
        """Make all the edits, then what vouches for them."""
        late = []
        for edit in edits:
            on = edit["on"]
            if on == "superblock":
                self._head = changed(self._head, edit)
            elif on == "record":
                self._record(edit)
            elif on == "segment":
                self._segment(edit)
            elif on == "block":
                self._block(edit)
            else:
                late.append(edit)
        self._seal()
        for edit in late:
            self._raw(edit)
        return self.device

    def _node(self, which: int, kind: int | None = None) -> int:
        """Return the number of a record, of any kind or of one of them."""
        nodes = self._parts.nodes
        fit = [n for n, node in enumerate(nodes) if kind is None or node.kind == KINDS[kind]]
        return fit[which % len(fit)]

    def _plain_of(self, number: int) -> bytearray:
        return self._plain.setdefault(number, bytearray(self._parts.nodes[number].plain))

    def _record(self, edit: Edit) -> None:
        number = self._node(edit["which"], edit["kind"])
        plain = self._plain_of(number)
        if edit["part"] == "header":
            self._fields.setdefault(number, []).append(edit)
        elif edit["op"] == "take":
            plain[:] = self._parts.nodes[self._node(edit["at"], edit["value"])].plain
        elif edit["op"] == "bomb":
            self._stored[number] = bomb(edit["value"])
        else:
            before = len(plain)
            plain[:] = changed(plain, edit)
            if edit["op"] in {"text", "digits"} and len(plain) >= 120:
                # What was put in counts as part of the statistics, the last of a commit record.
                length = struct.unpack_from("<I", plain, 108)[0] + len(plain) - before
                struct.pack_into("<I", plain, 108, max(0, length))

    def _segment(self, edit: Edit) -> None:
        at, fields, trailer = self._parts.segments[edit["which"] % len(self._parts.segments)]
        if edit["part"] == "header":
            fields = bytes(changed(bytearray(fields), edit))
        else:
            head, rest = trailer[:16], trailer[16:]
            plain = zstandard.decompress(rest) if head[8] == 2 else rest
            if edit["op"] == "bomb":
                trailer = bytes(changed(bytearray(head), edit)) + bomb(edit["value"])
            elif edit["part"] == "head":
                trailer = bytes(changed(bytearray(head), edit)) + rest
            else:
                plain = bytes(changed(bytearray(plain), edit))
                trailer = head[:8] + b"\1\0\0\0" + len(plain).to_bytes(4, "little") + plain
            fields = fields[:76] + len(trailer).to_bytes(4, "little") + fields[80:]
        stored = int.from_bytes(fields[64:68], "little")
        self.device.pwrite(at + HEADER + stored, trailer)
        self.device.pwrite(at, fields + hashlib.sha256(fields + trailer).digest())

    def _block(self, edit: Edit) -> None:
        """Change a block's stored bytes, or what its manifest says of it."""
        number, row = self._parts.blocks[edit["which"] % len(self._parts.blocks)]
        plain = self._plain_of(number)
        blocks, stored, k = struct.unpack_from("<IIH", self._parts.nodes[number].plain)
        columns = 16 + 16 * k + blocks
        if len(plain) < columns + 46 * stored:
            return
        data = bomb(edit["value"]) if edit["op"] == "bomb" else b""
        if edit["op"] == "set":
            where = {2: columns + 2 * row, 8: columns + 2 * stored + 8 * row}
            at = where.get(edit["size"], columns + 10 * stored + 4 * row)
            plain[:] = changed(plain, {**edit, "at": at})
            return
        codecs_at = 16 + 16 * k
        place = [n for n in range(blocks) if self._parts.nodes[number].plain[codecs_at + n]][row]
        plain[codecs_at + place] = edit["at"] % 256
        offset = struct.unpack_from("<Q", plain, columns + 2 * stored + 8 * row)[0]
        if data and offset < self.device.size:
            self.device.pwrite(offset, data)
            struct.pack_into("<I", plain, columns + 10 * stored + 4 * row, min(len(data), 4096))

    def _seal(self) -> None:
        """Write the records that were changed where there is room, and all that refer to them."""
        nodes = self._parts.nodes
        for number in sorted(range(len(nodes)), key=lambda n: nodes[n].rank):
            if number in self._plain:
                self._write(number)
        if len(self._head) >= 128:
            for slot in (0, 1):
                head = bytearray(self._head)
                generation = int.from_bytes(head[16:24], "little")
                head[16:24] = (generation ^ (generation + slot) % 2).to_bytes(8, "little")
                head[96:128] = bytes(32)
                head[96:128] = hashlib.sha256(head).digest()
                self.device.pwrite(slot * COPY, bytes(head))

    def _write(self, number: int) -> None:
        node = self._parts.nodes[number]
        plain = bytes(self._plain[number])
        packed = zstandard.compress(plain, 1)
        codec, stored = (2, packed) if len(packed) < len(plain) else (1, plain)
        stored = self._stored.get(number, stored)
        offset, self._free = self._free, self._free + -(-(HEADER + len(stored)) // 512) * 512
        fields = bytearray(node.fields)
        struct.pack_into("<QII", fields, 56, offset, len(stored), len(plain))
        fields[80] = codec
        for edit in self._fields.get(number, ()):
            fields = changed(fields, edit)[:96].ljust(96, b"\0")
        checksum = hashlib.sha256(bytes(fields) + stored).digest()
        raw = bytes(fields) + checksum + stored
        for place in (node.offset, node.offset + COPY):
            self.device.pwrite(place, bytes(HEADER))
        for place in (offset, offset + COPY):
            self.device.pwrite(place, raw)
        for parent, at in node.parents:
            if parent < 0:
                entry = 256 + 128 * at
                if len(self._head) >= entry + 128:
                    struct.pack_into("<I", self._head, entry + 36, len(raw))
                    struct.pack_into("<Q", self._head, entry + 56, offset)
                    self._head[entry + 88 : entry + 120] = checksum
            else:
                above = self._plain_of(parent)
                if len(above) >= at + REFERENCE.size:
                    REFERENCE.pack_into(above, at, offset, len(raw), checksum)

    def _raw(self, edit: Edit) -> None:
        at = edit["at"] % self._size
        if edit["op"] == "cut":
            self.device.size = at
        elif edit["op"] == "flip":
            old = self.device.get(at, 1)
            self.device.pwrite(at, bytes(byte ^ (1 << edit["value"] % 8) for byte in old))
        elif edit["op"] == "swap":
            at, other = at // 512 * 512, edit["value"] % self._size // 512 * 512
            one, two = self.device.get(at, 512), self.device.get(other, 512)
            self.device.pwrite(at, two)
            self.device.pwrite(other, one)
        else:
            self.device.pwrite(at, bytes(1 << edit["value"] % 16))


def changed(data: bytearray, edit: Edit) -> bytearray:
    """Return bytes after an edit: one set, cut, made longer, or with a bit turned."""
    if not data:
        return data
    at = edit["at"] % len(data)
    if edit["op"] == "digits":
        numbers = list(_DIGITS.finditer(data))
        if numbers:
            start, end = numbers[edit["at"] % len(numbers)].span()
            data[start:end] = edit["value"].encode()
    elif edit["op"] == "set":
        size = edit["size"]
        at -= at % size if edit.get("aligned", True) else 0
        data[at : at + size] = (edit["value"] % (1 << 8 * size)).to_bytes(size, "little")
    elif edit["op"] == "cut":
        del data[at:]
    elif edit["op"] == "grow":
        data[at:at] = bytes(edit["value"] % 5000)
    elif edit["op"] == "text":
        data[at:at] = edit["value"].encode()
    else:
        data[at] ^= 1 << edit["value"] % 8
    return data


BOMBS = 6


@cache
def bomb(kind: int) -> bytes:
    """Return few stored bytes of which very many plain ones come out, or are said to."""
    ways = [
        lambda: zstandard.compress(bytes(300 << 20), 1),
        lambda: zlib.compress(bytes(20 << 20), 9)[:4096],
        lambda: b"\x28\xb5\x2f\xfd\xe0" + b"\xff" * 7 + b"\x7f" + bytes(20),
        lambda: zstandard.ZstdCompressor(write_content_size=False).compress(bytes(4096)),
        lambda: b"\x1f" + b"\0\1\0" + b"\xff" * 4000,
        lambda: zstandard.compress(bytes(4096)) * 2,
    ]
    return bytes(ways[kind % BOMBS]())
