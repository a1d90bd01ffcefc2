# SPDX-License-Identifier: Apache-2.0
"""How Sphinx turns these pages into HTML: ``make docs``. It needs neither git nor a network."""

import os
import sys
import warnings
from importlib import metadata
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS / "_ext"), str(DOCS.parent)]

# The reference imports Cinder.
os.environ.setdefault("OS_CINDER_DISABLE_EVENTLET_PATCHING", "yes")
warnings.filterwarnings("ignore", message="\\s*Eventlet is deprecated")

from pagebuild.dates import date_of_sources  # noqa: E402 - the path is set above
from pictures.canvas import PAGE_COLOURS  # noqa: E402

project = "backup_dispatch"
version = release = metadata.version("backup-dispatch")
extensions = [
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "pagebuild.breaks",
    "pagebuild.languages",
    "pagebuild.pictures",
    "pagebuild.references",
    "pagebuild.search_texts",
    "pagebuild.external_links",
]
root_doc = "index"
exclude_patterns = ["_build", "_ext"]
nitpicky = True

# Links may name a heading of another page, as they may where these pages are read as they are.
myst_heading_anchors = 3
# Tabs and cards: ::::{tab-set}.
myst_enable_extensions = ["colon_fence", "deflist"]

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = ["_static"]
templates_path = ["_templates"]
html_css_files = ["site.css"]
html_context = {"source_date": date_of_sources(DOCS)}
html_copy_source = False
html_show_copyright = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {
        "color-brand-primary": "#0b5a8f",
        "color-brand-content": "#0b5a8f",
        "code-block": "#f1f4f6",
        **PAGE_COLOURS[0],
    },
    "dark_css_variables": {
        "color-brand-primary": "#7cc4f4",
        "color-brand-content": "#7cc4f4",
        "code-block": "#22272c",
        **PAGE_COLOURS[1],
    },
}

# Prompts are not copied, nor is output behind them; what is nobody's to type has no button.
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_selector = "div:not(.highlight-text):not(.highlight-none) > div.highlight > pre"
