# SPDX-License-Identifier: Apache-2.0
"""Cinder's Ceph driver as a peer, and volumes in Ceph as what is backed up."""
