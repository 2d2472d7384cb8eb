"""How large a brick, a range, a box or a reversal is: a price, a percentage, or what the first bars show.

A size is settled by the beginning of the data and never again, so that no later price can change a brick.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from algotrendy.errors import InputError
from algotrendy.kernels.charts_types import Events

STEPS_MAX = 1e9
"""So many bricks a price may be worth: with more, a double cannot tell the levels apart."""

_PERCENT = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*%\s*")
_ATR = re.compile(r"\s*atr\s*\(\s*(\d+)\s*\)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Size:
    """A size as it was asked for.

    Attributes
    ----------
    kind : {"price", "percent", "atr"}
        What `number` is: an amount in price, a percentage, or the bars of a calibration window.
    number : float
        Above zero.
    """

    kind: Literal["price", "percent", "atr"]
    number: float

    @classmethod
    def parse(cls, given: Any, owner: str = "size") -> Size:
        """Read a number, a text such as `1%`, or `atr(14)`.

        Raises
        ------
        InputError
            If it is none of these, or not above zero.

        Examples
        --------
        >>> Size.parse("0.5 %"), Size.parse("atr(14)").number
        (Size(kind='percent', number=0.5), 14.0)
        """
        if isinstance(given, Size):
            return given
        found = cls._read(given)
        if found is None or not 0.0 < found.number < math.inf:
            raise InputError(
                f"{owner} is {given!r}; expected an amount of price above zero such as 0.5, a percentage such as '1%',"
                " or 'atr(14)', the average true range of the first 14 bars"
            )
        if found.kind == "percent" and found.number >= 100.0:
            raise InputError(f"{owner} is {given!r}; a percentage lies between 0% and 100%")
        return found

    @classmethod
    def _read(cls, given: Any) -> Size | None:
        if isinstance(given, str):
            if match := _PERCENT.fullmatch(given):
                return cls("percent", float(match[1]))
            if match := _ATR.fullmatch(given):
                return cls("atr", float(match[1]))
            try:
                return cls("price", float(given))
            except ValueError:
                return None
        is_number = isinstance(given, Real) and not isinstance(given, bool)
        return cls("price", float(given)) if is_number else None

    @property
    def window(self) -> int:
        """How many events the size is read off; the last of them is where the chart begins."""
        return int(self.number) + 1 if self.kind == "atr" else 1

    def is_settled_by(self, events: Events, kind: str) -> bool:
        """Return whether these first events are enough to tell the size.

        Raises
        ------
        InputError
            If it cannot be read off events of this kind.
        """
        if self.kind == "atr" and kind != "bars":
            raise InputError(
                f"size 'atr({self.number:g})' is read off bars, and these are trades; give an amount such as 0.5 or a"
                " percentage such as '0.1%', or make bars first: charts.time(trades, '1m')"
            )
        return bool(events.close.size >= self.window)

    def resolve(self, events: Events) -> float:
        """Return the size in price, from the first `window` events.

        Raises
        ------
        InputError
            If it comes out as zero, or is too small for the price.
        """
        price = float(events.close[self.window - 1])
        if self.kind == "price":
            size = self.number
        else:
            size = price * (self.number / 100.0) if self.kind == "percent" else mean_true_range(events, self.window)
        if size <= 0.0 or price / size > STEPS_MAX:
            raise InputError(
                f"the size is {size:g} at a price of {price:g}: not above zero, or less than a billionth of the price;"
                " choose a larger one"
            )
        return size

    def __str__(self) -> str:
        return {"price": "{:g}", "percent": "{:g}%", "atr": "atr({:g})"}[self.kind].format(self.number)


def mean_true_range(events: Events, window: int) -> float:
    """Return the mean true range of the bars 1 to `window` - 1; bar 0 gives only the first close before."""
    total = 0.0
    for k in range(1, window):
        before = float(events.close[k - 1])
        total += max(float(events.high[k]), before) - min(float(events.low[k]), before)
    return total / (window - 1)
