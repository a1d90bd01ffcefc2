# SPDX-License-Identifier: Apache-2.0
"""How Sphinx turns these pages into HTML."""

from importlib import metadata

project = "backup_dispatch"
version = release = metadata.version("backup-dispatch")
extensions = ["myst_parser"]
# Links may name a heading of another page, as they may where these pages are read as they are.
myst_heading_anchors = 2
root_doc = "index"
exclude_patterns = ["_build"]
html_theme = "alabaster"
