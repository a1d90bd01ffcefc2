# SPDX-License-Identifier: Apache-2.0
"""Real servers on free loopback ports, and their configuration."""
