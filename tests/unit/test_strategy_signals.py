"""Signals as arrays: packing, alignment, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from algotrendy.errors import InputError
from algotrendy.strategy.signals import Signals, level_array, signal_words

INDEX = pd.bdate_range("2024-01-01", periods=4)
BOOLS = np.array([True, False, True, False])


def arrays(**fields: Any) -> list[Any]:
    return Signals(**fields).arrays(INDEX, len(INDEX))


@pytest.mark.parametrize("n_bars", [1, 7, 8, 63, 64, 65, 128, 1000])
def test_bit_i_of_the_words_is_bar_i(n_bars: int) -> None:
    rng = np.random.default_rng(n_bars)
    conditions = [rng.random(n_bars) < 0.5, None, rng.random(n_bars) < 0.1, np.ones(n_bars, dtype=bool)]
    words = signal_words(conditions)
    assert words.shape == (4, -(-n_bars // 64))
    assert words.dtype == np.uint64
    for row, condition in zip(words, conditions, strict=True):
        bits = [bool(int(row[i // 64]) >> (i % 64) & 1) for i in range(n_bars)]
        assert bits == ([False] * n_bars if condition is None else condition.tolist())
        assert sum(int(word).bit_count() for word in row) == sum(bits)


@pytest.mark.parametrize(
    "given",
    [
        BOOLS,
        list(BOOLS),
        pd.Series(BOOLS, index=INDEX),
        pd.Series(BOOLS, index=INDEX, dtype="boolean"),
        pd.Series([True, None, True, np.nan], index=INDEX, dtype=object),
        pd.Series([True, pd.NA, True, False], index=INDEX, dtype="boolean"),
        pd.DataFrame({"AAPL": BOOLS}, index=INDEX),
        pl.Series([True, None, True, False]),
    ],
    ids=["array", "list", "series", "nullable", "objects", "with-NA", "frame", "polars"],
)
def test_every_form_of_booleans_is_taken_and_missing_ones_never_trade(given: Any) -> None:
    entries, *rest = arrays(entries=given)
    assert entries.tolist() == [True, False, True, False]
    assert rest == [None, None, None]


def test_an_index_in_another_unit_with_the_same_stamps_fits() -> None:
    series = pd.Series(BOOLS, index=INDEX.as_unit("s"))
    assert arrays(entries=series)[0].tolist() == BOOLS.tolist()


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (INDEX + pd.Timedelta(days=7), "row 0, '2024-01-08 00:00:00' against '2024-01-01 00:00:00' of the bars"),
        (INDEX[[0, 1, 3, 2]], "row 2, '2024-01-04 00:00:00' against '2024-01-03 00:00:00'"),
        (pd.RangeIndex(4), "row 0, '0' against '2024-01-01"),
        (INDEX.tz_localize("UTC"), "row 0, '2024-01-01 00:00:00.00:00' against '2024-01-01 00:00:00'"),
    ],
)
def test_a_misaligned_index_is_refused_at_the_first_difference(index: pd.Index, message: str) -> None:
    with pytest.raises(InputError, match=message):
        arrays(entries=pd.Series(BOOLS, index=index))


def test_a_shorter_series_says_where_it_ends() -> None:
    with pytest.raises(InputError, match=r"exits has 3 rows, the bars 4.*row 3, nothing against '2024-01-04"):
        arrays(entries=BOOLS, exits=pd.Series(BOOLS[:3], index=INDEX[:3]))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.array([1.0, 0.0, 1.0, 0.0]), "holds float64 values; give booleans: `entries > 0`"),
        (np.array([1, 0, 1, 0]), r"holds int.* values; give booleans.*astype\(bool\)"),
        (np.array([True, False, "yes", None], dtype=object), "is 'yes' at 2024-01-03 00:00:00 .row 2."),
        (np.array([True, False, 1.0, None], dtype=object), "is 1.0 at 2024-01-03"),
        (BOOLS[:2], "has 2 values, the bars have 4 rows"),
        (BOOLS.reshape(2, 2), r"has the shape \(2, 2\)"),
        (True, r"has the shape \(\)"),
        ("close > 1", "put a text in a Strategy"),
        (pd.DataFrame({"A": BOOLS, "B": BOOLS}, index=INDEX), "a frame of 2 columns"),
    ],
)
def test_what_is_not_one_boolean_per_bar_is_refused_with_a_remedy(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        arrays(entries=given)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "nothing opens a position"),
        ({"exits": BOOLS}, "nothing opens a position"),
        ({"entries": BOOLS, "short_exits": BOOLS}, "give short_entries= too"),
        ({"short_entries": BOOLS, "exits": BOOLS}, "give entries= too"),
    ],
)
def test_signals_without_an_entry_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        arrays(**fields)


@pytest.mark.parametrize(
    "given",
    [
        Signals(entries=BOOLS, exits=~BOOLS),
        {"entries": BOOLS, "exits": ~BOOLS},
        pd.DataFrame({"entries": BOOLS, "exits": ~BOOLS}, index=INDEX),
        (BOOLS, ~BOOLS),
        (BOOLS, ~BOOLS, None, None),
    ],
    ids=["signals", "mapping", "frame", "pair", "four"],
)
def test_a_function_may_answer_in_five_forms(given: Any) -> None:
    entries, exits, *rest = Signals.of(given).arrays(INDEX, 4)
    assert entries.tolist() == BOOLS.tolist()
    assert exits.tolist() == (~BOOLS).tolist()
    assert rest == [None, None]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (BOOLS, "gave a ndarray; return at.Signals"),
        (None, "gave a NoneType"),
        ((BOOLS,), "a tuple of 1"),
        ({"entry": BOOLS}, "unknown column 'entry'; did you mean 'entries'"),
    ],
)
def test_any_other_answer_is_refused_with_the_forms(given: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Signals.of(given)


def test_levels_are_one_number_or_one_per_bar() -> None:
    signals = Signals(entries=BOOLS, stop=0.05, size=pd.Series([0.5, np.nan, 1.0, 1.0], index=INDEX))
    levels = signals.levels(INDEX, 4)
    assert levels["stop"].tolist() == [0.05]
    np.testing.assert_array_equal(levels["size"], [0.5, np.nan, 1.0, 1.0])
    assert set(levels) == {"stop", "size"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-0.05, "write it without a sign: stop=0.05"),
        (np.array([0.1, -0.1, 0.1, 0.1]), "stop is -0.1 at 2024-01-02"),
        (np.array([0.1, np.inf, 0.1, 0.1]), "stop is inf at"),
        (BOOLS, "holds bool values; give numbers"),
        (np.array(["a"] * 4), "give numbers"),
        (np.array([0.1]), "has 1 values"),
    ],
)
def test_levels_that_are_no_distances_are_refused(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        level_array("stop", value, INDEX, 4)
