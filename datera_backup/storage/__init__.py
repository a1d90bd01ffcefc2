# SPDX-License-Identifier: Apache-2.0
"""Containers on the cluster: attaching, locking, creating and finding them."""
