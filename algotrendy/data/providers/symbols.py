"""Symbols as users write them, and as each vendor wants them.

A pair may be written `BTC/USDT`, `BTC-USDT` or `BTC%2FUSDT`, a class of shares `BRK.B`, `BRK/B` or `BRK-B`. The
canonical forms are `BTC/USDT` and `BRK.B`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from algotrendy.data.series import as_asset_class
from algotrendy.domain.instrument import AssetClass, Instrument
from algotrendy.errors import InputError

__all__ = ["Symbol"]

PAIRS = frozenset({AssetClass.CRYPTO, AssetClass.FOREX})

_CLASS_OF_SHARES = re.compile(r"([A-Za-z0-9]+)([./-])([A-Za-z])")
_PAIR = re.compile(r"([A-Za-z0-9]+)[/\-_]([A-Za-z0-9]+)")


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol, taken apart.

    Attributes
    ----------
    asset_class : AssetClass
    base : str
        The first of a pair, the root of a class of shares, or the whole symbol.
    second : str
        The second of a pair or the letter of a class of shares; empty if there is none.
    sign : str
        What stood between.

    Examples
    --------
    >>> Symbol.of("BTC-USDT", "crypto").canonical, Symbol.of("BRK/B").canonical, Symbol.of("stock:XNAS:AAPL").canonical
    ('BTC/USDT', 'BRK.B', 'AAPL')
    """

    asset_class: AssetClass
    base: str
    second: str = ""
    sign: str = ""

    @classmethod
    def of(cls, text: str, asset_class: AssetClass | str = AssetClass.STOCK) -> Symbol:
        """Take a symbol, or the symbol of an instrument id, apart.

        Raises
        ------
        InputError
            If the id is of another asset class, or the text holds spaces.
        """
        kind = as_asset_class(asset_class)
        plain = unquote(text).strip()
        if plain.count(":") == 2:
            instrument = Instrument.of(plain)
            if instrument.asset_class != kind:
                raise InputError(f"{plain} is an id of {instrument.asset_class}, but asset_class is {kind}")
            plain = instrument.symbol
        if not plain or plain != "".join(plain.split()):
            raise InputError(f"{text!r} is not a symbol; expected such as AAPL, BRK.B or BTC/USDT")
        if kind in PAIRS:
            match = _PAIR.fullmatch(plain)
            return cls(kind, match[1].upper(), match[2].upper(), "/") if match else cls(kind, plain.upper())
        match = _CLASS_OF_SHARES.fullmatch(plain)
        return cls(kind, match[1].upper(), match[3].upper(), match[2]) if match else cls(kind, plain)

    @property
    def canonical(self) -> str:
        """The form that instruments carry."""
        return self.joined("/" if self.asset_class in PAIRS else ".")

    def joined(self, sign: str) -> str:
        """Return both parts with `sign` between; the whole symbol if there is no second part."""
        return f"{self.base}{sign}{self.second}" if self.second else self.base

    def pair(self, source: str) -> tuple[str, str]:
        """Return both sides of a pair.

        Raises
        ------
        InputError
            If it is no pair.
        """
        if not self.second:
            raise InputError(f"{source} needs a pair such as BTC/USDT, got {self.base!r}: say where it divides")
        return self.base, self.second
