"""The samples: real history with its provenance, found without importing the package that brings it."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from algotrendy.data import provenance, sample, samples, stale_opens
from algotrendy.domain.bars import COLUMNS, bar_arrays, check_bars
from algotrendy.errors import DataError, InputError


def rows_of_file(name: str) -> list[dict[str, str]]:
    spec = importlib.util.find_spec("arch")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "data" / name / f"{name}.csv.gz"
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("name", ["SP500", "NASDAQ"])
def test_a_sample_holds_every_number_of_its_file(name: str) -> None:
    bars, rows = sample(name), rows_of_file(name.lower())
    assert len(bars) == len(rows) == 5031
    for column in COLUMNS:
        assert bars[column].tolist() == [float(row[column.capitalize()]) for row in rows]
    dates = [f"{stamp.month}/{stamp.day}/{stamp.year}" for stamp in bars.index]
    assert dates == [row["Date"] for row in rows]


@pytest.mark.parametrize("name", samples())
def test_a_sample_is_sound_and_lies_in_one_block(name: str) -> None:
    bars = sample(name)
    check_bars(bars)
    assert list(bars.columns) == list(COLUMNS)
    assert (bars.dtypes == np.float64).all()
    assert bars.index.name == "time"
    assert bars.index.tz is None
    assert bars.index.unit == "ns"
    assert np.shares_memory(bar_arrays(bars).close, bars["close"].to_numpy())


@pytest.mark.parametrize("name", samples())
def test_the_provenance_says_what_a_user_must_know(name: str) -> None:
    facts = provenance(sample(name))
    assert facts["kind"] == "price index, no dividends, not tradable"
    assert facts["tradable"] is False
    assert (facts["first"], facts["last"], facts["rows"]) == ("1999-01-04", "2018-12-31", 5031)
    assert "arch" in facts["source"]
    assert json.loads(json.dumps(facts)) == facts


def test_the_opens_of_the_sp500_are_stale_before_2006_and_those_of_the_nasdaq_are_not() -> None:
    found = stale_opens(sample("SP500"))
    assert found.years == (1999, 2000, 2001, 2002, 2003, 2004, 2005)
    assert found.count == 1694
    assert any("1999-2005" in note for note in provenance(sample("SP500"))["notes"])
    assert not stale_opens(sample("NASDAQ"))


def test_stale_opens_are_found_without_the_provenance() -> None:
    bars = sample("SP500")
    bars.attrs.clear()
    assert stale_opens(bars)


@pytest.mark.parametrize("name", ["nasdaq", "Nasdaq", "s&p 500", "S&P500"])
def test_names_are_taken_in_any_case(name: str) -> None:
    assert len(sample(name)) == 5031


def test_what_is_no_sample_is_refused_with_what_there_is() -> None:
    with pytest.raises(InputError, match=r"no sample 'NASDQ'; there are: NASDAQ, SP500; did you mean 'NASDAQ'"):
        sample("NASDQ")
    with pytest.raises(InputError, match="closes only"):
        sample("VIX")
    with pytest.raises(InputError, match="no sample 5"):
        sample(5)  # type: ignore[arg-type]  # the mistake under test


def test_each_call_gives_bars_of_its_own() -> None:
    first = sample("NASDAQ")
    first.iloc[0, 0] = 1.0
    first.attrs["algotrendy"]["name"] = "changed"
    again = sample("NASDAQ")
    assert again.iloc[0, 0] == 2207.540039
    assert provenance(again)["name"] == "NASDAQ"


def test_the_package_that_brings_the_files_is_not_imported() -> None:
    program = "import sys; from algotrendy.data import sample; sample('NASDAQ'); print('arch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install arch"):
        sample("NASDAQ")


def test_a_missing_file_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("algotrendy.data.index_history._arch_folder", lambda: tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        sample("NASDAQ")


def test_years_of_the_sample_are_sessions() -> None:
    years = pd.Series(1, index=sample("NASDAQ").index).groupby(lambda stamp: stamp.year).sum()
    assert years.between(248, 253).all()
