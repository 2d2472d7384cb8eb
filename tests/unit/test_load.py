"""`at.load`: words to requests, one symbol or several, and the settings of the session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.data.loader import Loaded
from algotrendy.errors import DataError, InputError
from algotrendy.research import workspace

INDEX = {"source": "sample", "asset_class": "index"}


@pytest.fixture(autouse=True)
def session() -> Iterator[None]:
    before = workspace().settings
    yield
    at.configure(**before.model_dump())


def test_one_symbol_gives_bars_and_several_a_mapping() -> None:
    one = at.load("NASDAQ", start="2010-01-01", end="2011-01-01", **INDEX)
    pd.testing.assert_frame_equal(one, at.sample("NASDAQ")["2010":"2010"], check_freq=False)
    several = at.load(["NASDAQ", "SP500"], period="max", **INDEX)
    assert isinstance(several, Loaded)
    assert {symbol: len(bars) for symbol, bars in several.items()} == {"NASDAQ": 5031, "SP500": 5031}


def test_failures_are_warned_of_and_kept_by_symbol() -> None:
    with pytest.warns(UserWarning, match="1 of 2 symbols were not loaded: DAX: there is no sample 'DAX'"):
        loaded = at.load(["NASDAQ", "DAX"], period="max", **INDEX)
    assert list(loaded) == ["NASDAQ"]
    with pytest.raises(DataError, match="no sample 'DAX'"):
        loaded["DAX"]
    with pytest.raises(DataError, match="sample served none of the 2 symbols"):
        at.load(["DAX", "FTSE"], period="max", **INDEX)


def test_the_source_is_a_setting_of_the_session() -> None:
    at.configure(source="sample")
    assert len(at.load("NASDAQ", period="max", asset_class="index")) == 5031
    at.configure(source="nowhere")
    with pytest.raises(InputError, match="no provider 'nowhere'"):
        at.load("NASDAQ")


def test_the_store_is_a_setting_of_the_session(tmp_path: Path) -> None:
    from algotrendy.data.store.sql import SqlStore
    from algotrendy.research import _loader

    before = _loader()
    at.configure(store_url=f"sqlite:///{tmp_path}/bars.db")
    assert isinstance(_loader().store, SqlStore)
    at.configure(workers=1)
    assert isinstance(_loader().store, SqlStore), "another setting leaves it as it is"
    at.configure(store_url=None)
    assert type(_loader().store) is type(before.store)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"start": "2011-01-01", "end": "2010-01-01"}, "does not lie before the end"),
        ({"start": "2011-01-01", "period": "1y"}, "both say where to begin"),
        ({"start": "soon"}, "start='soon' is not a time"),
        ({"period": "a year"}, "'a year' is not a period"),
        ({"period": "max", "interval": "1x"}, "'1x' is not an interval"),
        ({"period": "max", "interval": "1h"}, "no bars of 1h, but of 1d"),
        ({"period": "max", "adjusted": "yes"}, "adjusted is 'yes'; choose raw"),
        ({"start": "2300-01-01", "end": "2301-01-01"}, "start"),
    ],
)
def test_a_wrong_word_is_refused(words: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        at.load("NASDAQ", **{**INDEX, **words})


@pytest.mark.parametrize(
    ("symbols", "message"), [([], "no symbol"), (["A", "A"], "more than once: A"), ([1], "a symbol is 1"), ("", "''")]
)
def test_symbols_that_are_none_are_refused(symbols: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        at.load(symbols, period="max", **INDEX)  # type: ignore[arg-type]
