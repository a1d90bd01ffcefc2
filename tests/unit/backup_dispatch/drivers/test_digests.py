# SPDX-License-Identifier: Apache-2.0
"""Lists of digests, read from what Cinder's chunked drivers write."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from backup_dispatch.drivers.digests import Digests, NoDigests, read_digests

BLOCK = 4


def digests_of(data: bytes) -> list[str]:
    return [hashlib.sha256(data[at : at + BLOCK]).hexdigest() for at in range(0, len(data), BLOCK)]


def written(data: bytes, **changes: Any) -> bytes:
    """As Cinder writes it."""
    content = {"version": "1.0.0", "chunk_size": BLOCK, "sha256s": digests_of(data), **changes}
    return json.dumps(content, sort_keys=True, indent=2).encode()


@pytest.mark.parametrize("data", [b"", b"abc", b"abcd", b"abcdefghij"])
def test_list_of_digests_that_cinder_wrote_is_read(data: bytes) -> None:
    digests = read_digests(written(data))
    assert digests.block_size == BLOCK
    assert digests.packed.hex() == "".join(digests_of(data))
    assert digests.first_wrong(0, data) is None


def test_list_of_digests_of_a_users_making_is_refused() -> None:
    """Names and descriptions stand before the list."""
    trap = '"sha256s": ["' + "0" * 64 + '"]'
    digests = read_digests(written(b"abcdefgh", backup_description=trap, backup_name=trap))
    assert digests.packed.hex() == "".join(digests_of(b"abcdefgh"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        written(b"abcd")[:-100],
        written(b"abcd", sha256s=["short"]),
        written(b"abcd", sha256s=[*digests_of(b"abcd"), None]),
        written(b"abcd", chunk_size=0),
        written(b"abcd", chunk_size=None),
        written(b"abcd").replace(b"chunk_size", b"size"),
    ],
)
def test_file_that_is_no_list_of_digests_is_refused(text: bytes) -> None:
    with pytest.raises(NoDigests):
        read_digests(text)


@pytest.mark.parametrize(
    ("offset", "data", "wrong"),
    [
        (0, b"abcdefghij", None),
        (4, b"efgh", None),
        (8, b"ij", None),
        (0, b"abcdefgX", 4),
        (4, b"efghiX", 8),
        (8, b"ijk", 8),
        (12, b"beyond", 12),
    ],
)
def test_first_block_with_a_wrong_digest_is_found(
    offset: int, data: bytes, wrong: int | None
) -> None:
    assert read_digests(written(b"abcdefghij")).first_wrong(offset, data) == wrong


@pytest.mark.parametrize(
    ("below", "covered", "differs"),
    [
        (b"abcdefghij", [], None),
        (b"abcdXXXXij", [], 4),
        (b"abcdXXXXij", [(4, 4)], None),
        (b"XXXXefghXX", [(0, 4)], 8),
        (b"XXXXefghXX", [(0, 4), (8, 2)], None),
        (b"XXXXXXXXij", [(4, 4)], 0),
        (b"abcdefgh", [], 8),
    ],
)
def test_blocks_left_to_the_parent_are_compared_with_it(
    below: bytes, covered: list[tuple[int, int]], differs: int | None
) -> None:
    own = read_digests(written(b"abcdefghij"))
    assert own.first_difference(read_digests(written(below)), covered) == differs


def test_memory_is_a_digest_a_block() -> None:
    digests = Digests(BLOCK, b"\0" * 320)
    assert digests.blocks == 10
