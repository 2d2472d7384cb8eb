"""Where bars come from: a plain dict that travels with them in `bars.attrs` and may get lost in joins.

So nothing that safety depends on is kept here alone: see `domain.stale` for what is read off the columns instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

PROVENANCE_KEY = "algotrendy"


def provenance(bars: pd.DataFrame) -> dict[str, Any]:
    """Return what is known about where `bars` come from; empty if nothing is.

    Returns
    -------
    dict
        Plain values that JSON can hold. Usual keys: `name`, `title`, `source`, `licence`, `kind`, `tradable`,
        `first`, `last`, `rows`, `notes` (a list of sentences).

    Examples
    --------
    >>> provenance(pd.DataFrame())
    {}
    """
    known = bars.attrs.get(PROVENANCE_KEY, {})
    return dict(known) if isinstance(known, Mapping) else {}


def with_provenance(bars: pd.DataFrame, facts: Mapping[str, Any]) -> pd.DataFrame:
    """Return `bars` with these facts instead of whatever they carried; the columns are shared, not copied.

    Examples
    --------
    >>> provenance(with_provenance(pd.DataFrame(), {"name": "mine"}))
    {'name': 'mine'}
    """
    told = bars.copy(deep=False)
    told.attrs = {**bars.attrs, PROVENANCE_KEY: dict(facts)}
    return told
