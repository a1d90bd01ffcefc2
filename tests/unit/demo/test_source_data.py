# SPDX-License-Identifier: Apache-2.0
"""The data to back up are real files, in a filesystem where one can be made, else in an archive."""

import shutil
import subprocess
import sysconfig
import tarfile
from pathlib import Path

import pytest

from demo import source_data
from demo.servers.processes import environment

SIZE = 32 * 2**20
CONTENT = 3 * 10**6


def test_without_mke2fs_it_is_an_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

    image = source_data.make_image(tmp_path / "image", size=SIZE, content=CONTENT)

    assert (image.kind, image.is_filesystem) == ("tar archive", False)
    assert image.path.stat().st_size == SIZE
    assert 0 < image.content <= CONTENT
    with tarfile.open(image.path) as archive:
        assert len(archive.getnames()) == image.files
        member = archive.extractfile(image.sample)
        assert member is not None
        assert member.read() == image.original.read_bytes()
        assert image.original == Path(sysconfig.get_paths()["stdlib"], "os.py")


@pytest.mark.skipif(not shutil.which("mke2fs", path=environment()["PATH"]), reason="no mke2fs")
def test_with_mke2fs_it_is_a_sound_filesystem(tmp_path: Path) -> None:
    image = source_data.make_image(tmp_path / "image", size=SIZE, content=CONTENT)

    assert (image.kind, image.is_filesystem) == ("ext4 filesystem", True)
    assert image.path.stat().st_size == SIZE
    assert image.content < image.written < SIZE
    assert [path.name for path in tmp_path.iterdir()] == ["image"]
    subprocess.run(
        ["e2fsck", "-fn", image.path], env=environment(), check=True, capture_output=True
    )


def test_where_the_standard_library_cannot_be_read_the_sample_is_another_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a b.py", "longer.py", "short.py"):
        (tmp_path / "packages" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "packages" / name).write_text(name)
    paths = {"stdlib": str(tmp_path / "none"), "purelib": str(tmp_path / "packages")}
    monkeypatch.setattr(sysconfig, "get_paths", lambda: paths)
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

    image = source_data.make_image(tmp_path / "image", size=2**20, content=CONTENT)

    assert image.files == 3
    assert image.sample == "site-packages/short.py"
    assert image.original == tmp_path / "packages" / "short.py"
