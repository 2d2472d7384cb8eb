"""Random and Bayesian search, several metrics, constraints, patience, and searches that are killed."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import algotrendy as at
from algotrendy.backtest.sweep.constraints import Constraints
from algotrendy.backtest.sweep.grid import make_grid
from algotrendy.backtest.sweep.methods import as_method, as_metric
from algotrendy.backtest.sweep.pareto import front
from algotrendy.backtest.sweep.series import grid_codes
from algotrendy.backtest.sweep.space import Span, make_space
from algotrendy.compute import Cancel
from algotrendy.errors import ExpressionError, InputError
from algotrendy.kernels.statistics_names import METRICS

SPANS: dict[str, Any] = {"fast": (2, 40), "slow": (10, 120), "stop": (0.01, 0.2, "log")}
METHODS = ["random", "bayesian"]


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return at.synthetic(n=600, seed=5)


def cross(**levels: Any) -> at.Strategy:
    return at.Strategy(
        entry="sma(close, fast) > sma(close, slow)", exit="sma(close, fast) <= sma(close, slow)",
        fast=5, slow=20, **levels,
    )  # fmt: skip


def searched(bars: pd.DataFrame, method: str, spans: Any = None, **options: Any) -> at.SweepResult:
    if method == "bayesian":
        pytest.importorskip("optuna", reason="extra: optuna is not installed")
    given = {"n_trials": 40, "seed": 3, "where": "fast < slow", "progress": False, **options}
    return at.optimize(cross(), bars, SPANS if spans is None else spans, method=method, **given)


@pytest.mark.parametrize("method", METHODS)
def test_a_search_stays_in_its_spans_and_its_rows_are_backtests(bars: pd.DataFrame, method: str) -> None:
    sweep = searched(bars, method, commission=0.0005)
    table = sweep.table
    assert 30 <= len(table) <= 40
    assert table["fast"].between(2, 40).all()
    assert table["slow"].between(10, 120).all()
    assert table["stop"].between(0.01, 0.2).all()
    assert (table["fast"] < table["slow"]).all()
    assert {name: table[name].dtype.kind for name in SPANS} == {"fast": "i", "slow": "i", "stop": "f"}
    assert not table.duplicated(list(SPANS)).any()
    for row in table.index[:10]:
        metrics = sweep.run(row).metrics
        for name in METRICS:
            assert table.at[row, name] == pytest.approx(metrics[name], rel=1e-9, nan_ok=True)


@pytest.mark.parametrize("method", METHODS)
def test_the_seed_makes_the_table_whatever_the_workers(bars: pd.DataFrame, method: str) -> None:
    one, two = (searched(bars, method, workers=n).table for n in (1, 3))
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    processes = searched(bars, method, executor="processes", workers=2).table
    pd.testing.assert_frame_equal(one, processes, check_exact=True)
    assert not one[list(SPANS)].equals(searched(bars, method, seed=4).table[list(SPANS)])


def test_a_bayesian_search_beats_a_random_one_where_there_is_something_to_learn() -> None:
    """A slope: the stop's best place is known, so proposals must gather around it more than chance does."""
    bars = at.synthetic(n=600, seed=5)
    spans = {"commission": (0.0, 0.05), "slippage": (0.0, 0.05)}
    best = {}
    for method in METHODS:
        found = [searched(bars, method, spans, n_trials=64, seed=seed, where=None) for seed in range(3)]
        best[method] = np.mean([each.table["commission"].tail(24).mean() for each in found])
    assert best["bayesian"] < 0.6 * best["random"]


def test_where_values_can_be_listed_none_comes_twice_and_all_come_at_last(bars: pd.DataFrame) -> None:
    grid = {"fast": [3, 5, 8], "slow": range(10, 14)}
    whole = at.optimize(cross(), bars, grid).table
    drawn = at.optimize(cross(), bars, grid, method="random", n_trials=1000, seed=1).table
    order = ["fast", "slow"]
    pd.testing.assert_frame_equal(
        drawn.sort_values(order, ignore_index=True), whole.sort_values(order, ignore_index=True), check_exact=True
    )
    few = at.optimize(cross(), bars, grid, method="random", n_trials=5, seed=1).table
    pd.testing.assert_frame_equal(few, drawn[:5], check_exact=True)


def test_a_bayesian_search_ends_where_nothing_is_left(bars: pd.DataFrame) -> None:
    sweep = searched(bars, "bayesian", {"fast": [3, 5], "slow": [10, 12]}, n_trials=2000)
    assert len(sweep.table) == 4
    assert "nothing new" in sweep.note
    assert sweep.complete


@pytest.mark.parametrize("method", METHODS)
def test_patience_ends_a_search(bars: pd.DataFrame, method: str) -> None:
    sweep = searched(bars, method, n_trials=600, patience=25, where=None)
    values = sweep.table["sharpe_ratio"].to_numpy()
    assert "25 without improvement" in sweep.note
    assert sweep.complete
    assert len(values) < 600
    if method == "random":  # exactly so many after the best, which stands in the whole table too
        assert len(values) - 1 - int(np.nanargmax(values)) == 25
        whole = searched(bars, method, n_trials=600, where=None).table
        pd.testing.assert_frame_equal(sweep.table, whole[: len(values)], check_exact=True)


def test_specs_stand_for_what_they_allow(bars: pd.DataFrame) -> None:
    specs = [
        at.ParameterSpec("fast", "int", 3, 5, default=3),
        at.ParameterSpec("slow", "choice", choices=[9, 12], default=9),
    ]
    strategy = at.Strategy(
        entry="sma(close, fast) > sma(close, slow)", exit="sma(close, fast) <= sma(close, slow)",
        params={spec.name: spec for spec in specs},
    )  # fmt: skip
    for grid in (None, ["fast", "slow"], {spec.name: spec for spec in specs}):
        assert len(at.optimize(strategy, bars, grid)) == 6
    assert len(at.optimize(strategy, bars, ["fast"])) == 3
    assert make_space(["fast"], strategy, spans=True) == {"fast": Span(3, 5, whole=True)}
    with pytest.raises(InputError, match="did you mean 'fast'"):
        at.optimize(strategy, bars, ["fsat"])
    with pytest.raises(InputError, match="nothing is varied"):
        at.optimize(cross(), bars)


@given(
    points=arrays(np.float64, st.tuples(st.integers(0, 30), st.integers(1, 3)), elements=st.sampled_from(
        [-1.0, 0.0, 0.5, 1.0, 2.0, float("nan")])),
)  # fmt: skip
def test_the_front_equals_its_definition(points: np.ndarray) -> None:
    expected = [
        not np.isnan(one).any()
        and not any((other >= one).all() and (other > one).any() for other in points if not np.isnan(other).any())
        for one in points
    ]
    assert front(points).tolist() == expected


@pytest.mark.parametrize("method", ["grid", *METHODS])
def test_several_metrics_give_a_front(bars: pd.DataFrame, method: str) -> None:
    metrics = ["annual_return", "max_drawdown"]
    spans = {"fast": range(2, 12), "slow": range(12, 40, 4)} if method == "grid" else SPANS
    options: dict[str, Any] = {"n_trials": None, "seed": None} if method == "grid" else {}
    sweep = searched(bars, method, spans, metric=metrics, **options)
    best = sweep.pareto()
    assert best["annual_return"].is_monotonic_decreasing
    for row in best.index:
        better = (sweep.table["annual_return"] >= best.at[row, "annual_return"]) & (
            sweep.table["max_drawdown"] <= best.at[row, "max_drawdown"]
        )
        strictly = (sweep.table["annual_return"] > best.at[row, "annual_return"]) | (
            sweep.table["max_drawdown"] < best.at[row, "max_drawdown"]
        )
        assert not (better & strictly).any()
    assert best.index[0] == sweep.top(1).index[0]
    assert sweep.pareto("win_rate")["win_rate"].nunique() == 1


@pytest.mark.parametrize("method", ["grid", *METHODS])
def test_constraints_choose_among_what_is_tried(bars: pd.DataFrame, method: str) -> None:
    limits = "max_drawdown < 0.25 and n_trades >= 6"
    spans = {"fast": range(2, 12), "slow": range(12, 60, 4)} if method == "grid" else SPANS
    options: dict[str, Any] = {"n_trials": None, "seed": None} if method == "grid" else {}
    sweep = searched(bars, method, spans, constraints=limits, **options)
    allowed = sweep.table.query("max_drawdown < 0.25 and n_trades >= 6")
    assert 0 < len(allowed) < len(sweep.table)
    assert sweep.best_params == {name: allowed.loc[allowed["sharpe_ratio"].idxmax(), name] for name in sweep.parameters}
    assert set(sweep.pareto("sharpe_ratio", "max_drawdown").index) <= set(allowed.index)
    assert f"{len(allowed)} of them meet" in str(sweep)


def test_constraints_that_nothing_meets_say_so(bars: pd.DataFrame) -> None:
    sweep = at.optimize(cross(), bars, {"fast": [3, 5]}, constraints="n_trades > 10000")
    with pytest.raises(InputError, match="none of the 2 combinations meets"):
        sweep.best_params  # noqa: B018
    assert len(sweep.top()) == 0


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("max_drawdwn < 1", ExpressionError, "max_drawdown"),
        ("n_trades + 1", InputError, "is a number"),
        ("fast < 5", ExpressionError, "fast"),
        (3, InputError, "give a condition"),
    ],
)
def test_wrong_constraints_say_what_is_wrong(text: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Constraints(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "annealing"}, "'grid', 'random', 'bayesian'"),
        ({"n_trials": 3}, "a grid is tried whole"),
        ({"method": "random", "n_trials": 0}, "n_trials"),
        ({"method": "random", "patience": True}, "patience"),
        ({"method": "random", "seed": -1}, "seed"),
        ({"metric": []}, "metric"),
        ({"metric": ["sharpe_ratio", "max_sharpe"]}, "different ones"),
        ({"executor": "cloud"}, "'threads', 'processes', 'ray'"),
        ({"method": "random", "grid": {"fast": (9, 2)}}, "low below high"),
        ({"method": "random", "grid": {"stop": (0.0, 0.1, "log")}}, "above zero"),
        ({"method": "random", "grid": {"stop": (0.1, 0.2, "lin")}}, '"log"'),
        ({"method": "random", "grid": {"fast": (0, 9)}}, "fast"),
        ({"method": "random", "grid": {"stop": (0.5, 7.0)}}, "fractions|percent"),
        ({"grid": "fast"}, "is the text"),
    ],
)
def test_a_wrong_call_says_what_is_wrong(bars: pd.DataFrame, options: dict[str, Any], message: str) -> None:
    given = {"grid": {"fast": [3, 5]}, **options}
    with pytest.raises(InputError, match=message):
        at.optimize(cross(), bars, given.pop("grid"), **given)


def test_a_where_that_lets_nothing_through_says_so(bars: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="let only 0"):
        searched(bars, "random", where="fast > 1000")
    with pytest.raises(InputError, match="let no proposed"):
        searched(bars, "bayesian", where="fast > 1000")


@pytest.mark.parametrize(
    ("other", "name"), [("grid_search", "grid"), ("random_search", "random"), ("bayesian_optimization", "bayesian")]
)
def test_methods_go_by_other_names(other: str, name: str) -> None:
    assert as_method(other) == as_method(name) == name


def test_objectives_go_by_other_names(bars: pd.DataFrame) -> None:
    assert as_metric("max_sharpe") == "sharpe_ratio"
    assert as_metric("min_drawdown") == "max_drawdown"
    assert (
        at.optimize(cross(), bars, {"fast": [3, 5]}, metric="max_sharpe", method="grid_search").metric == "sharpe_ratio"
    )


def test_codes_of_many_names_with_many_values_do_not_run_over() -> None:
    rng = np.random.default_rng(1)
    names = [f"p{k}" for k in range(8)]
    grid = make_grid({name: [0.0, 1.0] for name in names})
    index = rng.integers(0, 2000, (3000, 8)).astype(np.int32)
    index[1500:] = index[:1500]
    wide = type(grid)(tuple(names), tuple(tuple(range(2000)) for _ in names), index)
    codes = grid_codes(wide, names)
    assert (codes[:1500] == codes[1500:]).all()
    assert len(np.unique(codes)) == len(np.unique(index, axis=0))


# --- searches that are killed ---


@pytest.mark.parametrize("method", ["grid", *METHODS])
def test_a_finished_file_computes_nothing_again(
    bars: pd.DataFrame, tmp_path: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spans = {"fast": range(2, 12), "slow": range(12, 40)} if method == "grid" else SPANS
    options: dict[str, Any] = {"n_trials": None, "seed": None} if method == "grid" else {}
    first = searched(bars, method, spans, checkpoint=tmp_path / "run", **options)
    from algotrendy.backtest.sweep.declarative import DeclarativeSweep

    monkeypatch.setattr(DeclarativeSweep, "run", None)
    again = searched(bars, method, spans, checkpoint=tmp_path / "run", **options)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    with pytest.raises(InputError, match=r"another optimisation: .*options differs"):
        searched(bars, method, spans, checkpoint=tmp_path / "run", commission=0.1, **options)


def test_a_file_of_another_where_is_refused(bars: pd.DataFrame, tmp_path: Path) -> None:
    first = searched(bars, "random", checkpoint=tmp_path / "run")
    assert searched(bars, "random", checkpoint=tmp_path / "run").table.equals(first.table)
    with pytest.raises(InputError, match="another `where`"):
        searched(bars, "random", checkpoint=tmp_path / "run", where="fast < slow - 5")


def momentum(bars: pd.DataFrame, params: dict[str, Any]) -> dict[str, Any]:
    rising = bars["close"].pct_change(params["window"]) > 0
    return {"entries": rising, "exits": ~rising}


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_file_of_a_python_function_goes_on(bars: pd.DataFrame, tmp_path: Path, executor: str) -> None:
    grid, path = {"window": range(2, 90)}, tmp_path / "run"
    given: dict[str, Any] = {"params": {"window": 2}, "checkpoint": path, "executor": executor, "workers": 2}
    whole = at.optimize(momentum, bars, grid, params={"window": 2}).table
    cancel = Cancel()
    stopped = at.optimize(
        momentum, bars, grid, **given, cancel=cancel, progress=lambda now: cancel.cancel() if now.done >= 8 else None
    )
    assert not stopped.complete
    assert 0 < len(stopped) < len(whole)
    for _ in range(2):
        pd.testing.assert_frame_equal(at.optimize(momentum, bars, grid, **given).table, whole, check_exact=True)


@pytest.mark.parametrize("method", ["grid", *METHODS])
def test_a_token_stops_a_search(bars: pd.DataFrame, method: str) -> None:
    spans = {"fast": range(2, 60), "slow": range(60, 160), "stop": [0.1, 0.2]} if method == "grid" else SPANS
    options: dict[str, Any] = {"n_trials": None, "seed": None} if method == "grid" else {"n_trials": 2000}
    if method == "random":
        options["patience"] = 2000  # looks at what is done batch by batch
    cancel = Cancel()
    stopped = searched(
        bars, method, spans, cancel=cancel, workers=1, **options,
        progress=lambda now: cancel.cancel() if now.done >= 50 else None,
    )  # fmt: skip
    assert not stopped.complete
    assert 0 < len(stopped) < 11_000
    assert "stopped before its end" in str(stopped)


def test_a_search_without_a_seed_keeps_the_one_that_was_drawn(bars: pd.DataFrame, tmp_path: Path) -> None:
    first, again = (searched(bars, "random", seed=None, checkpoint=tmp_path / "run").table for _ in range(2))
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert not first.equals(searched(bars, "random", seed=None).table)


SCRIPT = """
import pathlib, sys, time
import algotrendy as at
from algotrendy.backtest.sweep.declarative import DeclarativeSweep

folder, seconds, method = pathlib.Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
run = DeclarativeSweep.run

def slowly(self, chunk):
    time.sleep(seconds)
    rows = run(self, chunk)
    with (folder / "computed").open("a") as file:
        file.write(f"{len(rows)}\\n")
    return rows

DeclarativeSweep.run = slowly
import algotrendy.backtest.sweep.declarative as declarative
declarative._WORK_PER_CHUNK = 20 * 600
(folder / "begun").touch()
grid = {"fast": range(2, 22), "slow": range(22, 42)}
options = {} if method == "grid" else {"method": method, "n_trials": 160, "seed": 9}
if method != "grid":
    grid = {"fast": (2, 60), "slow": (22, 150), "stop": (0.01, 0.2)}
sweep = at.optimize(at.strategies.sma_cross(), at.synthetic(n=600, seed=5), grid, checkpoint=folder / "run",
                    workers=1, progress=False, **options)
sweep.table.to_pickle(folder / "table.pkl")
print(sweep.complete, len(sweep))
"""


def script(folder: Path, seconds: float, method: str) -> subprocess.Popen[str]:
    (folder / "begun").unlink(missing_ok=True)
    command = [sys.executable, "-c", SCRIPT, str(folder), str(seconds), method]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grid", *METHODS])
def test_a_search_killed_again_and_again_gives_the_identical_table(tmp_path: Path, method: str) -> None:
    if method == "bayesian":
        pytest.importorskip("optuna", reason="extra: optuna is not installed")
    whole = tmp_path / "whole"
    whole.mkdir()
    out, error = script(whole, 0.0, method).communicate(timeout=120)
    assert out.startswith("True"), error
    rng, kills = random.Random(7), 0
    for _ in range(2):
        run = script(tmp_path, 0.15, method)
        end = time.monotonic() + 60
        while not (tmp_path / "begun").exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(rng.uniform(0.2, 0.7))
        run.kill()
        kills += run.wait(timeout=60) == -signal.SIGKILL
        run.communicate()
    out, error = script(tmp_path, 0.0, method).communicate(timeout=120)
    assert out.startswith("True"), error
    assert kills >= 1
    assert pd.read_pickle(whole / "table.pkl").equals(pd.read_pickle(tmp_path / "table.pkl"))
    computed = sum(map(int, (tmp_path / "computed").read_text().split()))
    assert computed <= len(pd.read_pickle(whole / "table.pkl")) + 20 * kills  # at most the chunk that a kill came amid
