# SPDX-License-Identifier: Apache-2.0
"""The pages for those who begin: what users type, switching over, and another cloud."""

from __future__ import annotations

import pytest

from tests.fixtures.openstack_shell import CommandFailed
from tests.fixtures.pages.typed import words_of
from tests.functional.demo.walks.stage import Stage

VOLUME = "origin"


def first_walk(stage: Stage) -> None:
    """Type what ``walkthrough`` has."""
    walk = stage.walk("walkthrough")
    assert "backup_dispatch_primary" in walk.type("oslo-config-generator")
    told = walk.type("check")
    assert [name for name in ("datera", "swift", "posix") if name not in told] == []
    for name in ("datera_nightly", "swift_nightly", "nightly"):
        walk.type(f"--name {name}", VOLUME=VOLUME)
        where = "swift" if name == "swift_nightly" else "datera"
        assert stage.user.backend_of(stage.user.newest(name)) == where
    walk.end()


def first_backups(stage: Stage, contents: list[bytes]) -> None:
    """Type what ``first-backups`` has, for a volume with these contents."""
    walk, user = stage.walk("first-backups"), stage.user
    for name in ("datera_nightly", "swift_nightly", "nightly"):
        walk.type(f"--name {name}", VOLUME=VOLUME)
    walk.type("--property backup_backend=swift", VOLUME=VOLUME)
    walk.type("show", BACKUP=user.newest("nightly"))
    walk.type("fail_reason", BACKUP=user.newest("nightly"))
    walk.type("--incremental --force", VOLUME=VOLUME)
    walk.type(
        "restore BACKUP NEW_VOLUME", BACKUP=user.newest("swift_nightly"), NEW_VOLUME="restored"
    )
    assert stage.contents_of("restored") == contents
    stage.fill("restored")
    walk.type("restore --force", BACKUP=user.newest("datera_nightly"), VOLUME="restored")
    assert stage.contents_of("restored") == contents
    walk.type("backup_keep", BACKUP=user.newest("nightly"))
    walk.type("delete", BACKUP=user.newest("nightly"))
    walk.end()


def switching(stage: Stage, contents: list[bytes]) -> None:
    """Type what ``switching`` has."""
    # The cloud has no S3.
    names = {"s3_full": "datera_full", "s3_monday": "datera_monday"}
    walk, user = stage.walk("switching", names), stage.user
    walk.type("restore BACKUP NEW_VOLUME", BACKUP=user.newest("nightly"), NEW_VOLUME="after")
    assert stage.contents_of("after") == contents
    walk.type("restore --force", BACKUP=user.newest("nightly"), VOLUME="after")
    walk.type("--incremental --force", VOLUME=VOLUME)
    walk.type("s3_full", VOLUME=VOLUME)
    walk.type("s3_monday", VOLUME=VOLUME)
    walk.type("--state available", BACKUP=user.newest("datera_monday"))
    walk.type("restore --force", BACKUP=user.newest("datera_monday"), VOLUME="after")
    assert stage.contents_of("after") == contents
    walk.end()


def another_cloud(stage: Stage, contents: list[bytes]) -> None:
    """Type what ``another-cloud`` has, in a cloud that forgets a backup and keeps its data."""
    walk, user = stage.walk("another-cloud"), stage.user
    everyones = user.read(*words_of("openstack volume backup list --all-projects"))
    assert {one["ID"] for one in everyones} == user.backups_by_id().keys()
    exported = user.newest("datera_full")
    service, metadata = walk.type("export", BACKUP=exported).splitlines()
    stage.cloud.forget_backup(exported)
    imported = {"SERVICE": service, "METADATA": metadata}
    # openstacksdk 4.22 posts to another address, and the page says what to type then.
    with pytest.raises(CommandFailed, match="backups/export_record, 404"):
        walk.type("import SERVICE", **imported)
    token, endpoint = user.token_and_endpoint()
    walk.type("curl", **imported, TOKEN=token, ENDPOINT=endpoint)
    assert user.newest("datera_full") == exported
    # With a service that is spelt out.
    with pytest.raises(CommandFailed, match="backups/export_record, 404"):
        walk.type("import cinder", METADATA=metadata)
    user.type("volume", "backup", "restore", "--force", "datera_full", "after")
    assert stage.contents_of("after") == contents
    walk.end()
