"""How a backtest is asked for: which bars, of one symbol or of several, and the account that trades on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from algotrendy.backtest.costs import Fees
from algotrendy.domain.instrument import AssetClass

__all__ = ["MARKET", "BacktestConfig", "FeesIn", "Market"]

Values = dict[str, float | int]
BySymbol = float | dict[str, float]
Pair = tuple[float, float]


class FeesIn(BaseModel):
    """A schedule of fees, in place of a rate: see `Fees`.

    Examples
    --------
    >>> FeesIn(per_unit=0.005, minimum=1.0).to_fees()
    Fees(rate=0.0, per_unit=0.005, fixed=0.0, minimum=1.0)
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rate: float = Field(default=0.0, description="Share of the notional, as a fraction.")
    per_unit: float = Field(default=0.0, description="Currency per unit traded.")
    fixed: float = Field(default=0.0, description="Currency per fill.")
    minimum: float = Field(default=0.0, description="The least that a fill costs, in currency.")

    def to_fees(self) -> Fees:
        """Return the fees."""
        return Fees(**self.model_dump())


MARKET = ("symbol", "symbols", "interval", "source", "asset_class", "start_date", "end_date")


class Market(BaseModel):
    """Which bars: those of one symbol, or of several, from a source, between two dates."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str | None = Field(default=None, description="A ticker, a pair or an instrument id; by default that of the "
                               "stored strategy.")  # fmt: skip
    symbols: list[str] | None = Field(
        default=None, min_length=1, description="Several in place of one: they are traded in one account."
    )
    interval: str | None = Field(
        default=None, validation_alias=AliasChoices("interval", "timeframe"), description="Length of a bar; 1d."
    )
    source: str | None = Field(default=None, description="The data provider; by default that of the settings.")
    asset_class: AssetClass | None = None
    start_date: date | datetime | None = Field(default=None, description="The first date; by default all there is.")
    end_date: date | datetime | None = Field(default=None, description="The first date that is not in; now.")

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if self.symbol is not None and self.symbols is not None:
            raise ValueError(f"symbol is {self.symbol!r} and symbols are given as well; give one of the two")
        twice = [name for name in self.symbols or () if (self.symbols or []).count(name) > 1]
        if twice:
            raise ValueError(f"{twice[0]!r} stands twice in symbols; give each once")
        return self

    @property
    def market(self) -> dict[str, Any]:
        """What was said about the bars: texts or None, `symbols` a list of texts or None."""
        given = {name: getattr(self, name) for name in MARKET}
        plain: dict[str, Any] = {name: str(value) if value is not None else None for name, value in given.items()}
        return {**plain, "symbols": None if self.symbols is None else list(self.symbols)}


_ONE = ("slippage", "borrow", "fill", "units", "lot_size", "max_leverage", "risk_free_rate")
_SEVERAL = (
    "max_positions", "rank", "members", "delisting_return", "margin", "financing", "participation", "tick_size",
)  # fmt: skip
_BY_SYMBOL = ("commission", "slippage", "borrow", "lot_size")


class BacktestConfig(Market):
    """How to backtest, and on what.

    With `symbols` all of them are traded in one account, and the settings of such an account count: see `backtest`.

    Examples
    --------
    >>> BacktestConfig(symbol="NASDAQ", source="sample", start_date="2010-01-01").options["commission"]
    0.0005
    >>> BacktestConfig(symbols=["A", "B"], max_positions=1, slippage={"A": 0.001}).options["max_positions"]
    1
    """

    initial_capital: float = Field(
        default=100_000.0, validation_alias=AliasChoices("initial_capital", "cash"), description="In currency."
    )
    commission: Annotated[float | FeesIn | dict[str, float | FeesIn], Field(union_mode="left_to_right")] = Field(
        default=0.0005, description="Share of each fill's notional, or a schedule; or either by symbol."
    )
    slippage: BySymbol = Field(default=0.0001, description="Share of the price, against you; or by symbol.")
    borrow: BySymbol = Field(default=0.0, description="Annual fee of short positions, a fraction; or by symbol.")
    fill: str = "next_open"
    units: str = "fractional"
    lot_size: BySymbol = 1.0
    max_leverage: float = 1.0
    risk_free_rate: float = 0.0
    params: Values = Field(
        default_factory=dict,
        description="Values of the strategy's parameters, in place of its own; of several strategies: trend.fast.",
    )
    max_positions: int | dict[str, int] | None = Field(
        default=None, description="Places for positions; of several strategies each has so many, or by name."
    )
    rank: str | dict[str, str] | None = Field(
        default=None, description='Who comes first where places are few: "momentum(close, 60)".'
    )
    members: dict[str, Any] | None = Field(
        default=None, description="When each symbol belonged to the universe: [start, end], or a list of such."
    )
    delisting_return: BySymbol = Field(
        default=0.0, description="What the last close changes by when a symbol ends before the others."
    )
    margin: Pair | dict[str, Pair] | None = Field(
        default=None, description="Initial and maintenance margin, as fractions; or by symbol."
    )
    financing: float = Field(default=0.0, description="Annual interest on cash below zero, as a fraction.")
    participation: BySymbol | None = Field(
        default=None, description="Largest share of a bar's volume that fills may take; or by symbol."
    )
    tick_size: float | str | dict[str, float] | None = Field(default=None, description="Step of price; or by symbol.")

    @property
    def for_several(self) -> list[str]:
        """What was given that only an account of several symbols knows."""
        given = [name for name in _SEVERAL if getattr(self, name) not in (None, 0.0)]
        return given + [
            name
            for name in _BY_SYMBOL
            if isinstance(getattr(self, name), Mapping)  # a schedule of fees is a model, no mapping
        ]

    @property
    def options(self) -> dict[str, Any]:
        """The keywords of `backtest`."""
        several = {name: getattr(self, name) for name in self.for_several if name in _SEVERAL}
        if "members" in several:
            several["members"] = {symbol: _spans(given) for symbol, given in several["members"].items()}
        return {
            "cash": self.initial_capital,
            "commission": _fees(self.commission),
            **{name: getattr(self, name) for name in _ONE},
            **several,
        }


def _fees(given: Any) -> Any:
    if isinstance(given, Mapping):
        return {symbol: _fees(each) for symbol, each in given.items()}
    return given.to_fees() if isinstance(given, FeesIn) else given


def _spans(given: Any) -> Any:
    """Return the membership of a symbol: a pair of dates is a list of two in JSON, which knows no tuples."""
    if isinstance(given, list | tuple) and len(given) == 2 and not any(isinstance(one, list | tuple) for one in given):
        return tuple(given)
    return given
