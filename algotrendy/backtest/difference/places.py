"""Trades that one account alone has because in the other there was no place: why something else had taken it.

Where positions are limited in number, what differs in one instrument decides what is bought in another. Such a trade
is put down to what the place was taken by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from algotrendy.backtest.difference.matching import JointEpisode
from algotrendy.backtest.difference.positions import Episode, Positions
from algotrendy.domain.types import Int1D

__all__ = ["with_places"]

_FOREVER = np.iinfo(np.int64).max
OWN = ("missed trades", "forced exit")
"""Causes that are not handed on: they say no more than that a trade is missing."""

Joints = dict[str, tuple[JointEpisode, ...]]


class _Held:
    """Which positions an account holds when."""

    def __init__(self, positions: Mapping[str, Positions]) -> None:
        spans = [_span(episode) for each in positions.values() for episode in each.episodes]
        self._starts: Int1D = np.sort(np.array([start for start, _ in spans], dtype=np.int64))
        self._ends: Int1D = np.sort(np.array([end for _, end in spans], dtype=np.int64))

    def count(self, stamp: int) -> int:
        """Return how many positions are held after the fills of a bar."""
        begun = np.searchsorted(self._starts, stamp, side="right")
        return int(begun - np.searchsorted(self._ends, stamp, side="right"))

    @property
    def most(self) -> int:
        """The largest number held at once."""
        return max((self.count(int(stamp)) for stamp in self._starts), default=0)


def _span(episode: Episode) -> tuple[int, int]:
    return episode.start, _FOREVER if episode.is_open else episode.legs[-1].bar


def with_places(joints: Joints, a: Mapping[str, Positions], b: Mapping[str, Positions]) -> Joints:
    """Return the positions of two accounts side by side, those for which there was no place with its cause.

    Parameters
    ----------
    joints : dict of str to tuple of JointEpisode
        By symbol.
    a, b : mapping of str to Positions
        The positions of either account.
    """
    held = _Held(a), _Held(b)
    places = max(held[0].most, held[1].most)
    if places >= len(joints):
        return joints
    found = {symbol: list(each) for symbol, each in joints.items()}
    lone = [
        (_begin(episode), symbol, number)
        for symbol, episodes in found.items()
        for number, episode in enumerate(episodes)
        if all(joint.lone == "missed trades" for joint in episode.legs)
    ]
    for stamp, symbol, number in sorted(lone):
        episode = found[symbol][number]
        without = 1 if episode.legs[0].a is not None else 0
        if held[without].count(stamp) < places:
            continue
        cause = _taken_by(found, symbol, stamp, without)
        if cause is not None:
            legs = tuple(replace(joint, lone=cause) for joint in episode.legs)
            found[symbol][number] = replace(episode, legs=legs)
    return {symbol: tuple(episodes) for symbol, episodes in found.items()}


def _begin(episode: JointEpisode) -> int:
    return min(leg.bar for joint in episode.legs for leg in (joint.a, joint.b) if leg is not None)


def _taken_by(found: Mapping[str, Sequence[JointEpisode]], symbol: str, stamp: int, which: int) -> str | None:
    """Return why a position was held at a bar in one account and not in the other, of the first that has a cause."""
    for other, episodes in found.items():
        if other == symbol:
            continue
        for episode in episodes:
            if _covers(episode, stamp, which) and not _covers(episode, stamp, 1 - which):
                causes = [joint.moved or joint.lone for joint in episode.legs]
                known = [cause for cause in causes if cause is not None and cause not in OWN]
                if known:
                    return known[0]
    return None


def _covers(episode: JointEpisode, stamp: int, which: int) -> bool:
    """Tell whether one of the two accounts holds a position after the fills of a bar."""
    legs = [leg for joint in episode.legs if (leg := (joint.a, joint.b)[which]) is not None]
    if not legs or legs[0].bar > stamp:
        return False
    return not legs[-1].is_last or legs[-1].bar > stamp
