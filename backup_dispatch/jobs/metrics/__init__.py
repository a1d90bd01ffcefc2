# SPDX-License-Identifier: Apache-2.0
"""How things stand, for Prometheus."""
