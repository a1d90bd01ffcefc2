# SPDX-License-Identifier: Apache-2.0
"""A complete machine, emulated by QEMU: it works where processes may not be traced."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.services.install import CannotInstall, install_lacking
from tests.services.stack.guests.guest import LAYERS, Guest, GuestDidNotRun, listed

KERNEL = "linux-image-amd64"
MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
INIT = f"""\
#!/busybox sh
B=/busybox LOWER=/lower LAYER=/layer
HOW=trans=virtio,version=9p2000.L,msize=512000
$B mkdir -p /proc /dev $LOWER $LAYER
$B mount -t proc proc /proc; $B mount -t devtmpfs dev /dev
for module in {{modules}}; do $B insmod /$module; done
$B mount -t 9p -o $HOW,ro,cache=loose machine $LOWER; $B mount -t tmpfs tmpfs $LAYER
MODULES={{kernel}}
{LAYERS}
$B mount -t 9p -o $HOW out $R/mnt
exec $B switch_root $R /bin/sh {{main}}
"""


class EmulatedMachine(Guest):
    """Has no requirements for the machine."""

    def prepare(self) -> list[str]:
        """Install QEMU, create an initramfs that mounts this machine's root; return the command.

        :raises GuestDidNotRun: a package cannot be had.
        """
        try:
            install_lacking(listed("when needed: emulated"))
        except CannotInstall as exc:
            raise GuestDidNotRun(str(exc)) from exc
        names = [_with_version(name) for name in listed("unpacked: emulated")]
        kernel = self.unpack("emulated", names)
        (image,) = (kernel / "boot").glob("vmlinuz-*")
        release = image.name.removeprefix("vmlinuz-")
        folders = {"machine": "path=/,readonly=on,multidevs=remap", "out": f"path={self.output}"}
        return [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2",
            "-m", "2048", "-nodefaults", "-no-user-config", "-nographic", "-no-reboot",
            "-serial", "stdio", "-kernel", str(image),
            "-initrd", str(self._initial_root(kernel, release)),
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr",
            *(
                word
                for tag, options in folders.items()
                for word in (
                    "-fsdev", f"local,id={tag},security_model=none,{options}",
                    "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}",
                )
            ),
        ]  # fmt: skip

    def _initial_root(self, kernel: Path, release: str) -> Path:
        place = self.directory / "initial"
        place.mkdir()
        modules = kernel / "lib/modules" / release
        needed = _modules(kernel, release)
        for module in needed:
            shutil.copy(modules / module, place)
        shutil.copy(kernel / "bin/busybox", place)
        init = INIT.format(
            modules=" ".join(Path(module).name for module in needed),
            kernel=modules,
            main=self.directory / "main.sh",
        )
        shutil.copy(self.write("init.sh", init), place / "init")
        names = "\n".join(path.name for path in place.iterdir())
        packed = self.directory / "initial.cpio"
        with packed.open("wb") as file:
            subprocess.run(
                ["busybox", "cpio", "-o", "-H", "newc"],
                cwd=place, input=names.encode(), stdout=file, check=True,
            )  # fmt: skip
        return packed


def _modules(kernel: Path, release: str) -> list[str]:
    """Return the files of `MODULES` and their dependencies, each after those that it needs."""
    subprocess.run(["busybox", "depmod", "-b", kernel, release], check=True)
    told = (kernel / "lib/modules" / release / "modules.dep").read_text()
    needs = {
        name: rest.split() for name, _, rest in (line.partition(":") for line in told.splitlines())
    }
    # A dictionary because it keeps the order.
    found: dict[str, None] = {}

    def take(file: str) -> None:
        for needed in needs[file]:
            if needed not in found:
                take(needed)
        found[file] = None

    for module in MODULES:
        take(next(file for file in needs if file.endswith(f"/{module}.ko")))
    return list(found)


def _with_version(name: str) -> str:
    """Return the package with the kernel, on which the empty metapackage depends."""
    if name != KERNEL:
        return name
    told = subprocess.run(
        ["apt-cache", "depends", "--important", name], capture_output=True, text=True, check=False
    )
    found = [line.split()[-1] for line in told.stdout.splitlines() if "Depends:" in line]
    if not found:
        raise GuestDidNotRun(f"apt-cache knows no {name}: {told.stderr.strip()}")
    return found[0]
