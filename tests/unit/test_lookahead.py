"""`check_lookahead`: what it takes, what its report says, and what it says first."""

from __future__ import annotations

import math
import random
import time
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy import charts
from algotrendy.backtest.lookahead import Detection, LookaheadReport, check_lookahead
from algotrendy.backtest.lookahead.proof import REASONS, prove
from algotrendy.backtest.lookahead.table import as_table, differences
from algotrendy.errors import ExpressionError, InputError
from algotrendy.expressions import Catalogue, Name, nodes, parse

BARS = at.synthetic(n=400, seed=5)


def tomorrow(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].shift(-1)


def average(bars: pd.DataFrame) -> pd.Series:
    return bars["close"].rolling(10).mean()


# --- proof ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(at.strategies.LIBRARY))
def test_every_strategy_of_the_library_is_proved_clean(name: str) -> None:
    report = check_lookahead(at.strategies.LIBRARY[name](), BARS)
    assert report.verdict == "proved clean"
    assert report.is_clean
    assert report.proof is not None
    assert report.proof.open == ()
    assert report.proof.rests_on
    assert report.cost["runs"] == 0
    assert "rests on" in report.summary()


def test_a_text_and_a_template_are_proved_too() -> None:
    assert check_lookahead("crosses_above(close, sma(close, n))", BARS, params={"n": 20}).verdict == "proved clean"
    template = at.StrategyTemplate("t", "t", "index", {}, [], ["close > prev(close, 5)"], [], {})
    assert check_lookahead(template, BARS).verdict == "proved clean"


def test_the_table_of_the_proof_names_every_kind_of_node() -> None:
    kinds = {kind for kind in vars(nodes).values() if isinstance(kind, type) and issubclass(kind, nodes.Node)} - {
        nodes.Node
    }
    assert kinds == set(REASONS)


def test_a_lag_that_counts_forward_is_refused() -> None:
    with pytest.raises(InputError, match="n=3"):
        check_lookahead("close > prev(close, n - 5)", BARS, params={"n": 3})
    with pytest.raises(ExpressionError):
        check_lookahead("close > prev(close, -1)", BARS)


def test_a_kind_of_node_that_is_new_is_not_proved() -> None:
    class Novel(nodes.Not):
        pass

    expression = parse("not (close > 1)")
    object.__setattr__(expression, "root", Novel(expression.root))
    assert "Novel" in prove({"entry": expression}, {}).open[0]


def test_a_column_that_is_none_of_the_bars_is_named_in_the_proof_and_in_the_report() -> None:
    expression = parse("mood > 0", catalogue=Catalogue([Name("mood")]))
    proof = prove({"entry": expression}, {})
    assert not proof.open
    assert "the column mood" in proof.columns[0]
    assert proof.columns[0] in proof.rests_on
    assert "it rests on the column mood" in check_lookahead(expression, BARS).warnings[0]


def test_an_indicator_in_python_is_looked_at_by_itself() -> None:
    at.indicator(name="unit_backwards")(lambda x: pd.Series(x)[::-1].rolling(3).mean()[::-1].to_numpy())
    report = check_lookahead(at.Strategy(entry="close > unit_backwards(close)"), BARS)
    assert report.verdict == "leak"
    assert {leak.output for leak in report.leaks} >= {"unit_backwards(close)"}
    assert report.proof is not None
    assert "unit_backwards is a Python function" in report.proof.open
    at.indicator(name="unit_forwards")(lambda x: pd.Series(x).rolling(3).mean().to_numpy())
    assert check_lookahead(at.Strategy(entry="close > unit_forwards(close)"), BARS, cuts=40).verdict == "no leak found"


# --- the report -------------------------------------------------------------------------------------------------------


def test_a_leak_comes_with_two_runs_that_show_it() -> None:
    report = check_lookahead(tomorrow, BARS)
    leak = report.leaks[0]
    assert (leak.output, leak.inputs, leak.horizon, leak.whole_future) == ("close", ("close",), 1, False)
    example = leak.example
    assert example is not None
    pd.testing.assert_frame_equal(
        example.bars.iloc[: example.first_changed], BARS.iloc[: example.first_changed], check_freq=False
    )
    assert example.row < example.first_changed
    assert tomorrow(BARS).iloc[example.row] == example.before
    assert tomorrow(example.bars).iloc[example.row] == example.after != example.before
    assert str(example.at.date()) in report.summary()


def test_each_column_is_checked_by_itself() -> None:
    def features(bars: pd.DataFrame) -> pd.DataFrame:
        close = bars["close"]
        return pd.DataFrame(
            {
                "late": close.shift(-3),
                "fine": close.shift(3),
                "whole": close - close.mean(),
                "busy": bars["volume"].shift(-1),
            }
        )

    report = check_lookahead(features, BARS)
    found = {leak.output: leak for leak in report.leaks}
    assert set(found) == {"late", "whole", "busy"}
    assert found["late"].horizon == 3
    assert found["whole"].whole_future
    assert found["busy"].inputs == ("volume",)
    assert report.detection is not None  # of the column that is left


def test_a_report_is_neither_true_nor_false_and_cannot_be_changed() -> None:
    report = check_lookahead(average, BARS, cuts=20)
    with pytest.raises(InputError, match="is_clean"):
        bool(report)
    with pytest.raises(FrozenInstanceError):
        report.verdict = "proved clean"  # type: ignore[misc]
    assert isinstance(report, LookaheadReport)
    assert "no leak found" in repr(report)


def test_the_summary_and_the_page_say_how_likely_a_leak_was_missed() -> None:
    report = check_lookahead(average, BARS)
    assert report.verdict == "no leak found"
    assert report.detection is not None
    assert report.detection.n_tested > 150
    assert "no proof" in report.summary()
    assert "<b>no leak found</b>" in report._repr_html_()
    assert report.detection.missed[0.01] == pytest.approx(0.99**report.detection.n_tested)
    assert Detection.of(0, 10).missed[0.1] == 1.0


def test_names_are_escaped_on_the_page() -> None:
    def features(bars: pd.DataFrame) -> dict[str, Any]:
        return {"<script>": bars["close"].shift(-1)}

    assert "<script>" not in check_lookahead(features, BARS)._repr_html_()


# --- determinism ------------------------------------------------------------------------------------------------------


def test_chance_is_told_first() -> None:
    generator = np.random.default_rng(1)
    report = check_lookahead(lambda bars: generator.random(len(bars)), BARS)
    assert report.verdict == "not deterministic"
    assert not report.is_clean
    assert "two runs on the same bars differ" in report.summary()


def test_the_global_generators_are_seeded_to_look_on_and_put_back() -> None:
    def noisy(bars: pd.DataFrame) -> pd.Series:
        return bars["close"].rolling(3).mean() + np.random.rand(len(bars)) + random.random()  # noqa: NPY002

    def leaking(bars: pd.DataFrame) -> pd.Series:
        return noisy(bars) + bars["close"].shift(-1)

    report = check_lookahead(noisy, BARS, cuts=20)
    assert report.verdict == "not deterministic"
    assert report.detection is not None  # it was looked at all the same
    assert report.leaks == ()
    assert check_lookahead(leaking, BARS).verdict == "leak"
    first = random.random()
    check_lookahead(noisy, BARS, cuts=20)
    assert random.random() != first


def test_a_clock_is_not_deterministic() -> None:
    assert check_lookahead(lambda bars: bars["close"] + time.perf_counter(), BARS).verdict == "not deterministic"


def test_a_function_that_remembers_its_calls_is_not_deterministic() -> None:
    seen: list[int] = []

    def counting(bars: pd.DataFrame) -> pd.Series:
        seen.append(len(bars))
        return bars["close"] / max(seen)

    report = check_lookahead(counting, BARS)
    assert report.verdict == "not deterministic"
    assert "earlier calls" in report.summary()


def test_a_function_that_keeps_its_first_answer_is_not_deterministic() -> None:
    kept: list[Any] = []

    def keeping(bars: pd.DataFrame) -> np.ndarray:
        if not kept:
            kept.append(bars["close"].rank().to_numpy())
        return kept[0]  # type: ignore[no-any-return]

    assert check_lookahead(keeping, BARS).verdict == "not deterministic"


def test_a_function_that_changes_its_bars_harms_nobody_and_is_told() -> None:
    def changing(bars: pd.DataFrame) -> pd.Series:
        bars["average"] = bars["close"].rolling(5).mean()
        return bars["average"]

    before = BARS.copy()
    report = check_lookahead(changing, BARS, cuts=20)
    pd.testing.assert_frame_equal(BARS, before)
    assert report.is_clean
    assert "changes the frame" in report.summary()


# --- warm-up ----------------------------------------------------------------------------------------------------------


def test_a_window_needs_its_length_and_an_exponential_average_what_its_weights_say() -> None:
    def features(bars: pd.DataFrame) -> pd.DataFrame:
        close = bars["close"]
        return pd.DataFrame(
            {
                "sma": close.rolling(20).mean(),
                "ema": close.ewm(span=9, adjust=False).mean(),
                "sum": close.cumsum(),
                "now": close,
            }
        )

    needed = {each.output: each.n_bars for each in check_lookahead(features, BARS, cuts=20).warm_up}
    assert needed["sma"] == 19
    assert needed["sum"] is None
    assert needed["now"] == 0
    # The first value enters with the weight (1 - 2 / 10)^k; it starts some per cent off and must fall to 1e-6.
    assert math.log(1e-6 / 0.001) / math.log(0.8) < needed["ema"] < math.log(1e-6 / 0.3) / math.log(0.8)  # type: ignore[operator]


# --- what it takes ----------------------------------------------------------------------------------------------------


def test_it_takes_functions_of_columns_and_of_parameters() -> None:
    def momentum(close: pd.Series, window: int) -> pd.Series:
        return close / close.shift(window) - 1

    assert check_lookahead(momentum, BARS, params={"window": 5}, cuts=20).is_clean
    assert not check_lookahead(momentum, BARS, params={"window": -5}).is_clean
    assert not check_lookahead(lambda x: x[::-1].cummax()[::-1], BARS, inputs="close").is_clean
    assert check_lookahead(_sma, BARS, cuts=20).is_clean


def _sma(close: pd.Series) -> Any:
    from algotrendy import indicators

    return indicators.sma(close, 10)


def test_it_takes_python_strategies_with_their_parameters() -> None:
    def rule(bars: pd.DataFrame, params: dict[str, Any]) -> tuple[Any, Any]:
        moved = bars["close"].shift(params["lag"])
        return bars["close"] > moved, bars["close"] < moved

    from algotrendy.strategy import PythonStrategy

    strategy = PythonStrategy(rule, {"lag": 5})
    assert check_lookahead(strategy, BARS, cuts=20).is_clean
    assert check_lookahead(strategy, BARS, params={"lag": -5}).verdict == "leak"
    assert check_lookahead(rule, BARS, params={"lag": -5}).verdict == "leak"


STYLES: dict[str, dict[str, Any]] = {
    "dollar": {"size": 4e8},
    "heikin_ashi": {},
    "imbalance": {},
    "kagi": {"reversal": "2%"},
    "line_break": {},
    "point_figure": {"box": "1%"},
    "range": {"size": "1%"},
    "renko": {},
    "runs": {},
    "tick": {"size": 5},
    "time": {"rule": "1wk"},
    "volume": {"size": 4e6},
}


@pytest.mark.parametrize("style", STYLES)
def test_chart_styles_are_clean(style: str) -> None:
    bars = BARS[["open", "high", "low", "close", "volume"]]
    assert check_lookahead(charts.Chart(style, **STYLES[style]), bars, cuts=30).is_clean


def test_a_chart_that_looks_ahead_is_found() -> None:
    def smoothed(bars: pd.DataFrame) -> pd.DataFrame:
        rows = charts.heikin_ashi(bars)
        return rows.assign(close=rows["close"].rolling(3, center=True).mean())

    assert [leak.output for leak in check_lookahead(smoothed, BARS, cuts=30).leaks] == ["close"]


def test_a_level_that_is_a_text_with_a_python_indicator_is_told() -> None:
    from algotrendy.strategy import PythonStrategy

    def rule(bars: pd.DataFrame, params: dict[str, Any]) -> tuple[Any, Any]:
        up = bars["close"] > bars["close"].shift(2)
        return up, ~up

    at.indicator(name="unit_spread")(lambda x: np.abs(x) * 0.001)
    told = check_lookahead(PythonStrategy(rule, stop="unit_spread(close)"), BARS, cuts=20)
    assert "unit_spread" in told.summary()
    quiet = check_lookahead(PythonStrategy(rule, stop="2 * atr(14) / close"), BARS, cuts=20)
    assert quiet.warnings == ()


def test_signals_must_be_those_of_the_function() -> None:
    def rule(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
        up = bars["close"] > bars["close"].shift(3)
        return {"entries": up, "exits": ~up}

    made = rule(BARS, {})
    assert check_lookahead(rule, BARS, signals=made, cuts=20).is_clean
    other = {**made, "exits": made["entries"]}
    with pytest.raises(InputError, match="were not made by this function"):
        check_lookahead(rule, BARS, signals=other, cuts=20)


def test_one_column_can_be_changed_alone() -> None:
    def feature(bars: pd.DataFrame) -> pd.Series:
        return bars["volume"].shift(-1)

    assert check_lookahead(feature, BARS, columns="close", cuts=20).leaks == ()
    assert check_lookahead(feature, BARS, columns=["volume"], cuts=20).leaks[0].inputs == ("volume",)


def test_what_is_known_at_the_open_may_not_use_the_bar() -> None:
    def gap(bars: pd.DataFrame) -> pd.Series:
        return bars["open"] / bars["close"].shift(1) - 1

    def body(bars: pd.DataFrame) -> pd.Series:
        return bars["close"] / bars["open"] - 1

    assert check_lookahead(body, BARS, cuts=20).is_clean
    assert check_lookahead(gap, BARS, known_at="open", cuts=40).is_clean
    report = check_lookahead(body, BARS, known_at="open", cuts=40)
    assert report.leaks[0].inputs == ("close",)


def test_the_result_does_not_depend_on_the_number_of_workers() -> None:
    one, two = (check_lookahead(tomorrow, BARS, workers=workers, cuts=30) for workers in (1, 2))
    assert one.summary().rsplit("\n", 1)[0] == two.summary().rsplit("\n", 1)[0]
    assert one.leaks[0].n_seen == two.leaks[0].n_seen


def test_the_same_seed_gives_the_same_report() -> None:
    first, second = (check_lookahead(average, BARS, seed=4, cuts=30) for _ in range(2))
    assert first.detection == second.detection
    assert first.cost["runs"] == second.cost["runs"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: check_lookahead(3, BARS), "cannot be checked"),
        (lambda: check_lookahead(dict, BARS), "the class dict"),
        (lambda: check_lookahead(at.Signals(entries=np.ones(400, bool)), BARS), "the function that made them"),
        (lambda: check_lookahead(average, BARS.iloc[:5]), "at least 8"),
        (lambda: check_lookahead(average, BARS, cuts=3), "cuts is 3"),
        (lambda: check_lookahead(average, BARS, seed=-1), "seed is -1"),
        (lambda: check_lookahead(average, BARS, known_at="noon"), "known_at is 'noon'"),
        (lambda: check_lookahead(average, BARS, columns="price"), "the bars have open"),
        (lambda: check_lookahead(lambda bars: bars["price"], BARS), "fails on the bars as they are"),
        (lambda: check_lookahead(lambda bars: 1.0, BARS), "one value per bar"),
        (lambda: check_lookahead(lambda bars: np.ones(7), BARS), "7 values"),
        (lambda: check_lookahead(lambda bars, a, b: bars, BARS), "also needs a, b"),
    ],
)
def test_a_wrong_call_says_what_to_do(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


# --- tables -----------------------------------------------------------------------------------------------------------


def test_whatever_has_a_value_per_bar_is_a_table() -> None:
    index = BARS.index
    close = BARS["close"]
    for raw in (
        close,
        close.to_numpy(),
        close.tolist(),
        close.to_frame(),
        {"a": close, "b": None},
        (close > 1, close < 1),
        at.Signals(entries=close > 1),
        np.column_stack([close, close]),
        close.astype(object),
        pd.Series(["a"] * 400, index).astype("category"),
        pd.Series(index, index),
    ):
        table = as_table(raw, index)
        assert table.keys is None
        assert all(len(values) == 400 for values in table.columns.values())


def test_frames_of_polars_are_tables() -> None:
    polars = pytest.importorskip("polars")
    assert set(as_table(polars.DataFrame({"a": [1.0, 2.0]}), BARS.index[:2]).columns) == {"a"}


def test_texts_and_missing_values_are_compared_by_what_they_say() -> None:
    bars = BARS.assign(word=np.where(BARS["close"] > BARS["open"], "up", "down"))
    bars["kind"] = bars["word"].astype("category")
    bars["count"] = pd.array([1, None] * 200, dtype="Int64")
    extras = ["word", "kind", "count", "is_synthetic"]
    assert check_lookahead(lambda given: given[extras].shift(1), bars, cuts=40).is_clean
    late = check_lookahead(lambda given: given[extras[:3]].shift(-1), bars)
    assert {leak.output: leak.inputs for leak in late.leaks} == {name: (name,) for name in extras[:3]}


def test_rows_with_times_are_compared_by_their_times() -> None:
    index = BARS.index
    rows = pd.DataFrame({"price": [1.0, 2.0, 3.0]}, index=index[[10, 20, 30]])
    base, other = as_table(rows, index), as_table(rows.iloc[[0, 2]], index[:35])
    assert differences(base, other, 15, {}, 1e-9) == {}
    assert differences(base, other, 25, {}, 1e-9)["row exists"].tolist() == [20]


def test_rounding_is_no_difference_and_a_tick_is() -> None:
    index = BARS.index[:3]
    base = as_table(np.array([30_000.0, np.nan, np.inf]), index)
    assert differences(base, as_table(np.array([30_000.0 + 1e-8, np.nan, np.inf]), index), 3, {}, 1e-9) == {}
    assert differences(base, as_table(np.array([30_000.01, np.nan, np.inf]), index), 3, {}, 1e-9) != {}


def test_what_a_function_prints_is_not_seen(capsys: pytest.CaptureFixture[str]) -> None:
    def talking(bars: pd.DataFrame) -> pd.Series:
        print("here I am")
        return average(bars)

    check_lookahead(talking, BARS, cuts=20)
    assert capsys.readouterr().out == ""


def test_a_file_of_all_bars_is_changed_too(tmp_path: Any) -> None:
    path = tmp_path / "all.csv"
    BARS.to_csv(path)

    def reading(bars: pd.DataFrame) -> pd.Series:
        full = pd.read_csv(path, index_col=0, parse_dates=True)
        return full["close"].shift(-1).reindex(bars.index) / bars["close"]

    report = check_lookahead(reading, BARS, cuts=20)
    assert report.leaks[0].inputs == ("pandas.read_csv",)
    assert pd.read_csv.__module__.startswith("pandas")


def test_captured_data_is_as_it_was_afterwards() -> None:
    full = BARS[["close"]].copy()
    kept = full.copy()
    report = check_lookahead(lambda bars: full["close"].shift(-1).reindex(bars.index) > bars["close"], BARS, cuts=20)
    assert report.leaks[0].inputs == ("closure full",)
    pd.testing.assert_frame_equal(full, kept)
