# SPDX-License-Identifier: Apache-2.0
"""``datera-backup``: inspect and salvage containers from their devices alone."""
