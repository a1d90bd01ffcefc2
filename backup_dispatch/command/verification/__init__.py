# SPDX-License-Identifier: Apache-2.0
"""What ``backup-dispatch verify`` shows of a run over many backups."""
