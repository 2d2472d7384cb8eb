"""Bars made again from what their provenance says: the samples and the synthetic ones, which every place can make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from algotrendy.backtest.plain import from_plain
from algotrendy.data.generated import synthetic
from algotrendy.data.index_history import sample, samples
from algotrendy.errors import InputError

__all__ = ["bars_of"]


def bars_of(data: Mapping[str, Any]) -> pd.DataFrame:
    """Return the bars that the section `data` of a passport describes.

    Parameters
    ----------
    data : mapping
        With `provenance`, and `first`, `last` and `columns` of what was used of them.

    Raises
    ------
    InputError
        If they are neither a sample nor synthetic: then they have to be handed in.

    Examples
    --------
    >>> from algotrendy.backtest.plain import to_plain
    >>> from algotrendy.domain.provenance import provenance
    >>> bars = synthetic(n=30, seed=3)
    >>> used = {"first": to_plain(bars.index[5]), "last": to_plain(bars.index[-1]), "columns": list(bars.columns)}
    >>> bars_of({"provenance": to_plain(provenance(bars))} | used).equals(bars.iloc[5:])
    True
    """
    facts = from_plain(data["provenance"]) or {}
    name, source = str(facts.get("name", "")), str(facts.get("source", ""))
    if source.startswith("arch.data") and name in samples():
        whole = sample(name)
    elif source == "algotrendy.data.synthetic" and isinstance(facts.get("seed"), int):
        whole = _made_again(facts, name)
    else:
        where = source or "nothing says where"
        raise InputError(
            f"the bars ({where}) cannot be made again from the passport alone; load them there and hand them in: "
            "verify(file, bars)"
        )
    first, last = from_plain(data["first"]), from_plain(data["last"])
    used: pd.DataFrame = whole.loc[(whole.index >= first) & (whole.index <= last)]
    missing = [column for column in data["columns"] if column not in used.columns]
    if missing:
        raise InputError(f"the bars had a column {missing[0]!r} that was added later; hand them in: verify(file, bars)")
    return used[list(data["columns"])]


def _made_again(facts: Mapping[str, Any], name: str) -> pd.DataFrame:
    model: Any = name.removeprefix("synthetic ")
    return synthetic(
        n=int(facts["rows"]),
        seed=int(facts["seed"]),
        model=model,
        interval=str(facts["interval"]),
        calendar=facts["calendar"],
        start=str(pd.Timestamp(facts["first"]).date()),
        **facts["parameters"],
    )
