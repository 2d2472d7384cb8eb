"""Bars from outside: samples, CSV and Parquet files, frames of other libraries, and seeded synthetic bars.

`sample` reads real index history, `read_csv`, `read_parquet` and `as_bars` take what the user has and ask rather than
guess wrong, `synthetic` makes bars for tests. Every one returns bars that `check_bars` has passed.
Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from algotrendy.lazy import lazy_names

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
    "as_bars": ".frames",
    "provenance": "algotrendy.domain.provenance",
    "read_csv": ".files",
    "read_parquet": ".files",
    "sample": ".index_history",
    "samples": ".index_history",
    "stale_opens": "algotrendy.domain.stale",
    "StaleOpens": "algotrendy.domain.stale",
    "synthetic": ".generated",
    "write_csv": ".files",
    "write_parquet": ".files",
}

__getattr__ = lazy_names(__name__, _HOMES)
