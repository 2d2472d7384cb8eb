"""Leaks among several instruments are found, with the instrument and the column; clean strategies raise no alarm."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import algotrendy as at
from algotrendy.backtest.lookahead import check_lookahead
from algotrendy.backtest.lookahead.worlds import CHANGES, World
from algotrendy.backtest.lookahead.worlds_panel import PanelWorlds, union_of
from algotrendy.backtest.stateful.decisions import PanelDecisions
from algotrendy.domain.bars import check_bars
from algotrendy.domain.panel import Panel
from algotrendy.errors import InputError
from tests.zoo import lookahead_leaks, lookahead_panel

BARS = lookahead_panel.three(150)
lookahead_leaks.register_indicators()
LEAKS = lookahead_panel.leaks(BARS)
CLEAN = lookahead_panel.clean()


@pytest.mark.parametrize("name", LEAKS)
def test_a_known_leak_is_found_and_its_instrument_and_column_named(name: str) -> None:
    case = LEAKS[name]
    report = check_lookahead(case.subject, BARS, cuts=30)
    assert report.verdict == "leak"
    named = {each for leak in report.leaks for each in leak.inputs}
    assert named & set(case.through), report.summary()
    index = union_of(BARS)
    for leak in report.leaks:
        assert leak.output.startswith(("KO.", "PEP.", "X.Y."))
        assert leak.first_bar is not None
        assert leak.first_at == index[leak.first_bar]


@pytest.mark.parametrize("name", CLEAN)
def test_what_uses_the_past_alone_raises_no_alarm(name: str) -> None:
    report = check_lookahead(CLEAN[name], BARS, cuts=30)
    assert report.is_clean, report.summary()
    assert report.verdict == "no leak found"


def test_what_a_strategy_does_after_a_delisting_is_looked_at_and_holes_are_no_ends() -> None:
    """One instrument ends 40 bars before the others: its position is closed there, and the money goes elsewhere."""
    index = union_of(BARS)
    leaving = lookahead_panel.Inherits()
    decisions = PanelDecisions(leaving, Panel.of(BARS))
    orders = decisions(BARS)["KO.orders"]
    ended = index.get_loc(BARS["X.Y"].index[-1])
    assert not orders[: ended + 1].any()
    assert orders[ended + 1 :].any()
    worlds = PanelWorlds(BARS, 1)
    for cut in (ended, ended + 1, ended + 2, 62, 100):  # 62 lies in a hole of PEP
        cut_off = decisions(worlds.frame(World("cut", cut)))
        for name, values in decisions(BARS).items():
            if name in cut_off:
                np.testing.assert_array_equal(cut_off[name], values[:cut])
    late = decisions(worlds.since(30))["KO.orders"]
    assert late[ended + 1 - 30 :].any()


@given(
    seed=st.integers(0, 10_000),
    column=st.sampled_from(["open", "high", "low", "close", "volume", "pe"]),
    symbol=st.sampled_from(sorted(BARS)),
    ahead=st.integers(1, 8),
)
@settings(max_examples=3, phases=[Phase.generate])
def test_a_leak_of_any_column_of_any_instrument_is_found(seed: int, column: str, symbol: str, ahead: int) -> None:
    full = {name: frame.copy() for name, frame in BARS.items()}

    class Cheats(lookahead_panel.Crosses):
        def wants(self, ctx: Any, one: Any) -> bool:
            frame = full[symbol]
            place = frame.index.searchsorted(ctx.time, side="right") - 1
            later = frame[column].to_numpy()[min(place + ahead, len(frame) - 1)]
            return bool(later > frame[column].to_numpy()[max(place, 0)])

    report = check_lookahead(Cheats(), BARS, seed=seed, cuts=10)
    assert report.verdict == "leak"
    named = {each for leak in report.leaks for each in leak.inputs}
    assert f"closure full[{symbol!r}][{column!r}]" in named
    assert all(each.startswith(f"closure full[{symbol!r}]") for each in named)


@given(change=st.sampled_from(sorted(CHANGES)), cut=st.integers(1, 149), seed=st.integers(0, 50))
def test_other_bars_are_sound_and_begin_as_the_true_ones(change: str, cut: int, seed: int) -> None:
    worlds = PanelWorlds(BARS, seed)
    index = worlds.bars.index
    teeth = tuple(range(cut, len(index), 30)) if change == "teeth" else ()
    made = worlds.frame(World(change, cut, seed, teeth=teeth))
    Panel.of(made)
    for name, frame in made.items():
        check_bars(frame)
        if change != "dates":
            before = BARS[name][BARS[name].index < index[cut]]
            pd.testing.assert_frame_equal(frame.iloc[: len(before)], before, check_freq=False)
    missing = [name for name in BARS if name not in made]
    assert all(BARS[name].index[0] >= index[cut] for name in missing)


def test_one_column_of_one_instrument_is_changed_alone() -> None:
    worlds = PanelWorlds(BARS, 1)
    assert worlds.chosen(("X.Y.close",)) == ("X.Y.close",)
    assert worlds.chosen(("volume",)) == ("KO.volume", "PEP.volume", "X.Y.volume")
    made = worlds.frame(World("up", 80, columns=("X.Y.close",)))
    for name, frame in made.items():
        changed = [column for column in frame if not frame[column].equals(BARS[name][column])]
        assert changed == (["close"] if name == "X.Y" else [])
    with pytest.raises(InputError, match=r"columns names 'KO.size'; the bars have KO.open"):
        check_lookahead(CLEAN["crosses"], BARS, columns="KO.size")


def test_all_forms_of_bars_say_the_same() -> None:
    long = pd.concat([frame.assign(symbol=name) for name, frame in BARS.items()]).sort_index(kind="stable")
    reports = [
        check_lookahead(LEAKS["feature_on_each"].subject, bars, cuts=20) for bars in (BARS, Panel.of(BARS), long)
    ]
    for report in reports:
        assert {leak.output for leak in report.leaks} == {"KO.centred", "PEP.centred", "X.Y.centred"}
        assert all(leak.inputs == (f"{leak.output.removesuffix('.centred')}.high",) for leak in report.leaks)


def test_what_is_for_one_instrument_is_told() -> None:
    with pytest.raises(InputError, match="known_at='open' is for one instrument"):
        check_lookahead(CLEAN["crosses"], BARS, known_at="open")
    with pytest.raises(InputError, match="signals= are compared for one instrument"):
        check_lookahead(lookahead_panel.cheap_today, BARS, signals={"entries": np.zeros(150)})
    with pytest.raises(InputError, match="a chart style is checked on the bars of one instrument"):
        check_lookahead(at.charts.Chart("renko", size=1.0), BARS)
