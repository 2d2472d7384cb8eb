"""Which characters the fonts of print have; others are named by their number, never left out in silence."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from importlib.resources import files

__all__ = ["is_printable", "printable"]


@cache
def _ranges() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the first and the last of each range of characters that Libertinus Serif or DejaVu Sans Mono has."""
    text = files("algotrendy.reports").joinpath("assets", "glyphs.txt").read_text(encoding="ascii")
    pairs = [part.partition("-") for part in text.split()]
    return tuple(int(low, 16) for low, _, _ in pairs), tuple(int(high or low, 16) for low, _, high in pairs)


def is_printable(character: str) -> bool:
    """Return whether a character has a glyph and is seen, or is a space or the end of a line.

    Examples
    --------
    >>> is_printable("é"), is_printable("日"), is_printable("\\u202e")
    (True, False, False)
    """
    lows, highs = _ranges()
    place = bisect_right(lows, ord(character)) - 1
    return character == "\n" or (place >= 0 and ord(character) <= highs[place])


def printable(text: str) -> str:
    """Return text with its characters without a glyph, and those that are never seen, as `[U+65E5]`.

    Examples
    --------
    >>> printable("Ωmega 日"), printable("a\\tb")
    ('Ωmega [U+65E5]', 'a    b')
    """
    if text.isascii() and text.isprintable():
        return text
    plain = text.replace("\r\n", "\n").replace("\t", "    ")
    return "".join(item if is_printable(item) else f"[U+{ord(item):04X}]" for item in plain)
