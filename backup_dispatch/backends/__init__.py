# SPDX-License-Identifier: Apache-2.0
"""From cinder.conf to driver classes: which backends are enabled, and their own configuration."""
