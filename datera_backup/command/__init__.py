# SPDX-License-Identifier: Apache-2.0
"""``datera-backup``: what lies on a container's device, for whoever has only that."""
