# SPDX-License-Identifier: Apache-2.0
"""What is done on the cluster for a feature. Nothing here knows Cinder, only names and values."""
