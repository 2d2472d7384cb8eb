"""Real index history that needs no key and no network: the files that come with the arch package.

The package is found, not imported: importing it takes a second, reading its files a few milliseconds.
"""

from __future__ import annotations

import difflib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from algotrendy.data.numbers import EXACT_FLOATS
from algotrendy.domain.bars import COLUMNS, BarArrays, check_bars, frame_of
from algotrendy.domain.provenance import with_provenance
from algotrendy.domain.stale import stale_opens
from algotrendy.errors import DataError, InputError

__all__ = ["sample", "samples"]


@dataclass(frozen=True, slots=True)
class _Sample:
    title: str
    file: str


_SAMPLES = {
    "NASDAQ": _Sample("NASDAQ Composite", "nasdaq/nasdaq.csv.gz"),
    "SP500": _Sample("S&P 500", "sp500/sp500.csv.gz"),
}
# The package has these too, but a close alone makes no bar: stops, targets and fills at the open would be made up.
_CLOSES_ONLY = ("BRENT", "CRUDE", "VIX", "WTI")


def samples() -> tuple[str, ...]:
    """Return the names that `sample` takes.

    Examples
    --------
    >>> samples()
    ('NASDAQ', 'SP500')
    """
    return tuple(sorted(_SAMPLES))


def sample(name: str) -> pd.DataFrame:
    """Return real daily bars of a price index: 5,031 sessions, 1999-01-04 to 2018-12-31.

    Parameters
    ----------
    name : {"NASDAQ", "SP500"}
        In any case of letters.

    Returns
    -------
    DataFrame of shape (5031, 5)
        Columns `open high low close volume`, float64: index points as published, volume in shares. The index `time`
        holds session dates without a zone. `provenance(bars)` tells the rest: a price index pays no dividends and
        cannot be traded itself.

    Raises
    ------
    InputError
        If there is no sample of that name.
    DataError
        If the arch package or its file is not there.

    Notes
    -----
    In the S&P 500 file the open equals the previous close on most days before 2006: `stale_opens(bars)` finds them.
    Use NASDAQ for anything that fills at the open.

    Examples
    --------
    >>> bars = sample("NASDAQ")
    >>> bars.shape, float(bars["close"].iloc[-1])
    ((5031, 5), 6635.279785)
    """
    key = name.upper().replace("&", "").replace(" ", "") if isinstance(name, str) else ""
    if key not in _SAMPLES:
        _refuse(name, key)
    path = _arch_folder() / _SAMPLES[key].file
    try:
        table = pd.read_csv(path, encoding="utf-8", **EXACT_FLOATS)
    except OSError as e:
        raise DataError(f"the sample {key} cannot be read from {path}: {e}; reinstall it: pip install arch") from e
    index = pd.DatetimeIndex(pd.to_datetime(table["Date"], format="%m/%d/%Y")).as_unit("ns")
    # `Close` is the published level; `Adj Close` is the same numbers, since an index has no splits and no dividends.
    columns = (table[column.capitalize()].to_numpy(dtype="float64") for column in COLUMNS)
    bars = frame_of(index, BarArrays(*columns))
    check_bars(bars)
    return with_provenance(bars, _facts(key, bars))


def _facts(key: str, bars: pd.DataFrame) -> dict[str, object]:
    chosen = _SAMPLES[key]
    stale = stale_opens(bars)
    notes = [
        "A price index: dividends are left out, so returns are lower than an investor's.",
        "Not tradable itself; a fund that follows it has costs and other prices.",
        "One surviving index: a strategy chosen on it has seen the whole period.",
    ]
    if stale:
        notes.append(f"{str(stale).capitalize()}: the file has no real opens then.")
    return {
        "name": key,
        "title": chosen.title,
        "source": f"arch.data ({chosen.file}), the file that comes with the Python package arch",
        "upstream": "not stated by the package; the columns have the form of a Yahoo Finance download",
        "licence": "package: NCSA; the numbers belong to the index provider",
        "kind": "price index, no dividends, not tradable",
        "tradable": False,
        "first": str(bars.index[0].date()),
        "last": str(bars.index[-1].date()),
        "rows": len(bars),
        "notes": notes,
    }


def _arch_folder() -> Path:
    spec = importlib.util.find_spec("arch")
    if spec is None or not spec.submodule_search_locations:
        raise DataError("the samples come with the package arch, which is not installed; run: pip install arch")
    return Path(spec.submodule_search_locations[0]) / "data"


def _refuse(name: object, key: str) -> None:
    offered = ", ".join(samples())
    if key in _CLOSES_ONLY:
        raise InputError(f"{name!r} comes as closes only, and a close alone makes no bar; there are: {offered}")
    near = difflib.get_close_matches(key, samples(), n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(f"there is no sample {name!r}; there are: {offered}{hint}")
