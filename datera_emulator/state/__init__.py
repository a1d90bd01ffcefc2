# SPDX-License-Identifier: Apache-2.0
"""A cluster's state, in memory and on disk."""
