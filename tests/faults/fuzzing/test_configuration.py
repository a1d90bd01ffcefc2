# SPDX-License-Identifier: Apache-2.0
"""Whatever an operator writes into cinder.conf is used, or refused by the name of the option."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cinder import exception, objects
from oslo_config import cfg

from datera_backup.errors import OptionsInvalid
from datera_backup.opts import OPTS as BACKUP_OPTS
from datera_backup.settings import read_settings as backup_settings
from datera_volume.opts import OPTS as VOLUME_OPTS
from datera_volume.settings import read_settings as volume_settings
from tests.fixtures.faults.extent import amount
from tests.fixtures.faults.fuzzing import MIB, RUNS, fuzz
from tests.fixtures.faults.mutating import mutated_text, some_text

objects.register_all()

from backup_dispatch import opts as dispatch_opts  # noqa: E402 - after Cinder's objects
from backup_dispatch.backends.configured import configured  # noqa: E402 - after Cinder's objects
from backup_dispatch.errors import ConfigurationInvalid  # noqa: E402

SECTIONS = """\
[DEFAULT]
backup_driver = backup_dispatch.driver.BackupDispatcher
enabled_backup_backends = posix, swift_east, swift_west, shelf
backup_dispatch_primary = posix
backup_dispatch_unmatched = primary
backup_dispatch_check_timeout = 60
backup_dispatch_stall_timeout = 3600

[shelf]
backup_driver = cinder.backup.drivers.posix.PosixBackupDriver
backup_posix_path = /var/backups
backup_file_size = 32768000

[swift_east]
backup_driver = swift
backup_swift_url = https://east.example/v1/AUTH_
adopt = True

[swift_west]
backup_driver = cinder.backup.drivers.swift
backup_swift_url = https://west.example/v1/AUTH_
backup_swift_retry_attempts = 3
"""

OPTIONS: dict[str, str] = {
    "san_ip": "192.0.2.7",
    "san_login": "admin",
    "san_password": "s3cret-word",
    "chap_username": "chap-user",
    "chap_password": "secret-secret",
    "use_chap_auth": "True",
    "driver_use_ssl": "True",
    "driver_ssl_cert_verify": "True",
    "driver_ssl_cert_path": "/etc/ssl/one.pem",
}
"""Options that are Cinder's own, of the volume driver."""


def test_sections_that_are_right_are_used(written: Callable[[str], None]) -> None:
    written(SECTIONS)
    assert configured(cfg.CONF).names == ("posix", "swift_east", "swift_west", "shelf")


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Read a text as cinder.conf."""
    path = tmp_path / "cinder.conf"
    cfg.CONF.register_opts(dispatch_opts.OPTS)

    def write(text: str) -> None:
        path.write_text(text, errors="replace")
        cfg.CONF([], project="cinder", default_config_files=[str(path)])

    yield write
    cfg.CONF.reset()


def changed_lines(rng: random.Random) -> str:
    """Return the sections with some lines changed, doubled, moved or taken out."""
    lines = SECTIONS.splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        name, sign, value = lines[at].partition(" = ")
        what = rng.randrange(6)
        if what == 0:
            del lines[at]
        elif what == 1:
            lines.insert(rng.randrange(len(lines)), lines[at])
        elif what == 2:
            lines[at] = mutated_text(rng, lines[at])
        elif sign:
            new = rng.choice((mutated_text(rng, value), some_text(rng), value.upper(), ""))
            lines[at] = name + sign + new[:2000].replace("\n", " ")
    return "\n".join(lines)


def test_sections_of_any_text_are_backends_or_refused(
    written: Callable[[str], None], tally: Callable[[str, int], None]
) -> None:
    runs = amount(small=4, brief=30, whole=1_000)

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        try:
            written(changed_lines(rng))
        except cfg.Error:
            # No service of Cinder's starts by such a file, whatever its drivers are.
            return MIB, lambda: None

        def work() -> None:
            found = configured(cfg.CONF)
            assert found.primary in found.enabled

        # Each section loads its driver's modules anew.
        return 64 * MIB, work

    refused = fuzz("cinder.conf", runs, prepare, (ConfigurationInvalid,))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: sections of cinder.conf", runs)


class Configuration:
    """Options as oslo.config has read them: each of its own type."""

    config_group = "datera"

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(name) from None

    def safe_get(self, name: str) -> Any:
        """Return an option; None if there is none."""
        return self._values.get(name)


def read_as(opt: cfg.Opt, text: str) -> Any:
    """Return what oslo.config makes of a text; the default where it refuses it."""
    try:
        return opt.type(text)
    except ValueError:
        return opt.default


def some_options(rng: random.Random, opts: list[cfg.Opt], right: dict[str, str]) -> Configuration:
    """Return options some of which have any text that their types take."""
    values = {opt.dest: opt.default for opt in opts} | right
    known = {opt.dest: opt for opt in opts}
    for name in rng.sample(sorted(values), rng.choice((1, 2, 4))):
        text = str(right.get(name, values[name]))
        word = rng.choice((mutated_text(rng, text), some_text(rng), str(rng.getrandbits(40)), ""))
        values[name] = read_as(known[name], word) if name in known else word
    return Configuration(values)


REQUIRED = {f"backup_datera_{name}": OPTIONS[name] for name in list(OPTIONS)[:3]}


def test_options_of_the_backup_driver_of_any_values_are_settings_or_refused(
    tally: Callable[[str, int], None],
) -> None:
    runs = amount(small=300, brief=2_500, whole=40_000)

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        options = some_options(rng, BACKUP_OPTS, REQUIRED)
        return MIB, lambda: backup_settings(options)

    refused = fuzz("backup options", runs, prepare, (OptionsInvalid,))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: sections of cinder.conf", runs)


def test_options_of_the_volume_driver_of_any_values_are_settings_or_refused(
    tally: Callable[[str, int], None],
) -> None:
    runs = amount(small=300, brief=2_500, whole=40_000)

    def prepare(rng: random.Random) -> tuple[int, Callable[[], object]]:
        options = some_options(rng, VOLUME_OPTS, OPTIONS)
        return MIB, lambda: volume_settings(options)

    refused = fuzz("volume options", runs, prepare, (exception.InvalidConfigurationValue,))
    assert 0 < refused < runs
    tally(RUNS, runs)
    tally(f"{RUNS}: sections of cinder.conf", runs)
