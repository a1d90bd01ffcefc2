# SPDX-License-Identifier: Apache-2.0
"""What belongs to the cluster as a whole: sessions, users, tenants, nodes, initiators, pools."""
