"""Charts as a trader would draw them by hand, and what is said about wrong calls."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import algotrendy as at
from algotrendy import charts
from algotrendy.domain.resample import resample_bars
from algotrendy.errors import ConfigError, InputError


def prices(*values: float, sizes: list[float] | None = None) -> pd.DataFrame:
    index = pd.date_range("2024-03-01 10:00", periods=len(values), freq="s", tz="UTC", name="time")
    return pd.DataFrame({"price": list(values), "size": sizes or [1.0] * len(values)}, index=index)


def bars(*rows: tuple[float, float, float, float]) -> pd.DataFrame:
    index = pd.date_range("2024-03-01 10:00", periods=len(rows), freq="min", tz="UTC", name="time")
    return pd.DataFrame(rows, columns=["open", "high", "low", "close"], index=index).assign(volume=1.0)


def body(rows: pd.DataFrame) -> list[tuple[float, float]]:
    return list(zip(rows["open"].tolist(), rows["close"].tolist(), strict=True))


class TestRenko:
    def test_a_reversal_takes_two_bricks_and_skips_the_body_of_the_last(self) -> None:
        assert body(charts.renko(prices(10, 12, 11.0, 10.0), 1)) == [(10, 11), (11, 12), (11, 10)]
        assert body(charts.renko(prices(10, 12, 10.1), 1)) == [(10, 11), (11, 12)]

    def test_a_reversal_of_one_brick_goes_back_over_the_last_body(self) -> None:
        assert body(charts.renko(prices(10, 12, 11.0), 1, reversal_bricks=1)) == [(10, 11), (11, 12), (12, 11)]

    @pytest.mark.parametrize(
        ("anchor", "expected"), [("floor", [(10, 11)]), ("nearest", []), ("first", [(10.6, 11.6)])]
    )
    def test_the_grid_begins_where_the_anchor_says(self, anchor: str, expected: list[tuple[float, float]]) -> None:
        assert body(charts.renko(prices(10.6, 11.7), 1, anchor=anchor)) == expected

    def test_a_jump_gives_all_its_bricks_and_the_first_takes_the_volume(self) -> None:
        rows = charts.renko(prices(10, 10.5, 13.2, sizes=[5, 7, 11]), 1)
        assert rows["volume"].tolist() == [23, 0, 0]
        assert rows["event"].tolist() == [2, 2, 2]
        assert rows["opened_at"].dt.second.tolist() == [0, 2, 2]
        assert (rows["closed_at"].dt.second == 2).all()

    def test_wicks_show_the_way_against_the_brick_and_can_be_left_out(self) -> None:
        data = prices(10, 9.2, 11.0)
        assert charts.renko(data, 1)["low"].tolist() == [9.2]
        assert charts.renko(data, 1, wicks=False)["low"].tolist() == [10.0]

    def test_levels_do_not_drift_over_a_thousand_bricks(self) -> None:
        rows = charts.renko(prices(*(np.arange(0, 1001) * 0.1 + 10.0)), 0.1)
        assert len(rows) == 1000
        assert rows["close"].iloc[-1] == 1100 * 0.1

    def test_a_price_a_billionth_of_a_brick_short_reaches_the_level_and_more_does_not(self) -> None:
        assert len(charts.renko(prices(10, 11 - 0.9e-9), 1)) == 1
        assert len(charts.renko(prices(10, 11 - 1.1e-9), 1)) == 0

    def test_a_percentage_is_of_the_first_price_and_stays(self) -> None:
        rows = charts.renko(prices(200, 204, 400), "1%")
        assert (rows["close"] - rows["open"]).unique().tolist() == [2.0]

    def test_the_true_range_of_the_first_bars_is_the_size_and_they_make_no_brick(self) -> None:
        flat = [(10.0, 11.0, 9.0, 10.0)] * 4
        rows = charts.renko(bars(*flat, (10.0, 15.0, 10.0, 14.0)), "atr(3)")
        assert body(rows) == [(10, 12), (12, 14)]
        assert rows["volume"].tolist() == [5, 0]
        later = charts.renko(bars(*flat, (10.0, 15.0, 10.0, 14.0), (14.0, 90.0, 14.0, 16.0)), "atr(3)")
        assert body(later)[:2] == body(rows), "later ranges change nothing"

    def test_the_partial_brick_is_marked_and_comes_on_demand(self) -> None:
        data = prices(10, 11, 11.4, sizes=[1, 2, 4])
        rows = charts.renko(data, 1, partial=True)
        assert rows["is_partial"].tolist() == [False, True]
        assert body(rows)[-1] == (11, 11.4)
        assert rows["volume"].tolist() == [3, 4]
        assert "is_partial" not in charts.renko(data, 1)


class TestRange:
    def test_the_next_bar_begins_after_the_jump_or_phantoms_fill_it(self) -> None:
        data = prices(10, 10.4, 13.5, 13.0)
        assert body(charts.range(data, 1, partial=True)) == [(10, 11), (13.5, 13.0)]
        rows = charts.range(data, 1, phantom=True)
        assert body(rows) == [(10, 11), (11, 12), (12, 13)]
        assert rows["phantom"].tolist() == [False, True, True]

    def test_high_less_low_is_the_size(self) -> None:
        rng = np.random.default_rng(3)
        rows = charts.range(prices(*(100 + np.cumsum(rng.normal(0, 0.3, 500)))), 1.0)
        assert len(rows) > 20
        assert (rows["high"] - rows["low"]).to_numpy() == pytest.approx(1.0)


class TestLines:
    def test_equal_prices_make_no_line_and_breaks_are_strict(self) -> None:
        assert body(charts.line_break(prices(10, 10, 11, 11, 10, 9.9))) == [(10, 11), (10, 9.9)]

    def test_a_reversal_breaks_three_lines(self) -> None:
        rising = [10, 11, 12, 13, 14]
        assert len(charts.line_break(prices(*rising, 11.0))) == 4
        assert body(charts.line_break(prices(*rising, 10.9)))[-1] == (13, 10.9)

    def test_kagi_keeps_the_extreme_and_its_confirmation_apart(self) -> None:
        rows = charts.kagi(prices(10, 12, 11.5, 11.0, 13.0), 1)
        assert body(rows) == [(10, 12), (12, 11)]
        assert rows["extreme_at"].dt.second.tolist() == [1, 3]
        assert rows["closed_at"].dt.second.tolist() == [3, 4]

    def test_kagi_turns_thick_above_the_last_shoulder_and_thin_below_the_last_waist(self) -> None:
        rows = charts.kagi(prices(10, 12, 11, 13, 10, 14), 1)
        assert rows["thickness"].tolist() == [0, 0, 1, -1]
        assert rows["turn"].tolist()[2:] == [12, 11]

    def test_kagi_by_percent_is_of_the_extreme(self) -> None:
        assert body(charts.kagi(prices(100, 200, 191), "5%")) == []
        assert body(charts.kagi(prices(100, 200, 190), "5%")) == [(100, 200)]

    def test_point_and_figure_by_close_and_by_high_and_low(self) -> None:
        data = bars((10, 10, 10, 10), (10, 12.5, 10, 11), (11, 11, 8.9, 10), (10, 12, 10, 12))
        assert body(charts.point_figure(data, 1)) == []
        rows = charts.point_figure(data, 1, method="high_low")
        assert body(rows) == [(11, 12), (11, 9)]
        assert rows["boxes"].tolist() == [2, 3]
        assert rows["direction"].tolist() == [1, -1]

    def test_a_column_of_one_box_has_the_direction_of_its_mark(self) -> None:
        rows = charts.point_figure(prices(10, 11, 10, 11), 1, reversal=1)
        assert rows["boxes"].tolist() == [1, 1]
        assert rows["direction"].tolist() == [1, -1]


class TestActivity:
    def test_the_trade_that_completes_a_bar_is_in_it_whole_or_shared_out(self) -> None:
        data = prices(10, 11, 12, sizes=[4, 13, 5])
        assert charts.volume(data, 5)["volume"].tolist() == [17, 5]
        rows = charts.volume(data, 5, split=True, partial=True)
        assert rows["volume"].tolist() == [5, 5, 5, 5, 2]
        assert rows["close"].tolist() == [11, 11, 11, 12, 12]
        assert rows["opened_at"].dt.second.tolist() == [0, 1, 1, 1, 2]

    def test_a_sum_of_tenths_reaches_one(self) -> None:
        assert len(charts.volume(prices(*[10.0] * 10, sizes=[0.1] * 10), 1.0)) == 1

    def test_dollar_bars_hold_a_value(self) -> None:
        rows = charts.dollar(prices(10, 20, 40, sizes=[6, 4, 1]), 100, split=True)
        assert (rows["volume"] * rows["close"]).tolist()[0] != 100  # two prices in one bar
        assert rows["volume"].tolist() == [8.0]

    def test_sizes_of_zero_count_as_ticks_and_not_as_volume(self) -> None:
        data = prices(10, 11, 12, 13, sizes=[0, 5, 0, 5])
        assert charts.tick(data, 2)["volume"].tolist() == [5, 5]
        assert charts.volume(data, 10)["high"].tolist() == [13]

    def test_one_sided_trading_ends_an_imbalance_bar_sooner(self) -> None:
        steps = [1.0, -1.0] * 200 + [1.0] * 200
        rows = charts.imbalance(prices(*(1000 + np.cumsum(steps))), expected_ticks=50)
        one_sided = rows[rows["event"] > 420]
        assert one_sided["ticks"].mean() < rows[rows["event"] < 400]["ticks"].mean()
        assert rows["ticks"].between(5, 500).all()

    def test_a_market_that_never_moves_is_cut_by_the_cap(self) -> None:
        rows = charts.runs(prices(*[10.0] * 100), expected_ticks=10, max_ticks=20)
        assert rows["ticks"].tolist() == [10, 20, 20, 20, 20]
        assert rows["capped"].tolist() == [False, True, True, True, True]


class TestClock:
    @pytest.mark.parametrize("rule", ["5m", "1h", "1d", "1wk", "1mo"])
    def test_time_bars_of_bars_are_the_longer_bars_of_conditions(self, rule: str) -> None:
        index = pd.date_range("2024-02-20", periods=3000, freq="5min", tz="UTC")[::2]
        data = at.synthetic(n=1500, seed=1).set_index(index.rename("time"))
        rows = charts.time(data, rule, interval="5m", partial=True)
        longer = resample_bars(data, rule, interval="5m")
        for name in ("open", "high", "low", "close"):
            assert rows[name].tolist() == longer.bars[name].tolist()
        assert rows["volume"].to_numpy() == pytest.approx(longer.bars["volume"].to_numpy())
        stamps = pd.DatetimeIndex(rows["opened_at"])
        assert (stamps.tz_localize(None) == longer.bars.index.tz_localize(None)).all()
        known = [int(np.argmax(longer.known >= k)) for k in range(int(longer.known.max()) + 1)]
        assert rows["event"].tolist()[: len(known)] == known

    def test_daily_bars_make_weeks_with_the_calendar_in_stream_and_batch(self) -> None:
        data = at.sample("NASDAQ").iloc[:400]
        rows = charts.time(data, "1wk", calendar="XNYS")
        stream = charts.stream("time", rule="1wk", interval="1d", calendar="XNYS")
        fed = [row for bar in data.rename_axis("time").reset_index().to_dict("records") for row in stream.update(bar)]
        pd.testing.assert_frame_equal(
            pd.DataFrame(fed), rows.reset_index(drop=True), check_dtype=False, check_exact=True
        )

    def test_heikin_ashi_by_hand(self) -> None:
        rows = charts.heikin_ashi(bars((10, 12, 9, 11), (11, 13, 10, 12)))
        assert rows[["open", "high", "low", "close"]].values.tolist() == [[10.5, 12, 9, 10.5], [10.5, 13, 10, 11.5]]
        assert rows["synthetic"].all()
        assert rows["real_close"].tolist() == [11, 12]


class TestNames:
    def test_all_styles_of_the_grammar_are_there(self) -> None:
        wanted = "time heikin_ashi renko range point_figure kagi line_break tick volume dollar imbalance runs"
        assert set(wanted.split()) <= set(charts.STYLES)

    def test_by_name_is_the_same_as_by_function(self) -> None:
        data = prices(10, 12, 9, 14)
        pd.testing.assert_frame_equal(charts.chart(data, "renko", brick_size=1), charts.renko(data, 1))

    def test_a_chart_travels_and_compares(self) -> None:
        chart = charts.Chart("kagi", reversal="2%")
        assert pickle.loads(pickle.dumps(chart)) == chart == charts.Chart.of({"style": "kagi", "reversal": "2%"})
        assert hash(chart) == hash(charts.Chart.of(chart.to_dict()))

    def test_by_time_refuses_two_rows_of_one_time(self) -> None:
        rows = charts.renko(prices(10, 13), 1)
        with pytest.raises(InputError, match="2 of 3 rows have the same closed_at"):
            charts.by_time(rows)
        assert charts.by_time(charts.renko(prices(10, 11, 12), 1)).index.name == "time"

    def test_registered_styles_can_be_called_streamed_and_backtested(self) -> None:
        spec = charts.ChartSpec(
            name="every_other",
            description="Every second bar.",
            takes="bars",
            index="bar",
            parameters=(),
            batch=lambda data, **_options: charts.chart(data, "tick", size=2),
            stream=lambda **_options: charts.stream("tick", size=2),
        )
        charts.register(spec)
        data = at.synthetic(n=50, seed=1)
        assert len(charts.chart(data, "every_other")) == 25
        strategy = at.Strategy(entry="close > prev(close, 1)", exit="close < prev(close, 1)")
        assert at.backtest(strategy, data, chart="every_other").assumptions["chart"] == "every_other()"
        with pytest.raises(InputError, match="built-in"):
            charts.register(charts.STYLES["renko"])

    def test_a_broken_plug_in_says_which(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from importlib.metadata import EntryPoint

        from algotrendy.charts import registry

        broken = EntryPoint("odd", "no_such_module_here:spec", registry.ENTRY_POINTS)
        monkeypatch.setattr(registry, "entry_points", lambda group: [broken])
        with pytest.raises(ConfigError, match="'odd'"):
            list(registry.Styles())


QUOTES = pd.DataFrame({"bid": [1.0, 3.0], "ask": [2.0, 2.0]}, index=prices(1, 2).index)


class TestQuotes:
    def test_the_middle_is_a_price(self) -> None:
        assert charts.mid(QUOTES.iloc[:1])["price"].tolist() == [1.5]

    def test_crossed_quotes_are_refused_kept_or_dropped(self) -> None:
        with pytest.raises(InputError, match="1 of 2 quotes are crossed"):
            charts.mid(QUOTES)
        assert len(charts.mid(QUOTES, crossed="keep")) == 2
        assert len(charts.mid(QUOTES, crossed="drop")) == 1

    def test_bars_of_quotes(self) -> None:
        columns = {
            f"{side}_{name}": [value]
            for side, value in (("bid", 1.0), ("ask", 2.0))
            for name in ("open", "high", "low", "close")
        }
        assert charts.mid(pd.DataFrame(columns, index=QUOTES.index[:1])).to_numpy().tolist() == [[1.5] * 4]


WRONG: list[tuple[Any, str]] = [
    (lambda: charts.chart(prices(1, 2), "renco"), "did you mean 'renko'"),
    (lambda: charts.chart(prices(1, 2), "renko", sise=1), "did you mean 'size'"),
    (lambda: charts.chart(prices(1, 2), "renko", size=1, brick_size=2), "given twice"),
    (lambda: charts.renko(prices(1, 2), 0), "above zero"),
    (lambda: charts.renko(prices(1, 2), "x"), "a percentage such as '1%'"),
    (lambda: charts.renko(prices(1, 2), "120%"), "between 0% and 100%"),
    (lambda: charts.renko(prices(1, 2), "atr(14)"), "make bars first"),
    (lambda: charts.renko(prices(1, 2), 1e-12), "billionth"),
    (lambda: charts.renko(prices(1, 1e9), 0.001), "more than 20,000,000 rows"),
    (lambda: charts.point_figure(prices(1, 1e300), 0.001), "choose a larger size"),
    (lambda: charts.renko(prices(1, 2), 1, anchor="top"), "`anchor` is 'top'"),
    (lambda: charts.renko(prices(1, 2), 1, reversal_bricks=3), "at most 2"),
    (lambda: charts.renko(prices(1, 2), 1, partial="yes"), "partial is 'yes'"),
    (lambda: charts.renko(bars((1, 1, 1, 1), (1, 1, 1, 1), (1, 1, 1, 1)), "atr(2)"), "not above zero"),
    (lambda: charts.tick(prices(1, 2), 1.5), "whole number"),
    (lambda: charts.tick(prices(1, 2), None), "`size` is missing"),
    (lambda: charts.volume(prices(1, 2)["price"], 1), "no column `size`"),
    (lambda: charts.imbalance(prices(1, 2), expected_ticks=10, min_ticks=20), "min_ticks=20"),
    (lambda: charts.time(prices(1, 2), "5x"), "is not an interval"),
    (lambda: charts.heikin_ashi(prices(1, 2)), "these are trades"),
    (lambda: charts.renko(QUOTES), r"charts\.mid\(quotes\)"),
    (lambda: charts.renko(prices(1, 2).reset_index()), "set_index"),
    (lambda: charts.renko(prices(1, 2).tz_localize(None)), 'tz_localize\\("UTC"\\)'),
    (lambda: charts.renko(prices(1, 2).tz_convert("America/New_York")), 'tz_convert\\("UTC"\\)'),
    (lambda: charts.renko(prices(1, 2).iloc[::-1], 1), "the times go back"),
    (lambda: charts.renko(prices(1, float("nan")), 1), "a price is not a number above zero in 1 of 2"),
    (lambda: charts.renko(prices(float("nan"), 1), 1), "a price is not a number above zero in 1 of 2"),
    (lambda: charts.kagi(prices(float("inf"), 1), "1%"), "a price is not a number above zero in 1 of 2"),
    (lambda: charts.renko(prices(1, float("inf")), 1), "a price is not a number above zero in 1 of 2"),
    (lambda: charts.renko(prices(1, -2), 1), "a price is not a number above zero"),
    (lambda: charts.renko(prices(1, 2, sizes=[1, -1]), 1), "a size is not a number of zero or above"),
    (lambda: charts.renko(prices(1, 2).iloc[:0], 1), "0 rows"),
    (lambda: charts.renko(prices(1, 2).astype(str), 1), "expected numbers"),
    (lambda: charts.renko([1.0, 2.0], 1), "DataFrame of bars or of trades"),
    (lambda: charts.renko(charts.renko(prices(1, 2), 1), 1), "rows of a chart already"),
    (lambda: charts.renko(bars((1, 1, 1, 1), (1, 1, 1, 1)).assign(is_partial=[False, True]), 1), "unfinished"),
    (lambda: charts.by_time(prices(1, 2)), "rows of a chart"),
    (lambda: charts.by_time(prices(1, 2), "noon"), "closed_at"),
    (lambda: charts.plot(prices(1, 2)), "rows of a chart"),
    (lambda: charts.Chart.of(3), "a chart is a int"),
    (lambda: charts.register("renko"), "ChartSpec"),
    (lambda: charts.mid(prices(1, 2)), "expected bid and ask"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_a_wrong_call_says_what_was_found_and_what_to_do(call: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()


class TestStream:
    def test_events_come_as_mappings_tuples_and_objects(self) -> None:
        data = prices(10, 11.5, 13)
        by_tuple = charts.stream("renko", size=1)
        by_row = charts.stream("renko", size=1)
        tuples = zip(data.index, data["price"], strict=True)
        assert [len(by_tuple.update(event)) for event in tuples] == [0, 1, 2]
        assert [len(by_row.update(row)) for row in data.itertuples()] == [0, 1, 2]

    @pytest.mark.parametrize(
        ("event", "message"),
        [
            (("2024-03-01T10:00", 10.0), "without a zone"),
            (("soon", 10.0), "expected an instant"),
            ({"price": 10.0}, "needs `time`"),
            (("2024-03-01T10:00Z", "ten"), "expected a number"),
            (("2024-03-01T10:00Z", float("nan")), "not sound"),
            (("2024-03-01T10:00Z", 1.0, -1.0), "not sound"),
            ({"time": "2024-03-01T10:00Z", "open": 1.0, "high": 2.0, "low": 1.0, "close": 1.5}, "interval='1m'"),
            ({"time": "2024-03-01T10:00Z", "open": 1.0, "high": 0.5, "low": 1.0, "close": 1.5}, "not sound"),
        ],
    )
    def test_a_wrong_event_is_refused(self, event: Any, message: str) -> None:
        with pytest.raises(InputError, match=message):
            charts.stream("renko", size=1).update(event)

    def test_events_must_not_go_back_or_change_their_kind(self) -> None:
        stream = charts.stream("line_break", interval="1m")
        stream.update(("2024-03-01T10:00Z", 10.0))
        with pytest.raises(InputError, match="in the order of time"):
            stream.update(("2024-03-01T09:59Z", 10.0))
        with pytest.raises(InputError, match="fed trades and now bars"):
            stream.update({"time": "2024-03-01T10:01Z", "open": 1.0, "high": 2.0, "low": 1.0, "close": 1.5})

    def test_a_refused_event_leaves_the_stream_as_it_was(self) -> None:
        stream = charts.stream("renko", size=0.001)
        stream.update(("2024-03-01T10:00Z", 1.0))
        with pytest.raises(InputError, match="20,000,000"):
            stream.update(("2024-03-01T10:01Z", 1e9))
        assert len(stream.update(("2024-03-01T10:01Z", 1.0011))) == 1


class TestBacktest:
    STRATEGY = at.Strategy(entry="close > prev(close, 1)", exit="close < prev(close, 1)")

    def test_frames_of_charts_are_never_traded_on(self) -> None:
        data = at.synthetic(n=60, seed=1)
        for rows in (
            charts.heikin_ashi(data),
            charts.by_time(charts.heikin_ashi(data)),
            charts.by_time(charts.line_break(data), "opened_at"),
        ):
            with pytest.raises(InputError, match="were not traded"):
                at.backtest(self.STRATEGY, rows)
        with pytest.raises(InputError, match="stamped with their start"):
            at.backtest(self.STRATEGY, charts.by_time(charts.tick(data, 2)))

    def test_bars_made_of_trades_can_be_traded_on(self) -> None:
        data = charts.by_time(charts.time(prices(*range(10, 200)), "10s"), "opened_at")
        assert at.backtest(self.STRATEGY, data, interval="10s").metrics["n_orders"] == 1

    def test_heikin_ashi_decides_and_real_prices_fill(self) -> None:
        data = at.synthetic(n=300, seed=2)
        result = at.backtest(self.STRATEGY, data, chart="heikin_ashi")
        filled = result.order_columns["filled_at"]
        assert result.order_columns["price"].tolist() == data["open"].to_numpy()[filled].tolist()
        close = charts.heikin_ashi(data)["close"]
        entries = (close > close.shift(1)).to_numpy()
        assert entries[result.order_columns["decided_at"][::2]].all()

    def test_what_needs_equal_bars_is_refused(self) -> None:
        data = at.synthetic(n=60, seed=1)
        weekly = at.Strategy(entry="tf('1wk', close) > close", exit="close < 0")
        with pytest.raises(InputError, match="needs bars of equal time"):
            at.backtest(weekly, data, chart="line_break")
        sized = at.Strategy(entry="close > 0", exit="close < 0", size=at.VolatilityTarget(0.1))
        with pytest.raises(InputError, match="VolatilityTarget annualises"):
            at.backtest(sized, data, chart="line_break")

    def test_rows_that_may_change_or_are_none_are_refused(self) -> None:
        data = at.synthetic(n=60, seed=1)
        with pytest.raises(InputError, match="is unfinished"):
            at.backtest(self.STRATEGY, data, chart=charts.renko(data, 1e6, partial=True))
        with pytest.raises(InputError, match="no column 'closed_at'"):
            at.backtest(self.STRATEGY, data, chart=data)

    def test_a_chart_without_rows_trades_nothing_and_says_so(self) -> None:
        result = at.backtest(self.STRATEGY, at.synthetic(n=60, seed=1), chart=charts.Chart("renko", size=1e6))
        assert result.metrics["n_orders"] == 0
        assert any("the chart has no row" in text for text in result.warnings)

    def test_python_strategies_and_arrays_see_the_rows(self) -> None:
        data = at.synthetic(n=300, seed=2)
        rows = charts.renko(data, "1%")

        def follow(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
            assert bars.index.name == "brick"
            return {"entries": bars["direction"] > 0, "exits": bars["direction"] < 0}

        chart = charts.Chart("renko", size="1%")
        by_function = at.backtest(follow, data, chart=chart)
        by_arrays = at.backtest(data, entries=rows["direction"] > 0, exits=rows["direction"] < 0, chart=chart)
        assert by_function.equity_values.tolist() == by_arrays.equity_values.tolist()
        assert by_function.metrics["n_orders"] > 4

    def test_a_sweep_on_a_chart_is_the_single_backtests(self) -> None:
        data = at.synthetic(n=300, seed=2)
        strategy = at.Strategy(entry="close > sma(close, n)", exit="close < sma(close, n)", n=3)
        chart = charts.Chart("line_break", lines=2)
        sweep = at.optimize(strategy, data, {"n": [2, 5], "stop": [0.02, 0.1]}, chart=chart, workers=1)
        for n, stop, sharpe in zip(sweep.table["n"], sweep.table["stop"], sweep.table["sharpe_ratio"], strict=True):
            single = at.backtest(strategy.with_params(n=n, stop=stop), data, chart=chart)
            assert single.metrics["sharpe_ratio"] == sharpe


class TestPlots:
    @pytest.mark.parametrize("style", ["renko", "range", "line_break", "kagi", "point_figure", "heikin_ashi", "runs"])
    def test_every_style_has_its_picture(self, style: str) -> None:
        params = {"runs": {"expected_ticks": 10}, "renko": {"size": "1%"}, "range": {"size": "1%"}}.get(style, {})
        data = at.synthetic(n=200, seed=4)
        rows = charts.chart(data, style, partial=True, **params)
        figure = charts.plot(rows, title=style)
        drawn = sum(len(trace.x) for trace in figure.data)
        assert drawn >= len(rows)
        assert figure.layout.xaxis.title.text == rows.index.name

    def test_the_colours_are_those_of_reports(self) -> None:
        from algotrendy.charts import plots
        from algotrendy.reports import palette

        for name in ("ACCENT", "INK", "GAIN", "LOSS", "GRID"):
            assert getattr(plots, name) == getattr(palette, name)

    def test_only_the_last_rows_of_many_are_drawn(self) -> None:
        from algotrendy.charts.plots import ROWS_MAX

        rows = charts.tick(prices(*np.tile([10.0, 11.0], 3000)), 1)
        trace = charts.plot(rows).data[0]
        assert len(trace.x) == ROWS_MAX
        assert trace.x[-1] == len(rows) - 1


class TestUnsoundTrades:
    """Checked block by block while the chart is made: the message names the first one, wherever it lies."""

    MAKERS: tuple[Any, ...] = (
        lambda trades: charts.renko(trades, 1),
        lambda trades: charts.range(trades, 0.01),
        lambda trades: charts.range(trades, "0.5%"),
        lambda trades: charts.tick(trades, 1),
        lambda trades: charts.tick(trades, 256),
        lambda trades: charts.volume(trades, 100),
        lambda trades: charts.volume(trades, 100, split=True),
        lambda trades: charts.dollar(trades, 10_000),
        lambda trades: charts.kagi(trades, 1),
    )
    FAULTS: tuple[tuple[str, float, str], ...] = (
        ("price", np.nan, "a price is not a number above zero"),
        ("price", 0.0, "a price is not a number above zero"),
        ("price", np.inf, "a price is not a number above zero"),
        ("size", -1.0, "a size is not a number of zero or above"),
        ("size", np.nan, "a size is not a number of zero or above"),
    )

    @staticmethod
    def trades(n: int) -> pd.DataFrame:
        rng = np.random.default_rng(3)
        index = pd.date_range("2024-03-01", periods=n, freq="s", tz="UTC")
        return pd.DataFrame({"price": 100 + rng.normal(0, 0.1, n).cumsum(), "size": rng.integers(1, 9, n)}, index=index)

    @pytest.mark.parametrize("row", [0, 1, 255, 256, 257, 4095, 4096, 4097, 9_000, 9_999])
    @pytest.mark.parametrize("make", MAKERS)
    def test_one_is_found_in_every_block(self, make: Any, row: int) -> None:
        for column, value, message in self.FAULTS:
            trades = self.trades(10_000).astype(float)
            trades.iloc[row, trades.columns.get_loc(column)] = value
            with pytest.raises(InputError, match=rf"{message} in 1 of 10000 trades.*row {row}\)"):
                make(trades)

    @pytest.mark.parametrize("row", [1, 255, 256, 257, 4095, 4096, 4097, 9_999])
    @pytest.mark.parametrize("make", MAKERS)
    def test_a_time_that_goes_back_is_found_in_every_block(self, make: Any, row: int) -> None:
        trades = self.trades(10_000)
        stamps = trades.index.to_numpy().copy()
        stamps[row] = stamps[row - 1] - np.timedelta64(1, "ms")
        trades.index = pd.DatetimeIndex(stamps, tz="UTC")
        with pytest.raises(InputError, match=rf"the times go back in 1 of 10000 trades.*row {row}\)"):
            make(trades)
