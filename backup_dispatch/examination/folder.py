# SPDX-License-Identifier: Apache-2.0
"""The backup folder of posix, and the shares of NFS and GlusterFS if mounted.

The drivers of shares mount in their constructor, and change the folder's mode: so none is
instantiated here.
"""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
import stat
from collections.abc import Iterator

from backup_dispatch.drivers.native import in_native_threads
from backup_dispatch.examination.finding import Finding, Options, State

OBJECTS_LEFT = 10
"""Number of objects of ``backup_file_size`` that should fit."""

SECONDS = 5.0
"""Seconds to wait for a file server's port."""

NFS_PORT = 2049
GLUSTERFS_PORT = 24007

_FULL = 2**20
_GIB = 2**30


class _Disk:
    """The calls that hang if a file server does; to be made in native threads."""

    stat = staticmethod(os.stat)
    statvfs = staticmethod(os.statvfs)
    ismount = staticmethod(os.path.ismount)

    @staticmethod
    def writable(path: str) -> bool:
        return os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=True)


def posix(options: Options) -> Iterator[Finding]:
    """Check ``backup_posix_path``."""
    path = options["backup_posix_path"]
    if not path:
        yield Finding("options", State.DOWN, f"{options.where('backup_posix_path')} is not set.")
        return
    yield from _folder(path, f"{options.where('backup_posix_path')}", options)


def nfs(options: Options) -> Iterator[Finding]:
    """Check ``backup_share``, if it is mounted."""
    yield from _share(options, "backup_share", "backup_mount_point_base", NFS_PORT)


def glusterfs(options: Options) -> Iterator[Finding]:
    """Check ``glusterfs_backup_share``, if it is mounted."""
    yield from _share(
        options, "glusterfs_backup_share", "glusterfs_backup_mount_point", GLUSTERFS_PORT
    )


def _share(options: Options, name: str, base: str, port: int) -> Iterator[Finding]:
    missing = options.missing(name, base)
    if missing:
        yield missing
        return
    share = options[name]
    host, colon, _ = share.rpartition(":")
    if not colon or not host:
        yield Finding(
            "options",
            State.DOWN,
            f"{options.set_to(name)} is no share. Write HOST:/PATH for NFS, HOST:VOLUME for "
            "GlusterFS.",
        )
        return
    digest = hashlib.md5(share.encode(), usedforsecurity=False).hexdigest()
    point = os.path.join(options[base], digest)
    if in_native_threads(_Disk()).ismount(point):
        yield Finding("mount")
        yield from _folder(point, options.set_to(name), options)
        return
    host = host.strip("[]")
    answers = _port_answers(host, port)
    yield Finding(
        f"port {port} of {host}",
        State.UNKNOWN,
        f"{options.set_to(name)} is not mounted at {point}, and {host} {answers} on port {port}; "
        "whether the share can be used is not known. The service mounts it when it starts: start "
        "it, then check again.",
    )


def _port_answers(host: str, port: int) -> str:
    try:
        socket.create_connection((host, port), timeout=SECONDS).close()
    except OSError as error:
        return f"does not answer ({error})"
    return "answers"


def _folder(path: str, option: str, options: Options) -> Iterator[Finding]:
    disk = in_native_threads(_Disk())
    user = _user()
    try:
        found = disk.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        yield _absent(disk, path, option, user)
        return
    except OSError as error:
        yield Finding(
            "folder",
            State.DOWN,
            f"User {user} cannot look at {path} ({option}): {error.strerror}. Run this as the "
            "user of cinder-backup, and let that user in.",
        )
        return
    if not stat.S_ISDIR(found.st_mode):
        text = f"{path} ({option}) is not a folder. Name the folder that backups go to."
        yield Finding("folder", State.DOWN, text)
        return
    yield Finding("folder")
    room = disk.statvfs(path)
    if room.f_flag & os.ST_RDONLY:
        text = f"The file system of {path} ({option}) is read-only. Mount it for writing."
        yield Finding("permissions", State.UNWRITABLE, text)
    elif not disk.writable(path):
        mode = stat.S_IMODE(found.st_mode)
        yield Finding(
            "permissions",
            State.UNWRITABLE,
            f"User {user} may not write to {path} ({option}; owner {found.st_uid}, mode {mode:o})."
            f" Give it to the user of cinder-backup: chown cinder {path}",
        )
    else:
        yield Finding("permissions")
    yield _room(room, path, option, options)


def _absent(disk: _Disk, path: str, option: str, user: str) -> Finding:
    """Cinder's driver creates the folder with its first backup, if permitted."""
    parent = os.path.abspath(path)
    while not os.path.lexists(parent):
        parent = os.path.dirname(parent)
    if os.path.isdir(parent) and disk.writable(parent):
        return Finding(
            "folder",
            State.WARN,
            f"{path} ({option}) does not exist; the first backup makes it, on the file system of "
            f"{parent}. Mount what belongs there, or make the folder.",
        )
    return Finding(
        "folder",
        State.DOWN,
        f"{path} ({option}) does not exist, and user {user} may not make it in {parent}. Make it, "
        f"and give it to the user of cinder-backup: install -d -o cinder {path}",
    )


def _room(room: os.statvfs_result, path: str, option: str, options: Options) -> Finding:
    free = room.f_bavail * room.f_frsize
    remedy = "Delete backups, or make it larger."
    if free < _FULL or (room.f_files and not room.f_favail):
        what = "is full" if free < _FULL else "has no inode left"
        text = f"The file system of {path} ({option}) {what}. {remedy}"
        return Finding("free space", State.UNWRITABLE, text)
    size = options["backup_file_size"]
    if free < OBJECTS_LEFT * size:
        text = (
            f"The file system of {path} ({option}) is nearly full: {free / _GIB:.1f} GiB are free, "
            f"less than {OBJECTS_LEFT} files of {options.set_to('backup_file_size')}. {remedy}"
        )
        return Finding("free space", State.WARN, text)
    return Finding("free space")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
