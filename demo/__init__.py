# SPDX-License-Identifier: Apache-2.0
"""The demo: the main job on a real Cinder, end to end, as an ordinary user on one machine."""
