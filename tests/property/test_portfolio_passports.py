"""Passports of several instruments reproduce, and whatever is altered in one is refused or shown."""

from __future__ import annotations

import contextlib
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.passport import checksums_of, encoded, read_passport
from algotrendy.backtest.portfolio.extras import ContractMargin
from algotrendy.backtest.portfolio.result import PortfolioResult
from algotrendy.backtest.run import backtest
from algotrendy.backtest.verification import verify_passport
from algotrendy.domain.actions import Actions
from algotrendy.domain.instrument import Instrument
from algotrendy.errors import AlgotrendyError, DataError, InputError
from algotrendy.research import verify
from algotrendy.strategy import BarStrategy, PythonStrategy
from tests.property.leaves import leaves, with_leaf

PASSPORTS = 200 if settings().max_examples > 1000 else 40
"""All forms in turn; the long profile draws more of each."""


def rising(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
    """Go long while the close is above that of some bars ago."""
    up = bars["close"] > bars["close"].shift(int(params["n"]))
    return {"entries": up, "exits": ~up}


class Dips(BarStrategy):
    """Buys what fell, with a bracket."""

    drop = 0.01

    def on_bar(self, ctx: Any) -> None:
        for one in ctx:
            closes = one.past("close", 2)
            fell = one.has_bar and closes[-1] < closes[0] * (1.0 - self.drop)
            if fell and not one.position() and not one.orders:
                one.buy(size=0.2, stop_price=one.bar.close * 0.97, target_price=one.bar.close * 1.02)


Drawn = tuple[PortfolioResult, dict[str, Any]]


def universe(rng: np.random.Generator, seed: int) -> dict[Any, pd.DataFrame]:
    """Return synthetic bars of two to four instruments, one of them later than the others, at times of contracts."""
    n = int(rng.integers(60, 90))
    bars: dict[Any, pd.DataFrame] = {
        name: at.synthetic(n=n, seed=10 * seed + k, volatility=0.4)
        for k, name in enumerate("ABCD"[: rng.integers(2, 5)])
    }
    bars["A"] = bars["A"].iloc[int(rng.integers(0, 5)) :]
    if rng.random() < 0.3:
        future = Instrument(asset_class="futures", venue="CME", symbol="F", multiplier=5, tick_size="0.25")
        bars[future] = bars.pop("B")
    return bars


def shared_options(rng: np.random.Generator, bars: dict[Any, pd.DataFrame]) -> dict[str, Any]:
    """Return conventions, costs and extras that every form may have."""
    days = bars["A"].index
    options: dict[str, Any] = {
        "fill": str(rng.choice(["next_open", "next_close", "same_close"])),
        "commission": [0.0, 0.001, at.Fees(per_unit=0.01, minimum=1.0), {"A": at.Fees(fixed=2.0)}][
            int(rng.integers(4))
        ],
        "slippage": [0.0, 0.001, {"A": 0.002}][int(rng.integers(3))],
        "borrow": float(rng.choice([0.0, 0.03])),
        "cash": float(rng.uniform(1e4, 1e6)),
        "risk_free_rate": float(rng.choice([0.0, 0.02])),
        "calendar": [None, "XNYS", {"A": "24/7"}][int(rng.integers(3))],
    }
    if rng.random() < 0.4:
        options["actions"] = {"A": Actions.of(splits={days[20]: 2.0}, dividends={days[30]: 0.5})}
    if rng.random() < 0.4:
        options |= {"margin": [(0.5, 0.25), ContractMargin(500.0, 400.0)][int(rng.integers(2))], "financing": 0.05}
    if rng.random() < 0.4:
        options["participation"] = [0.01, {"A": 0.001}][int(rng.integers(2))]
    return options


def by_weights(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    days = bars["A"].index
    table = pd.DataFrame(
        {"A": [0.5, 0.1, np.nan], symbol_of(list(bars)[-1]): [0.2, -0.2, 0.3]}, index=days[[2, 20, 40]]
    )
    options |= {"rebalance": [None, "1wk", 7][int(rng.integers(3))], "tolerance": float(rng.choice([0.0, 0.01]))}
    if rng.random() < 0.5:
        options["members"] = {
            "A": [(days[0], days[10]), (days[15], None)],
            symbol_of(list(bars)[-1]): ("2000-01-01", None),
        }
    return backtest(bars, weights=table if rng.random() < 0.7 else {"A": 0.4}, **options), {}


def by_orders(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    days, other = bars["A"].index, symbol_of(list(bars)[-1])
    price = float(bars["A"]["close"].iloc[10])
    orders = [
        {"time": days[5], "symbol": "A", "quantity": 20.0, "id": "in", "time_in_force": "GTC"},
        {"time": days[10], "symbol": other, "size": 0.2},
        {
            "time": days[10],
            "symbol": "A",
            "quantity": 5.0,
            "type": "limit",
            "limit_price": price,
            "time_in_force": "DAY",
        },
        {
            "time": days[12],
            "symbol": "A",
            "quantity": -15.0,
            "type": "stop",
            "stop_price": price * 0.98,
            "parent": "in",
        },
        {"time": days[40], "symbol": other, "quantity": -float("inf"), "reduce_only": True},
    ]
    return backtest(bars, orders=orders if rng.random() < 0.5 else pd.DataFrame(orders), **options), {}


def by_text(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    strategy = [
        at.strategies.sma_cross(3, 9),
        at.strategies.macd_long_short(3, 8, 3),
        at.Strategy(entry="close > prev(close, n)", exit="close < prev(close, n)", n=4, size=at.FixedUnits(3)),
    ][int(rng.integers(3))]
    options |= {"max_positions": int(rng.integers(1, 3)), "stop": 0.05, "target": "2 * atr(5) / close"}
    frame = pd.DataFrame({symbol_of(name): each["close"] for name, each in bars.items()})
    options["rank"] = [None, "momentum(close, 5)", frame][int(rng.integers(3))]
    return backtest(strategy, bars, **options), {}


def by_signals(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    closes = pd.DataFrame({symbol_of(name): each["close"] for name, each in bars.items()})
    up = closes > closes.shift(int(rng.integers(1, 4)))
    return backtest(bars, entries=up, exits=~up, stop=0.04, trail=0.06, **options), {}


def by_function(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    return backtest(rising, bars, params={"n": int(rng.integers(1, 5))}, size=0.3, **options), {"strategy": rising}


def by_several(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    parts = {"trend": (at.strategies.sma_cross(3, 9), 0.5), "mine": (PythonStrategy(rising, {"n": 2}), 0.3)}
    options |= {"rebalance": [None, "1mo"][int(rng.integers(2))], "max_positions": {"trend": 1}}
    return backtest(parts, bars, **options), {"strategy": {"mine": rising}}


def by_bars(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    return backtest(Dips(drop=float(rng.uniform(0.005, 0.02))), bars, **options), {"strategy": Dips}


def of_one(rng: np.random.Generator, bars: dict[Any, pd.DataFrame], options: dict[str, Any]) -> Drawn:
    """Weights of one instrument, whose bars are no mapping."""
    one = at.sample("NASDAQ").iloc[int(rng.integers(0, 500)) :].iloc[:80]
    for name in ("commission", "slippage", "calendar", "actions", "participation"):
        options.pop(name, None)
    return backtest(one, weights=pd.Series([0.5, 1.0], index=one.index[[3, 30]]), rebalance=5, **options), {}


FORMS: list[Callable[[np.random.Generator, dict[Any, pd.DataFrame], dict[str, Any]], Drawn]] = [
    *(by_weights, by_orders, by_text, by_signals, by_function, by_several, by_bars, of_one)
]


def symbol_of(name: Any) -> str:
    return name if isinstance(name, str) else str(name.symbol)


@functools.cache
def drawn(seed: int) -> Drawn:
    """Return a small backtest drawn at random, and what has to be handed in again."""
    rng = np.random.default_rng(seed)
    bars = universe(rng, seed)
    return FORMS[seed % len(FORMS)](rng, bars, shared_options(rng, bars))


def test_the_passports_reproduce(tmp_path: Path) -> None:
    failed, traded = [], 0
    for seed in range(PASSPORTS):
        result, given_again = drawn(seed)
        found = verify(result.passport(tmp_path / f"{seed}.json"), **given_again)
        traded += len(result.order_columns["units"]) > 0
        if not found or found.tolerance != 0.0:
            failed.append((seed, str(found)))
    assert failed == []
    assert traded > 0.8 * PASSPORTS


# --- alterations ---


PLACES = (
    "hash",
    "definition",
    "assumptions",
    "call",
    "orders",
    "equity_at",
    "metrics",
    "hashes",
    "n_orders",
    "bars",
    "schema",
)


def place_in(sections: dict[str, Any], what: str, rng: np.random.Generator) -> tuple[Any, ...]:
    """Return the path of some leaf of a part that a run proves."""
    if what in ("hash", "n_orders", "schema"):
        return {"hash": ("data", "hash"), "n_orders": ("results", "n_orders"), "schema": ("schema",)}[what]
    if what == "call":
        return ("call", *deciding(sections["call"]))
    root: tuple[Any, ...] = (what,) if what in sections else ("results", what)
    paths = list(leaves(sections[what] if what in sections else sections["results"][what]))
    return root + paths[int(rng.integers(len(paths)))]


def deciding(call: dict[str, Any]) -> tuple[Any, ...]:
    """Return the path of a weight, of the quantity of an order, of the share of a strategy, or of the cash."""
    if isinstance(call.get("orders"), list):
        return "orders", 0, "quantity"
    for name in ("weights", "orders"):
        if "$frame" in call.get(name, {}):
            columns = call[name]["$frame"]["columns"]
            column = next(k for k, each in enumerate(columns) if each["name"] in ("A", "quantity"))
            return name, "$frame", "columns", column, "values", 0
    return ("strategy", 0, "$tuple", 2) if isinstance(call.get("strategy"), list) else ("cash",)


def other_bars(result: PortfolioResult) -> Any:
    """Return the bars of a result with one number that is a little larger."""
    assert result.arguments is not None
    bars = result.arguments["strategy" if result.arguments["bars"] is None else "bars"]
    if isinstance(bars, pd.DataFrame):
        return bars.assign(volume=bars["volume"] + (np.arange(len(bars)) == 7))
    last = list(bars)[-1]
    return bars | {last: bars[last].assign(volume=bars[last]["volume"] + (np.arange(len(bars[last])) == 7))}


def test_altered_passports_are_refused_and_with_new_checksums_shown(tmp_path: Path) -> None:
    wrong = []
    file = tmp_path / "altered.json"
    for seed in range(PASSPORTS):
        result, given_again = drawn(seed)
        sections = read_passport(result.passport(tmp_path / "p.json"))
        what = PLACES[seed % len(PLACES)]
        if what == "bars":
            found = verify(tmp_path / "p.json", other_bars(result), **given_again)
            if found or found.mismatches[-1].field != "data.hash":
                wrong.append((seed, what))
            continue
        altered = with_leaf(sections, place_in(sections, what, np.random.default_rng(seed)))
        file.write_bytes(encoded(altered | {"checksums": checksums_of(sections)}))
        with pytest.raises(DataError, match=r"is not a passport|was changed after it was written"):
            verify(file, **given_again)
        file.write_bytes(encoded(altered | {"checksums": checksums_of(altered)}))
        with contextlib.suppress(AlgotrendyError):
            if verify(file, **given_again):
                wrong.append((seed, what))
    assert wrong == []


@pytest.fixture(scope="module")
def made() -> PortfolioResult:
    bars = {name: at.synthetic(n=60, seed=k) for k, name in enumerate("AB")}
    table = pd.DataFrame({"A": [0.5, 0.2], "B": [0.3, 0.7]}, index=bars["A"].index[[2, 30]])
    return backtest(bars, weights=table, rebalance="1wk", commission=0.001)


@pytest.fixture(scope="module")
def passport(made: PortfolioResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    facts: dict[str, Any] = {"trials": {"raw": 12, "effective": 4.5}, "lookahead": {"verdict": "no leak found"}}
    return made.passport(tmp_path_factory.mktemp("passport") / "p.json", **facts)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("altered") / "altered.json"


@given(data=st.data())
def test_any_leaf_that_is_altered_is_refused_and_its_section_named(
    passport: Path, scratch: Path, data: st.DataObject
) -> None:
    content = json.loads(passport.read_text(encoding="utf-8"))
    path = data.draw(st.sampled_from(list(leaves(content))))
    scratch.write_bytes(encoded(with_leaf(content, path)))
    with pytest.raises(DataError) as refused:
        verify_passport(scratch)
    assert str(path[1] if path[0] == "checksums" else path[0]) in str(refused.value)


@given(data=st.data())
def test_new_checksums_do_not_help_what_running_again_shows(passport: Path, scratch: Path, data: st.DataObject) -> None:
    """Whoever alters a passport can make its checksums anew; the run then says what does not fit."""
    sections = read_passport(passport)
    proved = ("assumptions", "definition", "params", "results")
    weights = [("call", "weights", "$frame", "columns", column, "values", row) for column in (0, 1) for row in (0, 1)]
    paths = [
        *(path for path in leaves(sections) if path[0] in proved),
        ("data", "hash"),
        *weights,
        ("call", "commission"),
    ]
    altered = with_leaf(sections, data.draw(st.sampled_from(paths)))
    scratch.write_bytes(encoded(altered | {"checksums": checksums_of(altered)}))
    try:
        found = verify(scratch)
    except AlgotrendyError:
        return
    assert not found
    assert "Not equal" in str(found)


@given(data=st.data())
def test_whatever_is_altered_with_new_checksums_no_error_is_unexpected(
    passport: Path, scratch: Path, data: st.DataObject
) -> None:
    sections = read_passport(passport)
    path = data.draw(st.sampled_from([path for path in leaves(sections) if path[0] != "results"]))
    value = data.draw(st.sampled_from(["", "x", -1, [], {}, {"$moment": "x"}, {"$kind": "x"}, {"$frame": 1}, 1e-300]))
    altered = with_leaf(sections, path, value)
    scratch.write_bytes(encoded(altered | {"checksums": checksums_of(altered)}))
    with contextlib.suppress(AlgotrendyError):
        verify(scratch)


# --- what is said ---


def test_other_bars_are_named_by_instrument_before_anything_is_run(made: PortfolioResult, passport: Path) -> None:
    bars = {name: at.synthetic(n=60, seed=k) for k, name in enumerate("AB")}
    changed = bars | {"B": bars["B"].assign(volume=bars["B"]["volume"] * 1.0001)}
    found = verify(passport, changed)
    assert [each.field for each in found.mismatches] == ["data.instruments.B.hash", "data.hash"]
    assert found.result is None
    shorter = verify(passport, bars | {"A": bars["A"].iloc[:-1]})
    assert [each.field for each in shorter.mismatches][:2] == ["data.instruments.A.rows", "data.instruments.A.last"]
    alone = verify(passport, {"A": bars["A"]})
    assert alone.mismatches[0].field == "data.instruments"
    turned = verify(passport, {"B": bars["B"], "A": bars["A"]})
    assert [each.field for each in turned.mismatches] == ["data.instruments", "data.hash"]
    assert verify(passport, bars)


def test_the_first_order_that_differs_is_named_with_its_bar(passport: Path, scratch: Path) -> None:
    sections = read_passport(passport)
    altered = with_leaf(sections, ("call", "weights", "$frame", "columns", 1, "values", 1))
    scratch.write_bytes(encoded(altered | {"checksums": checksums_of(altered)}))
    found = verify(scratch)
    assert found.mismatches[0].field.startswith("results.orders.units[")
    assert found.mismatches[0].at.startswith("2000-02")


def test_a_newer_schema_asks_for_an_update(passport: Path, scratch: Path) -> None:
    sections = read_passport(passport) | {"schema": "algotrendy.portfolio_passport/2"}
    scratch.write_bytes(encoded(sections | {"checksums": checksums_of(sections)}))
    with pytest.raises(DataError, match="update algotrendy"):
        verify(scratch)


def test_it_holds_no_bars_and_no_code(tmp_path: Path) -> None:
    result, _ = drawn(FORMS.index(by_function))
    text = result.passport(tmp_path / "p.json").read_text(encoding="utf-8")
    assert "shift" not in text
    assert repr(float(at.synthetic(n=60, seed=40, volatility=0.4)["high"].iloc[20])) not in text


def test_code_is_asked_for_by_name_and_other_code_is_refused(tmp_path: Path) -> None:
    def lagging(bars: pd.DataFrame, params: dict[str, Any]) -> Any:
        return rising(bars, {"n": 1})

    file = drawn(FORMS.index(by_several))[0].passport(tmp_path / "p.json")
    with pytest.raises(InputError, match="'mine' was decided by"):
        verify(file)
    with pytest.raises(InputError, match="names 'yours'"):
        verify(file, strategy={"yours": rising})
    found = verify(file, strategy={"mine": lagging})
    assert [each.field for each in found.mismatches] == ["definition.source_hash.mine"]
    weights = drawn(FORMS.index(by_weights))[0].passport(tmp_path / "w.json")
    with pytest.raises(InputError, match="leave strategy= out"):
        verify(weights, strategy=rising)


def test_one_strategy_of_several_has_none_of_its_own(tmp_path: Path) -> None:
    sleeve = drawn(FORMS.index(by_several))[0].sleeves["trend"]
    with pytest.raises(InputError, match="one strategy of several"):
        sleeve.passport(tmp_path / "p.json")
    with pytest.raises(InputError, match="one strategy of several"):
        sleeve.capacity([1e5])


def test_bars_that_were_changed_since_are_refused(made: PortfolioResult, tmp_path: Path) -> None:
    bars = {name: at.synthetic(n=60, seed=k) for k, name in enumerate("AB")}
    result = backtest(bars, weights={"A": 0.5})
    bars["A"] = bars["A"] * 1.01
    again = PortfolioResult.load(result.save(tmp_path / "r.json"))
    with pytest.raises(InputError, match="hand in again"):
        again.passport(tmp_path / "p.json")
    with pytest.raises(InputError, match="not those that the result ran on"):
        again.passport(tmp_path / "p.json", bars=bars, weights={"A": 0.5})
    own = {name: at.synthetic(n=60, seed=k) for k, name in enumerate("AB")}
    assert verify(again.passport(tmp_path / "p.json", bars=own, weights={"A": 0.5}))


def test_finer_bars_are_hashed_and_handed_in(tmp_path: Path) -> None:
    bars = {name: at.synthetic(n=60, seed=k, calendar="24/7") for k, name in enumerate("AB")}
    day = bars["A"].index[10]
    row = bars["A"].loc[day]
    path = [row["open"], row["low"], row["high"], row["close"]]
    fine = pd.DataFrame(
        {"open": path[:3], "close": path[1:], "high": np.maximum(path[:3], path[1:])},
        index=day.tz_localize("UTC") + pd.to_timedelta([0, 8, 16], "h"),
    )
    fine["low"], fine["volume"] = np.minimum(fine["open"], fine["close"]), 1.0
    result = backtest(at.strategies.sma_cross(3, 9), bars, stop=0.01, fine_bars={"A": fine})
    file = result.passport(tmp_path / "p.json")
    with pytest.raises(InputError, match="cannot be made again"):
        verify(file)
    assert verify(file, fine_bars={"A": fine})
    other_fine = verify(file, fine_bars={"A": fine.assign(volume=2.0)})
    assert [each.field for each in other_fine.mismatches] == ["data.fine_bars.A.hash", "data.hash"]


def test_the_fill_interval_is_told(tmp_path: Path) -> None:
    bars = {name: at.synthetic(n=80, seed=k, volatility=0.5) for k, name in enumerate("AB")}
    result = backtest(at.strategies.sma_cross(3, 9), bars, stop=0.02, target=0.03)
    file = result.passport(tmp_path / "p.json", fill_interval=result.fill_interval())
    told = read_passport(file)["fill_interval"]
    assert told["worst"]["final_equity"] <= told["best"]["final_equity"]
    assert verify(file).unchecked == ("fill_interval",)
