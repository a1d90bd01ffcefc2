# SPDX-License-Identifier: Apache-2.0
"""Verifying backups: one, or all of them over time."""
