"""From the text of the command line to bars, strategies, parameters and grids."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from algotrendy.errors import DataError, InputError

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.strategy import Strategy


@dataclass(frozen=True, kw_only=True)
class StrategyText:
    """A strategy as the command line gives it: a name, or conditions as text."""

    name: str | None = None
    entry: str | None = None
    exit: str | None = None
    short_entry: str | None = None
    short_exit: str | None = None
    stop: str | None = None
    target: str | None = None
    trail: str | None = None
    size: str | None = None

    @property
    def conditions(self) -> dict[str, str | None]:
        """The four conditions that were given."""
        names = ("entry", "exit", "short_entry", "short_exit")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @property
    def levels(self) -> dict[str, str | float]:
        """Stop, target, trail and size that were given: numbers where they are numbers."""
        names = ("stop", "target", "trail", "size")
        return {name: _number_or_text(getattr(self, name)) for name in names if getattr(self, name) is not None}


READING = ("time", "open", "high", "low", "close", "volume", "symbol", "date_format", "tz")
"""Arguments of `read_csv` and `read_parquet` that can be given with --read."""


def load_bars(data: Path | None, sample: str | None, reading: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the bars of a file or of a built-in sample.

    Parameters
    ----------
    data : path, optional
        A CSV or Parquet file.
    sample : str, optional
        The name of a sample.
    reading : sequence of str, optional
        How to read the file: `["close=Price", "date_format=%d.%m.%Y"]`.

    Raises
    ------
    InputError
        If not exactly one of the two is given, the file's kind is unknown, or there is no such way to read it.
    DataError
        If there is no such file.
    """
    import algotrendy as at

    if (data is None) == (sample is None):
        raise InputError("say where the bars come from: either --data FILE or --sample NAME")
    chosen = dict(map(_name_and_value, reading or ()))
    for name in chosen:
        if name not in READING or sample is not None:
            raise InputError(f"--read {name}=... is for files and takes {', '.join(READING)}")
    if data is None:
        return at.sample(str(sample))
    if not data.is_file():
        raise DataError(f"there is no file {data}")
    suffix = data.suffix.lower()
    if suffix in (".parquet", ".pq"):
        return at.read_parquet(data, **chosen)  # type: ignore[arg-type]  # the names were checked above
    if suffix in (".csv", ".txt", ".gz"):
        return at.read_csv(data, **chosen)  # type: ignore[arg-type]  # the names were checked above
    raise InputError(f"{data.name} is neither .csv nor .parquet; convert it, or read it in Python with at.as_bars")


def parse_parameters(texts: Sequence[str] | None) -> dict[str, int | float]:
    """Return `{"fast": 20}` for `["fast=20"]`.

    Raises
    ------
    InputError
        If a text has no equals sign, or its value is not a number.

    Examples
    --------
    >>> parse_parameters(["fast=20", "stop=0.05"])
    {'fast': 20, 'stop': 0.05}
    """
    return {name: _number(value, f"-p {name}={value}") for name, value in map(_name_and_value, texts or ())}


def parse_grid(texts: Sequence[str] | None) -> dict[str, Iterable[int | float]]:
    """Return the values to try for each parameter.

    Parameters
    ----------
    texts : sequence of str
        `fast=5:51` (5 to 50), `fast=5:51:5` (every fifth), `stop=0.02,0.05` (these values).

    Raises
    ------
    InputError
        If there is no text, or one cannot be read.

    Examples
    --------
    >>> parse_grid(["fast=5:9", "stop=0.02,0.05"])
    {'fast': range(5, 9), 'stop': [0.02, 0.05]}
    """
    if not texts:
        raise InputError(
            "say what to try: --grid fast=5:51 (5 to 50) or --grid stop=0.02,0.05; repeat it for each parameter"
        )
    return {name: _values(name, value) for name, value in map(_name_and_value, texts)}


def sweep_parameters(
    grid: Mapping[str, Iterable[int | float]], given: Mapping[str, int | float], text: StrategyText
) -> dict[str, int | float]:
    """Return parameters for a strategy that is to be swept: what is given, and a first value for what is not.

    A strategy written out on the command line learns its parameters from the grid; a named one has its own. Stops,
    sizes and costs are varied by their names and are no parameters.
    """
    from algotrendy.strategy.parameter import LEVELS, OPTIONS

    if text.name is not None:
        return dict(given)
    learnt = {name: next(iter(values)) for name, values in grid.items() if name not in (*LEVELS, *OPTIONS)}
    return {**learnt, **given}


def build_strategy(text: StrategyText, parameters: Mapping[str, int | float]) -> Strategy:
    """Return the strategy that the options describe.

    Raises
    ------
    InputError
        If both a name and conditions are given, or neither; if the name is not in the library.
    """
    import algotrendy as at

    if (text.name is None) == (not text.conditions):
        raise InputError("say which strategy: either --strategy NAME_OR_FILE, or --entry and --exit as expressions")
    if text.name is None:
        options: dict[str, Any] = {**text.conditions, **text.levels}
        return at.Strategy(**options, params=dict(parameters))
    if text.levels:
        given = ", ".join("--" + name for name in text.levels)
        raise InputError(f"{given} cannot change a finished strategy; write it out with --entry and --exit")
    strategy = _named_strategy(text.name)
    return strategy.with_params(**parameters) if parameters else strategy


def _named_strategy(name: str) -> Strategy:
    import algotrendy as at

    if name.endswith(".json"):
        if not Path(name).is_file():
            raise DataError(f"there is no file {name}")
        return at.Strategy.from_json(Path(name).read_text(encoding="utf-8"))
    library = at.strategies.LIBRARY
    if name not in library:
        near = difflib.get_close_matches(name, library, n=1)
        hint = f"did you mean {near[0]}?" if near else f"the library has {', '.join(library)}"
        raise InputError(f"there is no strategy {name!r} in the library: {hint}")
    return library[name]()


def _name_and_value(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise InputError(f"{text!r} is not of the form name=value")
    return name.strip(), value.strip()


def _values(name: str, text: str) -> Iterable[int | float]:
    where = f"--grid {name}={text}"
    if ":" not in text:
        return [_number(part, where) for part in text.split(",")]
    parts = [_number(part, where) for part in text.split(":")]
    if len(parts) > 3 or not all(isinstance(part, int) for part in parts) or 0 in parts[2:]:
        raise InputError(
            f"{where}: a range is first:end or first:end:step in whole numbers; list fractions: {name}=0.02,0.05"
        )
    return range(*parts)  # type: ignore[arg-type]  # all are int: checked above


def _number(text: str, where: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise InputError(f"{where}: {text!r} is not a number")


def _number_or_text(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text
