# SPDX-License-Identifier: Apache-2.0
"""Which backends the configuration enables.

Invalid configuration always raises :class:`ConfigurationInvalid`, which names the option, the value
and the remedy. If a backend were skipped silently, its backups would be lost.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NoReturn

from oslo_config import cfg

from backup_dispatch import opts
from backup_dispatch.backends.loading import DriverClass, load_entry, registered_names
from backup_dispatch.backends.sections import (
    Configured,
    Section,
    configured_by,
    names_of_sections,
    section_of,
    without_section,
)
from backup_dispatch.backends.unknown_options import ours_in_default, refuse_unknown
from backup_dispatch.errors import ConfigurationInvalid, listed, reason_of

SHORT_SPELLING_PRIMARY = "datera"
"""The default primary with ``backup_datera_secondary_backup_drivers``."""

_PINNED = "posix"
"""The text by which Cinder's API decides, from ``backup.service``, to keep a chain on one host."""

PREFIX = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
"""A valid name of a backend."""


@dataclass(frozen=True)
class Backend:
    """One enabled backend.

    :ivar name: the prefix that users put in front of a backup's name.
    :ivar owner: ``backup.service`` of the backups that this backend has.
    :ivar configuration: where its driver reads options from, if not Cinder's own configuration.
    """

    name: str
    # A copy of the class from another load is equivalent.
    driver_class: DriverClass = field(compare=False)
    owner: str
    configuration: Any = field(default=None, compare=False)

    def make(self, context: Any) -> Any:
        """A driver object for one operation, in the context of that operation."""
        if self.configuration is None:
            return self.driver_class(context)
        return self.driver_class(context, configuration=self.configuration)

    @property
    def class_path(self) -> str:
        """The driver's class path, as vanilla Cinder would record it."""
        return class_path(self.driver_class)

    @property
    def adopts(self) -> bool:
        """Whether records that name only the class are this backend's."""
        return self.owner == self.class_path


@dataclass(frozen=True)
class Backends:
    """All enabled backends, in the configuration's order.

    :ivar known: names that are registered or have a section, enabled or not: as a backup's prefix
        they are never treated as plain text.
    """

    enabled: tuple[Backend, ...]
    primary: Backend
    known: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the enabled backends."""
        return tuple(backend.name for backend in self.enabled)

    def named(self, name: str) -> Backend | None:
        """The enabled backend of that name, case-insensitive, or None."""
        for backend in self.enabled:
            if backend.name.lower() == name.lower():
                return backend
        return None


def class_path(driver_class: DriverClass) -> str:
    """Where a class is defined: ``module.Class``."""
    return f"{driver_class.__module__}.{driver_class.__qualname__}"


_loading = threading.Lock()


def configured(conf: Any) -> Backends:
    """The backends that these options enable; loaded once per set of values.

    :raises ConfigurationInvalid: an option has an invalid value, or names no backend.
    """
    with _refusing_bad_values("[DEFAULT]"):
        # Also those that are read later: errors should be found at the service's start.
        values = {opt.dest: conf[opt.dest] for opt in opts.OPTS}
    for opt in opts.OPTS:
        if opt.default is not None and values[opt.dest] is None:
            raise ConfigurationInvalid(
                f"[DEFAULT] {opt.dest} has no value. Set it, or take the line out."
            )
    enabled = tuple(values[opts.ENABLED])
    for name in enabled:
        _refuse_no_prefix(opts.ENABLED, name)
    _refuse_duplicates(opts.ENABLED, enabled)
    sections = []
    for name in enabled:
        with _refusing_bad_values(f"[{name}]"):
            sections.append(section_of(name, conf))
    # Loading creates classes: concurrent operations must get the same ones.
    with _loading:
        return load(
            enabled,
            tuple(values[opts.SECONDARIES]),
            values[opts.PRIMARY],
            tuple(section for section in sections if section is not None),
            known=names_of_sections(conf),
            ours=ours_in_default(conf),
        )


@contextmanager
def _refusing_bad_values(section: str) -> Iterator[None]:
    # oslo.config's message has the option and the file, but not the section.
    try:
        yield
    except cfg.ConfigSourceValueError as error:
        reason = reason_of(error).rstrip(".")
        raise ConfigurationInvalid(f"Section {section}: {reason}. Correct it.") from error


@lru_cache(maxsize=16)
def load(
    enabled: tuple[str, ...],
    secondaries: tuple[str, ...],
    primary: str | None,
    sections: tuple[Section, ...] = (),
    *,
    known: frozenset[str] = frozenset(),
    ours: tuple[str, ...] = (),
) -> Backends:
    """The backends from either of the two lists.

    :param enabled: ``enabled_backup_backends``.
    :param secondaries: ``backup_datera_secondary_backup_drivers``.
    :param primary: ``backup_dispatch_primary``.
    :param sections: the sections of the enabled backends that have one.
    :param known: the names of all backends that have a section, enabled or not.
    :param ours: the options in ``[DEFAULT]`` that must exist, see ``unknown_options``.
    :raises ConfigurationInvalid: the values are invalid.
    """
    try:
        loaded = _of_either_spelling(enabled, secondaries, primary, sections)
    except ConfigurationInvalid:
        # The reason is the misspelled name of the list of backends, not the missing list.
        refuse_unknown(ours)
        raise
    refuse_unknown(ours)
    return replace(loaded, known=loaded.known | known)


def _of_either_spelling(
    enabled: tuple[str, ...],
    secondaries: tuple[str, ...],
    primary: str | None,
    sections: tuple[Section, ...],
) -> Backends:
    if enabled and secondaries:
        _refuse(
            opts.ENABLED,
            enabled,
            f"{opts.SECONDARIES} is set too ({', '.join(secondaries)}); keep one of them",
        )
    if enabled:
        return _enabled_by_name(enabled, primary, {one.name: one for one in sections})
    return _beside_the_primary(secondaries, primary)


def _enabled_by_name(
    names: Sequence[str], primary: str | None, sections: Mapping[str, Section]
) -> Backends:
    known = registered_names()
    found: list[tuple[str, Configured]] = []
    for name in names:
        _refuse_no_prefix(opts.ENABLED, name)
        section = sections.get(name)
        if section is not None:
            _, driver_class = load_entry(section.driver, section.option)
            found.append((name, configured_by(section, driver_class)))
        elif name in known:
            found.append((name, without_section(load_entry(name, opts.ENABLED)[1])))
        else:
            _refuse(
                opts.ENABLED,
                name,
                f"there is no such backend; known are {listed(known)}; for another, add a section "
                f"[{name}] with backup_driver",
            )
    adopting = frozenset(one.name for one in sections.values() if one.adopt)
    return _assembled(opts.ENABLED, found, primary or names[0], adopting)


def _beside_the_primary(secondaries: Sequence[str], primary: str | None) -> Backends:
    classes = []
    for entry in secondaries:
        if not entry.strip():
            _refuse(opts.SECONDARIES, entry, "an entry is empty; take the spare comma out")
        classes.append(load_entry(entry, opts.SECONDARIES))
    first = primary or SHORT_SPELLING_PRIMARY
    if primary is None and first in [name for name, _ in classes]:
        _refuse(
            opts.SECONDARIES,
            first,
            f"that is the primary already; take it out, or name the primary in {opts.PRIMARY}",
        )
    if first not in [name for name, _ in classes]:
        first, driver_class = load_entry(first, opts.PRIMARY)
        classes.insert(0, (first, driver_class))
    found = [(name, without_section(driver_class)) for name, driver_class in classes]
    return _assembled(opts.SECONDARIES, found, first)


def _assembled(
    option: str,
    found: Sequence[tuple[str, Configured]],
    primary: str,
    adopting: frozenset[str] = frozenset(),
) -> Backends:
    names = [name for name, _ in found]
    for name in names:
        _refuse_no_prefix(option, name)
    _refuse_duplicates(option, names)
    _refuse_pinning(option, found)
    enabled = tuple(with_owners(found, adopting))
    if primary not in names:
        _refuse(opts.PRIMARY, primary, f"that backend is not enabled; enabled are {listed(names)}")
    return Backends(enabled, enabled[names.index(primary)], registered_names())


def with_owners(
    found: Sequence[tuple[str, Configured]], adopting: frozenset[str] = frozenset()
) -> Iterator[Backend]:
    """Set each backend's owner text: one per class has the class path, the others ``CLASS@NAME``.

    :param adopting: the names of backends that claim their class's path; else the first has it.
    :raises ConfigurationInvalid: two backends of a class claim it.
    """
    owners: dict[str, str] = {}
    for name, one in found:
        path = class_path(one.driver_class)
        if name in adopting and owners.get(path) in adopting:
            _refuse(f"[{name}] adopt", True, f"[{owners[path]}] adopts the same records; keep one")
        if path not in owners or name in adopting:
            owners[path] = name
    for name, one in found:
        path = class_path(one.driver_class)
        owner = path if owners[path] == name else f"{path}@{name}"
        yield Backend(name, one.driver_class, owner, one.configuration)


def _refuse_no_prefix(option: str, name: str) -> None:
    if not PREFIX.fullmatch(name):
        _refuse(
            option,
            name,
            "that cannot be the prefix of a backup's name; use letters, digits, '_', '-' and '.', "
            "with a letter or a digit at both ends",
        )


def _refuse_duplicates(option: str, names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        key = name.lower()
        if seen.get(key) == name:
            _refuse(option, name, "two backends have that name; keep one")
        if key in seen:
            _refuse(
                option,
                name,
                f"it differs from {seen[key]!r} only in case, and prefixes are matched in any "
                "case; rename one",
            )
        seen[key] = name


def _refuse_pinning(option: str, found: Sequence[tuple[str, Configured]]) -> None:
    """Refuse a name that makes Cinder mistake one driver for another.

    Cinder's API sends an incremental to the host of the previous backup if that one's ``service``
    contains ``posix``, and ``service`` is ``CLASS@NAME`` for further backends of a class. Which of
    them has ``@NAME`` depends on their order, so none of them may have such a name.
    """
    paths = [class_path(one.driver_class) for _, one in found]
    for (name, _), path in zip(found, paths, strict=True):
        if _PINNED in name and _PINNED not in path and paths.count(path) > 1:
            _refuse(
                option,
                name,
                f"Cinder takes the records of a backend with {_PINNED!r} in its name for those of "
                "its posix driver, and makes incrementals only on the host of the backup before; "
                "rename the backend",
            )


def _refuse(option: str, value: object, why: str) -> NoReturn:
    shown = ", ".join(value) if isinstance(value, tuple) else value
    raise ConfigurationInvalid(f"{option} has {shown!r}: {why}.")
