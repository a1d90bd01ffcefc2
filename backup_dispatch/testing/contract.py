# SPDX-License-Identifier: Apache-2.0
"""The contract for backends, as tests that run on any driver."""

from __future__ import annotations

import random
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import testtools
from testtools import matchers

from backup_dispatch.counting import figures
from backup_dispatch.drivers import interface
from backup_dispatch.drivers.custody import cannot_hold, holds, keeps_as_cinder, stored_size
from backup_dispatch.drivers.offers import offered
from backup_dispatch.testing.cloud import Cloud, DriverAlone
from backup_dispatch.testing.signatures import disagreements

MIB = 2**20
CHECKED = 16 * MIB
"""Bytes of a volume that the tests write to and compare."""

WORDS = ("up", "warn", "unknown", "unwritable", "down")


class BackendContract(testtools.TestCase):
    """What the dispatcher and Cinder require of a backend's driver.

    Subclass it, and create a driver object in :meth:`make_driver`. It runs under pytest,
    stestr and ``python -m testtools.run``. A test of what the driver does not offer is skipped.

    :cvar options: lines of cinder.conf's ``[DEFAULT]`` for the driver.
    :cvar volume_bytes: of each volume, whose record says 1 GiB. Less is faster, for a driver that
        uses what it reads and not the record's size.
    :cvar incremental: whether the driver supports incremental backups of such volumes.
    """

    __test__ = False  # of pytest: not to be collected where it is imported
    options: ClassVar[str] = ""
    volume_bytes: ClassVar[int] = 2**30
    incremental: ClassVar[bool] = True

    def __init_subclass__(cls, **named: Any) -> None:
        super().__init_subclass__(**named)
        if "__test__" not in vars(cls):
            cls.__test__ = True

    # For subclasses

    def make_driver(self, context: Any) -> Any:
        """A driver object in this context; called for each operation, as Cinder does."""
        raise NotImplementedError

    def make_cloud(self) -> Cloud:
        """The cloud for volumes and backups; closed by ``addCleanup``.

        Override it for volumes of another kind, or to use a service.
        """
        cloud = DriverAlone(self.make_driver, self.options, self.volume_bytes)
        cloud.__enter__()
        self.addCleanup(cloud.__exit__)
        return cloud

    def stored(self) -> list[str] | None:
        """The names of all that the backend stores now, or None if they cannot be listed."""
        return None

    # The tests

    def setUp(self) -> None:
        """Create the cloud."""
        super().setUp()
        if not type(self).__test__:
            self.skipTest("this is the contract itself: subclass it")
        self.cloud = self.make_cloud()

    def test_driver_keeps_the_promises_of_what_it_offers(self) -> None:
        self.assertEqual([], disagreements(type(self.cloud.driver())))

    def test_check_for_setup_error_passes(self) -> None:
        self.cloud.driver().check_for_setup_error()

    def test_full_backup_restores_to_new_and_to_used_volumes(self) -> None:
        volume = self.filled_volume(1)
        backup = self.cloud.back_up(volume)
        content = self.content(volume)
        self.require_content(self.cloud.restore(backup), content)
        self.require_content(self.cloud.restore(backup, self.dirty_volume()), content)
        self.require_content(volume, content)
        self.cloud.delete(backup)

    def test_incrementals_restore_with_zeros_that_overwrote_data(self) -> None:
        chain, contents = self.chain_of_four()
        for backup, content in list(zip(chain, contents, strict=True))[1:]:
            self.require_content(self.cloud.restore(backup), content)
        self.require_content(self.cloud.restore(chain[-1], self.dirty_volume()), contents[-1])
        for backup in reversed(chain[1:]):
            self.assertEqual(0, self.cloud.reread(backup).num_dependent_backups)
            self.cloud.delete(backup)
        self.require_content(self.cloud.restore(chain[0]), contents[0])
        self.cloud.delete(chain[0])
        self.require_nothing_of(*chain)

    def test_place_is_saved_in_the_record(self) -> None:
        backup = self.cloud.back_up(self.filled_volume(2))
        self.addCleanup(self.cloud.delete, backup)
        self.assertTrue(self.cloud.reread(backup).container, "backup.container is not saved")

    def test_deletion_leaves_nothing_and_holds_says_so(self) -> None:
        backup = self.cloud.back_up(self.filled_volume(3))
        driver = self.cloud.driver()
        # With the deleted record, as it was.
        record = self.cloud.reread(backup)
        known = self.stored()
        if known is not None:
            self.assertTrue(any(backup.id in name for name in known), known)
        self.assertIs(False, cannot_hold(type(driver), record))
        before = holds(driver, record)
        self.cloud.delete(backup)
        self.require_nothing_of(backup)
        if offered(driver, interface.SupportsHolds) is None:
            self.skipTest("the driver has no method holds()")
        self.assertIs(True, before)
        self.assertIs(False, holds(self.cloud.driver(), record))

    def test_exported_record_can_be_imported(self) -> None:
        volume = self.filled_volume(4)
        backup = self.cloud.back_up(volume)
        imported = self.cloud.carry_over(backup)
        self.require_content(self.cloud.restore(imported), self.content(volume))
        self.cloud.delete(imported)
        self.require_nothing_of(backup)

    # What a driver may offer

    def test_examine_finds_it_working_and_changes_nothing(self) -> None:
        before = self.stored()
        steps = list(self.offering(interface.SupportsExamine).examine())
        self.require_working(steps)
        self.assertEqual(before, self.stored())

    def test_try_out_works_and_leaves_nothing(self) -> None:
        before = self.stored()
        steps = list(self.offering(interface.SupportsTryOut).try_out())
        self.require_working(steps)
        self.assertEqual(before, self.stored())

    def test_verify_finds_no_damage_and_reports_progress(self) -> None:
        driver = self.offering(interface.SupportsVerify)
        backup = self.cloud.back_up(self.filled_volume(5))
        self.addCleanup(self.cloud.delete, backup)
        progress: list[tuple[int, int]] = []
        found = list(driver.verify(backup, lambda done, total: progress.append((done, total))))
        self.assertEqual([], found)
        self.assertThat(progress, matchers.Not(matchers.HasLength(0)), "progress is never told")
        self.assertTrue(all(0 <= done <= total for done, total in progress), progress)

    def test_what_progress_raises_ends_verify(self) -> None:
        driver = self.offering(interface.SupportsVerify)
        backup = self.cloud.back_up(self.filled_volume(6))
        self.addCleanup(self.cloud.delete, backup)

        def interrupt(_done: int, _total: int) -> None:
            raise _Interrupted

        self.assertRaises(_Interrupted, lambda: list(driver.verify(backup, interrupt)))

    def test_verify_sample_draws_the_same_with_the_same_seed(self) -> None:
        driver = self.offering(interface.SupportsVerifySample)
        backup = self.cloud.back_up(self.filled_volume(7))
        self.addCleanup(self.cloud.delete, backup)
        first, again, whole = (
            driver.verify_sample(backup, lambda _done, _total: None, share=share, seed=7)
            for share in (0.01, 0.01, 1.0)
        )
        self.assertEqual([], [*first[0], *again[0], *whole[0]])
        self.assertEqual(first[1:], again[1:])
        self.assertTrue(1 <= first[1] <= first[2], first)
        self.assertEqual(whole[2], whole[1])

    def test_salvage_of_a_sound_backup_misses_nothing(self) -> None:
        driver = self.offering(interface.SupportsSalvage)
        volume = self.filled_volume(8)
        backup = self.cloud.back_up(volume)
        self.addCleanup(self.cloud.delete, backup)
        with tempfile.TemporaryFile() as output:
            size, missing = driver.salvage(backup, output, lambda _done, _total: None)
            output.seek(0)
            found = output.read(CHECKED)
        self.assertEqual((self.cloud.volume_bytes, []), (size, list(missing)))
        self.assertTrue(found.ljust(CHECKED, b"\0") == self.content(volume), "other bytes")

    def test_opened_data_reads_as_a_restore_does(self) -> None:
        self.offering(interface.SupportsRandomAccess)
        if not self.incremental:
            volume = self.filled_volume(13)
            chain, contents = [self.cloud.back_up(volume)], [self.content(volume)]
        else:
            chain, contents = self.chain_of_four()
        before = self.stored()
        for backup, content in zip(chain, contents, strict=True):
            self.require_opened(self.cloud.driver().open_data(backup), content)
        self.assertEqual(before, self.stored())
        for backup in reversed(chain):
            self.cloud.delete(backup)

    def test_stored_size_is_that_of_a_finished_backup(self) -> None:
        backup = self.cloud.back_up(self.filled_volume(9))
        self.addCleanup(self.cloud.delete, backup)
        size = stored_size(self.cloud.driver(), backup)
        if size is None:
            self.skipTest("the driver does not tell how much it stores")
        # One MiB of the volume is incompressible.
        self.assertThat(size, matchers.GreaterThan(MIB - 1))

    def test_figures_are_numbers_by_known_names_before_any_operation_too(self) -> None:
        driver = self.offering(interface.SupportsFigures)
        for name, number in driver.figures().items():
            self.assertIn(name, figures.NAMES)
            self.assertThat(number, matchers.GreaterThan(-1))

    def test_backup_with_a_record_is_no_orphan(self) -> None:
        driver = self.offering(interface.SupportsOrphans)
        backup = self.cloud.back_up(self.filled_volume(10))
        self.addCleanup(self.cloud.delete, backup)
        place = self.cloud.reread(backup).container
        self.assertNotIn(place, [one.name for one in driver.orphans()])

    def test_may_hold_denies_the_record_of_another_driver(self) -> None:
        driver_class = type(self.cloud.driver())
        teller: Any = offered(driver_class, interface.SupportsMayHold)
        if teller is None or (teller is not driver_class and not keeps_as_cinder(driver_class)):
            self.skipTest("the driver has no method may_hold()")
        backup = self.cloud.back_up(self.filled_volume(11))
        self.addCleanup(self.cloud.delete, backup)
        record = self.cloud.reread(backup)
        record.container, record.service_metadata = None, None
        self.assertIs(True, cannot_hold(driver_class, record))

    def test_restore_of_an_incremental_survives_forgetting_its_parent(self) -> None:
        driver = self.offering(interface.SupportsForget)
        if not driver.children_stand_alone:
            self.skipTest("incrementals need their parent")
        chain, contents = self.chain_of_four()
        for backup in chain[:-1]:
            record = self.cloud.reread(backup)
            record.status = "deleting"
            record.save()
            driver.forget(record)
            record.destroy()
        self.require_content(self.cloud.restore(chain[-1]), contents[-1])
        self.cloud.delete(chain[-1])
        self.require_nothing_of(*chain)

    # Shared by the tests

    def offering(self, capability: type[Any]) -> Any:
        """A driver object that offers this itself; the test is skipped if it does not."""
        driver = self.cloud.driver()
        if offered(driver, capability) is not driver:
            self.skipTest(f"the driver does not offer {capability.__name__}")
        return driver

    def filled_volume(self, seed: int) -> Any:
        """A volume with some data, partly incompressible, and gaps."""
        volume = self.cloud.create_volume()
        self.cloud.write(volume, 0, random.Random(seed).randbytes(MIB))
        self.cloud.write(volume, 5 * MIB + 17, b"text " * 100_000)
        self.cloud.write(volume, 9 * MIB, b"x" * MIB)
        self.cloud.write(volume, CHECKED - 4096, random.Random(-seed).randbytes(4096))
        return volume

    def dirty_volume(self) -> Any:
        """A volume that is full of other data, as far as the tests read."""
        volume = self.cloud.create_volume()
        self.cloud.write(volume, 0, b"\xee" * CHECKED)
        return volume

    def chain_of_four(self) -> tuple[list[Any], list[bytes]]:
        """A full backup and three incrementals, with the volume's content at each.

        The second has zeros in place of data.
        """
        if not self.incremental:
            self.skipTest("the driver makes no incremental backups of such a volume")
        volume = self.filled_volume(12)
        chain, contents = [self.cloud.back_up(volume)], [self.content(volume)]
        for offset, data in (
            (9 * MIB, bytes(MIB)), (2 * MIB, b"new" * MIB), (0, bytes(MIB // 2)),
        ):  # fmt: skip
            self.cloud.write(volume, offset, data)
            chain.append(self.cloud.back_up(volume, chain[-1]))
            contents.append(self.content(volume))
            self.assertEqual(chain[-2].id, chain[-1].parent_id)
        return chain, contents

    def content(self, volume: Any) -> bytes:
        """The bytes of the volume, as far as the tests read."""
        return self.cloud.read(volume, 0, CHECKED)

    def require_content(self, volume: Any, expected: bytes) -> None:
        """Fail unless the volume has exactly this content."""
        found = self.content(volume)
        if found == expected:
            return
        self.assertEqual(len(expected), len(found), "the volume has another size")
        at = next(at for at in range(len(expected)) if found[at] != expected[at])
        self.fail(f"the volume differs at byte {at}: {found[at]:#04x}, not {expected[at]:#04x}")

    def require_opened(self, data: interface.BackupData, expected: bytes) -> None:
        """Fail unless the opened backup reads so, in any order and by several threads; close it."""
        try:
            self.assertEqual(self.cloud.volume_bytes, data.size)
            end = 0
            gaps: list[tuple[int, int]] = []
            for offset, length in data.extents():
                self.assertTrue(end <= offset < offset + length <= data.size, "extents overlap")
                gaps.append((end, offset))
                end = offset + length
            for start, stop in [*gaps, (end, len(expected))]:
                self.assertFalse(any(expected[start:stop]), "data is outside the extents")
            chance = random.Random(len(gaps))
            ranges = [(0, len(expected)), (len(expected), 0)]
            for _ in range(40):
                offset = chance.randrange(len(expected))
                ranges.append((offset, min(chance.choice([1, 4096, MIB]), len(expected) - offset)))
            with ThreadPoolExecutor(4) as pool:
                for right in pool.map(lambda range_: _reads(data, range_, expected), ranges):
                    self.assertTrue(right, "other bytes")
            self.assertRaises(ValueError, data.read_into, data.size, memoryview(bytearray(1)))
        finally:
            data.close()
            data.close()

    def require_nothing_of(self, *backups: Any) -> None:
        """Fail if the backend still stores anything named after one of the backups."""
        left = [name for name in self.stored() or () if any(one.id in name for one in backups)]
        self.assertEqual([], left)

    def require_working(self, steps: list[interface.Step]) -> None:
        """Fail unless steps were reported as promised, and none reports a problem."""
        self.assertThat(steps, matchers.Not(matchers.HasLength(0)), "nothing was looked at")
        for subject, word, text in steps:
            self.assertTrue(subject, "a step has no subject")
            self.assertIn(word, WORDS)
            self.assertNotIn(word, ("down", "unwritable"), text)
            self.assertEqual(word == "up", not text, f"{subject} is {word}: {text!r}")


def _reads(data: interface.BackupData, range_: tuple[int, int], expected: bytes) -> bool:
    offset, length = range_
    buffer = bytearray(b"\xee" * length)
    missing = data.read_into(offset, memoryview(buffer))
    return not missing and buffer == expected[offset : offset + length]


class _Interrupted(Exception):
    """Raised by a progress callback."""
