# SPDX-License-Identifier: Apache-2.0
"""The operator's command ``backup-dispatch``; its subcommands are in ``verbs``.

It works without a running service, directly on the database and the backends.
"""
