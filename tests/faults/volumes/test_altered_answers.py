# SPDX-License-Identifier: Apache-2.0
"""An answer lacks a key, or it is null or of another type: nothing is lost, and no success is none.

Each key that the driver reads is altered for itself, in each answer of each operation. Those that
it does not read are altered all at once, and make no difference.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from datera_volume.connection.transport import responses
from datera_volume.connection.transport.body import json_in
from tests.faults.volumes.answers import HOWS, Path, altered, keys_of, watched
from tests.faults.volumes.group_scenes import OPERATIONS
from tests.faults.volumes.stage import Stage
from tests.faults.volumes.test_kth_request import LONGEST_WAIT
from tests.faults.volumes.walk import Walk
from tests.fixtures.faults.extent import amount, chance, portion
from tests.fixtures.faults.link import Link, Trouble

VERSION = "2.2 of 3.3.1"
WALKED = portion([*OPERATIONS], "altered answers", small=1, brief=8)
MOST = amount(small=2, brief=8, whole=25)

Case = tuple[int, str, list[Path], str]


def read_keys(walk: Walk, monkeypatch: pytest.MonkeyPatch) -> list[set[Path]]:
    """Return which keys of its answers the operation reads, answer for answer."""
    read: list[set[Path]] = []
    parse = json_in

    def watching(text: str) -> Any:
        read.append(set())
        return watched(parse(text), read[-1].add)

    with monkeypatch.context() as patched:
        patched.setattr(responses, "json_in", watching)
        walk.done()
    assert len(read) == walk.requests
    return read


def cases_of(walk: Walk, read: list[set[Path]]) -> list[Case]:
    found: list[Case] = []
    for k, answer in enumerate(walk.answers, 1):
        there = list(keys_of(answer))
        needed = [path for path in there if path in read[k - 1]]
        rest = [path for path in there if path not in read[k - 1]]
        for how in HOWS:
            found += [(k, "/".join(map(str, path)), [path], how) for path in needed]
            found.append((k, "what is not read", rest, how))
    return found


@pytest.mark.parametrize("version", [VERSION])
@pytest.mark.parametrize("operation", WALKED)
def test_an_altered_answer_harms_nothing(
    stage: Stage,
    operation: str,
    tally: Callable[[str, int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walk = Walk(stage, operation)
    space = cases_of(walk, read_keys(walk, monkeypatch))
    wanted = min(MOST, len(space))
    cases = chance("altered answers", operation).sample(space, wanted)
    found = []
    for k, what, paths, how in cases:
        strike = Link.altered(lambda answer, paths=paths, how=how: altered(answer, paths, how))  # type: ignore[misc]
        for problem in walk.failing(
            lambda k=k, strike=strike: stage.link.put(Trouble(strike, k)),  # type: ignore[misc]
            once=True,
            seconds=2 * LONGEST_WAIT,
        ):
            found.append(f"{what} {how} in answer {k} of {walk.requests}: {problem}")
    tally("answers of volume operations altered", len(cases))
    assert not found, "\n".join(found)
