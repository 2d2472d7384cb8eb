"""Discovery: the search sees no bar that it is judged on, chance is called chance, and what was planted is found."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.discovery import (
    FILTERS,
    GUARDS,
    RULES,
    Brief,
    DiscoveryResult,
    Rule,
    SearchLimits,
    SystematicProposer,
    complexity,
    direction,
    discover,
)
from algotrendy.backtest.discovery.grammar import combinations, composed
from algotrendy.backtest.discovery.judge import families_of
from algotrendy.backtest.lookahead.proof import prove
from algotrendy.backtest.procedure.null import null_bars
from algotrendy.backtest.trials import MemoryTrialLedger
from algotrendy.compute import Cancel
from algotrendy.domain.bars import checked_arrays
from algotrendy.errors import InputError

FEW = SystematicProposer(rules=[rule for rule in RULES if rule.name in ("sma cross", "RSI reversion")])
ANY = SearchLimits(min_trades=4, directions=("long", "short", "both"))
SMALL: dict[str, Any] = {
    "limits": ANY, "n_candidates": 30, "finalists": 5, "seed": 3, "n_resamples": 199, "workers": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    return swung(600, seed=7, lean=-0.2)


@pytest.fixture(scope="module")
def found(bars: pd.DataFrame) -> DiscoveryResult:
    return discover(bars, proposer=FEW, commission=0.0005, **SMALL)


def swung(n: int, seed: int, lean: float) -> pd.DataFrame:
    """Return bars whose returns lean on the day before, and which open where the last one closed."""
    shocks, returns = np.random.default_rng(seed).normal(0.0, 0.01, n), np.zeros(n)
    for day in range(1, n):
        returns[day] = lean * returns[day - 1] + shocks[day]
    close = 100.0 * np.cumprod(1.0 + returns)
    opened = np.concatenate(([100.0], close[:-1]))
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    index = pd.bdate_range("2010-01-04", periods=n)
    return pd.DataFrame({"open": opened, "high": high, "low": low, "close": close, "volume": 1e6}, index=index)


# --- honesty ---


def test_what_comes_after_the_search_changes_nothing_that_the_search_did(
    bars: pd.DataFrame, found: DiscoveryResult
) -> None:
    other = bars.copy()
    later = found.split.n_search
    other.iloc[later:] = swung(600, seed=99, lean=0.0).iloc[later:].to_numpy()
    again = discover(other, proposer=FEW, commission=0.0005, **SMALL)
    pd.testing.assert_frame_equal(again.searched, found.searched)
    assert set(again.strategies) == set(found.strategies)
    assert again.table["p_value"].tolist() != found.table["p_value"].tolist()


def test_the_merit_is_the_lower_sharpe_ratio_of_the_halves_of_the_search_bars(
    bars: pd.DataFrame, found: DiscoveryResult
) -> None:
    searched = bars.iloc[: found.split.n_search]
    for strategy, merit in zip(found.strategies, found.table["merit"], strict=True):
        returns = at.backtest(strategy, searched, commission=0.0005).returns.to_numpy()
        halves = np.array_split(returns, 2)
        by_hand = min(half.mean() / half.std(ddof=1) * math.sqrt(252.0) if half.any() else 0.0 for half in halves)
        assert merit == pytest.approx(by_hand, rel=1e-9)
    assert found.table["merit"].min() > 0.0


def test_a_finalist_is_judged_by_what_it_does_after_the_gap_and_on_nothing_else(
    bars: pd.DataFrame, found: DiscoveryResult
) -> None:
    begin = found.split.n_search + found.split.gap
    assert found.split.gap == 20
    for rank, strategy in enumerate(found.strategies, start=1):
        walk = at.walk_forward(
            strategy,
            bars,
            {name: [value] for name, value in strategy.parameters.items()},
            training=found.split.n_search,
            gap=20,
            testing=len(bars) - begin,
            commission=0.0005,
            workers=1,
        )
        assert walk.equity.index[0] == found.split.test_start == bars.index[begin]
        for name in ("sharpe_ratio", "total_return", "max_drawdown", "n_trades"):
            assert found.table.loc[rank, name] == pytest.approx(walk.metrics[name], rel=1e-12, abs=1e-15)


def test_the_limits_are_kept(found: DiscoveryResult, bars: pd.DataFrame) -> None:
    limits = SearchLimits(max_drawdown=0.05, min_trades=3, complexity_max=2, directions=("short", "both"))
    strict = discover(bars, proposer=FEW, **{**SMALL, "limits": limits})
    assert {direction(each) for each in strict.candidates} == {"short", "both"}
    assert max(complexity(each) for each in strict.candidates) <= 2
    allowed = strict.searched[strict.searched["is_allowed"]]
    assert (allowed["max_drawdown"] <= 0.05).all()
    assert (allowed["n_trades"] >= 3).all()
    assert len(allowed) < len(strict.searched)


def test_finalists_do_not_move_alike(found: DiscoveryResult, bars: pd.DataFrame) -> None:
    searched = bars.iloc[: found.split.n_search]
    returns = [at.backtest(each, searched, commission=0.0005).returns.to_numpy() for each in found.strategies]
    alike = np.corrcoef(returns) - 2.0 * np.eye(len(returns))
    assert alike.max() <= 0.9


# --- luck, and what is more than luck ---


def test_on_noise_the_verdict_is_luck_nearly_always() -> None:
    """Blocks of real bars without drift; benchmarks/discovery_study.py counts five hundred such paths."""
    arrays = checked_arrays(at.sample("NASDAQ").iloc[:900])
    index = at.sample("NASDAQ").index[:900]
    null = null_bars(arrays, "block", seed=5)
    paths = [pd.DataFrame(null.path(number)._asdict(), index=index) for number in range(8)]
    said = [discover(path, proposer=FEW, **SMALL).is_more_than_luck for path in paths]
    assert sum(said) <= 2  # by chance more than that once in a hundred and seventy times


def test_an_effect_that_was_planted_is_found_and_named() -> None:
    result = discover(swung(1_500, seed=2, lean=-0.4), proposer=FEW, **SMALL)
    assert result.is_more_than_luck
    assert result.p_value <= 0.02
    assert result.best is not None
    assert str(result.best.name).startswith("RSI reversion")


def test_what_else_was_tried_on_the_same_bars_weighs_on_the_verdict(found: DiscoveryResult) -> None:
    from dataclasses import replace

    ledger = MemoryTrialLedger()
    alone = replace(found, ledger=ledger)
    ledger.record(found.trial())
    assert alone.p_value_ledger == pytest.approx(found.p_value)
    ledger.record(replace(found.trial(), definition_hash="another", effective_trials=20.0))
    assert alone.p_value_ledger > found.p_value
    record = found.trial()
    assert (record.kind, record.n_trials) == ("discovery", 30)
    assert 1.0 < record.effective_trials < 30.0


# --- the same wherever it runs, and after a stop ---


@pytest.mark.parametrize("where", ["threads", "processes"])
def test_the_place_of_the_work_does_not_matter(where: str, bars: pd.DataFrame, found: DiscoveryResult) -> None:
    again = discover(bars, proposer=FEW, commission=0.0005, executor=where, **{**SMALL, "workers": 2})
    pd.testing.assert_frame_equal(again.table, found.table)
    pd.testing.assert_frame_equal(again.searched, found.searched)


def test_a_search_that_was_stopped_goes_on_where_it_was(
    bars: pd.DataFrame, found: DiscoveryResult, tmp_path: Path
) -> None:
    file = tmp_path / "search.ckpt"

    class StopError(Exception):
        pass

    def stop(now: Any) -> None:
        if now.done >= 11:
            raise StopError

    with pytest.raises(StopError):
        discover(bars, proposer=FEW, commission=0.0005, checkpoint=file, progress=stop, **SMALL)
    seen: list[int] = []
    again = discover(
        bars, proposer=FEW, commission=0.0005, checkpoint=file, progress=lambda now: seen.append(now.done), **SMALL
    )
    assert min(done for done in seen if done) >= 11
    assert seen[-1] == 30
    pd.testing.assert_frame_equal(again.table, found.table)
    with pytest.raises(InputError, match="options differs"):
        discover(bars, proposer=FEW, commission=0.001, checkpoint=file, **SMALL)


def test_a_cancelled_search_judges_what_was_tried(bars: pd.DataFrame) -> None:
    cancel = Cancel()
    result = discover(
        bars, proposer=FEW, cancel=cancel, progress=lambda now: cancel.cancel() if now.done >= 5 else None, **SMALL
    )
    assert not result.complete
    assert 5 <= result.n_trials < 30
    assert "stopped" in str(result)


# --- proposers ---


class Talker:
    """A proposer as an adviser would be: it is told how the first round did, and goes on from the best."""

    name = "talker"

    def __init__(self) -> None:
        self.briefs: list[Brief] = []

    def propose(self, brief: Brief) -> Iterable[at.Strategy]:
        self.briefs.append(brief)
        if brief.round == 0:
            yield at.Strategy("close > sma(close, n)", "close < sma(close, n)", n=20)
            yield at.Strategy("close > sma(close, n)", "close < sma(close, n)", n=20, name="the same again")
            yield at.Strategy(short_entry="close < sma(close, 20)")
            yield at.Strategy("close > 1.0", size=3.0)
        else:
            yield from (brief.tried[0].strategy.with_params(n=n) for n in (30, 40))


def test_a_proposer_sees_the_search_bars_and_how_its_proposals_did(bars: pd.DataFrame) -> None:
    talker = Talker()
    result = discover(
        bars, proposer=talker, rounds=2, hints={"risk_level": "moderate"}, **{**SMALL, "limits": SearchLimits()}
    )
    assert [len(brief.bars) for brief in talker.briefs] == [result.split.n_search] * 2
    assert talker.briefs[1].hints == {"risk_level": "moderate"}
    assert talker.briefs[1].tried[0].strategy.parameters["n"] == 20
    assert talker.briefs[1].tried[0].merit == result.searched["merit"][0]
    assert [dict(each.parameters) for each in result.candidates] == [{"n": 20}, {}, {"n": 30}, {"n": 40}]
    assert result.n_refused == {"it was tried before": 1, "it is short": 1, "it cannot be run": 1}


def test_a_proposer_that_gives_code_is_refused(bars: pd.DataFrame) -> None:
    class Coder:
        name = "coder"

        def propose(self, brief: Brief) -> list[Any]:
            return ["def trade(bars): ..."]

    with pytest.raises(InputError, match="has to give Strategy objects"):
        discover(bars, proposer=Coder(), **SMALL)


def test_every_form_of_the_grammar_is_proved_free_of_look_ahead_and_has_two_sides() -> None:
    for rule in RULES:
        for side in ("long", "short", "both"):
            made = composed(rule, side, FILTERS[1], GUARDS[1])
            assert made is not None
            assert direction(made) == side
            texts = {str(part): part for part in (*made.conditions, *made.level_expressions.values()) if part}
            assert not prove(texts, made.parameters).open
    assert all(composed(RULES[0], "both", filter_, guard) for filter_ in FILTERS for guard in GUARDS)
    first = RULES[0]
    assert all(each["fast"] < each["slow"] for each in combinations(first, FILTERS[0], GUARDS[0]))


def test_rounds_go_on_where_the_last_one_ended(bars: pd.DataFrame) -> None:
    limits = SearchLimits()
    one, two = (
        FEW.propose(Brief(bars=bars, limits=limits, n_candidates=20, seed=1, round=number)) for number in (0, 1)
    )
    both = FEW.propose(Brief(bars=bars, limits=limits, n_candidates=40, seed=1))
    assert one + two == both
    assert len(set(both)) == 40


@settings(max_examples=25)
@given(places=st.lists(st.integers(0, 39), min_size=1, max_size=40, unique=True))
def test_families_hold_every_candidate_once_with_its_own_numbers(places: list[int]) -> None:
    every = FEW.propose(
        Brief(bars=at.synthetic(n=120, seed=1), limits=SearchLimits(), n_candidates=40, seed=2)
    )  # fmt: skip
    chosen = [every[place] for place in places]
    seen: dict[int, at.Strategy] = {}
    for family in families_of(chosen, first=7):
        for row, place in enumerate(family.places):
            seen[place] = family.strategy.with_params(**family.combinations[row])
            if family.combinations[row]:
                assert family.grid.combination(row) == family.combinations[row]
    assert [seen[7 + k].to_dict()["params"] for k in range(len(chosen))] == [dict(each.parameters) for each in chosen]
    assert [seen[7 + k].entry for k in range(len(chosen))] == [each.entry for each in chosen]


# --- what comes back, and what is refused ---


def test_the_result_can_be_read_shown_and_sent(found: DiscoveryResult, bars: pd.DataFrame) -> None:
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [row["rank"] for row in plain["finalists"]] == list(range(1, len(found) + 1))
    best = at.Strategy.from_json(json.dumps(plain["finalists"][0]["strategy"]))
    assert best == found.best
    assert found.table["skill"].is_monotonic_decreasing
    assert str(found).startswith(found.verdict)
    assert "<table" in found._repr_html_()
    assert found.run(1).metrics["n_bars"] == len(bars)
    with pytest.raises(InputError, match="no finalist 99"):
        found.run(99)


def test_nothing_found_is_an_answer(bars: pd.DataFrame) -> None:
    never = SystematicProposer(rules=[Rule(name="never", entry="close < 0 * window", axes={"window": (2, 3)})])
    result = discover(bars, proposer=never, **SMALL)
    assert result.best is None
    assert "Nothing among" in result.verdict
    assert not result.is_more_than_luck
    assert result.to_dict()["finalists"] == []
    assert result._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"holdout": 1.5}, "holdout is 1.5"),
        ({"gap": -1}, "gap is -1"),
        ({"alike": 0.0}, "alike is 0.0"),
        ({"parts": 20}, "load more bars"),
        ({"n_resamples": 10}, "n_resamples is 10"),
        ({"chart": "renko"}, "leave chart= out"),
        ({"commission": 5.0}, "commission"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any], message: str, bars: pd.DataFrame) -> None:
    with pytest.raises(InputError, match=message):
        discover(bars, **{**SMALL, **arguments})


def test_odd_limits_are_refused() -> None:
    for limits, message in (
        ({"directions": ("up",)}, "directions has 'up'"),
        ({"directions": ()}, "directions is empty"),
        ({"max_drawdown": 30.0}, "30 % is 0.3"),
        ({"min_trades": -1}, "min_trades is -1"),
    ):
        with pytest.raises(InputError, match=message):
            SearchLimits(**limits)
