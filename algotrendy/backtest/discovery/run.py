"""`discover`: try many strategies on the first bars, and judge the best of them on the last."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import are_several
from algotrendy.backtest.discovery.judge import Family, SearchJudge, families_of
from algotrendy.backtest.discovery.judge_panel import PanelJudge
from algotrendy.backtest.discovery.limits import SearchLimits, complexity, direction
from algotrendy.backtest.discovery.proposer import Brief, Proposer, SystematicProposer, Tried
from algotrendy.backtest.discovery.result import DiscoveryResult, Split
from algotrendy.backtest.discovery.scene import OneScene, PanelScene, Scene
from algotrendy.backtest.fingerprint import fingerprint
from algotrendy.backtest.overfitting.stepdown import romano_wolf
from algotrendy.backtest.portfolio.market import as_panel
from algotrendy.backtest.setting import prepare
from algotrendy.backtest.trials import data_hash, nameless
from algotrendy.backtest.walk_forward.ground import Ground
from algotrendy.compute import Cancel, Executor, Journal, Record, map_work, progress_for
from algotrendy.compute.progress import Progress, Show
from algotrendy.domain.types import Float1D, Float2D
from algotrendy.errors import InputError
from algotrendy.kernels.statistics_names import METRICS
from algotrendy.risk.sharpe import expected_maximum_sharpe, sharpe_estimate
from algotrendy.risk.trials import effective_trials
from algotrendy.strategy import Strategy
from algotrendy.strategy.parameter import is_number

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["discover"]

_TEST_MIN, _PART_MIN = 60, 60
_SAMPLE = 64
"""So many candidates tell how alike all of them are."""

_SHORTLIST = 20
"""So many times as many candidates as finalists are looked at for some that are not alike."""

_SHARPE = METRICS.index("sharpe_ratio")
_DRAWDOWN, _TRADES = METRICS.index("max_drawdown"), METRICS.index("n_trades")


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """The arguments of a search, checked."""

    limits: SearchLimits
    n_candidates: int
    finalists: int
    rounds: int
    parts: int
    alike: float
    seed: int
    n_resamples: int
    search_end: int
    test_begin: int
    hints: Mapping[str, Any]


@dataclass(eq=False)
class _Found:
    """What is known so far."""

    candidates: list[Strategy] = field(default_factory=list)
    rows: list[Float1D] = field(default_factory=list)
    known: set[str] = field(default_factory=set)
    refused: Counter[str] = field(default_factory=Counter)
    complete: bool = True


def discover(
    bars: Any,
    *,
    proposer: Proposer | None = None,
    limits: SearchLimits | None = None,
    n_candidates: int = 500,
    rounds: int = 1,
    finalists: int = 10,
    holdout: float = 0.3,
    gap: int = 20,
    parts: int = 2,
    alike: float = 0.9,
    seed: int = 0,
    n_resamples: int = 999,
    hints: Mapping[str, Any] | None = None,
    checkpoint: str | Path | None = None,
    executor: Executor | str | None = None,
    workers: int | None = None,
    progress: Show = None,
    cancel: Cancel | None = None,
    **options: Any,
) -> DiscoveryResult:
    """Search for strategies on the first bars, and rank the best of them by the last, which the search never saw.

    The proposer says what is tried. Every candidate runs on the search bars alone; of those that meet the limits the
    best by `merit` (the lowest Sharpe ratio over the parts of the search bars, above zero) become finalists, unless
    they move like one that is better. Only finalists see the bars after the gap, so only they count as trials there:
    the p-value of the first of them says how often luck alone makes the best of such finalists look that good.

    Parameters
    ----------
    bars : DataFrame, mapping or Panel
        Bars of one instrument, or of several: then each candidate trades all of them with one account, as in
        `backtest`, bars are counted in the stamps at which any of them has one, and holding is holding equal parts.
    proposer : Proposer, optional
        Says which strategies are tried; by default `SystematicProposer`.
    limits : SearchLimits, optional
        What a strategy has to meet.
    n_candidates : int
        Strategies of each round, at most.
    rounds : int
        How often the proposer is asked; it is told how the earlier rounds did on the search bars.
    finalists : int
        How many strategies are judged, at most. Fewer leave more power to the test.
    holdout : float
        Share of the bars that are kept for judging, at the end.
    gap : int
        Bars before them that nobody sees.
    parts : int
        In how many pieces of time a strategy has to do well.
    alike : float
        A strategy whose returns are correlated more than this with those of a better one is left out.
    seed : int
        Of the proposer and the tests.
    n_resamples : int
        Of the tests, at least 99.
    hints : mapping, optional
        For the proposer: asset class, taste for risk, ...
    checkpoint : str or Path, optional
        A file that keeps what was proposed and tried: the same call goes on where a killed one was.
    executor : Executor, or {"threads", "processes", "ray"}, optional
        Where candidates run; threads by default.
    workers : int, optional
        Cores to use; None: all. The numbers do not depend on it.
    progress : bool or callable, optional
        Show a progress bar; None: if the standard error stream is a terminal. A function is told an `Estimate`.
    cancel : Cancel, optional
        Stops the search from another thread, as Ctrl-C does: then what was tried is judged, with `complete=False`.
    **options
        As in `backtest`: `cash`, `commission`, `slippage`, `borrow`, `fill`, ... but no `chart`.

    Returns
    -------
    DiscoveryResult
        `print` it. `strategies` are the finalists, best first.

    Raises
    ------
    InputError
        If an argument is not allowed, there are too few bars, or anything that `backtest` refuses.

    References
    ----------
    Romano, J. and Wolf, M. (2005). Stepwise multiple testing as formalized data snooping. Econometrica, 73(4).

    Examples
    --------
    >>> import algotrendy as at
    >>> from algotrendy.backtest.discovery import discover
    >>> found = discover(at.synthetic(n=900, seed=1), n_candidates=40, seed=1, commission=0.0005)
    >>> found.n_trials, found.is_more_than_luck
    (40, False)
    """
    scene = _scene(bars, options)
    plan = _plan(
        len(scene.index), limits=limits, n_candidates=n_candidates, rounds=rounds, finalists=finalists, holdout=holdout,
        gap=gap, parts=parts, alike=alike, seed=seed, n_resamples=n_resamples, hints=hints,
    )  # fmt: skip
    asked = SystematicProposer() if proposer is None else proposer
    judge = scene.judge(plan.search_end, plan.parts)
    place = Executor.of(executor, workers=workers, usual="threads")
    with ExitStack() as opened:
        journal = None
        if checkpoint is not None:
            belongs = _parts(plan, asked, scene)
            journal = opened.enter_context(Journal(checkpoint, belongs, "discovery"))
        total = plan.rounds * plan.n_candidates
        bar = opened.enter_context(progress_for("discovery", total, show=progress))
        found = _Search(judge, plan, asked, journal, place, cancel).run(bar)
    return _judged(found, judge, scene, plan, options)


@dataclass(frozen=True, eq=False)
class _Search:
    """The rounds: ask, try, keep."""

    judge: SearchJudge | PanelJudge
    plan: _Plan
    proposer: Proposer
    journal: Journal | None
    place: Executor
    cancel: Cancel | None

    def run(self, bar: Progress) -> _Found:
        """Return everything that was tried."""
        found = _Found()
        kept = list(self.journal.records) if self.journal is not None else []
        for number in range(self.plan.rounds):
            proposed = self._proposed(found, number, kept)
            first = len(found.candidates)
            fresh = self._new(found, proposed)
            bar.advance(self.plan.n_candidates - len(fresh))
            done = self._tried(families_of(fresh, first), number, kept, bar)
            whole = [place for place in range(first, first + len(fresh)) if place in done]
            found.candidates += [fresh[place - first] for place in whole]
            found.rows += [done[place] for place in whole]
            if len(whole) < len(fresh):
                found.complete = False
                break
        return found

    def _proposed(self, found: _Found, number: int, kept: Sequence[Record]) -> list[Strategy]:
        """Return what the proposer says, or said before this search was killed."""
        for record in kept:
            if record.meta.get("proposed") == number:
                return [Strategy.from_json(text) for text in json.loads(record.data)]
        brief = Brief(
            bars=_copied(self.judge.bars),
            limits=self.plan.limits,
            n_candidates=self.plan.n_candidates,
            seed=self.plan.seed,
            round=number,
            tried=_history(found),
            hints=self.plan.hints,
        )
        proposed = list(islice(self.proposer.propose(brief), self.plan.n_candidates))
        for strategy in proposed:
            if not isinstance(strategy, Strategy):
                raise InputError(
                    f"the proposer {self.proposer.name!r} gave a {type(strategy).__name__}; it has to give Strategy "
                    "objects: conditions as text"
                )
        if self.journal is not None:
            texts = json.dumps([strategy.to_json() for strategy in proposed])
            self.journal.append(Record({"proposed": number}, texts.encode()))
        return proposed

    def _new(self, found: _Found, proposed: Sequence[Strategy]) -> list[Strategy]:
        """Return those that may be tried and were not."""
        fresh = []
        for strategy in proposed:
            key = json.dumps(nameless(strategy.to_dict()), sort_keys=True)
            why = "it was tried before" if key in found.known else self.plan.limits.refusal(strategy)
            found.known.add(key)
            if why is None:
                fresh.append(strategy)
            else:
                found.refused[why] += 1
        return fresh

    def _tried(self, families: list[Family], number: int, kept: Sequence[Record], bar: Progress) -> dict[int, Float1D]:
        """Return the row of every candidate that was tried, by its place."""
        done: dict[int, Float1D] = {}
        width = len(METRICS) + self.plan.parts
        for record in kept:
            if record.meta.get("tried") == number:
                rows = np.frombuffer(record.data).reshape(-1, width)
                done |= dict(zip(record.meta["places"], rows, strict=True))
        left = [family for family in families if family.places[0] not in done]
        bar.advance(len(done))

        def keep(place: int, rows: Float2D) -> None:
            places = left[place].places
            done.update(zip(places, rows, strict=True))
            if self.journal is not None:
                meta = {"tried": number, "places": list(places)}
                self.journal.append(Record(meta, np.ascontiguousarray(rows).tobytes()))

        steps = _size
        map_work(self.judge, left, where=self.place, progress=bar, steps=steps, cancel=self.cancel, on_result=keep)
        return done


def _copied(bars: Any) -> Any:
    return {name: each.copy() for name, each in bars.items()} if isinstance(bars, dict) else bars.copy()


def _size(family: Family) -> int:
    return len(family.places)


def _history(found: _Found) -> tuple[Tried, ...]:
    tried = [
        Tried(
            strategy=strategy,
            merit=float(row[len(METRICS) :].min()),
            n_trades=0 if math.isnan(row[_TRADES]) else int(row[_TRADES]),
            max_drawdown=float(row[_DRAWDOWN]),
        )
        for strategy, row in zip(found.candidates, found.rows, strict=True)
    ]
    return tuple(sorted(tried, key=lambda each: -each.merit if each.merit == each.merit else math.inf))


# --- from what was tried to the result ---


def _judged(
    found: _Found, judge: SearchJudge | PanelJudge, scene: Scene, plan: _Plan, options: Mapping[str, Any]
) -> DiscoveryResult:
    """Choose finalists, judge them on the bars after the gap, and return everything."""
    rows = np.array(found.rows).reshape(len(found.rows), len(METRICS) + plan.parts)
    merit = rows[:, len(METRICS) :].min(axis=1)
    runs = ~np.isnan(merit)
    found.refused.update({"it cannot be run": int((~runs).sum())} if not runs.all() else {})
    allowed = runs & (rows[:, _DRAWDOWN] <= plan.limits.max_drawdown) & (rows[:, _TRADES] >= plan.limits.min_trades)
    chosen = _finalists(found.candidates, merit, allowed & (merit > 0.0), judge, plan)
    judged = _Verdict.of([found.candidates[place] for place in chosen], scene, plan)
    order = judged.order
    places = [chosen[k] for k in order]
    strategies = tuple(found.candidates[place] for place in places)
    index = scene.index
    return DiscoveryResult(
        table=_table(strategies, merit[places], judged, order),
        strategies=strategies,
        searched=_searched(found.candidates, rows, merit, allowed),
        split=Split(
            search_start=index[0], search_end=index[plan.search_end - 1], test_start=index[plan.test_begin],
            test_end=index[-1], gap=plan.test_begin - plan.search_end, n_search=plan.search_end,
            n_test=len(index) - plan.test_begin,
        ),
        n_trials=len(found.candidates),
        n_refused=dict(found.refused),
        effective_trials=judged.effective,
        effective_search=_effective_search(found.candidates, np.flatnonzero(runs), judge, plan.seed),
        p_value=judged.p_value,
        p_value_hold=judged.p_value_hold,
        assumptions=scene.assumptions,
        data_hash=data_hash(scene.bars),
        seed=plan.seed,
        complete=found.complete,
        candidates=tuple(found.candidates),
        bars=scene.bars,
        options=dict(options),
    )  # fmt: skip


def _finalists(
    candidates: Sequence[Strategy], merit: Float1D, allowed: Any, judge: SearchJudge | PanelJudge, plan: _Plan
) -> list[int]:
    """Return the places of the best candidates that do not move alike, best first; of equal merit the simpler first."""
    places = np.flatnonzero(allowed).tolist()
    places.sort(key=lambda place: (-merit[place], complexity(candidates[place]), place))
    chosen: list[int] = []
    curves: list[Float1D] = []
    for place in places[: _SHORTLIST * plan.finalists]:
        (family,) = families_of([candidates[place]])
        returns = judge.returns(family)[:, 0]
        if all(_correlation(returns, other) <= plan.alike for other in curves):
            chosen.append(place)
            curves.append(returns)
        if len(chosen) == plan.finalists:
            break
    return chosen


def _correlation(one: Float1D, two: Float1D) -> float:
    return float(np.corrcoef(one, two)[0, 1])


def _effective_search(candidates: Sequence[Strategy], places: Any, judge: SearchJudge | PanelJudge, seed: int) -> float:
    """Return how many independent strategies all that ran are worth, by a sample of them."""
    if len(places) < 2:
        return float(max(len(candidates), 1))
    sample = places
    if len(places) > _SAMPLE:
        sample = np.sort(np.random.default_rng(seed).choice(places, size=_SAMPLE, replace=False))
    families = families_of([candidates[place] for place in sample.tolist()])
    returns = np.hstack([judge.returns(family) for family in families]).clip(min=-1.0)
    return effective_trials(returns, n_trials=len(candidates))


@dataclass(frozen=True, eq=False)
class _Verdict:
    """The finalists on the bars after the gap; lists are in the order in which the finalists were chosen."""

    metrics: list[Mapping[str, float]]
    skill: list[float]
    deflated: list[float]
    p_values: list[float]
    order: list[int]
    effective: float
    p_value: float
    p_value_hold: float

    @classmethod
    def of(cls, strategies: Sequence[Strategy], scene: Scene, plan: _Plan) -> _Verdict:
        """Judge strategies."""
        runs = [scene.tested(strategy, plan.test_begin) for strategy in strategies]
        if not runs:
            return cls([], [], [], [], [], 1.0, math.nan, math.nan)
        returns = np.column_stack([run.returns for run in runs]).clip(min=-1.0)
        effective = effective_trials(returns, seed=plan.seed)
        rate, per_year = scene.options.risk_free_rate, scene.options.periods_per_year
        estimates = [sharpe_estimate(column, risk_free_rate=rate, periods_per_year=per_year) for column in returns.T]
        lucky = expected_maximum_sharpe(effective, per_year / (len(returns) - 1.0))
        skill = [estimate.probability_above(0.0) ** effective for estimate in estimates]
        order = sorted(range(len(runs)), key=lambda k: -skill[k] if skill[k] == skill[k] else math.inf)
        by_cash = _p_values(returns, scene.options.hurdle, plan)
        by_hold = _p_values(returns, scene.held(plan.test_begin), plan)
        return cls(
            metrics=[run.metrics for run in runs],
            skill=skill,
            deflated=[estimate.probability_above(lucky) for estimate in estimates],
            p_values=by_cash,
            order=order,
            effective=effective,
            p_value=by_cash[order[0]],
            p_value_hold=by_hold[order[0]],
        )


def _p_values(returns: Float2D, benchmark: Any, plan: _Plan) -> list[float]:
    try:
        found = romano_wolf(returns, benchmark, n_resamples=plan.n_resamples, seed=plan.seed)
    except InputError:  # nothing moves against the benchmark
        return [math.nan] * returns.shape[1]
    return [float(value) for value in found.p_values]


def _table(strategies: Sequence[Strategy], merit: Float1D, judged: _Verdict, order: Sequence[int]) -> pd.DataFrame:
    import pandas as pd

    metrics = [judged.metrics[k] for k in order]
    columns: dict[str, Any] = {
        "name": [strategy.name or strategy.entry or strategy.short_entry for strategy in strategies],
        "parameters": [_numbers(strategy) for strategy in strategies],
        "direction": [direction(strategy) for strategy in strategies],
        "complexity": [complexity(strategy) for strategy in strategies],
        "merit": merit,
        "sharpe_ratio": [float(each["sharpe_ratio"]) for each in metrics],
        "skill": [judged.skill[k] for k in order],
        "p_value": [judged.p_values[k] for k in order],
        "deflated": [judged.deflated[k] for k in order],
        "total_return": [float(each["total_return"]) for each in metrics],
        "max_drawdown": [float(each["max_drawdown"]) for each in metrics],
        "n_trades": [int(each["n_trades"]) for each in metrics],
    }
    return pd.DataFrame(columns, index=pd.RangeIndex(1, len(strategies) + 1, name="rank"))


def _searched(candidates: Sequence[Strategy], rows: Float2D, merit: Float1D, allowed: Any) -> pd.DataFrame:
    import pandas as pd

    columns: dict[str, Any] = {
        "name": [strategy.name or strategy.entry or strategy.short_entry for strategy in candidates],
        "parameters": [_numbers(strategy) for strategy in candidates],
        "merit": merit,
        "is_allowed": allowed,
    }
    columns |= {name: rows[:, k] for k, name in enumerate(METRICS)}
    return pd.DataFrame(columns)


def _numbers(strategy: Strategy) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in strategy.parameters.items())


# --- arguments ---


def _scene(bars: Any, options: Mapping[str, Any]) -> Scene:
    if options.get("chart") is not None:
        raise InputError("discovery reads conditions on the bars; leave chart= out")
    if are_several(bars):
        return PanelScene(bars, Ground(as_panel(bars), options))
    return OneScene(bars, prepare(bars, **options), options)


def _plan(n_bars: int, *, holdout: float, gap: int, limits: SearchLimits | None, alike: float, **given: Any) -> _Plan:
    if not is_number(holdout) or not 0.0 < holdout < 1.0:
        raise InputError(f"holdout is {holdout!r}; it is a share of the bars, such as 0.3")
    if not is_number(alike) or not 0.0 < alike <= 1.0:
        raise InputError(f"alike is {alike!r}; it is a correlation in (0, 1], such as 0.9")
    least = {"n_candidates": 1, "rounds": 1, "finalists": 1, "parts": 1, "seed": 0, "n_resamples": 99}
    for name, value in {"gap": gap, **{name: given[name] for name in least}}.items():
        smallest = least.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int) or value < smallest:
            raise InputError(f"{name} is {value!r}; expected a whole number of at least {smallest}")
    test_begin = n_bars - round(n_bars * holdout)
    search_end = test_begin - gap
    if n_bars - test_begin < _TEST_MIN or search_end < _PART_MIN * given["parts"]:
        raise InputError(
            f"there are {n_bars:,} bars: {max(search_end, 0):,} to search and {n_bars - test_begin:,} to judge; at "
            f"least {_PART_MIN:,} for each part and {_TEST_MIN:,} to judge are needed: load more bars"
        )
    hints = dict(given.pop("hints") or {})
    own = SearchLimits() if limits is None else limits
    return _Plan(limits=own, alike=alike, search_end=search_end, test_begin=test_begin, hints=hints, **given)


def _parts(plan: _Plan, proposer: Proposer, scene: Scene) -> dict[str, Any]:
    """Return what a file of this search has to agree with."""
    limits = {**vars(plan.limits), "directions": list(plan.limits.directions)}
    search = [plan.n_candidates, plan.rounds, plan.parts, plan.seed, plan.search_end, dict(plan.hints)]
    return {
        **scene.fingerprints,
        "proposer": proposer.name,
        "limits": fingerprint(limits),
        "search": fingerprint(search),
    }
