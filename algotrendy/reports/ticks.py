"""Where the ticks of an axis stand and what is written at them: numbers, logarithms, dates, names."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from algotrendy.reports.wording import zero_without_sign

__all__ = ["Tick", "date_ticks", "linear_ticks", "log_ticks", "name_ticks", "number_format"]

Tick: TypeAlias = tuple[float, str]

DAY = 86_400.0
"""Moments are seconds since 1970."""

_D3 = re.compile(r"(?P<sign>\+?)(?P<comma>,?)(?:\.(?P<digits>\d+))?(?P<trim>~?)(?P<kind>[%sfgd]?)")
_SI = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_STEPS_OF_TIME = (1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10_800, 21_600, 43_200)
_STEPS_OF_DAYS = (1, 2, 7, 14)
_STEPS_OF_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)


def linear_ticks(low: float, high: float, n: int, form: str = "") -> list[Tick]:
    """Return about `n` ticks at round numbers from `low` to `high`.

    Examples
    --------
    >>> linear_ticks(0.0, 0.31, 4, ".0%")
    [(0.0, '0 %'), (0.1, '10 %'), (0.2, '20 %'), (0.3, '30 %')]
    """
    span = high - low
    if not (math.isfinite(span) and span > 0.0):
        return []
    rough = span / max(n, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = power * next(factor for factor in (1.0, 2.0, 2.5, 5.0, 10.0) if factor * power >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = [round(k * step, 12 - math.floor(math.log10(step))) + 0.0 for k in range(first, last + 1)]
    write = number_format(form, step)
    return [(value, write(value)) for value in values]


def log_ticks(low: float, high: float, n: int, form: str = "") -> list[Tick]:
    """Return ticks for an axis from 10**low to 10**high; their places are powers of ten too.

    Examples
    --------
    >>> [text for _, text in log_ticks(2.0, 4.0, 5)]
    ['100', '200', '500', '1,000', '2,000', '5,000', '10,000']
    """
    if not (math.isfinite(high - low) and high > low):
        return []
    if high - low < 0.5:
        inner = linear_ticks(10.0**low, 10.0**high, n, form)
        return [(math.log10(value), text) for value, text in inner if value > 0.0]
    factors = (1.0, 2.0, 5.0) if high - low < 4.0 else (1.0,)
    stride = max(1, math.ceil((high - low) / 12)) if high - low >= 4.0 else 1
    powers = range(math.floor(low), math.ceil(high) + 1, stride)
    places = [(power + math.log10(factor), factor * 10.0**power) for power in powers for factor in factors]
    return [(place, number_format(form, value)(value)) for place, value in places if low - 1e-9 <= place <= high + 1e-9]


def date_ticks(low: float, high: float, n: int) -> list[Tick]:
    """Return about `n` ticks at round moments; places are seconds since 1970.

    Examples
    --------
    >>> [text for _, text in date_ticks(0.0, 3 * 366 * 86_400.0, 4)]
    ['1970', '1971', '1972', '1973']
    """
    span = high - low
    if not (math.isfinite(span) and span > 0.0):
        return []
    rough = span / max(n, 1)
    for step in _STEPS_OF_TIME:
        if step >= rough:
            return _clock_ticks(low, high, float(step))
    for days in _STEPS_OF_DAYS:
        if days * DAY >= rough:
            return _day_ticks(low, high, days)
    months = next((count for count in _STEPS_OF_MONTHS if count * 30.44 * DAY >= rough), _STEPS_OF_MONTHS[-1])
    return _month_ticks(low, high, months)


def _clock_ticks(low: float, high: float, step: float) -> list[Tick]:
    places = np.arange(math.ceil(low / step) * step, high + 1e-6, step)
    return [(float(place), _clock(float(place), step)) for place in places]


def _clock(place: float, step: float) -> str:
    text = str(np.datetime64(int(place), "s"))
    day, clock = text[:10], text[11:] if step < 60 else text[11:16]
    return f"{int(day[8:])} {_MONTHS[int(day[5:7]) - 1]}" if place % DAY == 0.0 else clock


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _day_ticks(low: float, high: float, days: int) -> list[Tick]:
    offset = 4 if days % 7 == 0 else 0  # weeks begin on a Monday; 1970-01-05 was one
    first = math.ceil((low / DAY - offset) / days) * days + offset
    found = []
    for day in range(first, math.floor(high / DAY) + 1, days):
        text = str(np.datetime64(day, "D"))
        month = _MONTHS[int(text[5:7]) - 1]
        found.append((day * DAY, f"{int(text[8:])} {month}"))
    return found


def _month_ticks(low: float, high: float, months: int) -> list[Tick]:
    start = int(np.datetime64(math.floor(low / DAY), "D").astype("datetime64[M]").astype(int))
    stop = int(np.datetime64(math.floor(high / DAY), "D").astype("datetime64[M]").astype(int))
    found = []
    for month in range(-(-start // months) * months, stop + 1, months):
        place = float(np.datetime64(month, "M").astype("datetime64[s]").astype(np.int64))
        text = str(np.datetime64(month, "M"))
        year, name = text[:-3], _MONTHS[int(text[-2:]) - 1]
        if low - 1e-6 <= place <= high + 1e-6:
            found.append((place, year if months % 12 == 0 else f"{name} {year}"))
    return found


def name_ticks(names: Sequence[str], n: int) -> list[Tick]:
    """Return the names at 0, 1, 2, ...; of more than `n`, every second, third, ...

    Examples
    --------
    >>> name_ticks(["a", "b", "c"], 2)
    [(0.0, 'a'), (2.0, 'c')]
    """
    stride = max(1, -(-len(names) // max(n, 1)))
    return [(float(place), names[place]) for place in range(0, len(names), stride)]


def number_format(form: str, step: float) -> Callable[[float], str]:
    """Return how numbers are written: a format of d3 where one is given, else as many decimals as the step needs.

    Parameters
    ----------
    form : str
        Those parts of d3's formats that figures of this package use: sign, comma, digits, "~", and one of "%sfgd".
    step : float
        How far two numbers are apart.

    Examples
    --------
    >>> number_format("~s", 1.0)(12_500.0), number_format(".1%", 1.0)(0.125), number_format("", 0.25)(1.5)
    ('12.5k', '12.5 %', '1.50')
    """
    found = _D3.fullmatch(form)
    parts = found.groupdict(default="") if found is not None else dict.fromkeys(("kind", "digits", "sign", "trim"), "")
    kind, sign, trim = parts["kind"], parts["sign"], parts["trim"]
    needed = 0 if step >= 1.0 and step == round(step) else max(0, -math.floor(math.log10(abs(step) or 1.0) + 1e-9))
    if 0.0 < step < 1.0 and round(step * 10.0**needed, 6) % 1.0:
        needed += 1
    digits = int(parts["digits"]) if parts["digits"] else None
    if kind == "%":
        places = max(0, needed - 2) if trim or digits is None else max(digits, min(max(0, needed - 2), 2))
        return lambda value: zero_without_sign(f"{100.0 * value:{sign},.{places}f} %")
    if kind == "s":
        return lambda value: _si(value, sign)
    places = digits if digits is not None and kind == "f" else needed
    if kind == "" and (step >= 1e7 or (0.0 < step < 1e-5)):
        return lambda value: _si(value, sign) if step >= 1.0 else f"{value:{sign}.2g}"
    return lambda value: zero_without_sign(f"{value:{sign},.{places}f}")


def _si(value: float, sign: str) -> str:
    for size, letter in _SI:
        if abs(value) >= size:
            return f"{value / size:{sign}.4g}{letter}"
    return f"{value:{sign}.4g}"
