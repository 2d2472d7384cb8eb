"""What crosses the border of a service, as pydantic models."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from algotrendy.domain.instrument import AssetClass

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MarketData", "TechnicalIndicators"]


class MarketData(BaseModel):
    """One bar of one symbol.

    Volume is a float: a share of a bitcoin is traded, and more units of some coins than an integer column holds.

    Examples
    --------
    >>> bar = MarketData(symbol="AAPL", timestamp="2024-03-01T00:00:00Z", open=1, high=2, low=1, close=2, volume=10)
    >>> bar.close, bar.chart_style, str(bar.asset_type)
    (2.0, 'time', 'stock')
    """

    model_config = ConfigDict(frozen=True)

    symbol: str
    timestamp: datetime = Field(description="The start of the bar, in UTC.")
    open: float
    high: float
    low: float
    close: float
    volume: float
    chart_style: str = "time"
    asset_type: AssetClass = AssetClass.STOCK

    @classmethod
    def of(
        cls, bars: pd.DataFrame, symbol: str, *, chart_style: str = "time", asset_type: AssetClass = AssetClass.STOCK
    ) -> Iterator[MarketData]:
        """Yield the bars of a frame, oldest first.

        Examples
        --------
        >>> import algotrendy as at
        >>> next(MarketData.of(at.sample("NASDAQ"), "NASDAQ", asset_type="index")).close
        2208.050049
        """
        import pandas as pd

        index: Any = bars.index if isinstance(bars.index, pd.DatetimeIndex) else pd.DatetimeIndex(bars["closed_at"])
        stamps = index.tz_localize("UTC") if index.tz is None else index
        rows = bars[["open", "high", "low", "close", "volume"]].itertuples(index=False, name=None)
        for stamp, (open_, high, low, close, volume) in zip(stamps, rows, strict=True):
            yield cls(
                symbol=symbol, timestamp=stamp.to_pydatetime(), open=open_, high=high, low=low, close=close,
                volume=volume, chart_style=chart_style, asset_type=asset_type,
            )  # fmt: skip


class TechnicalIndicators(BaseModel):
    """The usual indicators at one bar; None while an indicator warms up.

    Attributes
    ----------
    rsi : float or None
        14 bars, 0 to 100.
    macd, macd_signal : float or None
        12, 26 and 9 bars, in units of the price.
    bb_upper, bb_middle, bb_lower : float or None
        Bollinger bands of 20 bars, two standard deviations.
    atr : float or None
        14 bars, in units of the price.
    vwap : float or None
        Over 20 bars; None without volume.

    Examples
    --------
    >>> import algotrendy as at
    >>> latest = TechnicalIndicators.at_end(at.sample("NASDAQ"))
    >>> latest.bb_lower < latest.bb_middle < latest.bb_upper
    True
    """

    model_config = ConfigDict(frozen=True)

    rsi: float | None = None
    macd: float | None = None
    macd_signal: float | None = None
    bb_upper: float | None = None
    bb_middle: float | None = None
    bb_lower: float | None = None
    atr: float | None = None
    vwap: float | None = None

    @classmethod
    def at_end(cls, bars: pd.DataFrame) -> TechnicalIndicators:
        """Return the indicators at the newest of some bars."""
        table = indicator_columns(bars)
        newest = table.iloc[-1]
        return cls(**{name: None if newest[name] != newest[name] else float(newest[name]) for name in table.columns})


def indicator_columns(bars: pd.DataFrame) -> pd.DataFrame:
    """Return the fields of `TechnicalIndicators` at every bar; NaN while an indicator warms up, never back-filled."""
    import pandas as pd

    from algotrendy.indicators import atr, bollinger, macd, rsi, vwap

    high, low, close, volume = (bars[name] for name in ("high", "low", "close", "volume"))
    line, signal, _ = macd(close)
    upper, middle, lower = bollinger(close)
    columns: dict[str, Any] = {
        "rsi": rsi(close),
        "macd": line,
        "macd_signal": signal,
        "bb_upper": upper,
        "bb_middle": middle,
        "bb_lower": lower,
        "atr": atr(high, low, close),
        "vwap": vwap(high, low, close, volume, 20),
    }
    return pd.DataFrame(columns, index=bars.index)
