"""How the documentation is built: `make docs`."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import algotrendy

project = "algotrendy"
author = "The algotrendy authors"
project_copyright = f"2026, {author}"
release = version = algotrendy.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc"]
templates_path = ["_templates"]
exclude_patterns = ["_build", "adr/template.md"]
source_suffix = {".rst": "restructuredtext", ".md": "myst-nb"}

default_role = "code"

html_theme = "furo"
html_title = f"algotrendy {release}"
html_show_sourcelink = False

autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say it with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "auto"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True


def _write_indicator_table(folder: Path) -> None:
    """Write the page that lists every indicator of the expression language, from the registry itself."""
    from algotrendy.expressions.functions import indicator_usage
    from algotrendy.indicators import registry

    lines = ["# Indicators in expressions", "", "Every call below can be written in a condition; `x` is any series,"]
    lines += [
        "such as `close`. A parameter with a value may be left out.",
        "",
        "| call | unit | what it is |",
        "|---|---|---|",
    ]
    for name in registry.names():
        spec = registry.lookup(name)
        lines.append(f"| `{indicator_usage(spec)}` | {spec.unit} | {spec.description} |")
    (folder / "indicators.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _copy_plotly(folder: Path) -> None:
    """Put the charting library beside the pages, so that they draw without a network."""
    spec = find_spec("plotly")
    assert spec is not None
    assert spec.origin is not None
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(Path(spec.origin).parent / "package_data" / "plotly.min.js", folder / "plotly.min.js")


def _prepare(app: Any) -> None:
    generated = Path(app.srcdir) / "reference" / "api"
    generated.mkdir(parents=True, exist_ok=True)
    _write_indicator_table(generated)
    _copy_plotly(Path(app.outdir) / "_static")


def setup(app: Any) -> None:
    """Prepare what is generated before the pages are read."""
    app.connect("builder-inited", _prepare, priority=100)
