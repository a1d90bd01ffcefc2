# SPDX-License-Identifier: Apache-2.0
"""What the Datera backup driver does: a backup's way, and what lies on a container's device."""

from __future__ import annotations

from pictures.canvas import Canvas


def backup_way() -> Canvas:
    """A backup's way from the volume to the cluster."""
    drawn = Canvas(
        600,
        "A volume is read by several requests at once, zeros are left out, each block's digest is "
        "compared with the parent's, what is new is compressed, put in order and written into the "
        "container; the commit record comes last.",
    )
    drawn.box(100, 8, 280, 50, "*the volume*", "~a device, a file or an image of Ceph~")
    steps = (
        (84, ("read, several requests at once",), ("holes are not read",)),
        (162, ("find blocks that are all zero",), ("zero: not stored",)),
        (
            240,
            ("digest each other block,", "compare it with the parent's"),
            ("as before: refer to", "where it is stored"),
        ),
        (318, ("compress what is new",), ("does not shrink:", "stored as it is")),
        (396, ("put in order, write segments",), ()),
    )
    for y, lines, aside in steps:
        drawn.arrow((152, y - 26), (152, y), kind="one")
        drawn.box(8, y, 288, 52, *lines)
        if aside:
            drawn.arrow((296, y + 26), (324, y + 26), dashed=True)
            for number, line in enumerate(aside):
                drawn.words(332, y + 31 - (len(aside) - 1) * 9 + number * 18, f"~{line}~")
    drawn.arrow((152, 448), (152, 486), kind="one")
    drawn.box(8, 486, 464, 104, kind="one")
    drawn.words(24, 508, "*the container: one volume on the cluster*")
    for x, w, lines in (
        (24, 120, ("blocks",)),
        (154, 96, ("manifests",)),
        (260, 86, ("commit",)),
        (356, 100, ("superblock",)),
    ):
        drawn.box(x, 522, w, 34, *lines)
    for x in (144, 250, 346):
        drawn.arrow((x, 539), (x + 10, 539))
    drawn.words(24, 578, "~the commit when all else is flushed; before it, there is no backup~")
    return drawn


def container() -> Canvas:
    """What lies where in a container."""
    drawn = Canvas(
        410,
        "A container's device: superblock slots at 0 and 2 MiB, the log from 4 MiB on, in it one "
        "range a backup. A range holds segments of blocks and metadata areas, of which each record "
        "has a copy 2 MiB further on.",
    )
    drawn.words(8, 20, "*the device*")
    parts = (
        (8, 62, "slot 0", "one", "0"),
        (70, 40, "", "clear", "1"),
        (110, 62, "slot 1", "one", "2"),
        (172, 40, "", "clear", "3"),
        (212, 260, "the log: range after range", "two", "4 MiB"),
    )
    for x, w, name, kind, offset in parts:
        drawn.box(x, 34, w, 40, *([name] if name else []), kind=kind)
        drawn.words(x, 92, f"~{offset}~")
    drawn.words(464, 92, "~end~", anchor="end")
    drawn.line((212, 98), (8, 136), dashed=True)
    drawn.line((472, 98), (472, 136), dashed=True)
    drawn.words(300, 128, "*the log*", anchor="middle")
    ranges = ((8, 190, "full backup"), (198, 84, "incr."), (282, 84, "incr."), (366, 106, "free"))
    for x, w, name in ranges:
        drawn.box(x, 138, w, 40, name, kind="clear" if name == "free" else "two")
    drawn.line((198, 178), (8, 222), dashed=True)
    drawn.line((282, 178), (472, 222), dashed=True)
    drawn.words(240, 214, "*a range*", anchor="middle")
    for x, w, name, kind in (
        (8, 78, "segment", ""),
        (86, 78, "segment", ""),
        (164, 56, "…", ""),
        (220, 112, "metadata", "two"),
        (332, 140, "its copy, 2 MiB on", "two"),
    ):
        drawn.box(x, 224, w, 40, name, kind=kind)
    drawn.line((220, 264), (8, 306), dashed=True)
    drawn.line((332, 264), (472, 306), dashed=True)
    drawn.words(276, 300, "*metadata*", anchor="middle")
    for x, w, lines in (
        (8, 150, ("manifests", "~where each block is~")),
        (166, 150, ("index pages", "~a tree over them~")),
        (324, 148, ("commit record", "~makes it a backup~")),
    ):
        drawn.box(x, 310, w, 54, *lines, kind="two")
    drawn.arrow((324, 337), (316, 337))
    drawn.arrow((166, 337), (158, 337))
    drawn.words(8, 392, "~Of both slots the newer counts. Nothing else is ever rewritten.~")
    return drawn
