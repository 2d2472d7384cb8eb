"""Where bars are kept: Parquet files on this machine, SQLite, PostgreSQL, behind the one port `BarStore`.

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

if TYPE_CHECKING:
    from algotrendy.data.store.parquet import ParquetStore
    from algotrendy.data.store.parquet_series import Sizes
    from algotrendy.data.store.port import BarStore
    from algotrendy.data.store.rows import no_bars, within
    from algotrendy.data.store.sql import SqlStore

__all__ = ["BarStore", "ParquetStore", "Sizes", "SqlStore", "no_bars", "within"]

_HOMES = {
    "BarStore": ".port",
    "ParquetStore": ".parquet",
    "Sizes": ".parquet_series",
    "SqlStore": ".sql",
    "no_bars": ".rows",
    "within": ".rows",
}

__getattr__ = lazy_names(__name__, _HOMES)
