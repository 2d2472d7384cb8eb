"""Where bars are kept: Parquet files on this machine, SQLite, PostgreSQL, behind the one port `BarStore`.

Names are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from algotrendy.data.store.parquet import ParquetStore
    from algotrendy.data.store.parquet_series import Sizes
    from algotrendy.data.store.port import BarStore
    from algotrendy.data.store.rows import no_bars, within
    from algotrendy.data.store.sql import SqlStore

__all__ = ["BarStore", "ParquetStore", "Sizes", "SqlStore", "no_bars", "within"]

_HOMES = {
    "BarStore": "algotrendy.data.store.port",
    "ParquetStore": "algotrendy.data.store.parquet",
    "Sizes": "algotrendy.data.store.parquet_series",
    "SqlStore": "algotrendy.data.store.sql",
    "no_bars": "algotrendy.data.store.rows",
    "within": "algotrendy.data.store.rows",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found
