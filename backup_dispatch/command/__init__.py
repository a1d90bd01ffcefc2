# SPDX-License-Identifier: Apache-2.0
"""The operator's command ``backup-dispatch``: one file for each of its commands.

It works without a running service, on the database and the backends themselves.
"""
