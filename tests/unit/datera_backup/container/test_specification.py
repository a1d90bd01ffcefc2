# SPDX-License-Identifier: Apache-2.0
"""A reader written from docs/container-format.md alone restores what the other one wrote."""

from __future__ import annotations

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
from tests.fixtures.naive_reader import naive_restore


def test_the_naive_reader_restores_a_chain_over_two_containers() -> None:
    first, second = new_container(1), new_container(2)
    data = [some_bytes(1, 30 * BLOCK + 77)]
    parent = back_up(first, 1, data[0])
    data.append(changed(data[-1], 2, 5))
    parent = back_up(first, 2, data[-1], parent, Settings(codec=Codec.ZLIB))
    data.append(changed(data[-1], 3, 5) + bytes(9 * BLOCK))
    parent = back_up(second, 3, data[-1], parent, Settings(codec=Codec.LZ4))
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
