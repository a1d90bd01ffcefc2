# SPDX-License-Identifier: Apache-2.0
"""How things stand, on one page for people: as HTML with pictures, or as text for mail."""
