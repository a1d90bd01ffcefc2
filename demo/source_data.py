# SPDX-License-Identifier: Apache-2.0
"""Real data to back up: this interpreter's standard library and packages, as a volume's content.

``python -m demo.source_data PATH SIZE CONTENT`` creates the image and prints what is in it.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.servers.processes import environment, say_ready

LEFT_OUT = {"__pycache__"}
FILESYSTEM = "ext4 filesystem"
PREFERRED = "stdlib/os.py"
PLAIN = re.compile(r"[\w./-]+", re.ASCII)


@dataclass(frozen=True)
class Image:
    """A file of the volume's size, with holes where the volume has never been written to.

    :ivar sample: the name of one of the files in it.
    :ivar original: the file of which that is the copy.
    """

    path: Path
    kind: str
    files: int
    content: int
    sample: str
    original: Path

    @property
    def is_filesystem(self) -> bool:
        """Whether it is a filesystem, not an archive."""
        return self.kind == FILESYSTEM

    @property
    def written(self) -> int:
        """How many bytes of the volume are not in a hole."""
        return self.path.stat().st_blocks * 512


def make_image(path: Path, *, size: int, content: int) -> Image:
    """Create a filesystem image of ``size`` bytes; without ``mke2fs``, a tar archive of that size.

    :param content: approximate maximum bytes of files in it.
    """
    chosen = list(_files(content))
    total = sum(length for _, _, length in chosen)
    mke2fs = shutil.which("mke2fs", path=environment()["PATH"])
    if mke2fs is None or not _make_filesystem(path, size, mke2fs, chosen):
        _make_archive(path, size, chosen)
        return Image(path, "tar archive", len(chosen), total, *_sample(chosen))
    return Image(path, FILESYSTEM, len(chosen), total, *_sample(chosen))


def _sample(chosen: list[tuple[Path, str, int]]) -> tuple[str, Path]:
    """Return one of the files, by its name in the image and its path: a well-known one if it is in.

    Otherwise it is the one with the shortest name. The name needs no quotes anywhere.
    """
    plain = {name: source for source, name, _ in chosen if PLAIN.fullmatch(name)}
    name = PREFERRED if PREFERRED in plain else min(plain, key=len)
    return name, plain[name]


def _files(content: int) -> Iterator[tuple[Path, str, int]]:
    """Yield files with their names in the image and their sizes, until there are enough bytes."""
    paths = sysconfig.get_paths()
    left = content
    for folder, place in (("stdlib", paths["stdlib"]), ("site-packages", paths["purelib"])):
        for directory, names, files in os.walk(place):
            # In some distributions the packages are inside the standard library's folder.
            names[:] = sorted(set(names) - LEFT_OUT - {"site-packages", "dist-packages"})
            for name in sorted(files):
                source = Path(directory, name)
                if source.is_symlink() or not os.access(source, os.R_OK):
                    continue
                length = source.stat().st_size
                if length <= left:
                    left -= length
                    yield source, f"{folder}/{source.relative_to(place)}", length


def _make_filesystem(
    path: Path, size: int, mke2fs: str, chosen: list[tuple[Path, str, int]]
) -> bool:
    tree = path.with_name(path.name + ".tree")
    try:
        for source, name, _ in chosen:
            target = tree / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)  # ten times as fast as a copy
            except OSError:  # another filesystem, or another owner
                shutil.copyfile(source, target)
        with path.open("wb") as image:
            image.truncate(size)
        made = subprocess.run(
            # A journal would be 64 MB of nothing.
            [mke2fs, "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", tree, path],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        # An old mke2fs has no -d.
        return made.returncode == 0
    finally:
        shutil.rmtree(tree, ignore_errors=True)


def _make_archive(path: Path, size: int, chosen: list[tuple[Path, str, int]]) -> None:
    with path.open("wb") as image:
        with tarfile.open(fileobj=image, mode="w|") as archive:
            for source, name, _ in chosen:
                archive.add(source, arcname=name, recursive=False)
        image.truncate(size)


if __name__ == "__main__":
    image = make_image(Path(sys.argv[1]), size=int(sys.argv[2]), content=int(sys.argv[3]))
    say_ready(**{**asdict(image), "path": str(image.path), "original": str(image.original)})
