# SPDX-License-Identifier: Apache-2.0
"""Whatever JSON, or none, a cluster answers to whatever it is asked, a typed error comes out."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from datera_volume.connection import API_VERSIONS, DateraError
from datera_volume.connection.resources import parsing
from datera_volume.connection.transport.responses import HttpResponse
from tests.fixtures.faults.extent import amount
from tests.fixtures.faults.fuzzing import MIB, RUNS, fuzz
from tests.fixtures.faults.mad_cluster import (
    INSTANCE,
    OPERATIONS,
    SNAPSHOT,
    SYSTEM,
    VOLUME_PATH,
    answers_of,
    as_it_is,
    mad_cluster,
)
from tests.fixtures.faults.mutating import mutated, mutated_bytes

# What the cluster is asked to change is never seen done: its answers stay as they are.
WAITING = ("delete", "set offline", "delete snapshot", "remove initiator", "resize")


@pytest.mark.parametrize("version", API_VERSIONS)
def test_operations_work_when_the_answers_are_right(version: str) -> None:
    for name, operation in OPERATIONS.items():
        cluster, session = mad_cluster(version)
        if name in WAITING:
            with suppress(DateraError):
                operation(cluster, cluster.tenant("x"))
        else:
            operation(cluster, cluster.tenant("x"))
        assert session.count, name


def test_cluster_of_any_answers_gives_typed_errors(tally: Callable[[str, int], None]) -> None:
    runs = amount(small=600, brief=5_000, whole=60_000)
    names = sorted(OPERATIONS)
    known = {version: mad_cluster(version) for version in API_VERSIONS}

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        version = rng.choice(API_VERSIONS)
        cluster, session = known[version] if rng.random() < 0.8 else mad_cluster(version)
        operation = OPERATIONS[rng.choice(names)]
        if cluster is known[version][0]:
            session.mad = as_it_is
            cluster.dialect  # noqa: B018 - it is logged in by then
        session.mad, session.count = answers_of(rng), 0
        # Bodies have 70 kB at most, and are read again and again while something is waited for.
        return 16 * MIB, lambda: operation(cluster, cluster.tenant("x"))

    refused = fuzz("answers of the cluster", runs, prepare, (DateraError,))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: answers of the cluster", runs)


READ: list[tuple[Any, Callable[[Any], object]]] = [
    (INSTANCE, parsing.app_instance),
    (SYSTEM, parsing.system_info),
    (SNAPSHOT, lambda fields: parsing.snapshot(fields, VOLUME_PATH)),
]


def test_object_of_any_json_is_read_or_refused(tally: Callable[[str, int], None]) -> None:
    runs = amount(small=800, brief=10_000, whole=200_000)

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        right, read = rng.choice(READ)
        content = json.dumps({"data": mutated(rng, right)}).encode()
        if rng.random() < 0.2:
            content = mutated_bytes(rng, content)

        def work() -> object:
            response = HttpResponse.of(200, "OK", content)
            return read(parsing.entity_in(response.fields))

        return 64 * len(content) + MIB, work

    refused = fuzz("objects of the cluster", runs, prepare, (DateraError,))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: answers of the cluster", runs)
