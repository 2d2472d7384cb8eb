"""From sightings to leaks: how far ahead, since when, through what, and two runs that show it."""

from __future__ import annotations

from typing import Any

from algotrendy.backtest.definitions import moment_text
from algotrendy.backtest.lookahead.outside import OutsideFinding
from algotrendy.backtest.lookahead.report import Example, Leak
from algotrendy.backtest.lookahead.search import Search, Sighting
from algotrendy.backtest.lookahead.sources import Traced
from algotrendy.backtest.lookahead.subject import Failure
from algotrendy.backtest.lookahead.worlds import CHANGES

__all__ = ["leaks_of"]

_EXAMPLES_MAX = 24


def leaks_of(search: Search, traced: dict[str, Traced], outside: list[OutsideFinding]) -> tuple[Leak, ...]:
    """Return every leak that was found.

    Parameters
    ----------
    search : Search
        With its sightings.
    traced : dict of str to Traced
        By output.
    outside : list of OutsideFinding
        What the function learns from elsewhere.
    """
    leaks = [
        _by_bars(search, name, traced[name], with_example=k < _EXAMPLES_MAX) for k, name in enumerate(search.sightings)
    ]
    return (*leaks, *(_from_outside(search, each) for each in outside if each.is_leak))


def _by_bars(search: Search, name: str, traced: Traced, *, with_example: bool) -> Leak:
    sightings = search.sightings[name]
    index = search.runner.worlds.bars.index
    first = min(int(each.rows[0]) for each in sightings)
    example = _example(search, name, traced.sighting) if with_example else None
    evidence = _evidence(name, traced, example, search)
    return Leak(
        output=name,
        inputs=traced.inputs,
        first_bar=first,
        first_at=index[first],
        horizon=max(each.world.cut - int(each.rows[0]) for each in sightings),
        whole_future=any(_is_whole(each, search.n_bars) for each in sightings),
        n_seen=len(sightings),
        evidence=evidence,
        example=example,
    )


def _is_whole(sighting: Sighting, n_bars: int) -> bool:
    cut = sighting.world.cut
    return cut > n_bars // 4 and int(sighting.rows[0]) < cut // 3


def _example(search: Search, name: str, sighting: Sighting) -> Example | None:
    worlds, world = search.runner.worlds, sighting.world
    row = int(sighting.rows[-1])
    made = search.runner.subject.run(worlds.frame(world), worlds.bars.index)
    search.n_runs += 1
    if isinstance(made, Failure):
        return None
    return Example(
        bars=worlds.frame(world),
        row=row,
        at=worlds.bars.index[row],
        first_changed=max(world.cut - search.lead, 0),
        before=search.runner.base.value(name, row),
        after=made.value(name, row),
        change=CHANGES[world.change] + (f" (only {', '.join(world.columns)})" if world.columns else ""),
    )


def _evidence(name: str, traced: Traced, example: Example | None, search: Search) -> str:
    if example is None:
        return f"it changed in {len(search.sightings[name])} runs before the first changed bar"
    together = "; no column alone shows it" if traced.together else ""
    return (
        f"at {moment_text(example.at)} (row {example.row}) it is {_shown(example.before)};"
        f" if, from row {example.first_changed} on, {example.change}, it is {_shown(example.after)}{together}"
    )


def _shown(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _from_outside(search: Search, found: OutsideFinding) -> Leak:
    index = search.runner.worlds.bars.index
    first = int(found.rows[0]) if found.rows.size else None
    return Leak(
        output=found.output,
        inputs=tuple(f"{found.label}[{name!r}]" for name in found.columns) or (found.label,),
        first_bar=first,
        first_at=None if first is None else index[first],
        horizon=found.horizon or None,
        whole_future=found.horizon > 0 and first is not None and first < found.cut // 3,
        n_seen=1,
        evidence=found.text
        + ("" if first is None else f", and it changed at {moment_text(index[int(found.rows[-1])])}"),
    )
