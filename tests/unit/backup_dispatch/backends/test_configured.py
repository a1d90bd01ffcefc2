# SPDX-License-Identifier: Apache-2.0
"""What enables a backend, and the one message for an invalid configuration."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from cinder import objects
from oslo_config import cfg

objects.register_all()

from backup_dispatch import opts  # noqa: E402 - after Cinder's objects
from backup_dispatch.backends import configured, loading  # noqa: E402 - after Cinder's objects
from backup_dispatch.backends.sections import Configured  # noqa: E402
from backup_dispatch.errors import ConfigurationInvalid  # noqa: E402

pytestmark = pytest.mark.release

SECONDARIES = "backup_datera_secondary_backup_drivers"
CEPH = "cinder.backup.drivers.ceph.CephBackupDriver"
SWIFT = "cinder.backup.drivers.swift.SwiftBackupDriver"
POSIX = "cinder.backup.drivers.posix.PosixBackupDriver"

CHUNKED = """
from cinder.backup.drivers.posix import PosixBackupDriver
class First(PosixBackupDriver): pass
"""
MODULES = {
    "good": CHUNKED,
    "with_friends": CHUNKED + "import abc\n"
    "from cinder.backup.chunkeddriver import ChunkedBackupDriver\n"
    "class Base(ChunkedBackupDriver): pass\n"
    "class Other: pass\n",
    "none": "from cinder.backup.drivers.posix import PosixBackupDriver\nNUMBER = 3\n",
    "several": CHUNKED + "class Second(First): pass\n",
    "needs": "import a_library_that_is_not_here\n",
    "broken": "raise RuntimeError('two\\nlines')\n",
    "abstract": "from cinder.backup.driver import BackupDriver\nclass Half(BackupDriver): pass\n",
}


def load(
    secondaries: str = "", *, enabled: str = "", primary: str | None = "posix"
) -> configured.Backends:
    def entries(text: str) -> tuple[str, ...]:
        return tuple(entry.strip() for entry in text.split(",")) if text else ()

    return configured.load(entries(enabled), entries(secondaries), primary)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package of modules that are right or wrong, each in its way."""
    name = f"drivers_{tmp_path.name}".replace("-", "_")
    folder = tmp_path / name
    folder.mkdir()
    for module, text in {"__init__": "", **MODULES}.items():
        (folder / f"{module}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


@pytest.mark.parametrize(
    ("entry", "name", "owner"),
    [
        ("ceph", "ceph", CEPH),
        ("cinder.backup.drivers.ceph", "ceph", CEPH),
        (CEPH, "ceph", CEPH),
        ("cinder.backup.drivers.swift", "swift", SWIFT),
        ("s3", "s3", "cinder.backup.drivers.s3.S3BackupDriver"),
        ("nfs", "nfs", "cinder.backup.drivers.nfs.NFSBackupDriver"),
        ("cinder.backup.drivers.nfs", "nfs", "cinder.backup.drivers.nfs.NFSBackupDriver"),
        ("glusterfs", "glusterfs", "cinder.backup.drivers.glusterfs.GlusterfsBackupDriver"),
    ],
)
def test_entry_is_a_name_a_module_or_a_class(entry: str, name: str, owner: str) -> None:
    loaded = load(entry)
    assert loaded.names == ("posix", name)
    assert loaded.enabled[1].owner == owner
    assert loaded.primary.name == "posix"


def test_a_modules_own_driver_counts_alone(package: str) -> None:
    loaded = load(f"{package}.with_friends")
    assert loaded.enabled[1].class_path == f"{package}.with_friends.First"


def test_the_primary_is_datera_unless_something_else_is_said() -> None:
    registered = loading.registered_names()
    assert "datera" in registered
    assert load("swift, posix", primary="swift").names == ("swift", "posix")
    assert load("swift, posix", primary="posix").primary.name == "posix"
    assert load(enabled="swift, posix", primary=None).primary.name == "swift"
    assert load(enabled="swift, posix", primary="posix").primary.name == "posix"
    assert load("ceph", primary="s3").names == ("s3", "ceph")
    try:
        names = load("swift", primary=None).names
    except ConfigurationInvalid as error:
        # Where the Datera driver cannot be imported, the message is about it.
        assert "backup_dispatch_primary has 'datera'" in str(error)  # noqa: PT017
    else:
        assert names == ("datera", "swift")


def test_further_backends_of_a_class_are_told_apart(package: str) -> None:
    loaded = load(f"{package}.good")
    assert loaded.enabled[1].adopts
    driver_class = loaded.enabled[1].driver_class
    first, second = configured.with_owners(
        [("east", Configured(driver_class)), ("west", Configured(driver_class))]
    )
    assert first.owner == f"{package}.good.First"
    assert second.owner == f"{package}.good.First@west"
    assert (first.adopts, second.adopts) == (True, False)


@pytest.mark.parametrize(
    ("names", "driver", "refused"),
    [
        (("fast", "posix_like"), "swift", True),
        (("posix_like", "fast"), "swift", True),
        (("east", "my.posix"), "nfs", True),
        (("posix_like",), "swift", False),
        (("East_POSIX", "west"), "swift", False),
        (("posix_east", "west"), "posix", False),
    ],
)
def test_name_that_pins_incrementals_to_a_host_is_refused(
    names: tuple[str, ...], driver: str, refused: bool
) -> None:
    found = [(name, Configured(loading.load_entry(driver, "x")[1])) for name in names]
    if not refused:
        configured._refuse_pinning("enabled_backup_backends", found)
        return
    with pytest.raises(ConfigurationInvalid, match=r"has '\w+.?\w+': Cinder takes .*; rename the"):
        configured._refuse_pinning("enabled_backup_backends", found)


REFUSED = [
    # secondaries (P is the package) -> what the message says
    ("tape", "has 'tape': there is no such backend; known are ceph, datera, gcs,"),
    ("Ceph", "has 'Ceph': there is no such backend; known are ceph"),
    ("cinder.backup.drivers.tape", "there is no such module and no such class"),
    ("nowhere.at.all", "there is no such module and no such class; known names are ceph, datera"),
    ("cinder.backup.drivers.ceph.NoDriver", "there is no such module and no such class"),
    ("P.none", "the module defines no backup driver; write a driver's module or class path"),
    ("P.several", "the module defines several backup drivers (First, Second); write the class"),
    ("P.needs", "it does not import: ModuleNotFoundError: No module named 'a_library_that_is"),
    ("P.needs.Driver", "it does not import: ModuleNotFoundError: No module named 'a_library"),
    ("P.broken", "it does not import: RuntimeError: two lines; install what it needs, or take"),
    ("P.abstract.Half", "that driver is abstract: it lacks backup, delete_backup, restore"),
    ("P.none.NUMBER", "that is no backup driver (no subclass of cinder.backup.driver.BackupD"),
    ("builtins.int", "that is no backup driver"),
    ("backup_dispatch.driver", "that is the dispatcher itself; it belongs into backup_driver"),
    ("backup_dispatch.driver.BackupDispatcher", "that is the dispatcher itself"),
    ("swift, swift", "has 'swift': two backends have that name; keep one"),
    ("swift, cinder.backup.drivers.swift", "two backends have that name"),
    ("posix, posix", "two backends have that name"),
    ("swift,", "has '': an entry is empty; take the spare comma out"),
    ("P.good, swift, P.good", "has 'good': two backends have that name"),
]


@pytest.mark.parametrize(("secondaries", "says"), REFUSED)
def test_invalid_configuration_is_one_message(secondaries: str, says: str, package: str) -> None:
    secondaries = secondaries.replace("P.", f"{package}.")
    with pytest.raises(ConfigurationInvalid) as caught:
        load(secondaries)
    message = caught.value.full_text
    assert message.startswith(f"{SECONDARIES} has ")
    assert says in message
    assert "\n" not in message
    assert len(str(caught.value)) <= 255


@pytest.mark.parametrize("name", ["", "with space", "_x", "x_", "ceph@east", "ceph:x", "ж", "a/b"])
def test_name_that_cannot_be_a_prefix_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="cannot be the prefix of a backup's name"):
        configured.load(("posix", name), (), None)


def test_names_that_differ_only_in_case_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Swift.py").write_text(CHUNKED)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "Swift.py").write_text(CHUNKED)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationInvalid, match="'Swift': it differs from 'swift' only in case"):
        load("swift, shop.Swift")


def test_options_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ConfigurationInvalid, match=r"enabled_backup_backends has 'swift'.*is set"):
        load("posix", enabled="swift")
    with pytest.raises(
        ConfigurationInvalid, match=r"backup_dispatch_primary has 'ceph'.*enabled a"
    ):
        load(enabled="swift, posix", primary="ceph")
    with pytest.raises(ConfigurationInvalid, match="enabled_backup_backends has 'tape': there is"):
        load(enabled="posix, tape")


def test_the_primary_is_not_a_secondary_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "datera.py").write_text(CHUNKED)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationInvalid, match="that is the primary already; take it out"):
        load("store.datera", primary=None)
    assert load("store.datera", primary="datera").names == ("datera",)


def test_driver_of_cinder_without_its_library_is_refused_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "googleapiclient", None)
    monkeypatch.delitem(sys.modules, "cinder.backup.drivers.gcs", raising=False)
    with pytest.raises(
        ConfigurationInvalid,
        match=r"has 'gcs': cinder.backup.drivers.gcs:GoogleBackupDriver does not import: "
        r".*googleapiclient.*; install what it needs, or take the name out\.",
    ):
        load("gcs")


def test_name_that_two_packages_register_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "rival-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rival\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[backup_dispatch.backends]\nswift = rival:Driver\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigurationInvalid, match=r"several installed packages.*rival:Driver"):
        load("swift")


def test_plugin_that_does_not_import_is_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "tape-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tape\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[backup_dispatch.backends]\ntape = no_tape:Driver\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("stevedore.ExtensionManager.ENTRY_POINT_CACHE", {})
    with pytest.raises(
        ConfigurationInvalid, match=r"no_tape:Driver does not import: ModuleNotFoundError.*install"
    ):
        load("tape")


def test_the_same_values_are_loaded_once() -> None:
    assert load("swift") is load("swift")


@pytest.mark.parametrize("name", [opts.CHECK_TIMEOUT, opts.STALL_TIMEOUT, opts.METRICS_INTERVAL])
def test_number_without_a_value_is_refused(tmp_path: Path, name: str) -> None:
    """To oslo.config it is None, whatever the default is."""
    path = tmp_path / "cinder.conf"
    path.write_text(f"[DEFAULT]\n{opts.ENABLED} = posix\n{name} =\n")
    conf = cfg.ConfigOpts()
    conf.register_opts(opts.OPTS)
    conf([], default_config_files=[str(path)])
    with pytest.raises(ConfigurationInvalid, match=rf"\[DEFAULT\].*{name} has no value"):
        configured.configured(conf)
