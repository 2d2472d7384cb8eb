"""Expressions that look at several instruments, and further columns: how they are written, refused, stored, proved."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.lookahead.proof import prove
from algotrendy.errors import ExpressionError, InputError
from algotrendy.expressions import BARS, evaluate, parse
from algotrendy.expressions.nodes import Other, Section, Timeframe

NAMES = BARS.with_columns(["pe", "sector"])


def bars_of(symbols: str = "ABC", n: int = 120) -> dict[str, pd.DataFrame]:
    return {
        symbol: at.synthetic(n=n, seed=k).assign(pe=float(10 + k), sector="x" if k else "y")
        for k, symbol in enumerate(symbols)
    }


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("rank(3) > 1", 5, "rank expects a series"),
        ("rank(close > open) > 1", 5, "rank expects a number here"),
        ("rank(close, 2) > 1", 0, "rank takes 1 argument, found 2"),
        ("rank(close, pct=1) > 1", 16, "pct is true or false, found '1'"),
        ("rank(close, by=close) > 1", 15, "by= names a further column of the bars"),
        ("rank(close, by=sektor) > 1", 15, "did you mean 'sector'"),
        ("rank(close, by=sector, by=sector) > 1", 23, "by is given twice"),
        ("rank(by=sector, close) > 1", 16, "arguments by position come before"),
        ("sma(close, by=sector) > 1", 14, "sma takes no by="),
        ("top(close, 2, pct=true)", 18, "top takes no pct="),
        ("top(close, 0)", 11, "a whole number of at least 1"),
        ("top(close, 2.5)", 11, "a whole number of at least 1"),
        ("top(close, close)", 11, "one number or parameter, found a series"),
        ("close > quantile(close, 80)", 24, "a share from 0 to 1"),
        ('symbol("SPY") > 1', 0, 'write symbol("SPY").close'),
        ("symbol(close).close > 1", 7, "a symbol in quotes"),
        ('symbol("").close > 1', 7, "the symbol is empty"),
        ('symbol("SPY").clsoe > 1', 14, "did you mean 'close'"),
        ('symbol("SPY").atr(14) > 1', 14, "for more than a column"),
        ('symbol("SPY", 3) > 1', 14, "symbol expects a series"),
        ('tf("1wk", rank(close)) > 1', 10, "outside of tf"),
        ('tf("1wk", close / symbol("SPY").close) > 1', 10, "outside of tf"),
        ("close = 3", 6, "nothing can be assigned"),
        ("sma(close, 3).close > 1", 13, "has no attributes"),
        ("close > wibble", 8, "columns=['wibble']"),
    ],
)
def test_a_mistake_is_shown_where_it_stands(text: str, column: int, message: str) -> None:
    with pytest.raises(ExpressionError) as found:
        parse(text, catalogue=NAMES)
    assert message in str(found.value)
    assert found.value.column == column


def test_what_is_made_of_one_other_instrument_is_computed_on_its_bars() -> None:
    average = parse('sma(symbol("SPY").close / prev(symbol("SPY").close, 1), 200)').root
    assert average == parse('symbol("SPY", sma(close / prev(close, 1), 200))').root
    assert isinstance(average, Other)
    weekly = parse('tf("1wk", symbol("SPY").close)').root
    assert isinstance(weekly, Other)
    assert isinstance(weekly.operand, Timeframe)
    crossing = parse('crosses_above(symbol("SPY").close, sma(symbol("SPY").close, 9))').root
    assert isinstance(crossing, Other)
    assert crossing.kind == "condition"
    mixed = parse('sma(close / symbol("SPY").close, 9)').root
    assert not isinstance(mixed, Other)
    two = parse('sma(symbol("A").close / symbol("B").close, 9)').root
    assert not isinstance(two, Other)
    ranked = parse('rank(symbol("A").close)').root
    assert isinstance(ranked, Section)


def test_symbol_reads_the_other_on_its_own_bars_and_nothing_where_it_has_none() -> None:
    days = pd.date_range("2024-01-01", periods=10)
    both = {s: at.synthetic(n=10, seed=k).set_axis(days) for k, s in enumerate("AB")}
    both["B"] = both["B"][days.day_of_week < 5]
    average = both["B"]["close"].rolling(3).mean().reindex(days)
    found = at.backtest(
        at.Strategy(entry='close > 0 and symbol("B", sma(close, 3)) > 0', exit='not (sma(symbol("B").close, 3) > 0)'),
        {"A": both["A"], "B": both["B"]},
        fill="same_close",
    ).orders
    bought = found[(found["symbol"] == "A") & (found["side"] == "BUY")]
    assert bought["decided_at"].tolist() == [average.first_valid_index()], "unknown closes nothing on a weekend"


def test_on_one_frame_a_cross_section_says_what_to_give() -> None:
    bars = bars_of()["A"]
    for text, what in (("rank(close) > 1", "a cross-section"), ('close > symbol("B").close', "symbol('B')")):
        strategy = at.Strategy(entry=text)
        for run in (lambda s=strategy: at.backtest(s, bars), lambda s=strategy: at.optimize(s, bars, {"stop": [0.1]})):
            with pytest.raises(ExpressionError, match="give the bars of all") as found:
                run()
            assert what in str(found.value)


def test_an_unknown_symbol_is_named_with_the_nearest() -> None:
    with pytest.raises(ExpressionError, match=r"no bars of the symbol 'SPX'; did you mean 'SPY'"):
        at.backtest(at.Strategy(entry='close > symbol("SPX").close'), {"SPY": bars_of()["A"], "B": bars_of()["B"]})


def test_further_columns_are_numbers_in_conditions_of_one_instrument() -> None:
    bars = at.synthetic(n=100, seed=1)
    bars["pe"] = np.where(np.arange(100) % 10 < 5, 10.0, np.nan)
    strategy = at.Strategy(entry="pe < limit", exit='tf("1wk", pe) > 5', columns=["pe"], limit=15)
    found = at.backtest(strategy, bars)
    known = at.backtest(bars, entries=bars["pe"] < 15, exits=_weekly(bars["pe"]) > 5)
    assert found.metrics["n_orders"] > 2
    pd.testing.assert_frame_equal(found.orders, known.orders)
    sweep = at.optimize(strategy, bars, {"limit": [5, 15]}, progress=False)
    assert sweep.table["n_orders"].tolist() == [0, found.metrics["n_orders"]]
    with pytest.raises(InputError, match="the bars have no 'pe'; there are: open"):
        at.backtest(strategy, bars.drop(columns="pe"))
    with pytest.raises(InputError, match="holds object values, which are no numbers"):
        at.backtest(strategy, bars.assign(pe=np.array(["cheap"] * 100, dtype=object)))


def _weekly(column: pd.Series) -> pd.Series:
    """The last value of each week, known from the first bar of the next."""
    week = column.index.to_period("W")
    last = column.groupby(week).tail(1)
    by_week = pd.Series(last.to_numpy(), index=last.index.to_period("W")).shift(1)
    return pd.Series(by_week.reindex(week).to_numpy(), index=column.index)


def test_python_strategies_see_further_columns_of_several_instruments() -> None:
    seen: list[list[str]] = []

    def by_price(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
        seen.append(list(bars.columns))
        return {"entries": bars["pe"] > 11, "exits": bars["pe"] < 0}

    at.backtest(by_price, bars_of(), params={})
    assert seen[0][-2:] == ["pe", "sector"]


def test_a_strategy_with_columns_goes_to_json_and_back() -> None:
    strategy = at.Strategy(
        entry="rank(pe, by=sector) <= n", size="0.1 / rank(pe)", columns=["pe", "sector"], n=3, name="cheap"
    )
    assert at.Strategy.from_json(strategy.to_json()) == strategy
    assert strategy.to_dict()["columns"] == ["pe", "sector"]
    assert "columns" not in at.Strategy(entry="close > open").to_dict(), "others keep their form, and their hash"
    assert strategy.with_params(size="0.2 / rank(pe)", n=4).columns == ("pe", "sector")
    assert "columns=('pe', 'sector')" in repr(strategy)
    with pytest.raises(InputError, match="columns is 'pe'"):
        at.Strategy(entry="pe > 1", columns="pe")
    with pytest.raises(InputError, match="parameter 'pe' is a name of the bars"):
        at.Strategy(entry="pe > 1", columns=["pe"], pe=3)


def test_warm_up_counts_what_is_inside() -> None:
    strategy = at.Strategy(entry='top(sma(close, 20), 3) and symbol("A", sma(close, n)) < close', n=50)
    assert strategy.lookback == 49
    assert parse("sma(rank(momentum(close, 10)), 5)").lookback() == 14


def test_the_proof_covers_the_grammar_and_names_the_columns() -> None:
    text = 'rank(pe, by=sector) > 1 and demean(close) > 0 and symbol("A").close > 1'
    strategy = at.Strategy(entry=text, columns=["pe", "sector"])
    proof = prove({"entry": strategy.conditions[0]}, {})
    assert not proof.open
    assert any("same stamp" in step for step in proof.steps)
    for name in ("pe", "sector"):
        assert any(f"the column {name}: that each row" in text for text in proof.rests_on)
    assert at.check_lookahead(strategy, bars_of()["A"]).verdict == "proved clean"
    assert at.check_lookahead(strategy, bars_of()).verdict == "proved clean"


def test_a_universe_without_dates_of_membership_warns_of_survivorship() -> None:
    bars = bars_of("ABCDE")
    strategy = at.Strategy(entry="top(momentum(close, 20), 2)", exit="not top(momentum(close, 20), 2)")
    assert any("survivorship" in text for text in at.backtest(strategy, bars).warnings)
    members = dict.fromkeys(bars, (None, None))
    with_dates = at.backtest(strategy, bars, members=members)
    assert not any("survivorship" in text for text in with_dates.warnings)


def test_who_is_never_a_member_is_not_evaluated() -> None:
    bars = bars_of("ABC")
    bars["C"]["volume"] = 0.0
    strategy = at.Strategy(entry='top(volume, 1) and symbol("C").close > 0', exit="not top(volume, 1)")
    with pytest.raises(InputError, match="uses volume, but the bars have none"):
        at.backtest(strategy, bars)
    result = at.backtest(strategy, bars, members={"A": (None, None), "B": (None, None)})
    assert set(result.orders["symbol"]) == {"A", "B"}


def test_unknown_takes_no_part_and_never_trades() -> None:
    bars = bars_of("AB")
    bars["A"]["pe"] = np.nan
    strategy = at.Strategy(entry="rank(pe) >= 1 or pe > 1", exit="not (rank(pe) >= 1)", columns=["pe"])
    assert set(at.backtest(strategy, bars).orders["symbol"]) == {"B"}


def test_a_zscore_of_equal_values_is_unknown_and_their_difference_from_the_mean_is_a_tie() -> None:
    bars = bars_of("ABC")
    for frame in bars.values():
        frame["same"] = 0.1 + 0.2
    strategy = at.Strategy(entry="zscore(same) > -9 or demean(same) > 0 or demean(same) < 0", columns=["same"])
    assert at.backtest(strategy, bars).metrics["n_orders"] == 0
    assert at.backtest(at.Strategy(entry="demean(same) == 0", columns=["same"]), bars).metrics["n_orders"] == 3


def test_evaluate_takes_further_columns_from_the_context() -> None:
    from algotrendy.domain.bars import FurtherColumns, bar_arrays
    from algotrendy.expressions import Context

    bars = bars_of()["B"]
    expression = parse("pe * 2", catalogue=NAMES)
    found = evaluate(expression, bar_arrays(bars), {}, Context(columns=FurtherColumns(bars)))
    assert set(found.tolist()) == {22.0}
