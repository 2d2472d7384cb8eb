"""Chains of dated futures: when they roll, what the adjusted series keep, and trades in the real contracts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algotrendy.backtest.run import backtest
from algotrendy.domain.calendar import as_calendar
from algotrendy.domain.futures import FuturesChain, RollBefore, RollByCrossing
from algotrendy.domain.instrument import Instrument
from algotrendy.errors import InputError

DAYS = pd.bdate_range("2024-01-01", periods=130)
EXPIRIES = {"H4": "2024-03-15", "M4": "2024-06-21", "U4": "2024-09-20"}


def contracts_of(seed: int = 1, days: pd.DatetimeIndex = DAYS) -> dict[Any, pd.DataFrame]:
    """Three contracts on one price, each dearer than the one before by its own spread."""
    rng = np.random.default_rng(seed)
    spot = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, len(days))))
    found: dict[Any, pd.DataFrame] = {}
    for k, name in enumerate(EXPIRIES):
        close = spot * (1.0 + 0.01 * k) + rng.normal(0.0, 0.05, len(days))
        open_ = close * (1.0 + rng.normal(0.0, 0.002, len(days)))
        high, low = np.maximum(open_, close) * 1.001, np.minimum(open_, close) * 0.999
        volume = 1000.0 * np.exp(-(((np.arange(len(days)) - 40.0 * k - 20.0) / 20.0) ** 2))
        columns = {"open": open_, "high": high, "low": low, "close": close, "volume": volume}
        found[name] = pd.DataFrame(columns, index=days)[: pd.Timestamp(EXPIRIES[name])]  # type: ignore[misc]
    return found


def chain_of(seed: int = 1, roll: Any = None) -> FuturesChain:
    return FuturesChain.of(contracts_of(seed), EXPIRIES, roll=roll)


def test_a_roll_is_decided_so_many_sessions_before_the_expiry() -> None:
    chain = chain_of(roll=RollBefore(5))
    assert chain.rolls["decided_at"].tolist() == [pd.Timestamp("2024-03-08"), pd.Timestamp("2024-06-14")]
    assert [chain.symbols[k] for k in chain.active[[0, 48, 49, 50]]] == ["H4", "H4", "H4", "M4"]
    assert [chain.symbols[k] for k in chain.after[[48, 49]]] == ["H4", "M4"]


def test_sessions_are_those_of_the_calendar() -> None:
    """Good Friday, 2024-03-29, is no session in New York."""
    days = pd.bdate_range("2024-03-18", "2024-04-05").drop(pd.Timestamp("2024-03-29"))
    contracts = {name: contracts_of(days=DAYS)["M4"].reindex(days) for name in ("A", "B")}
    expiries = {"A": "2024-04-01", "B": "2024-05-01"}
    plain = FuturesChain.of(contracts, expiries, roll=RollBefore(1))
    aware = FuturesChain.of(contracts, expiries, roll=RollBefore(1), calendar=as_calendar("XNYS"))
    assert plain.rolls["decided_at"].tolist() == [pd.Timestamp("2024-04-01")]  # the first bar on or after the 29th
    assert aware.rolls["decided_at"].tolist() == [pd.Timestamp("2024-03-28")]


def test_a_roll_by_volume_waits_for_the_next_contract_to_lead() -> None:
    contracts = contracts_of()
    for wait in (1, 3):
        chain = FuturesChain.of(contracts, EXPIRIES, roll=RollByCrossing("volume", bars=wait))
        ahead = (contracts["M4"]["volume"].reindex(DAYS) > contracts["H4"]["volume"].reindex(DAYS)).iloc[:54]
        runs = ahead.rolling(wait).sum() == wait
        assert chain.rolls["decided_at"].iloc[0] == runs.idxmax()
    forced = FuturesChain.of(
        {**contracts, "M4": contracts["M4"].assign(volume=0.0)}, EXPIRIES, roll=RollByCrossing("volume", latest=2)
    )
    assert forced.rolls["decided_at"].iloc[0] == pd.Timestamp("2024-03-13")


@given(seed=st.integers(0, 1000), n=st.integers(0, 8))
@settings(max_examples=20)
def test_adjusted_series_change_as_the_contract_held_does(seed: int, n: int) -> None:
    chain = chain_of(seed, RollBefore(n))
    closes = np.column_stack([frame["close"].reindex(chain.index) for frame in chain.bars.values()])
    rows = np.arange(1, len(chain.index))
    now, before = closes[rows, chain.active[rows]], closes[rows - 1, chain.active[rows]]
    ratio, difference = (chain.adjusted(by)["close"].to_numpy() for by in ("ratio", "difference"))  # type: ignore[arg-type]
    assert (ratio[1:] / ratio[:-1]).tolist() == pytest.approx((now / before).tolist(), rel=1e-12)
    assert np.diff(difference).tolist() == pytest.approx((now - before).tolist(), abs=1e-9)
    assert ratio[-1] == difference[-1] == closes[-1, chain.active[-1]]


def test_holding_the_chain_by_weights_earns_the_ratio_adjusted_return() -> None:
    chain = chain_of(roll=RollBefore(3))
    held = backtest(chain.bars, weights=chain.weights(1.0), rebalance=1, fill="same_close")
    adjusted = chain.adjusted("ratio")["close"]
    assert (held.equity / held.equity.iloc[0]).tolist() == pytest.approx(
        (adjusted / adjusted.iloc[0]).tolist(), rel=1e-9
    )


@pytest.mark.parametrize("units", [3.0, -3.0])
def test_holding_contracts_by_orders_earns_the_difference_adjusted_points(units: float) -> None:
    contracts = {
        Instrument(asset_class="futures", venue="CME", symbol=name, multiplier=50): frame  # type: ignore[arg-type]
        for name, frame in contracts_of().items()
    }
    chain = FuturesChain.of(contracts, EXPIRIES, roll=RollBefore(3))
    held = backtest(chain.bars, orders=chain.orders(units), fill="same_close", cash=100_000.0)
    points = chain.adjusted("difference")["close"]
    assert (held.equity - held.equity.iloc[0]).tolist() == pytest.approx(
        (50 * units * (points - points.iloc[0])).tolist(), abs=1e-6
    )
    assert held.requests is not None
    assert set(held.requests["status"]) == {"filled"}


def test_rolls_are_trades_with_a_cost() -> None:
    chain = chain_of(roll=RollBefore(5))
    signal = pd.Series([1.0, 0.0], index=DAYS[[2, 80]])
    held = backtest(chain.bars, weights=chain.weights(signal), commission=0.001, slippage=0.0005)
    trades = chain.roll_trades(held)
    first = trades.iloc[0]
    assert (first["old"], first["new"]) == ("H4", "M4")
    assert first["old_units"] < 0.0 < first["new_units"]
    opens = {name: frame["open"] for name, frame in chain.bars.items()}
    assert first["old_price"] == pytest.approx(opens["H4"][DAYS[50]] * 0.9995)
    assert first["new_price"] == pytest.approx(opens["M4"][DAYS[50]] * 1.0005)
    assert first["commission"] > 0.0
    assert trades.iloc[1][["old_units", "new_units"]].tolist() == [0.0, 0.0]  # flat by then
    assert np.isnan(trades.iloc[1]["old_price"])


@pytest.mark.shared
def test_the_s_and_p_future_rolls_in_its_minutes(shared: Path) -> None:
    """Contracts of December 2013 and March 2014; by hand: the first minute of both in the session of 13 December."""
    raw = pd.read_csv(shared / "data" / "es_futures_minute.csv.gz", parse_dates=["timestamp"])
    contracts = {
        f"ES{expiry}": rows.set_index("timestamp")[["open", "high", "low", "close", "volume"]]
        for expiry, rows in raw.groupby("expiry")
        if str(expiry)[:6] in ("201312", "201403")
    }
    assert len(contracts) == 2
    names = sorted(contracts)
    dates = {names[0]: "2013-12-20", names[1]: "2014-03-21"}
    both = contracts[names[0]].index.intersection(contracts[names[1]].index)
    chain = FuturesChain.of(contracts, dates, roll=RollBefore(5))
    expected = both[both >= pd.Timestamp("2013-12-13", tz="UTC")][0]
    assert chain.rolls["decided_at"].tolist() == [expected]
    assert expected.date().isoformat() == "2013-12-18"  # the first day after the deadline that the file has
    closes = [contracts[name]["close"][expected] for name in names]
    assert chain.rolls[["old_close", "new_close"]].values.tolist() == [closes]
    before = contracts[names[0]].index < expected
    shifted = chain.adjusted("difference")["close"].iloc[:100] - contracts[names[0]]["close"][before].iloc[:100]
    assert shifted.tolist() == pytest.approx([closes[1] - closes[0]] * 100)
    adjusted = chain.adjusted("ratio")
    assert adjusted["close"].iloc[-1] == contracts[names[1]]["close"].iloc[-1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"expiries": {"H4": "2024-03-15"}}, "no date for 'M4'"),
        ({"expiries": dict.fromkeys(EXPIRIES, "2024-03-15")}, "both expire on 2024-03-15"),
        ({"roll": 5}, "use RollBefore"),
        ({"roll": RollByCrossing("open_interest")}, "no column 'open_interest'"),
        ({"contracts": {}}, "there are no contracts"),
        ({"contracts": {"H4": contracts_of()["H4"], "M4": contracts_of()["M4"].iloc[60:]}}, "no bar has both"),
    ],
)
def test_errors_say_what_to_give(change: dict[str, Any], text: str) -> None:
    given_: dict[str, Any] = {"contracts": contracts_of(), "expiries": EXPIRIES, **change}
    with pytest.raises(InputError, match=text):
        FuturesChain.of(given_["contracts"], given_["expiries"], roll=given_.get("roll"))


@pytest.mark.parametrize("wrong", [-1, 2.5, True])
def test_sessions_are_a_whole_number(wrong: Any) -> None:
    with pytest.raises(InputError, match="sessions is"):
        RollBefore(wrong)
