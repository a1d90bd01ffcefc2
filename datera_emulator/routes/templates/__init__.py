# SPDX-License-Identifier: Apache-2.0
"""App templates, volume templates and the snapshot policies in them."""
