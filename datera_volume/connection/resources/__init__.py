# SPDX-License-Identifier: Apache-2.0
"""What a cluster keeps: finding, making, changing and removing it, and proving it gone."""
