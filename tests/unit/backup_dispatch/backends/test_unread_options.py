# SPDX-License-Identifier: Apache-2.0
"""Which options a driver reads, and which of a section's it does not."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from cinder import objects
from oslo_config import cfg

objects.register_all()

from backup_dispatch.backends import unread_options  # noqa: E402 - after Cinder's objects
from backup_dispatch.backends.private_modules import modules_of  # noqa: E402
from backup_dispatch.errors import ConfigurationInvalid  # noqa: E402

pytestmark = pytest.mark.release

TEXT = """
from oslo_config import cfg
CONF = cfg.CONF
def one():
    return CONF.by_attribute, cfg.CONF.by_a_longer_way, CONF["by_key"], other.by_another
def another(CONFIG):
    return CONFIG.not_ours, one.CONF.nor_this, CONF.by_attribute.of_a_value
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / f"reads_{tmp_path.name}.py").write_text(TEXT)
    return importlib.import_module(f"reads_{tmp_path.name}")


def a_configuration(tmp_path: Path, *texts: str) -> cfg.ConfigOpts:
    files = []
    for number, text in enumerate(texts):
        files.append(tmp_path / f"{number}.conf")
        files[-1].write_text(text)
    conf = cfg.ConfigOpts()
    conf([], project="any", default_config_files=[str(file) for file in files])
    return conf


def test_names_are_read_from_the_source(module: ModuleType) -> None:
    assert unread_options.names_read_by([module], cfg.CONF) == {
        "by_attribute", "by_a_longer_way", "by_key",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["ceph", "swift", "s3", "nfs", "glusterfs", "posix"])
def test_cinders_drivers_read_what_they_say(name: str) -> None:
    from backup_dispatch.backends.loading import load_entry

    _, driver_class = load_entry(name, "an option")
    read = unread_options.names_read_by(modules_of(driver_class), cfg.CONF)
    assert any(option.startswith(f"backup_{name}") for option in read) or name in {
        "glusterfs", "nfs",
    }, read  # fmt: skip
    if name != "ceph":
        assert "backup_compression_algorithm" in read


def test_all_spellings_of_an_option_count() -> None:
    old = cfg.DeprecatedOpt("older", group="DEFAULT")
    opts = [cfg.StrOpt("with-dash", deprecated_name="old"), cfg.StrOpt("x", deprecated_opts=[old])]
    assert unread_options.spellings_of(opts) == {"with-dash", "with_dash", "old", "x", "older"}


def test_every_file_counts(tmp_path: Path) -> None:
    conf = a_configuration(
        tmp_path, "[far]\nx = 1\ny = 2\n[near]\nz = 3\n", "[far]\nx = 3\nw = 4\n"
    )
    assert set(unread_options.names_in(conf, "far")) == {"w", "x", "y"}
    assert unread_options.names_in(conf, "nowhere") == []


def test_section_in_another_case_is_the_same_section(tmp_path: Path) -> None:
    conf = a_configuration(tmp_path, "[DEFAULT]\nd = 1\n[Far]\nx = 1\n", "[far]\ny = 1\n")
    conf.register_opt(cfg.IntOpt("x"), group="far")
    assert conf.far.x == 1, "oslo.config reads it so"
    assert set(unread_options.names_in(conf, "far")) == {"x", "y"}
    assert set(unread_options.names_in(conf, "FAR")) == {"x", "y"}
    assert unread_options.names_in(conf, "DEFAULT") == ["d"]
    assert unread_options.sections_with(conf, "x") == {"far"}
    assert unread_options.sections_with(conf, "d") == frozenset()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("backup_a = 1", None),
        ("volume_driver = v\nsan_ip = 1", None),
        ("san_ip = 1", r"^\[far\] san_ip: tape reads no such option; the nearest is "),
        ("backup_A = 1", r"^\[far\] backup_A: tape reads no such option; the nearest is backup_a"),
        ("volume_driver = v\nbackup_b = 1", r"^\[far\] backup_b: tape reads no such option"),
        ("backup_known = 1", r"^\[far\] backup_known: tape reads it in \[DEFAULT\] only"),
    ],
)
def test_what_is_set_in_vain_is_refused(tmp_path: Path, text: str, says: str | None) -> None:
    conf = a_configuration(tmp_path, f"[far]\n{text}\n")
    conf.register_opt(cfg.IntOpt("backup_known"))
    read = {"backup_a", "backup_driver"}
    if says is None:
        unread_options.refuse_unread(conf, "far", "tape", read)
    else:
        with pytest.raises(ConfigurationInvalid, match=says):
            unread_options.refuse_unread(conf, "far", "tape", read)
