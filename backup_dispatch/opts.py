# SPDX-License-Identifier: Apache-2.0
"""The options that define the backends and how one is chosen."""

from __future__ import annotations

from oslo_config import cfg

SECONDARIES = "backup_datera_secondary_backup_drivers"
ENABLED = "enabled_backup_backends"
PRIMARY = "backup_dispatch_primary"
UNMATCHED = "backup_dispatch_unmatched"
CHECK_TIMEOUT = "backup_dispatch_check_timeout"
STALL_TIMEOUT = "backup_dispatch_stall_timeout"
RETENTION = "backup_dispatch_retention"
METRICS_FILE = "backup_dispatch_metrics_file"
METRICS_INTERVAL = "backup_dispatch_metrics_interval"

OPTS: list[cfg.Opt] = [
    cfg.ListOpt(
        SECONDARIES,
        default=[],
        help="Backup drivers beside the primary one. Each entry is a registered name (ceph, "
        "datera, gcs, glusterfs, nfs, posix, s3, swift), the path of a module that defines one "
        "backup driver, or the path of a driver class. A backup goes to the one whose name, or "
        "whose module's last component, is the prefix of the backup's name: with "
        "cinder.backup.drivers.ceph here, ceph_nightly goes to Ceph. Needs backup_driver = "
        "backup_dispatch.driver.BackupDispatcher. Excludes enabled_backup_backends.",
    ),
    cfg.ListOpt(
        ENABLED,
        default=[],
        help="Names of all backup backends, in place of backup_datera_secondary_backup_drivers. "
        "Each is a registered name (ceph, datera, gcs, glusterfs, nfs, posix, s3, swift), or has a "
        "section of its own name that sets backup_driver, and any option of that driver. The first "
        "is the primary unless backup_dispatch_primary names another.",
    ),
    cfg.StrOpt(
        PRIMARY,
        help="Name of the backend that takes what nothing else claims. Unset, it is the first of "
        "enabled_backup_backends, or datera beside backup_datera_secondary_backup_drivers. "
        "Beside the latter it may name a driver in the same ways; one that is not in that list "
        "takes the place of datera.",
    ),
    cfg.StrOpt(
        UNMATCHED,
        default="primary",
        choices=[
            ("primary", "It goes to the primary backend"),
            ("refuse", "It is refused: every backup must say where it belongs"),
        ],
        help="What happens to a backup that neither its name, its property backup_backend nor "
        "its volume type sends to a backend.",
    ),
    cfg.IntOpt(
        CHECK_TIMEOUT,
        default=60,
        min=1,
        help="Seconds after the service's start in which a backend must have answered its check. "
        "Work for it waits that long at most, and is then refused until the check has passed.",
    ),
    cfg.IntOpt(
        STALL_TIMEOUT,
        default=3600,
        min=0,
        help="Seconds after which a backup, restore or deletion ends in an error when nothing "
        "moves in it: no read or write of the volume, no object of the backend. It must be longer "
        "than one object takes. What a driver does unseen has no time limit; the log says what is "
        "waited for. 0 ends none and watches none.",
    ),
    cfg.ListOpt(
        RETENTION,
        default=[],
        help="Names of sections, each with a policy that says which backups backup-dispatch prune "
        "keeps: name_prefix, volume_type, and any of keep_last, keep_hourly, keep_daily, "
        "keep_weekly, keep_monthly, keep_yearly and keep_within. The first one that a backup "
        "matches counts for it; one that matches none is never pruned. The service reads none.",
    ),
    cfg.StrOpt(
        METRICS_FILE,
        help="File that the service writes its own counts to, for node_exporter's textfile "
        "collector: operations, bytes, seconds, retries, refusals. Its name must end in .prom, and "
        "the user of cinder-backup must be allowed to write in its folder. Unset, nothing is "
        "written. Needs the package prometheus_client.",
    ),
    cfg.IntOpt(
        METRICS_INTERVAL,
        default=30,
        min=1,
        help="Seconds between two writes of backup_dispatch_metrics_file.",
    ),
]


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """For ``oslo-config-generator``: the options by section."""
    return [("DEFAULT", OPTS)]
