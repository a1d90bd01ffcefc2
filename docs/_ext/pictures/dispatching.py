# SPDX-License-Identifier: Apache-2.0
"""What the dispatcher does: the service, the choice, the chains, switching it on and off."""

from __future__ import annotations

from pictures.canvas import Canvas


def one_service() -> Canvas:
    """One service and several backends: the picture of the README."""
    drawn = Canvas(
        268,
        "Four backups reach one cinder-backup service. The dispatcher in it passes datera_nightly "
        "and nightly to Datera, the primary backend, swift_nightly to Swift, ceph_weekly to Ceph.",
    )
    names = (
        ("datera_nightly", "one"),
        ("nightly", "one"),
        ("swift_nightly", ""),
        ("ceph_weekly", "two"),
    )
    for number, (name, kind) in enumerate(names):
        x = 7 + number * 118
        drawn.box(x, 8, 112, 32, f"`{name}`", kind=kind)
        drawn.arrow((x + 56, 40), (x + 56, 196), kind=kind)
    drawn.box(8, 72, 464, 84)
    drawn.words(24, 95, "*one cinder-backup service*")
    drawn.box(24, 106, 432, 38, "`backup_dispatch`: by the name's prefix, else the primary")
    for x, w, title, what, kind in (
        (8, 228, "*Datera*", "~the primary~", "one"),
        (244, 110, "*Swift*", "~as before~", ""),
        (362, 110, "*Ceph*", "~as before~", "two"),
    ):
        drawn.box(x, 196, w, 64, title, what, kind=kind)
    return drawn


def choosing() -> Canvas:
    """How a name finds its backend."""
    drawn = Canvas(
        486,
        "The rules in order: the prefix of the backup's name, its property backup_backend, the "
        "extra spec backup:backend of the volume's type, the primary. The first two must agree.",
    )
    drawn.box(8, 8, 270, 34, "a backup is created")
    rules = (
        (
            74,
            ("1  does its name begin with", "the name of a backend?"),
            ("`ceph_nightly`", "goes to ceph"),
        ),
        (
            174,
            ("2  does its property", "`backup_backend` name one?"),
            ("`backup_backend`", "`=swift`"),
        ),
        (
            274,
            ("3  does its volume's type have", "`backup:backend`?"),
            ("`backup:backend`", "`=ceph`"),
        ),
    )
    for number, (y, question, example) in enumerate(rules):
        drawn.arrow((143, y - 32 if number == 0 else y - 38), (143, y))
        drawn.box(8, y, 270, 62, *question)
        drawn.arrow((278, y + 31), (330, y + 31), kind="one")
        drawn.words(304, y + 24, "~yes~", anchor="middle")
        drawn.box(330, y, 142, 62, *example, kind="one")
        drawn.words(152, y + 82, "~no~")
    drawn.arrow((143, 336), (143, 374))
    drawn.box(
        8, 374, 270, 62, "4  the primary backend", "~or none, with unmatched = refuse~", kind="one"
    )
    drawn.line((401, 136), (401, 174), kind="no", dashed=True)
    drawn.words(410, 160, "agree?", kind="no")
    drawn.words(8, 460, "~Refused, never sent elsewhere: 1 and 2 that disagree; a backend~")
    drawn.words(8, 478, "~that is known and not enabled.~")
    return drawn


def chains() -> Canvas:
    """Chains on two backends."""
    drawn = Canvas(
        268,
        "Backups of one volume from Monday to Friday. On Datera: full on Monday, incrementals on "
        "Tuesday and Thursday. On Swift: full on Wednesday, an incremental on Friday, which builds "
        "on Wednesday's although Cinder's API picks Thursday's as its parent.",
    )
    days = ("Mon", "Tue", "Wed", "Thu", "Fri")
    for number, called in enumerate(days):
        drawn.words(108 + number * 82, 22, f"~{called}~", anchor="middle")
    drawn.words(8, 70, "*Datera*")
    drawn.words(8, 168, "*Swift*")

    def backup(day: int, y: float, what: str, kind: str) -> None:
        drawn.box(74 + day * 82, y, 68, 44, what, kind=kind)

    for day, what in ((0, "full"), (1, "incr."), (3, "incr.")):
        backup(day, 44, what, "one")
    for day, what in ((2, "full"), (4, "incr.")):
        backup(day, 142, what, "two")
    drawn.arrow((156, 66), (142, 66), kind="one")
    drawn.arrow((320, 66), (224, 66), kind="one")
    drawn.arrow((402, 164), (306, 164), kind="two")
    drawn.arrow((436, 142), (436, 66), (388, 66), kind="no", dashed=True)
    drawn.arrow((16, 220), (44, 220))
    drawn.words(52, 225, "builds on: the newest of the volume on its backend")
    drawn.arrow((16, 248), (44, 248), kind="no", dashed=True)
    drawn.words(52, 253, "the parent that Cinder's API picks: replaced")
    return drawn


def switching() -> Canvas:
    """Switching over, and back."""
    drawn = Canvas(
        330,
        "A cloud with Swift alone, then with the dispatcher, then with Swift alone again. Backups "
        "on Swift restore and delete at all times; those on Datera while the dispatcher is on, and "
        "afterwards stay listed and are refused.",
    )
    heads = (
        ("Swift's driver", "`SwiftBackupDriver`"),
        ("the dispatcher", "`BackupDispatcher`"),
        ("Swift's driver", "`SwiftBackupDriver`"),
    )
    for number, lines in enumerate(heads):
        x = 8 + number * 164
        drawn.box(x, 28, 136, 56, *lines)
        if number:
            drawn.arrow((x - 28, 56), (x, 56))
    drawn.words(8, 18, "~backup_driver~")
    drawn.words(8, 112, "*backups on Swift*")
    for number, what in enumerate(("works", "works", "works")):
        drawn.box(8 + number * 164, 122, 136, 38, what, kind="one")
    drawn.words(8, 190, "*backups on Datera*")
    drawn.box(8, 200, 136, 38, "~none yet~", kind="clear")
    drawn.box(172, 200, 136, 38, "works", kind="one")
    drawn.box(336, 200, 136, 38, "listed, refused", kind="no")
    drawn.words(8, 270, "Each record names its driver's class, as Cinder itself would")
    drawn.words(8, 288, "write it: nothing is converted, in neither direction. Switched")
    drawn.words(8, 306, "on again, the dispatcher serves all of them.")
    return drawn
