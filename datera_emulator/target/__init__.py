# SPDX-License-Identifier: Apache-2.0
"""How hosts access volumes: the targets, and connectors that need no kernel initiator."""
