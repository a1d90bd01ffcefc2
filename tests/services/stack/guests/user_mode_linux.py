# SPDX-License-Identifier: Apache-2.0
"""A Linux kernel as an ordinary process."""

from __future__ import annotations

from tests.services.stack.guests.guest import LAYERS, Guest

INIT = f"""\
#!/bin/sh
B=/bin/busybox LOWER=/ LAYER=/mnt
$B mount -t proc proc /proc; $B mount -t tmpfs tmpfs $LAYER
$B insmod $MODULES/kernel/fs/overlayfs/overlay.ko
{LAYERS}
$B mount -t hostfs out $R/mnt -o $PLACE/out
cd $R; pivot_root . old; exec chroot . /bin/sh $PLACE/main.sh
"""


class UserModeLinux(Guest):
    """Requires only that processes may be traced."""

    def prepare(self) -> list[str]:
        """Unpack the kernel, and return the command that boots it."""
        kernel = self.unpacked("user-mode")
        (modules,) = (kernel / "usr/lib/uml/modules").iterdir()
        init = self.write("init.sh", INIT)
        return [
            str(kernel / "usr/bin/linux.uml"), "mem=1536M", f"uml_dir={self.output}/",
            "rootfstype=hostfs", "rootflags=/", "ro", f"init={init}",
            "con=null", "con0=null,fd:1", "quiet",
            # The kernel passes these to init as its environment.
            f"PLACE={self.directory}", f"MODULES={modules}",
        ]  # fmt: skip
