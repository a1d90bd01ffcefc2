# SPDX-License-Identifier: Apache-2.0
"""A section's values reach the driver however it gets at its configuration, or it is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cinder import objects
from oslo_config import cfg

objects.register_all()

from backup_dispatch.backends.loading import load_entry  # noqa: E402 - after Cinder's objects
from backup_dispatch.backends.sections import Configured, Section, configured_by  # noqa: E402
from backup_dispatch.errors import ConfigurationInvalid  # noqa: E402

DRIVER = """
from cinder.backup.driver import BackupDriver
{imports}
{conf}.register_opts([{cfg}.StrOpt("tape_path", default="of the driver")])
class TapeDriver(BackupDriver):
    def __init__(self, context):
        self.path = {read}
    backup = restore = delete_backup = check_for_setup_error = None
"""
STYLES = {
    "from oslo_config import cfg": "cfg",
    "import oslo_config.cfg": "oslo_config.cfg",
    "import oslo_config\nfrom oslo_config import cfg": "oslo_config.cfg",
    "import oslo_config.cfg as c": "c",
    "from oslo_config import cfg as c": "c",
    "import oslo_config as o, oslo_config.cfg": "o.cfg",
}
PAST = {
    "c = __import__('oslo_config.cfg', fromlist=['cfg'])": "c",
    "import importlib\nc = importlib.import_module('oslo_config.cfg')": "c",
    "import sys\nfrom oslo_config import cfg as c\nd = sys.modules['oslo_config']": "c",
    "from PACKAGE.options import CONF as d\nfrom oslo_config import cfg as c": "c",
    "from PACKAGE.options import cfg as c": "c",
    "from oslo_config import cfg as c\nfrom PACKAGE import options\n"
    "class Holder:\n    CONF = options.CONF\n": "c",
}
HELPER = """
from oslo_config import cfg
CONF = cfg.CONF
CONF.register_opts([cfg.StrOpt("helper_path", default="of the helper")])
def path():
    return CONF.helper_path, CONF.tape_path
"""

Configure = Callable[..., Configured]


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Makes the driver of these imports the backend ``far``, with these lines as its section."""
    package = f"tape_{tmp_path.name}".replace("-", "_")
    (tmp_path / package).mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    before = dict(cfg.CONF._opts)

    def make(imports: str, name: str, *, lines: str, read: str = "") -> Configured:
        conf = f"{name}.CONF"
        text = DRIVER.format(
            imports=imports.replace("PACKAGE", package),
            conf=conf,
            cfg=name,
            read=read or f"{conf}.tape_path",
        )
        for module, source in {"__init__": "", "options": HELPER, "driver": text}.items():
            (tmp_path / package / f"{module}.py").write_text(source)
        path = tmp_path / "cinder.conf"
        path.write_text(f"[DEFAULT]\n[far]\nbackup_driver = {package}.driver\n{lines}\n")
        cfg.CONF([], project="cinder", version="test", default_config_files=[str(path)])
        section = Section("far", f"{package}.driver", adopt=False)
        return configured_by(section, load_entry(section.driver, section.option)[1])

    yield make
    cfg.CONF.reset()
    for name in set(cfg.CONF._opts) - set(before):
        del cfg.CONF._opts[name]
    for name in [one for one in sys.modules if one.startswith(package)]:
        del sys.modules[name]


@pytest.mark.parametrize("imports", STYLES)
def test_each_way_to_import_reads_the_section(configure: Configure, imports: str) -> None:
    made = configure(imports, STYLES[imports], lines="tape_path = of the section")
    assert made.driver_class(None).path == "of the section"


@pytest.mark.parametrize("imports", PAST)
def test_way_past_the_section_is_refused(configure: Configure, imports: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        configure(imports, PAST[imports], lines="tape_path = of the section")
    message = caught.value.full_text
    assert message.startswith("[far] cannot be read by tape_")
    assert ".driver: it reaches oslo.config by " in message
    assert message.endswith("or set its options in [DEFAULT] and remove the section.")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        # Read by the helper alone, and by the helper as well.
        ("helper_path = of the section", "helper_path: tape_"),
        ("tape_path = of the section", "tape_path: tape_"),
    ],
)
@pytest.mark.parametrize(
    "imports", ["from PACKAGE import options", "from PACKAGE.options import path"]
)
def test_value_that_a_helper_module_reads_is_refused(
    configure: Configure, imports: str, lines: str, says: str
) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        configure(f"{imports}\nfrom oslo_config import cfg", "cfg", lines=lines)
    message = caught.value.full_text
    assert message.startswith(f"[far] {says}")
    assert ".options, which all backends share, so it counts in [DEFAULT] only. Set it" in message


def test_option_read_in_another_modules_configuration_is_not_accepted(
    configure: Configure,
) -> None:
    with pytest.raises(ConfigurationInvalid, match=r"^\[far\] state_path: .* in \[DEFAULT\] only"):
        configure(
            "from cinder.volume import volume_utils\nfrom oslo_config import cfg",
            "cfg",
            lines="state_path = /elsewhere",
            read="volume_utils.CONF.state_path",
        )


@pytest.mark.parametrize("name", ["ceph", "gcs", "glusterfs", "nfs", "posix", "s3", "swift"])
def test_each_of_cinders_drivers_reads_every_option_of_its_own_from_its_section(name: str) -> None:
    _, driver_class = load_entry(name, "an option")
    made = configured_by(Section("nowhere", name, adopt=False), driver_class)
    assert made.driver_class is not driver_class
