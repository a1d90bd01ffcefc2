# SPDX-License-Identifier: Apache-2.0
"""The operator's command ``backup-dispatch``; its commands are in ``verbs``.

It works without a running service, on the database and the backends themselves.
"""
