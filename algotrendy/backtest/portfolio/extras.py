"""What an account may have besides prices and costs: actions, margins, interest, volume caps, ticks, finer bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from algotrendy.backtest.arguments import EXTRAS
from algotrendy.backtest.portfolio.happenings import Happening, actions_text, happenings_of
from algotrendy.backtest.portfolio.named import by_symbol
from algotrendy.domain.calendar import Calendar, utc_stamps
from algotrendy.domain.instrument import Instrument
from algotrendy.domain.types import Float1D, Float2D, Int1D
from algotrendy.errors import InputError
from algotrendy.kernels.portfolio_types import STEP, Extras
from algotrendy.strategy.parameter import is_number

if TYPE_CHECKING:
    from algotrendy.domain.interval import Interval
    from algotrendy.domain.panel import Panel

__all__ = ["AccountExtras", "ContractMargin", "Frame", "Margin", "extras_of"]

_HIGHEST_RATE = 1.0
_HIGHEST_MARGIN = 10.0


@dataclass(frozen=True)
class Margin:
    """What a position binds of the equity, as fractions of its value.

    Parameters
    ----------
    initial : float
        Bound when it is opened: 0.5 lets an account hold positions of twice its equity. Above 0, at most 10.
    maintenance : float
        What the equity may not fall below; above 0, at most `initial`.

    Raises
    ------
    InputError
        If a number lies outside what it may be.

    Examples
    --------
    >>> Margin(initial=0.5, maintenance=0.25)
    Margin(initial=0.5, maintenance=0.25)
    """

    initial: float
    maintenance: float

    def __post_init__(self) -> None:
        for name in ("initial", "maintenance"):
            value = getattr(self, name)
            if not is_number(value) or not 0.0 < value <= _HIGHEST_MARGIN:
                raise InputError(f"the {name} margin is {value!r}; use a fraction of the position's value, such as 0.5")
            object.__setattr__(self, name, float(value))
        _check_order(self.initial, self.maintenance)


@dataclass(frozen=True)
class ContractMargin:
    """What each contract binds of the equity, in currency of the account, as exchanges and brokers give it for futures.

    It does not move with the price. A contract is one unit, whatever its multiplier.

    Parameters
    ----------
    initial : float
        Bound for each contract when it is opened; above 0.
    maintenance : float
        What the equity may not fall below for each contract; above 0, at most `initial`.

    Raises
    ------
    InputError
        If a number lies outside what it may be.

    Examples
    --------
    >>> ContractMargin(initial=13_200.0, maintenance=12_000.0)
    ContractMargin(initial=13200.0, maintenance=12000.0)
    """

    initial: float
    maintenance: float

    def __post_init__(self) -> None:
        for name in ("initial", "maintenance"):
            value = getattr(self, name)
            if not is_number(value) or not 0.0 < value < np.inf:
                raise InputError(f"the {name} margin of a contract is {value!r}; use currency per contract, above 0")
            object.__setattr__(self, name, float(value))
        _check_order(self.initial, self.maintenance)


def _check_order(initial: float, maintenance: float) -> None:
    if maintenance > initial:
        raise InputError(
            f"the maintenance margin {maintenance:g} is above the initial one {initial:g}; a position would be called"
            " as it is opened"
        )


@dataclass(frozen=True, eq=False)
class AccountExtras:
    """The extras of one account.

    Attributes
    ----------
    kernel : Extras
        As kernels take them.
    happenings : tuple of Happening or None
        What happens to the units of each instrument.
    is_capped : bool
        Whether volume caps fills.
    shown : dict
        In plain values, for the result.
    """

    kernel: Extras
    happenings: tuple[Happening | None, ...]
    is_capped: bool
    shown: dict[str, Any]

    @property
    def has_actions(self) -> bool:
        """Whether any instrument has actions inside its bars."""
        return any(each is not None for each in self.happenings)

    def income(self, shape: tuple[int, int]) -> Float2D:
        """Return cash paid per unit up to and including each bar, shape (n_instruments, n_bars)."""
        paid = np.zeros(shape)
        for (bar, j), change in zip(self.kernel.events, self.kernel.changes, strict=True):
            paid[j, bar] = change[1]
        return np.cumsum(paid, axis=1)


@dataclass(frozen=True, eq=False)
class Frame:
    """What extras are read on: the panel, the own bars of each instrument, and how prices count."""

    panel: Panel
    rows: tuple[Int1D, ...]
    multipliers: Float1D
    interval: Interval
    calendar: Calendar | None

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbol of each column."""
        return self.panel.symbols


def extras_of(frame: Frame, given: Mapping[str, Any]) -> AccountExtras | None:
    """Return the extras of an account, or None if there are none.

    Parameters
    ----------
    frame : Frame
        What they are read on.
    given : mapping
        The options named in `EXTRAS`, as in `backtest`.

    Raises
    ------
    InputError
        If one is not allowed, or names an unknown symbol.
    """
    if all(given.get(name) is None or (name == "financing" and given[name] == 0.0) for name in EXTRAS):
        return None
    margins = _margins(given.get("margin"), frame.symbols)
    happenings = happenings_of(given.get("actions"), frame.panel, frame.rows, (frame.interval, frame.calendar))
    events, changes = _events(happenings, frame)
    fine, fine_at = _fine(given.get("fine_bars"), frame)
    caps = _caps(given.get("participation"), frame)
    kernel = Extras(
        events=events,
        changes=changes,
        initial=_needs(margins, "initial"),
        maintenance=_needs(margins, "maintenance"),
        interest=_interest(given.get("financing"), frame),
        caps=caps,
        tick=_ticks(given.get("tick_size"), frame),
        fine=fine,
        fine_at=fine_at,
    )
    return AccountExtras(kernel, happenings, len(caps) > 1, _shown(given, happenings, fine_at))


def _margins(margin: Any, symbols: Sequence[str]) -> list[Margin | ContractMargin | None]:
    if margin is None:
        return [None] * len(symbols)
    return [None if each is None else _margin(each) for each in map(by_symbol("margin", margin, symbols).get, symbols)]


def _margin(value: Any) -> Margin | ContractMargin:
    if isinstance(value, Margin | ContractMargin):
        return value
    if isinstance(value, tuple | list) and len(value) == 2:
        found = [each for each in value if is_number(each) and each > _HIGHEST_MARGIN]
        if found:
            raise InputError(
                f"margin is {value!r}, which as a fraction is {found[0]:g} times the value of a position; for currency"
                f" per contract write ContractMargin({value[0]!r}, {value[1]!r})"
            )
        return Margin(*value)
    raise InputError(
        f"margin is {value!r}; give the initial and the maintenance margin as fractions, such as (0.5, 0.25), a"
        " ContractMargin in currency per contract, or one of these for each symbol"
    )


def _needs(margins: Sequence[Margin | ContractMargin | None], name: str) -> Float2D:
    """Return what positions bind: as fractions of their value, and in currency per unit."""
    needs = np.zeros((2, len(margins)))
    for j, each in enumerate(margins):
        if each is not None:
            needs[int(isinstance(each, ContractMargin)), j] = getattr(each, name)
    return needs


def _told(value: Margin | ContractMargin) -> dict[str, Any]:
    per = {"per": "contract"} if isinstance(value, ContractMargin) else {}
    return {**vars(value), **per}


def _events(happenings: tuple[Happening | None, ...], frame: Frame) -> tuple[Any, Float2D]:
    """Return what happens to units, by bar, then instrument."""
    places, changes = [np.zeros((0, 2), np.int64)], [np.zeros((0, 3))]
    for j, happening in enumerate(happenings):
        if happening is not None:
            places.append(np.column_stack([happening.bars, np.full(len(happening.bars), j)]))
            paid = happening.paid * frame.multipliers[j]
            changes.append(np.column_stack([happening.ratio, paid, happening.level_factor]))
    events = np.concatenate(places)
    order = np.lexsort((events[:, 1], events[:, 0]))
    return np.ascontiguousarray(events[order]), np.ascontiguousarray(np.concatenate(changes)[order])


def _interest(financing: Any, frame: Frame) -> Float1D:
    """Return what a unit of currency that is owed costs at each bar: by calendar days, a year having 365."""
    rate = 0.0 if financing is None else financing
    if not is_number(rate) or not 0.0 <= rate <= _HIGHEST_RATE:
        raise InputError(f"financing is {rate!r}; it is what borrowed cash costs a year, as a fraction: 5 % is 0.05")
    days = np.diff(utc_stamps(frame.panel.index)) / np.timedelta64(1, "D")
    return np.concatenate(([0.0], float(rate) * days / 365.0))


def _caps(participation: Any, frame: Frame) -> Float2D:
    if participation is None:
        return np.full((1, 1), np.inf)
    shares = by_symbol("participation", participation, frame.symbols)
    volume = frame.panel.fields["volume"]
    caps = np.full(volume.shape, np.inf)
    for j, symbol in enumerate(frame.symbols):
        share = shares.get(symbol)
        if share is None:
            continue
        if not is_number(share) or not 0.0 < share <= 1.0:
            raise InputError(f"participation is {share!r}; it is a share of a bar's volume, so 10 % is 0.1")
        if not np.nansum(volume[:, j]) > 0.0 and not frame.panel.goes_on:  # a part may lie where nobody traded
            raise InputError(f"participation caps fills by volume, and the bars of {symbol!r} have none; leave it out")
        caps[:, j] = float(share) * np.nan_to_num(volume[:, j])
    return np.ascontiguousarray(caps)


def _ticks(tick_size: Any, frame: Frame) -> Float1D:
    if tick_size is None:
        return np.zeros(len(frame.symbols))
    if tick_size == "instrument":
        known = frame.panel.instruments
        ticks = [float(one.tick_size) if isinstance(one, Instrument) else 0.0 for one in known]
        return np.array(ticks) * frame.multipliers
    ticks = []
    given = by_symbol("tick_size", tick_size, frame.symbols)
    for symbol in frame.symbols:
        step = given.get(symbol, 0.0)
        if not is_number(step) or not 0.0 <= step < np.inf:
            raise InputError(
                f'tick_size is {step!r}; use a step of price such as 0.01, one for each symbol, or "instrument"'
            )
        ticks.append(float(step))
    return np.array(ticks) * frame.multipliers


def _fine(fine_bars: Any, frame: Frame) -> tuple[Float2D, Any]:
    if fine_bars is None:
        return np.zeros((1, len(STEP))), np.zeros((1, 1, 2), np.int64)
    from algotrendy.backtest.portfolio.finer import finer_steps

    return finer_steps(fine_bars, frame)


def _shown(given: Mapping[str, Any], happenings: tuple[Happening | None, ...], fine_at: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    if given.get("actions") is not None:
        shown["actions"] = actions_text(happenings)
    for name in ("margin", "participation", "tick_size", "financing"):
        value = given.get(name)
        if value is None or (name == "financing" and value == 0.0):
            continue
        if name == "margin":
            value = (
                {key: _told(_margin(each)) for key, each in value.items() if each is not None}
                if isinstance(value, Mapping)
                else _told(_margin(value))
            )
        shown[name] = dict(value) if isinstance(value, Mapping) else value
    if given.get("fine_bars") is not None:
        shown["fine_bars"] = f"{int((fine_at[..., 1] > 0).sum()):,} bars are walked in finer steps"
    return shown
