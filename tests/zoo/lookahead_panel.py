"""Strategies on several instruments that look ahead, and some that only look as if they did.

`leaks(bars)` and `clean()` give them by name; a leak says which inputs a report must name, all of them by instrument.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import algotrendy as at
from algotrendy.strategy import BarStrategy, PythonStrategy
from tests.zoo.lookahead_leaks import MARKET, PRICES, Case

LATER: dict[str, Any] = {}
"""What a notebook keeps of earlier cells."""


def three(n: int) -> dict[str, pd.DataFrame]:
    """Return bars of three instruments: all days, a late start, holes and an early end."""
    made = {
        name: at.synthetic(n, seed=k, model="garch")[[*PRICES, "volume"]] for k, name in enumerate(("KO", "PEP", "X.Y"))
    }
    for k, frame in enumerate(made.values()):
        frame["pe"] = np.random.default_rng(k).uniform(5.0, 45.0, n).round(2)
    made["PEP"] = made["PEP"].iloc[15:].drop(made["PEP"].index[[60, 61, 120]])
    made["X.Y"] = made["X.Y"].iloc[:-40]
    return made


# --- stateful strategies ----------------------------------------------------------------------------------------------


class Crosses(BarStrategy):
    """Holds what is above its average; the parent of the others."""

    window = 12

    def start(self, ctx: Any) -> None:
        self.averages = {one.symbol: one.indicator("sma", self.window) for one in ctx}

    def wants(self, ctx: Any, one: Any) -> bool:
        return bool(one.bar.close > self.averages[one.symbol].value)

    def on_bar(self, ctx: Any) -> None:
        for one in ctx:
            if not one.has_bar:
                continue
            if self.wants(ctx, one):
                if not one.position():
                    one.buy(size=0.3)
            elif one.position():
                one.close()


def _next(frame: pd.DataFrame, time: Any, column: str = "close") -> float:
    """Return the value of a column at the bar after a time, of the last bar if there is none."""
    place = min(frame.index.searchsorted(time, side="right"), len(frame) - 1)
    return float(frame[column].to_numpy()[place])


class KnowsAnother(Crosses):
    """Trades one instrument by tomorrow's close of another, found in a module."""

    def wants(self, ctx: Any, one: Any) -> bool:
        return _next(MARKET["panel"]["PEP"], ctx.time) > ctx["PEP"].bar.close


class KnowsVolume(Crosses):
    """Waits for days of which it knows that much will be traded."""

    def wants(self, ctx: Any, one: Any) -> bool:
        return _next(MARKET["panel"]["KO"], ctx.time, "volume") > ctx["KO"].bar.volume


class Carries(Crosses):
    """Carries the frames in its own pocket."""

    def __init__(self, frames: dict[str, pd.DataFrame]) -> None:
        super().__init__()
        self.frames = frames

    def wants(self, ctx: Any, one: Any) -> bool:
        return _next(self.frames[one.symbol], ctx.time, "low") > one.bar.low


class RanksAfterwards(Crosses):
    """Buys the winners of a table of returns that was made with the days after."""

    def wants(self, ctx: Any, one: Any) -> bool:
        table = LATER["winners"]
        return bool(table[one.symbol].get(ctx.time, 0.0) > 0.0)


class SizesAfterwards(Crosses):
    """Decides honestly, and bets more before the large days."""

    def on_bar(self, ctx: Any) -> None:
        for one in ctx:
            if one.has_bar and self.wants(ctx, one) and not one.position():
                rise = _next(MARKET["panel"][one.symbol], ctx.time, "high") / one.bar.close
                one.buy(size=min(0.9, 0.3 * rise))
            elif one.has_bar and one.position() and not self.wants(ctx, one):
                one.close()


class Learns(Crosses):
    """Keeps a record of its own of what it saw, and goes by that."""

    def start(self, ctx: Any) -> None:
        super().start(ctx)
        self.seen: dict[str, list[float]] = {one.symbol: [] for one in ctx}

    def observe(self, ctx: Any) -> None:
        for one in ctx:
            self.seen[one.symbol].append(one.bar.close)

    def wants(self, ctx: Any, one: Any) -> bool:
        seen = self.seen[one.symbol]
        return len(seen) > 20 and seen[-1] > float(np.nanmax(seen[-20:-1]))


class Inherits(BarStrategy):
    """Holds what will be delisted, and only afterwards bids for another instrument with the money."""

    is_gone = False

    def bid(self, ctx: Any) -> float:
        return float(ctx["KO"].bar.close)

    def on_bar(self, ctx: Any) -> None:
        gone, ko = ctx["X.Y"], ctx["KO"]
        self.is_gone = self.is_gone or any(fill.reason == "delisting" for fill in gone.fills)
        if gone.has_bar and not gone.position():
            gone.buy(size=0.9)
        if self.is_gone and ko.has_bar:
            ko.cancel()
            ko.buy(size=0.1, limit_price=0.9 * self.bid(ctx))


class InheritsAfterwards(Inherits):
    """Knows tomorrow's close of that other instrument."""

    def bid(self, ctx: Any) -> float:
        return _next(MARKET["panel"]["KO"], ctx.time)


class Spread(BarStrategy):
    """A pair with brackets: sells what became dear against the other."""

    def start(self, ctx: Any) -> None:
        self.ratio: list[float] = []

    def on_bar(self, ctx: Any) -> None:
        ko, pep = ctx["KO"], ctx["PEP"]
        if not (ko.has_bar and pep.has_bar):
            return
        self.ratio.append(ko.bar.close / pep.bar.close)
        usual = float(np.mean(self.ratio[-30:]))
        if not ko.position() and not ko.orders and self.ratio[-1] > usual * 1.02:
            ko.sell(size=0.3, stop_price=ko.bar.close * 1.05, target_price=ko.bar.close * 0.97)
        if not pep.position() and self.ratio[-1] > usual * 1.02:
            pep.buy(size=0.3, stop_price=pep.bar.close * 0.95)


class ByTheBook(Crosses):
    """Looks up figures of the past in a frame of all of them, with care."""

    def wants(self, ctx: Any, one: Any) -> bool:
        known = MARKET["panel"][one.symbol].loc[: ctx.time, "close"]
        return bool(one.bar.close > known.iloc[-10:-1].mean())


# --- functions on each instrument -------------------------------------------------------------------------------------


def cheap_tomorrow(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    return {"entries": bars["pe"].shift(-1) < bars["pe"], "exits": bars["pe"].shift(-1) > bars["pe"]}


def cheap_today(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    return {"entries": bars["pe"] < bars["pe"].shift(1), "exits": bars["pe"] > bars["pe"].shift(1)}


def features(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"past": bars["close"].pct_change(5), "centred": bars["high"].rolling(5, center=True).max()})


def past_features(bars: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"past": bars["close"].pct_change(5), "range": (bars["high"] - bars["low"]).rolling(5).mean()})


def leaks(bars: dict[str, pd.DataFrame]) -> dict[str, Case]:
    """Return the leaks by name."""
    MARKET["panel"] = {name: frame.copy() for name, frame in bars.items()}
    LATER["winners"] = {name: frame["close"].pct_change().shift(-1) for name, frame in bars.items()}
    backwards = "my_smooth_backwards(5)"
    return {
        "knows_another": Case(KnowsAnother(), ("global MARKET['panel']['PEP']['close']",), {}),
        "knows_volume": Case(KnowsVolume(), ("global MARKET['panel']['KO']['volume']",), {}),
        "carries": Case(Carries(dict(bars)), tuple(f"self.strategy.frames[{name!r}]['low']" for name in bars), {}),
        "ranks_afterwards": Case(RanksAfterwards(), ("global LATER['winners']['KO']",), {}),
        "sizes_afterwards": Case(
            SizesAfterwards(), tuple(f"global MARKET['panel'][{name!r}]['high']" for name in bars), {}
        ),
        "inherits_afterwards": Case(InheritsAfterwards(), ("global MARKET['panel']['KO']['close']",), {}),
        "indicator_in_a_rank": Case(f"rank({backwards}) == 1", ("KO.close", "PEP.close", "X.Y.close"), {}),
        "indicator_of_another": Case(f"rank({backwards} / close) < 2", ("KO.close", "PEP.close", "X.Y.close"), {}),
        "strategy_with_an_indicator": Case(
            at.Strategy(f"{backwards} > close and pe < 40", columns=["pe"], stop="0.05"), ("PEP.close",), {}
        ),
        "function_of_a_further_column": Case(PythonStrategy(cheap_tomorrow), ("X.Y.pe",), {}),
        "feature_on_each": Case(features, ("PEP.high",), {}),
    }


def clean() -> dict[str, Any]:
    """Return what uses nothing but the past, by name; `leaks` has to be called before."""
    forwards = "my_smooth_forwards(close, 5)"
    return {
        "crosses": Crosses(),
        "learns": Learns(),
        "spread": Spread(),
        "inherits": Inherits(),
        "by_the_book": ByTheBook(),
        "indicator_in_a_rank": f"rank({forwards}) == 1",
        "strategy_with_an_indicator": at.Strategy(f"{forwards} < close and pe < 40", columns=["pe"], stop="0.05"),
        "function_of_a_further_column": PythonStrategy(cheap_today),
        "feature_on_each": past_features,
    }
