# SPDX-License-Identifier: Apache-2.0
"""Containers as a forger would make them: damaged, with right checksums."""
