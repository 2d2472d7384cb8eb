"""Results as bytes, to be kept in a database, and back; and what of them is answered, in plain values.

A backtest is the Parquet file that `BacktestResult.save` writes. A walk is JSON with its joined account in it. Of a
sweep the table is kept, of a simulation what the paths say together, of a discovery its findings.
"""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.backtest.result import BacktestResult
from algotrendy.backtest.storage import PORTFOLIO_SCHEMA_NAME
from algotrendy.errors import DataError
from algotrendy.reports.thinning import thinned

if TYPE_CHECKING:
    import pandas as pd

    from algotrendy.backtest.monte_carlo import MonteCarloResult
    from algotrendy.backtest.portfolio.result import PortfolioResult
    from algotrendy.backtest.sweep import SweepResult
    from algotrendy.backtest.walk_forward import WalkForwardResult
    from algotrendy.services.definitions import Runnable

__all__ = [
    "OptimizedStrategy",
    "answerable",
    "backtest_bytes",
    "backtest_of",
    "details_of",
    "simulation_bytes",
    "sweep_bytes",
    "table_of",
    "walk_bytes",
    "walk_of",
]

ROWS_SHOWN = 100
"""Rows of a sweep that are answered; all of them are kept."""


@dataclass(frozen=True, kw_only=True, eq=False)
class OptimizedStrategy:
    """A strategy with the parameters that a sweep liked best, and what that choice is worth.

    Attributes
    ----------
    strategy : Strategy, PythonStrategy, BarStrategy or Allocations
        With the best parameters; several strategies in one account also with the best shares, if these were varied.
    parameters : dict
        Those that were varied, and their best values.
    metric : str
        What was ranked by.
    value : float
        The metric of the best row.
    table : DataFrame
        Every combination with all its metrics.
    overfitting : dict
        `p_value`, `p_value_hold`, `deflated_effective`, `effective_trials`, `pbo`, `verdict`: what is left of it after
        all that was tried; empty if that cannot be told (one combination, say).
    result_id : str or None
        `opt_…`: where it is kept.
    cached : bool
        Whether it was there before.
    """

    strategy: Runnable
    parameters: dict[str, Any]
    metric: str
    value: float
    table: pd.DataFrame
    overfitting: dict[str, Any]
    result_id: str | None = None
    cached: bool = False


# --- bytes ---


def backtest_bytes(result: BacktestResult | PortfolioResult) -> bytes:
    """Return a backtest as the content of a Parquet file."""
    with tempfile.TemporaryDirectory() as folder:
        return result.save(Path(folder) / "result.parquet").read_bytes()


def backtest_of(document: bytes) -> BacktestResult | PortfolioResult:
    """Return the backtest that `backtest_bytes` wrote, of one symbol or of several.

    Examples
    --------
    >>> import algotrendy as at
    >>> result = at.backtest(at.strategies.sma_cross(), at.synthetic(n=300, seed=1))
    >>> backtest_of(backtest_bytes(result)).input_hash == result.input_hash
    True
    """
    from algotrendy.backtest.portfolio.result import PortfolioResult

    read = PortfolioResult.load if _is_of_several(document) else BacktestResult.load
    found: BacktestResult | PortfolioResult = _through_file(document, "result.parquet", read)
    return found


def _is_of_several(document: bytes) -> bool:
    """Return whether a file of Parquet says that it is a result of several symbols; what is damaged says nothing."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(pa.BufferReader(document)).metadata or {}
    except (pa.ArrowException, OSError):
        return False
    return PORTFOLIO_SCHEMA_NAME.encode() in metadata


def walk_bytes(walk: WalkForwardResult) -> bytes:
    """Return a walk as JSON."""
    joined = None if walk.out_of_sample is None else _joined_content(walk.out_of_sample)
    content = {
        "schema": "algotrendy.walk-forward/1",
        "windows": to_plain(walk.windows.to_dict("list")),
        "parameters": list(walk.parameters),
        "metric": walk.metric,
        "in_sample": to_plain(walk.in_sample.tolist()),
        "bars_unused": walk.bars_unused,
        "n_windows": walk.n_windows,
        "complete": walk.complete,
        "efficiency": to_plain(walk.efficiency if walk.out_of_sample is not None else math.nan),
        "out_of_sample": joined,
    }
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


def _joined_content(result: BacktestResult | PortfolioResult) -> dict[str, Any]:
    """Return the joined account of a walk in plain values, by the schema of results of one symbol or of several."""
    with tempfile.TemporaryDirectory() as folder:
        content: dict[str, Any] = json.loads(result.save(Path(folder) / "walk.json").read_bytes())
    return content


def _joined_of(content: Mapping[str, Any]) -> BacktestResult | PortfolioResult:
    from algotrendy.backtest.portfolio.result import PortfolioResult

    is_of_several = str(content.get("schema")).startswith(PORTFOLIO_SCHEMA_NAME)
    read = PortfolioResult.load if is_of_several else BacktestResult.load
    found: BacktestResult | PortfolioResult = _through_file(json.dumps(content).encode(), "walk.json", read)
    return found


def walk_of(document: bytes) -> WalkForwardResult:
    """Return the walk that `walk_bytes` wrote, over one symbol or several.

    Examples
    --------
    >>> import algotrendy as at
    >>> walk = at.walk_forward(at.strategies.sma_cross(), at.synthetic(n=300, seed=1), {"fast": [5, 10]},
    ...                        training=150, testing=50)
    >>> walk_of(walk_bytes(walk)).equity.equals(walk.equity)
    True
    """
    import pandas as pd

    from algotrendy.backtest.walk_forward import WalkForwardResult

    content = _json(document, "algotrendy.walk-forward/1")
    joined = content["out_of_sample"]
    windows = pd.DataFrame(from_plain(content["windows"]))
    windows.index = pd.RangeIndex(len(windows), name="window")
    return WalkForwardResult(
        windows=windows,
        out_of_sample=None if joined is None else _joined_of(joined),
        parameters=tuple(content["parameters"]),
        metric=content["metric"],
        in_sample=np.array(from_plain(content["in_sample"]), dtype=np.float64),
        bars_unused=content["bars_unused"],
        n_windows=content["n_windows"],
        complete=content["complete"],
    )


def sweep_bytes(sweep: SweepResult) -> bytes:
    """Return the table of a sweep as the content of a Parquet file."""
    buffer = io.BytesIO()
    sweep.table.to_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def table_of(document: bytes) -> pd.DataFrame:
    """Return the table that `sweep_bytes` wrote."""
    import pandas as pd

    return pd.read_parquet(io.BytesIO(document))


def simulation_bytes(found: MonteCarloResult) -> bytes:
    """Return what the paths of a simulation say together, as JSON."""
    table = found.table
    rows = [
        {"figure": figure, "statistic": statistic, **dict(zip(table.columns, values, strict=True))}
        for (figure, statistic), values in zip(table.index.tolist(), table.to_numpy().tolist(), strict=True)
    ]
    fan = (
        {} if found.method == "parameter_jitter" else {str(level): found.fan[level].tolist() for level in found.levels}
    )
    content = {
        "schema": "algotrendy.monte-carlo/1",
        "table": rows,
        "fan": fan,
        "unit": found.unit,
        "observed": dict(found.observed),
        "settings": dict(found.settings),
        "complete": found.complete,
    }
    return json.dumps(to_plain(content), allow_nan=False, separators=(",", ":")).encode()


# --- what is answered ---


def details_of(kind: str, document: bytes, points: int = 500) -> dict[str, Any]:
    """Return what a saved result says besides its metrics, in values that JSON can hold; NaN is None.

    Raises
    ------
    DataError
        If the document is damaged, or of an unknown kind.
    """
    makers: dict[str, Callable[[], Any]] = {
        "backtest": lambda: _backtest_details(backtest_of(document), points),
        "walk_forward": lambda: _walk_details(walk_of(document), points),
        "monte_carlo": lambda: from_plain(_json(document, "algotrendy.monte-carlo/1")),
        "sweep": lambda: {"rows": _rows(table_of(document).head(ROWS_SHOWN))},
        "discovery": lambda: json.loads(document),
    }
    if kind not in makers:
        raise DataError(f"there is no kind of result {kind!r}; known are {', '.join(makers)}")
    found: dict[str, Any] = answerable(makers[kind]())
    return found


def answerable(value: Any) -> Any:
    """Return a value with numbers that JSON cannot say as None, moments as text and names as text.

    Examples
    --------
    >>> answerable({"a": float("nan"), 1: (np.float64(2.0),)})
    {'a': None, '1': [2.0]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    match value:
        case bool() | int() | str() | None:
            return value
        case float():
            return value if math.isfinite(value) else None
        case Mapping():
            return {str(key): answerable(item) for key, item in value.items()}
        case list() | tuple():
            return [answerable(item) for item in value]
    text = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return None if text == "NaT" else text


def _backtest_details(result: BacktestResult | PortfolioResult, points: int) -> dict[str, Any]:
    places = thinned(result.equity_values, points) if len(result.equity_values) > points else slice(None)
    equity, drawdown = result.equity.iloc[places], result.drawdown.iloc[places]
    monthly = result.monthly_returns
    shared = {
        "parameters": dict(result.params),
        "equity": {
            "time": [moment.isoformat() for moment in equity.index],
            "equity": equity.tolist(),
            "drawdown": drawdown.tolist(),
        },
        "trades": _rows(result.trades),
        "n_orders": len(result.orders),
        "monthly_returns": {str(year): row for year, row in monthly.to_dict("index").items()},
        "warnings": list(result.warnings),
        "versions": dict(result.versions),
    }
    if isinstance(result, BacktestResult):
        own = {"worst_drawdowns": _rows(result.worst_drawdowns), "input_hash": result.input_hash}
        return {**shared, **own, "pending": result.pending}
    return {**shared, **_of_several(result, places)}


def _of_several(result: PortfolioResult, places: Any) -> dict[str, Any]:
    """Return what an account of several symbols has besides: what each symbol and each strategy did in it."""
    exposure = result.exposure.iloc[places]
    return {
        "symbols": list(result.symbols),
        "contributions": result.contributions.to_dict("index"),
        "weights": result.weights.iloc[-1].to_dict(),
        "exposure": {name: exposure[name].tolist() for name in exposure},
        "strategies": {
            name: {
                "share": sleeve.assumptions.get("share"),
                "parameters": dict(sleeve.params),
                "metrics": dict(sleeve.metrics),
                "equity": sleeve.equity.iloc[places].tolist(),
            }
            for name, sleeve in result.sleeves.items()
        },
    }


def _walk_details(walk: WalkForwardResult, points: int) -> dict[str, Any]:
    joined = {} if walk.out_of_sample is None else _backtest_details(walk.out_of_sample, points)
    stability = walk.stability
    return {
        "windows": _rows(walk.windows),
        "stability": {str(name): row for name, row in stability.to_dict("index").items()},
        "efficiency": walk.efficiency if walk.out_of_sample is not None else None,
        "metric": walk.metric,
        "n_windows": walk.n_windows,
        "bars_unused": walk.bars_unused,
        "complete": walk.complete,
        "out_of_sample": joined,
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _json(document: bytes, schema: str) -> dict[str, Any]:
    try:
        content = json.loads(document)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"a stored result is damaged ({error}); run it again") from error
    if not isinstance(content, dict) or content.get("schema") != schema:
        raise DataError(f"a stored result is not of the schema {schema!r}; run it again")
    return content


def _through_file(document: bytes, name: str, read: Any) -> Any:
    """Return what a reader of files makes of bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(document)
        return read(path)
