"""How the documentation site is built: `make docs`. No page needs the network to be read."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]

from metasim.terms import VERSION  # noqa: E402

project = "metasim"
author = "The metasim developers"
copyright = "The metasim developers, MIT licence"
version = release = VERSION

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "mathml",
    "pages",
]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist", "colon_fence", "attrs_inline"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the tests run the notebooks, and they are shipped with their results
nb_ipywidgets_js: dict[str, object] = {}  # would be fetched from the network
default_role = "literal"  # single backticks of docstrings
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 72
napoleon_use_rtype = False
napoleon_use_ivar = True  # fields are described once, not by the class and by each member
suppress_warnings = ["mystnb.unknown_mime_type", "toc.empty_glob"]
exclude_patterns = ["_build", "_ext", "README.md"]
nitpicky = False
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True

html_theme = "pydata_sphinx_theme"
html_title = "metasim"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["generated/published"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {page: [] for page in ("index", "start", "answers", "generated/gallery")}
html_theme_options = {
    "logo": {"text": "metasim"},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
