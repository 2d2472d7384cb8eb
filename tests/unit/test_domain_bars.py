"""Bars: sound ones pass untouched, every kind of bad ones is refused with its place and its remedy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from algotrendy.domain.bars import COLUMNS, BarArrays, bar_arrays, check_bars, checked_arrays, frame_of, index_times
from algotrendy.errors import InputError
from algotrendy.kernels.bars import bars_are_sound


def make_bars(n: int = 10, index: pd.Index | None = None) -> pd.DataFrame:
    close = 100.0 + np.arange(n)
    stamps = pd.bdate_range("2024-03-04", periods=n) if index is None else index
    table = {"open": close - 0.5, "high": close + 1.0, "low": close - 1.0, "close": close, "volume": 1000.0}
    return pd.DataFrame(table, index=stamps)


def with_value(column: str, row: int, value: float) -> pd.DataFrame:
    bars = make_bars()
    bars.iloc[row, bars.columns.get_loc(column)] = value
    return bars


def test_sound_daily_bars_with_session_dates_pass() -> None:
    assert check_bars(make_bars()) is None


def test_sound_intraday_bars_in_utc_pass() -> None:
    check_bars(make_bars(index=pd.date_range("2024-03-04 14:30", periods=10, freq="min", tz="UTC")))


def test_bars_without_volume_pass_and_get_zeros() -> None:
    bars = make_bars().drop(columns="volume")
    check_bars(bars)
    assert bar_arrays(bars).volume.tolist() == [0.0] * 10


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_any_unit_of_time_passes(unit: str) -> None:
    bars = make_bars()
    bars.index = pd.DatetimeIndex(bars.index).as_unit(unit)
    check_bars(bars)


CASES = {
    "negative": (
        with_value("low", 3, -1.0),
        ["low is zero or negative in 1 of 10", "2024-03-07 (row 3)", "-1.0", "bars["],
    ),
    "zero": (with_value("open", 3, 0.0), ["open is zero or negative", "row 3", 'bars = bars[bars["open"] > 0]']),
    "nan": (with_value("close", 4, np.nan), ["close is NaN in 1 of 10", "2024-03-08 (row 4)", "bars.dropna()"]),
    "infinite": (with_value("high", 4, np.inf), ["high is infinite", "row 4", "dropna"]),
    "volume nan": (with_value("volume", 2, np.nan), ["volume is NaN", "row 2", "fillna(0.0)"]),
    "volume negative": (with_value("volume", 2, -5.0), ["volume is negative", "row 2", "-5.0"]),
    "volume infinite": (with_value("volume", 2, np.inf), ["volume is infinite", "row 2"]),
    "high below low": (
        with_value("high", 5, 50.0),
        ["high is below low", "2024-03-11 (row 5)", "high 50.0", "low 104.0"],
    ),
    "open outside": (with_value("open", 6, 150.0), ["open lies outside [low, high]", "row 6", "150.0", "high 107.0"]),
    "close outside": (with_value("close", 6, 10.0), ["close lies outside [low, high]", "row 6", "bars.close.between"]),
    "empty": (make_bars().iloc[:0], ["empty", "0 rows"]),
    "unsorted": (make_bars().iloc[[0, 2, 1, 3]], ["not sorted", "row 2 (2024-03-05)", "2024-03-06", "sort_index()"]),
    "newest first": (make_bars().iloc[::-1], ["newest first", "sort_index()"]),
    "duplicated": (
        make_bars().iloc[[0, 1, 1, 2]],
        ["1 of 4 times are duplicated", "2024-03-05 (row 2)", "bars[~bars.index.duplicated()]"],
    ),
    "missing column": (make_bars().drop(columns="high"), ["no column 'high'", "open, low, close, volume"]),
    "near column": (
        make_bars().rename(columns={"close": "Close"}),
        ["no column 'close'", 'rename(columns={"Close": "close"})'],
    ),
    "doubled column": (
        pd.concat([make_bars(), make_bars()[["open"]]], axis=1),
        ["2 columns named 'open'", "~bars.columns.duplicated()"],
    ),
    "text column": (make_bars().astype({"low": str}), ["column 'low' holds", 'pd.to_numeric(bars["low"])']),
    "numbers as index": (make_bars().reset_index(drop=True), ["RangeIndex", "expected times", "set_index"]),
    "periods as index": (
        make_bars(index=pd.period_range("2024-01", periods=10, freq="M")),
        ["PeriodIndex", "to_timestamp()"],
    ),
    "several symbols below": (pd.concat({"A": make_bars()}), ["2 levels", "xs("]),
    "several symbols beside": (pd.concat({"A": make_bars()}, axis=1), ["2 levels", "xs("]),
    "missing stamp": (
        make_bars(index=pd.DatetimeIndex(["2024-03-04", pd.NaT, *pd.bdate_range("2024-03-06", periods=8)])),
        ["1 of 10 times are missing", "row 1", "notna()"],
    ),
    "missing first stamp": (
        make_bars(index=pd.DatetimeIndex([pd.NaT, *pd.bdate_range("2024-03-06", periods=9)])),
        ["1 of 10 times are missing", "row 0"],
    ),
    "intraday without zone": (
        make_bars(index=pd.date_range("2024-03-04 09:30", periods=10, freq="min")),
        ["have no zone", "2024-03-04 09:30", 'tz_localize("UTC")', 'tz_convert("UTC")'],
    ),
    "intraday in another zone": (
        make_bars(index=pd.date_range("2024-03-04 09:30", periods=10, freq="min", tz="America/New_York")),
        ["zone America/New_York", 'bars.tz_convert("UTC")'],
    ),
    "daily in another zone": (
        make_bars(index=pd.bdate_range("2024-03-04", periods=10, tz="America/New_York")),
        ["zone America/New_York", "bars.tz_localize(None)"],
    ),
    "mixed zones": (
        make_bars(
            index=pd.Index(
                [pd.Timestamp("2024-03-04 09:30", tz="America/New_York"), pd.Timestamp("2024-03-04 15:30", tz="UTC")]
                * 5,
                dtype=object,
            )
        ),
        ["mix 2 time zones", "UTC", "utc=True"],
    ),
    "mixed offsets": (
        make_bars(
            index=pd.Index(
                [pd.Timestamp("2024-03-08 09:30-05:00"), pd.Timestamp("2024-03-11 09:30-04:00")] * 5, dtype=object
            )
        ),
        ["mix 2 time zones or offsets", "utc=True"],
    ),
    "text as index": (make_bars(index=pd.Index(["2024-03-04"] * 10)), ["expected times", "pd.to_datetime(bars.index)"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_bars_are_refused_with_place_and_remedy(case: str) -> None:
    bars, expected = CASES[case]
    with pytest.raises(InputError) as caught:
        check_bars(bars)
    for part in expected:
        assert part in str(caught.value)


def test_the_proposed_remedies_work() -> None:
    bars = make_bars().iloc[[0, 2, 1, 1, 3]]
    bars = bars.sort_index()
    bars = bars[~bars.index.duplicated()]
    check_bars(bars)
    bars = with_value("close", 6, 10.0)
    bars["high"] = bars[["open", "high", "close"]].max(axis=1)
    bars["low"] = bars[["open", "low", "close"]].min(axis=1)
    check_bars(bars)
    stamps = pd.date_range("2024-03-04 09:30", periods=10, freq="min")
    check_bars(make_bars(index=stamps).tz_localize("America/New_York").tz_convert("UTC"))


@pytest.mark.parametrize("thing", [None, [1, 2], pd.Series([1.0]), np.ones((3, 5)), {"open": [1]}])
def test_what_is_no_frame_is_refused(thing: object) -> None:
    with pytest.raises(InputError, match="expected a pandas DataFrame"):
        check_bars(thing)  # type: ignore[arg-type]  # the mistake under test


def test_too_few_bars_are_refused_where_more_are_needed() -> None:
    check_bars(make_bars(1))
    with pytest.raises(InputError, match=r"1 row\(s\), this needs at least 2"):
        check_bars(make_bars(1), min_bars=2)


def test_nan_passes_where_the_caller_asks_for_it_but_nothing_else_does() -> None:
    check_bars(with_value("close", 4, np.nan), nan_policy="omit")
    check_bars(with_value("close", 4, np.nan), nan_policy="propagate")
    both = with_value("close", 4, np.nan)
    both.iloc[7, 2] = -1.0
    with pytest.raises(InputError, match=r"low is zero or negative in 1 of 10 bars, first at 2024-03-13"):
        check_bars(both, nan_policy="propagate")


def test_an_unknown_nan_policy_is_refused() -> None:
    with pytest.raises(InputError, match="nan_policy is 'ignore'"):
        check_bars(make_bars(), nan_policy="ignore")  # type: ignore[arg-type]  # the mistake under test


def test_a_rounding_error_outside_the_range_passes_and_more_does_not() -> None:
    check_bars(with_value("open", 0, 101.0 * (1 + 0.9e-9)))
    with pytest.raises(InputError, match="open lies outside"):
        check_bars(with_value("open", 0, 101.0 * (1 + 1.1e-9)))


def test_columns_are_handed_out_without_a_copy_and_with_one_signature() -> None:
    bars = make_bars(100)
    block = frame_of(pd.DatetimeIndex(bars.index), bar_arrays(bars))
    for name, column in zip(COLUMNS, bar_arrays(block), strict=True):
        assert np.shares_memory(column, block[name].to_numpy())
        assert column.flags.c_contiguous
        assert column.flags.writeable
    before = len(bars_are_sound.signatures)
    check_bars(block)
    check_bars(bars)
    check_bars(bars.astype({"volume": np.int64}))
    check_bars(bars.iloc[::2])
    check_bars(bars.drop(columns="volume"))
    check_bars(pd.DataFrame(bars.to_numpy().copy(order="C"), index=bars.index, columns=list(COLUMNS)))
    assert max(before, 1) == len(bars_are_sound.signatures) == 1


def test_memory_that_cannot_be_written_is_copied() -> None:
    bars = make_bars()
    block = np.ascontiguousarray(bars.to_numpy().T)
    frozen = np.frombuffer(block.tobytes()).reshape(5, 10)
    arrays = bar_arrays(pd.DataFrame(frozen.T, index=bars.index, columns=list(COLUMNS)))
    assert all(column.flags.writeable for column in arrays)
    assert arrays.close.tolist() == bars["close"].tolist()


@pytest.mark.parametrize("kind", ["int64", "float32", "Int64", "Float64"])
def test_other_kinds_of_number_are_converted(kind: str) -> None:
    bars = (make_bars() * 2).astype(kind)
    arrays = bar_arrays(bars)
    assert all(column.dtype == np.float64 for column in arrays)
    assert arrays.close.tolist() == (make_bars()["close"] * 2).tolist()


def test_other_columns_are_not_looked_at() -> None:
    bars = make_bars()
    bars["note"] = "x"
    bars["factor"] = np.nan
    assert (
        checked_arrays(bars[["note", "close", "factor", "open", "low", "high"]]).open.tolist() == bars["open"].tolist()
    )


def test_a_frame_of_arrays_gives_the_arrays_back() -> None:
    arrays = bar_arrays(make_bars())
    again = frame_of(pd.bdate_range("2024-03-04", periods=10), arrays)
    assert again.index.name == "time"
    assert isinstance(bar_arrays(again), BarArrays)
    for one, other in zip(bar_arrays(again), arrays, strict=True):
        assert one.tolist() == other.tolist()


def test_index_times_are_in_the_unit_of_the_index() -> None:
    index = pd.DatetimeIndex(["1970-01-01 00:00:02"]).as_unit("ms")
    assert index_times(index).tolist() == [2000]
