# SPDX-License-Identifier: Apache-2.0
"""Fault injection: which request fails, and how."""
