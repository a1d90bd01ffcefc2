# SPDX-License-Identifier: Apache-2.0
"""Properties, names, extra specs and policies are users' texts: any of them is read or refused."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timezone

from backup_dispatch import rules
from backup_dispatch.jobs.prune.candidate import users_word
from backup_dispatch.rules import Choice, Refusal, Request, Table
from datera_volume import policies
from tests.fixtures.faults.extent import amount
from tests.fixtures.faults.fuzzing import MIB, RUNS, Prepare, fuzz
from tests.fixtures.faults.mutating import mutated_text, some_text

TABLE = Table(("datera", "swift", "s3_east"), "datera", frozenset({"datera", "swift", "tape"}))
NAMES = ("swift_weekly", "S3_EAST_1", "datera", "tape_1", "anything")
WORDS = ("forever", "2026-12-31", "2026-12-31T12:00:00Z", "2026-12-31T12:00:00+02:00", "20261231")
NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
SPECS = {
    "replica_count": "3",
    "round_robin": "<is> True",
    "acl_allow_all": "False",
    "placement_mode": "all_flash",
    "placement_policy": "default",
    "ip_pool": "one, two",
    "template": "gold",
    "default_storage_name": "storage-1",
    "default_volume_name": "volume-1",
    "total_iops_max": "1000",
    "iops_per_gb": "10",
    "bandwidth_per_gb": "100",
}


def text_like(rng: random.Random, *right: str) -> str | None:
    """Return a text, one that looks like a right one, or none."""
    text = rng.choice(right)
    return rng.choice(
        (text, mutated_text(rng, text), mutated_text(rng, text), some_text(rng), None)
    )


def fuzzed(subject: str, tally: Callable[[str, int], None], whole: int, prepare: Prepare) -> int:
    """Fuzz something and count it."""
    runs = amount(small=800, brief=8_000, whole=whole)
    refused = fuzz(subject, runs, prepare, (policies.BadPolicy,))
    tally(RUNS, runs)
    tally(f"{RUNS}: property values", runs)
    assert refused < runs
    return refused


def test_backup_of_any_name_property_and_type_gets_a_backend_or_a_reason(
    tally: Callable[[str, int], None],
) -> None:
    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        request = Request(
            name=text_like(rng, *NAMES),
            wanted=text_like(rng, *TABLE.enabled, "tape"),
            type_default=text_like(rng, *TABLE.enabled),
        )

        def work() -> None:
            choice = rules.choose(request, TABLE)
            if isinstance(choice, Choice):
                assert choice.backend in TABLE.enabled
            else:
                assert isinstance(choice, Refusal)
                assert choice.why

        return MIB, work

    fuzzed("backends of backups", tally, 100_000, prepare)


def test_users_word_of_any_text_keeps_a_backup_or_has_run_out(
    tally: Callable[[str, int], None],
) -> None:
    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        word = text_like(rng, *WORDS)

        def work() -> None:
            why = users_word(word, NOW)
            assert isinstance(why, str)
            assert why or word is None or any(letter.isdigit() for letter in word)

        return MIB, work

    fuzzed("words of users", tally, 100_000, prepare)


def test_specs_of_any_values_are_policies_or_named(tally: Callable[[str, int], None]) -> None:
    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        extra = {f"{policies.SCOPE}{name}": value for name, value in SPECS.items()}
        for name in rng.sample(sorted(extra), rng.choice((1, 2, 5))):
            extra[name] = text_like(rng, extra[name]) or ""
        if rng.random() < 0.1:
            extra[policies.SCOPE + some_text(rng)] = some_text(rng)
        qos = {"total_iops_max": text_like(rng, "500") or ""} if rng.random() < 0.3 else {}

        def work() -> None:
            found = policies.policies_from(policies.values_of_type(extra, qos, {}))
            assert found.replica_count in policies.REPLICAS
            for size in (1, 1 << 20):
                for name, limit in found.limits.for_size(size).items():
                    assert 0 <= limit <= policies.LIMITS[name]

        return MIB, work

    assert fuzzed("specs of types", tally, 100_000, prepare) > 0
