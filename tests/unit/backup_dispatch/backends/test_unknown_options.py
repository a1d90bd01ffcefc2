# SPDX-License-Identifier: Apache-2.0
"""Options in ``[DEFAULT]`` that can only be ours, and that nobody reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from cinder import objects
from oslo_config import cfg

objects.register_all()

from backup_dispatch.backends import configured, unknown_options  # noqa: E402 - after the objects
from backup_dispatch.errors import ConfigurationInvalid  # noqa: E402


def in_default(tmp_path: Path, *lines: str) -> tuple[str, ...]:
    """What these lines of ``[DEFAULT]`` set that is ours."""
    path = tmp_path / "cinder.conf"
    path.write_text("\n".join(("[DEFAULT]", *lines, "[east]", "backup_dispatch_x = 1", "")))
    conf = cfg.ConfigOpts()
    conf([], project="any", default_config_files=[str(path)])
    return unknown_options.ours_in_default(conf)


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        ("backup_datera_ssl_cert_verif = true", "backup_datera_ssl_cert_verify"),
        ("backup_datera_secondary_backup_driver = s3", "backup_datera_secondary_backup_drivers"),
        ("backup_dispatch_umatched = refuse", "backup_dispatch_unmatched"),
        ("enabled_backup_backend = ceph", "enabled_backup_backends"),
        ("backup_dispatch-unmatched = refuse", "backup_dispatch_unmatched"),
    ],
)
def test_misspelt_option_of_ours_names_the_nearest(tmp_path: Path, line: str, nearest: str) -> None:
    name = line.partition(" ")[0]
    with pytest.raises(ConfigurationInvalid) as caught:
        configured.load(("posix",), (), None, ours=in_default(tmp_path, line))
    assert caught.value.full_text == (
        f"[DEFAULT] {name}: there is no such option; the nearest is {nearest}. Correct the name, "
        "or take the line out."
    )


def test_misspelt_list_of_backends_is_told_before_what_it_leads_to(tmp_path: Path) -> None:
    ours = in_default(tmp_path, "enabled_backup_backend = ceph")
    with pytest.raises(ConfigurationInvalid, match="nearest is enabled_backup_backends"):
        configured.load((), ("no_such_driver",), "nor_this", ours=ours)


def test_options_of_drivers_that_are_not_enabled_are_known(tmp_path: Path) -> None:
    ours = in_default(
        tmp_path,
        "backup_datera_san_ip = 192.0.2.1",
        "backup_datera_replica_count = 3",
        "backup_dispatch_primary = posix",
    )
    assert len(ours) == 3
    assert configured.load(("posix",), (), None, ours=ours).names == ("posix",)


def test_options_of_others_are_not_judged(tmp_path: Path) -> None:
    assert (
        in_default(
            tmp_path,
            "enabled_backends = a",
            "backup_ceph_pol = x",
            "datera_504_timeout = 3",
            "enabled_backups = 1",
            "backup_dater = 1",
        )
        == ()
    )


def test_deprecated_name_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opt = cfg.StrOpt("backup_dispatch_new", deprecated_name="backup_dispatch_old")
    monkeypatch.setitem(cfg.CONF._opts, opt.dest, {"opt": opt, "cli": False})
    unknown_options.refuse_unknown(in_default(tmp_path, "backup_dispatch_old = 1"))


def test_options_that_cannot_be_listed_are_told_and_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise RuntimeError("no library")

    monkeypatch.setattr("datera_backup.opts.list_opts", broken)
    with pytest.raises(ConfigurationInvalid, match="backup_dispatch_umatched"):
        unknown_options.refuse_unknown(in_default(tmp_path, "backup_dispatch_umatched = 1"))
    assert "The options of datera_backup cannot be listed: RuntimeError: no library" in caplog.text
