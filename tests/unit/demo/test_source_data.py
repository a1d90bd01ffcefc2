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
        member = archive.extractfile(source_data.SAMPLE)
        assert member is not None
        assert member.read() == source_data.sample_source().read_bytes()
        assert source_data.sample_source() == Path(sysconfig.get_paths()["stdlib"], "os.py")


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
