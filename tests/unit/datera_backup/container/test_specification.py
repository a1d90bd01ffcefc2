# SPDX-License-Identifier: Apache-2.0
"""A second reader, written from docs/container-format.md alone, restores what the first one wrote.

It is naive on purpose and uses nothing of what it checks.
"""

from __future__ import annotations

import hashlib
import json
import struct
import uuid
import zlib
from typing import Any

import zstandard

from datera_backup.container import Codec
from datera_backup.engine import Settings
from tests.fixtures.moving import (
    BLOCK,
    back_up,
    changed,
    identifier,
    memory_of,
    new_container,
    some_bytes,
)

MIB = 1 << 20


def number(raw: bytes, at: int, size: int) -> int:
    return int.from_bytes(raw[at : at + size], "little")


def superblock(device: bytes) -> bytes:
    whole = []
    for slot in (device[:MIB], device[MIB : 2 * MIB]):
        raw = slot[: number(slot, 60, 4)]
        assert raw[:8] == b"DBCONTNR"
        assert hashlib.sha256(raw[:96] + bytes(32) + raw[128:]).digest() == raw[96:128]
        assert number(raw, 8, 4) == 1
        assert number(raw, 12, 4) == 0
        whole.append((number(raw, 16, 8), raw))
    assert number(whole[0][1], 16, 8) % 2 == 0
    return max(whole)[1]


def record(device: bytes, offset: int, length: int, checksum: bytes, magic: bytes) -> bytes:
    assert offset % 4096 == 0
    raw = device[offset : offset + length]
    stored = raw[96:]
    assert raw[:8] == magic
    assert len(stored) == number(raw, 32, 8)
    assert raw[64:96] == checksum == hashlib.sha256(raw[:64] + stored).digest()
    plain = unpacked(raw[52], stored, number(raw, 40, 8))
    padding = device[offset + length : -(-(offset + length) // 4096) * 4096]
    assert not any(padding)
    return plain


def unpacked(codec: int, stored: bytes, length: int) -> bytes:
    if codec == 1:
        plain = stored
    elif codec == 2:
        plain = zstandard.ZstdDecompressor().decompress(stored)
    else:
        assert codec == 4
        plain = zlib.decompress(stored)
    assert len(plain) == length
    return plain


def ids(raw: bytes) -> list[uuid.UUID]:
    return [uuid.UUID(bytes=raw[at : at + 16]) for at in range(0, len(raw), 16)]


def naive_restore(
    devices: dict[uuid.UUID, bytes], container: uuid.UUID, backup: uuid.UUID
) -> tuple[bytes, dict[str, Any]]:
    device = devices[container]
    head = superblock(device)
    assert uuid.UUID(bytes=head[24:40]) == container
    entries = [head[at : at + 128] for at in range(128, len(head), 128)]
    assert len(entries) == number(head, 56, 4)
    (entry,) = [e for e in entries if e[:16] == backup.bytes and number(e, 16, 4) == 2]
    commit = record(device, number(entry, 40, 8), number(entry, 20, 4), entry[64:96], b"DBCOMMIT")
    assert commit[:32] == container.bytes + backup.bytes
    size, chunk_size = struct.unpack_from("<QQ", commit, 48)
    block_size, digest = struct.unpack_from("<IB", commit, 80)
    assert digest == 1
    volume, containers, chunks, metadata, statistics = struct.unpack_from("<HIIII", commit, 86)
    refs = 112 + 16 * containers
    needed = ids(commit[112:refs])
    tail = commit[refs + 48 * chunks :]
    assert len(tail) == volume + metadata + statistics
    out = bytearray(size)
    for chunk in range(chunks):
        ref = commit[refs + 48 * chunk :][:48]
        if not number(ref, 0, 8):
            continue
        plain = record(device, number(ref, 0, 8), number(ref, 8, 4), ref[16:], b"DBMANIFS")
        blocks, stored, k = struct.unpack_from("<IIH", plain)
        table = ids(plain[16 : 16 + 16 * k])
        assert table[0] == container
        assert set(table) <= set(needed)
        codecs_at = 16 + 16 * k
        wheres_at = codecs_at + blocks
        offsets_at = wheres_at + 2 * stored
        lengths_at = offsets_at + 8 * stored
        digests_at = lengths_at + 4 * stored
        assert len(plain) == digests_at + 32 * stored
        row = 0
        for place in range(blocks):
            codec = plain[codecs_at + place]
            if not codec:
                continue
            where = table[number(plain, wheres_at + 2 * row, 2)]
            offset = number(plain, offsets_at + 8 * row, 8)
            length = number(plain, lengths_at + 4 * row, 4)
            start = chunk * chunk_size + place * block_size
            raw = devices[where][offset : offset + length]
            block = unpacked(codec, raw, min(block_size, size - start))
            expected = plain[digests_at + 32 * row : digests_at + 32 * row + 32]
            assert hashlib.sha256(block).digest() == expected
            out[start : start + len(block)] = block
            row += 1
        assert row == stored
    facts: dict[str, Any] = json.loads(tail[volume : volume + metadata])
    facts["volume"] = tail[:volume].decode()
    facts["statistics"] = json.loads(tail[volume + metadata :])
    return bytes(out), facts


def test_the_naive_reader_restores_a_chain_over_two_containers() -> None:

    first, second = new_container(1), new_container(2)
    data = [some_bytes(1, 30 * BLOCK + 77)]
    parent = back_up(first, 1, data[0])
    data.append(changed(data[-1], 2, 5))
    parent = back_up(first, 2, data[-1], parent, Settings(codec=Codec.ZLIB))
    data.append(changed(data[-1], 3, 5) + bytes(9 * BLOCK))
    parent = back_up(second, 3, data[-1], parent)
    data.append(changed(data[-1], 4, 2)[: 20 * BLOCK + 1])
    back_up(second, 4, data[-1], parent)
    devices = {c.id: bytes(memory_of(c).content) for c in (first, second)}
    for backup, container in ((1, first), (2, first), (3, second), (4, second)):
        out, facts = naive_restore(devices, container.id, identifier(backup))
        assert out == data[backup - 1]
        assert facts["number"] == backup
        assert facts["volume"] == "a volume"
        blocks = facts["statistics"]
        counted = blocks["zero_blocks"] + blocks["new_blocks"] + blocks["inherited_blocks"]
        assert counted == -(-len(out) // BLOCK)
