"""`algotrendy data` as a user meets it: real processes, their output, their exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import algotrendy as at


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `algotrendy data ...` in `folder`, with a store of its own there."""
    return subprocess.run(
        [sys.executable, "-m", "algotrendy", "data", *arguments],
        cwd=folder,
        env={**os.environ, "ALGOTRENDY_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_get_prints_and_writes_bars(tmp_path: Path) -> None:
    words = ("--source", "sample", "--asset-class", "index", "--start", "2018-12-01", "--end", "2019-01-01")
    done = run(tmp_path, "get", "NASDAQ", *words, "--out", "bars.csv")
    assert done.returncode == 0, done.stderr
    assert "NASDAQ: 19 rows" in done.stdout
    written = at.read_csv(tmp_path / "bars.csv")
    np.testing.assert_array_equal(written["close"], at.sample("NASDAQ").loc["2018-12":, "close"])


def test_get_tells_what_failed_and_still_gives_the_rest(tmp_path: Path) -> None:
    done = run(tmp_path, "get", "NASDAQ", "NOPE", "--source", "sample", "--asset-class", "index", "--period", "max")
    assert done.returncode == 1
    assert "NASDAQ: 5,031 rows" in done.stdout
    assert "NOPE: there is no sample 'NOPE'" in done.stdout


def test_get_draws_another_chart_style(tmp_path: Path) -> None:
    words = ("--source", "sample", "--asset-class", "index", "--period", "max", "--chart", "renko", "--set", "size=100")
    done = run(tmp_path, "get", "NASDAQ", *words)
    assert done.returncode == 0, done.stderr
    assert "direction" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("get", "AAPL", "--source", "yahoos"), "no provider 'yahoos'"),
        (("get", "AAPL", "--source", "polygon", "--replay", "x"), "No such option"),
        (("get", "NASDAQ", "--source", "sample", "--asset-class", "shares"), "'shares' is not an asset class"),
        (("get", "NASDAQ", "--source", "sample", "--period", "1 year"), "'1 year' is not a period"),
        (("get", "NASDAQ", "--source", "sample", "--start", "2019", "--end", "2018"), "does not lie before the end"),
        (("quality",), "either --data FILE or --sample NAME"),
        (("export", "NOBODY", "x.csv"), "no 1d bars of NOBODY are stored"),
        (("import", "none.csv", "--instrument", "stock:XNAS:A"), "there is no file none.csv"),
        (("stream", "--seconds", "0"), "--seconds is 0.0"),
    ],
)
def test_a_wrong_call_says_how_to_mend_it(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_quality_names_dates_and_ends_with_1_where_it_finds_something(tmp_path: Path) -> None:
    done = run(tmp_path, "quality", "--sample", "SP500", "--html", "found.html")
    assert done.returncode == 1, done.stderr
    assert "stale_open" in done.stdout
    assert "1999-01-05" in done.stdout
    assert (tmp_path / "found.html").stat().st_size > 100_000


def test_repair_writes_bars_and_a_record_of_each_change(tmp_path: Path) -> None:
    bars = at.synthetic(n=600, seed=5)
    bars.iloc[300, :4] *= 100.0  # one bar in the wrong unit
    bars.to_csv(tmp_path / "broken.csv")
    done = run(tmp_path, "repair", "--data", "broken.csv", "--out", "fixed.csv", "--record", "changes.csv")
    assert done.returncode == 0, done.stderr
    fixed = at.read_csv(tmp_path / "fixed.csv")
    changes = pd.read_csv(tmp_path / "changes.csv")
    assert set(changes["column"]) >= {"open", "high", "low", "close"}
    np.testing.assert_allclose(fixed["close"].iloc[300] * 100.0, bars["close"].iloc[300], rtol=1e-9)
    refused = run(tmp_path, "repair", "--data", "broken.csv", "--out", "broken.csv")
    assert refused.returncode == 2
    assert "another one" in refused.stderr


def test_stream_replays_trades_and_builds_bars(tmp_path: Path) -> None:
    stamps = pd.date_range("2024-03-01 14:30", periods=400, freq="100ms", tz="UTC")
    trades = pd.DataFrame({"time": stamps, "price": np.linspace(10.0, 14.0, 400), "size": 1.0})
    trades.to_parquet(tmp_path / "acme.parquet")
    done = run(tmp_path, "stream", "--trades", "acme.parquet", "--speed", "1000", "--bars", "10s", "--seconds", "20")
    assert done.returncode == 0, done.stderr
    assert "400 ticks, 400 delivered, 0 dropped" in done.stdout
    assert done.stdout.count("100 ticks") == 3, "the fourth bar was not over when the recording ended"


def test_what_is_imported_can_be_exported(tmp_path: Path) -> None:
    bars = at.synthetic(n=100, seed=2)
    bars.to_csv(tmp_path / "mine.csv")
    put = run(tmp_path, "import", "mine.csv", "--instrument", "stock:XNAS:MINE")
    assert put.returncode == 0, put.stderr
    got = run(tmp_path, "export", "MINE", "again.parquet")
    assert got.returncode == 0, got.stderr
    again = at.read_parquet(tmp_path / "again.parquet")
    np.testing.assert_array_equal(again.to_numpy(), bars.to_numpy())
