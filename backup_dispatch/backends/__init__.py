# SPDX-License-Identifier: Apache-2.0
"""From cinder.conf to driver classes: the enabled backends, and the configuration of each."""
