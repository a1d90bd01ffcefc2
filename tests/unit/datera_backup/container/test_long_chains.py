# SPDX-License-Identifier: Apache-2.0
"""What a chain cannot have more of ends a backup with an error that says what to do."""

from __future__ import annotations

import random

import pytest

from datera_backup.container import Container, writer
from datera_backup.container.errors import ChainTooLong
from tests.fixtures.containers.fed_chains import a_block, a_volume, store
from tests.fixtures.containers.moving import SMALL, identifier, new_container

SIZE = 64 << 20


def test_blocks_in_more_containers_than_the_format_names_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = random.Random(1)
    volume = a_volume(rng, 16, SMALL.block_size, zeros=0)
    monkeypatch.setattr(writer, "MOST_CONTAINERS", 2)
    homes: list[Container] = [new_container(100 + number, SIZE) for number in range(3)]
    parent = store(homes[0], 0, volume, geometry=SMALL)
    volume[3] = a_block(rng, SMALL.block_size)
    parent = store(homes[1], 1, volume, parent, geometry=SMALL)
    volume[5] = a_block(rng, SMALL.block_size)
    with pytest.raises(ChainTooLong, match=f"{identifier(2)} .* more than 2 .* full backup"):
        store(homes[2], 2, volume, parent, geometry=SMALL)
    assert not homes[2].committed
