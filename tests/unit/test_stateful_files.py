"""What a stateful strategy asked for is kept in files, and its passport brings it back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import algotrendy as at
from algotrendy.backtest.passport import read_passport
from algotrendy.backtest.result import BacktestResult
from algotrendy.errors import InputError
from algotrendy.strategy import BarStrategy

BARS = at.synthetic(n=120, seed=8)


class Dip(BarStrategy):
    """Buys what fell, with a bracket."""

    drop = 0.01

    def on_bar(self, ctx: Any) -> None:
        closes = ctx.past("close", 2)
        if not ctx.position() and not ctx.orders and closes[-1] < closes[0] * (1.0 - self.drop):
            ctx.buy(size=0.5, stop_price=ctx.bar.close * 0.97, target_price=ctx.bar.close * 1.02)


class Idle(BarStrategy):
    """Never orders."""


class Quiet(Idle):
    def on_bar(self, ctx: Any) -> None:
        """Do nothing."""


@pytest.mark.parametrize("suffix", [".json", ".parquet"])
@pytest.mark.parametrize("strategy", [Dip(), Quiet()], ids=lambda strategy: type(strategy).__name__)
def test_what_was_asked_for_is_read_back_equal(tmp_path: Path, strategy: BarStrategy, suffix: str) -> None:
    result = at.backtest(strategy, BARS)
    loaded = BacktestResult.load(result.save(tmp_path / f"run{suffix}"))
    assert result.requests is not None
    assert loaded.requests is not None
    pd.testing.assert_frame_equal(loaded.requests, result.requests, check_exact=True)


def test_a_file_from_before_has_no_requests(tmp_path: Path) -> None:
    path = at.backtest(Dip(), BARS).save(tmp_path / "run.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    del content["requests"]
    path.write_text(json.dumps(content), encoding="utf-8")
    assert BacktestResult.load(path).requests is None


def test_a_passport_names_the_class_and_is_run_again_with_it(tmp_path: Path) -> None:
    result = at.backtest(Dip(drop=0.012), BARS, commission=0.001)
    file = result.passport(tmp_path / "passport.json")
    content = read_passport(file)
    assert content["definition"]["function"].endswith("Dip")
    assert len(content["definition"]["source_hash"]) == 64
    assert result.requests is not None
    assert [each["name"] for each in content["results"]["requests"]] == list(result.requests.columns)
    for again in (Dip, Dip(drop=0.012)):  # of a class the parameters of the passport are taken
        assert str(at.verify(file, BARS, strategy=again)).startswith("Equal bit for bit")
    other = at.verify(file, BARS, strategy=Dip(drop=0.02))
    assert "definition.params.drop" in [each.field for each in other.mismatches]
    assert [each.field for each in at.verify(file, BARS, strategy=Quiet()).mismatches] == ["definition.source_hash"]
    with pytest.raises(InputError, match="no code is taken from a file"):
        at.verify(file, BARS)


def test_a_passport_of_a_class_that_nobody_could_find_is_refused(tmp_path: Path) -> None:
    class Local(Dip):
        """Defined inside a function."""

    result = at.backtest(Local(), BARS)
    with pytest.raises(InputError, match=r"the class .*Local is not found by that name"):
        result.passport(tmp_path / "passport.json")
    file = result.passport(tmp_path / "passport.json", strategy=Local())
    assert at.verify(file, BARS, strategy=Local())
