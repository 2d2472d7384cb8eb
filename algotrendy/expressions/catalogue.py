"""The names that an expression may use, each with its type and meaning; functions and indicators are not among them.

The language itself knows no name. A catalogue is handed in, so the same language serves conditions on bars, alerts on
a portfolio (`portfolio_var > 0.15`) and whatever else has typed names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from algotrendy.errors import InputError
from algotrendy.expressions.lexer import KEYWORDS

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Name:
    """One name of a catalogue.

    Attributes
    ----------
    name : str
        As written in an expression.
    type : {"series", "scalar"}
        A series has a value per bar and is fetched from the bars by its name; a scalar is one number, fetched from the
        constants of the `Context`.
    unit : str
        "price", "volume", "ratio", "count", ...: for people and documents.
    lookback : int
        Bars of a series before its first value.
    scale : str
        The magnitude against which ties are decided: "value" is that of the value itself, "price" that of the close,
        otherwise a number as text. Scalars are exact: theirs is always "value".
    description : str
        One line.
    """

    name: str
    type: Literal["series", "scalar"] = "series"
    unit: str = "price"
    lookback: int = 0
    scale: str = "value"
    description: str = ""

    def __post_init__(self) -> None:
        if not _WORD.fullmatch(self.name) or self.name in KEYWORDS:
            raise InputError(f"{self.name!r} cannot be a name; use letters, digits and underscores, and no keyword")
        if self.scale not in ("value", "price"):
            _check_number(self.name, self.scale)


class Catalogue(Mapping[str, Name]):
    """Typed names, in the order in which they were handed in.

    Examples
    --------
    >>> alerts = Catalogue([Name("portfolio_var", "scalar", unit="ratio")])
    >>> alerts["portfolio_var"].type
    'scalar'
    """

    def __init__(self, names: Iterable[Name]) -> None:
        self._names: dict[str, Name] = {}
        for name in names:
            if name.name in self._names:
                raise InputError(f"the name {name.name!r} stands twice in the catalogue; take one away")
            self._names[name.name] = name

    def with_columns(self, columns: Iterable[str]) -> Catalogue:
        """Return a catalogue that also knows further columns of the bars, such as `pe` or `sector`.

        Raises
        ------
        InputError
            If one of them has a name that is known already, is no name, or is a word of the language.

        Examples
        --------
        >>> list(BARS.with_columns(["pe"]))[-1]
        'pe'
        """
        found = [Name(each, unit="", description="a further column of the bars") for each in columns]
        return Catalogue([*self.values(), *found]) if found else self

    def __getitem__(self, name: str) -> Name:
        return self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __hash__(self) -> int:
        return hash(tuple(self._names.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Catalogue) and tuple(self._names.values()) == tuple(other._names.values())


def _check_number(name: str, scale: str) -> None:
    try:
        float(scale)
    except ValueError as error:
        raise InputError(f'the scale of {name!r} is {scale!r}; it is "value", "price" or a number as text') from error


BARS = Catalogue(
    [
        Name("open", description="first price of the bar"),
        Name("high", description="highest price of the bar"),
        Name("low", description="lowest price of the bar"),
        Name("close", description="last price of the bar"),
        Name("volume", unit="volume", description="units traded during the bar"),
        Name("periods_per_year", "scalar", unit="count", description="bars in a year, by the calendar"),
    ]
)
"""What conditions on the bars of one instrument may use."""
