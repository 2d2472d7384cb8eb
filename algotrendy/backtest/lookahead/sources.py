"""Through which input a leak comes: later values of one column at a time, later times, or how many bars follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from algotrendy.backtest.lookahead.search import Job, Outcome, Search, Sighting
from algotrendy.backtest.lookahead.worlds import World

__all__ = ["Traced", "trace"]

INDEX, LENGTH = "index", "length"
_VALUES = ("up", "down", "shuffled", "wild", "reversed", "flat")
_LARGE = ("up", "down")
_CUTS_MAX = 10


@dataclass(frozen=True)
class Traced:
    """Where a leak comes from, and the intervention that shows it best.

    Attributes
    ----------
    inputs : tuple of str
        Columns, "index" for times, "length" for the number of bars.
    together : bool
        True if no column alone shows it, only all of them together.
    sighting : Sighting
        What to show as an example.
    """

    inputs: tuple[str, ...]
    together: bool
    sighting: Sighting


def trace(search: Search, columns: tuple[str, ...] | None) -> dict[str, Traced]:
    """Return the inputs through which each leaking output learns of later bars.

    Parameters
    ----------
    search : Search
        With sightings.
    columns : tuple of str, optional
        The columns that were changed, if not all.
    """
    found: dict[str, Traced] = {}
    asked = 0
    for name in search.sightings:
        if name in found:
            continue
        telling = _telling(search, name, columns)
        if telling is None or asked >= _CUTS_MAX:
            found[name] = _by_times(search, name)
            continue
        asked += 1
        for other, traced in _by_columns(search, telling, columns).items():
            found.setdefault(other, traced)
        found.setdefault(name, Traced(_all_columns(search, columns), True, telling))
    return found


def _all_columns(search: Search, columns: tuple[str, ...] | None) -> tuple[str, ...]:
    return search.runner.worlds.columns if columns is None else columns


def _telling(search: Search, name: str, columns: tuple[str, ...] | None) -> Sighting | None:
    """Return a sighting in which later values were changed and nothing else; None if there is none."""
    seen = [each for each in search.sightings[name] if each.world.change in (*_VALUES, "teeth")]
    if not seen:
        first = search.sightings[name][0]
        cuts = dict.fromkeys(each.world.cut for each in search.sightings[name][:2])
        search.look([World(change, cut, 900 + k, columns) for cut in cuts for k, change in enumerate(_VALUES)])
        seen = [each for each in search.sightings[name] if each.world.change in _VALUES]
        if not seen and first.world.change == "longer":
            return None
    middle = search.n_bars / 2
    return max(seen, key=lambda each: (each.world.change in _LARGE, -abs(each.world.cut - middle)), default=None)


def _by_columns(search: Search, telling: Sighting, columns: tuple[str, ...] | None) -> dict[str, Traced]:
    """Change the later values of one column at a time, for all outputs at once."""
    world = telling.world
    groups = search.runner.worlds.groups(_all_columns(search, columns))
    outcomes = _changed_alone(search, world, groups)
    if any(len(group) > 1 for group in groups):  # of several instruments: first which of them, then which column
        moved = [name for each in outcomes if each.found for name in each.world.columns or ()]
        outcomes = _changed_alone(search, world, [(name,) for name in moved])
    inputs: dict[str, list[str]] = {}
    first: dict[str, Sighting] = {}
    for outcome in outcomes:
        for name, rows in outcome.found.items():
            before = rows[rows < outcome.world.cut]
            if before.size and name in search.sightings:
                inputs.setdefault(name, []).extend(outcome.world.columns or ())
                first.setdefault(name, Sighting(outcome.world, before))
    return {name: Traced(tuple(names), False, first[name]) for name, names in inputs.items()}


def _changed_alone(search: Search, world: World, groups: Sequence[tuple[str, ...]]) -> list[Outcome]:
    each = [World(world.change, world.cut, world.seed, group, world.teeth) for group in groups]
    return search.do([Job(one, one.cut) for one in each])


def _by_times(search: Search, name: str) -> Traced:
    """Move the later times; then leave all later bars out but the last, which keeps its time.

    If the output stays as it is as long as the last time does, that is what it uses; else, how many bars there are.
    """
    sightings = search.sightings[name]
    moved = [each for each in sightings if each.world.change == "later"]
    if not moved:
        cuts = list(dict.fromkeys(each.world.cut for each in sightings))[:3]
        search.look([World("later", cut, seed) for cut in cuts for seed in (0, 1)])
        moved = [each for each in search.sightings[name] if each.world.change == "later"]
    if moved:
        return Traced((INDEX,), False, _clearest(moved))
    cuts = [each.world.cut for each in sightings if each.world.change == "cut" and each.world.cut < search.n_bars - 2]
    outcomes = search.look([World("gap", cut) for cut in list(dict.fromkeys(cuts))[:3]])
    by_length = any(name in each.found or each.failure for each in outcomes) or not outcomes
    return Traced((LENGTH,) if by_length else (INDEX,), False, _clearest(sightings))


def _clearest(sightings: Sequence[Sighting]) -> Sighting:
    return max(sightings, key=lambda each: len(each.rows))
