# SPDX-License-Identifier: Apache-2.0
"""Side-by-side measurements of the Datera backup backend and its peers; nothing here ships."""
