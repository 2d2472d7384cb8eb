"""Bars from outside: samples, CSV and Parquet files, frames of other libraries, and seeded synthetic bars.

`sample` reads real index history, `read_csv`, `read_parquet` and `as_bars` take what the user has and ask rather than
guess wrong, `synthetic` makes bars for tests. Every one returns bars that `check_bars` has passed.
Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algotrendy.data.files import read_csv, read_parquet, write_csv, write_parquet
    from algotrendy.data.frames import as_bars
    from algotrendy.data.generated import synthetic
    from algotrendy.data.index_history import sample, samples
    from algotrendy.domain.provenance import provenance
    from algotrendy.domain.stale import StaleOpens, stale_opens

__all__ = [
    "StaleOpens",
    "as_bars",
    "provenance",
    "read_csv",
    "read_parquet",
    "sample",
    "samples",
    "stale_opens",
    "synthetic",
    "write_csv",
    "write_parquet",
]

_HOMES = {
    "as_bars": "algotrendy.data.frames",
    "provenance": "algotrendy.domain.provenance",
    "read_csv": "algotrendy.data.files",
    "read_parquet": "algotrendy.data.files",
    "sample": "algotrendy.data.index_history",
    "samples": "algotrendy.data.index_history",
    "stale_opens": "algotrendy.domain.stale",
    "StaleOpens": "algotrendy.domain.stale",
    "synthetic": "algotrendy.data.generated",
    "write_csv": "algotrendy.data.files",
    "write_parquet": "algotrendy.data.files",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
