# SPDX-License-Identifier: Apache-2.0
"""The Datera backup driver for Cinder: backups as chunks in containers on a Datera cluster.

Of ``backup_dispatch``, which the same distribution carries, it uses four small modules: the command
``datera-backup`` writes sizes, progress and the salvage map as ``backup-dispatch`` does and hands
``orphans`` to it, and the attachment names the folders of ``PATH`` that hinder os-brick. A contract
of import-linter (``pyproject.toml``) names them.
"""
