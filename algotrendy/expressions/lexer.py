"""From text to tokens. Whatever Python or a spreadsheet would write differently is refused with the way to write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

from algotrendy.errors import ExpressionError

LENGTH_MAX = 10_000
KEYWORDS = frozenset({"and", "or", "not", "true", "false"})
ASSIGNMENT = "nothing can be assigned here; to compare, write `==`; arguments of a call go by position: rsi(close, 14)"
ATTRIBUTE = "a name has no attributes here; for the bar before write prev(close, 1)"
NAMED_ARGUMENTS = frozenset({"by", "pct"})
"""Arguments that are written by name, as in `rank(close, by=sector)`; all others go by position."""

TokenKind: TypeAlias = Literal["number", "name", "word", "text", "symbol", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number, quoted text or symbol, and the column at which it starts."""

    kind: TokenKind
    text: str
    column: int

    @property
    def end(self) -> int:
        """The column behind it."""
        return self.column + len(self.text)

    def __str__(self) -> str:
        return "the end of the text" if self.kind == "end" else repr(self.text)


_TOKENS = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+)(?:[eE][+-]?\d+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<text>"[^"]*"|'[^']*')
      | (?P<symbol>>=|<=|==|!=|[-+*/()<>,])""",
    re.VERBOSE,
)

_NAMES_ARGUMENT = re.compile(r"(?P<symbol>=)(?![=<>])")
_DOT = re.compile(r"(?P<symbol>\.)")

_HINTS = (  # the longest first
    ("&&", "'&&' is not in the language; write `and`"),
    ("||", "'||' is not in the language; write `or`"),
    ("**", "'**' is not in the language; write x * x, or exp(y * log(x))"),
    ("//", "'//' is not in the language; use a single '/'"),
    ("<>", "'<>' is not in the language; write `!=`"),
    (":=", "nothing can be assigned here; to compare, write `==`"),
    ("=>", "'=>' is not in the language; write `>=`"),
    ("=<", "'=<' is not in the language; write `<=`"),
    ("=", ASSIGNMENT),
    ("&", "'&' is not in the language; write `and`"),
    ("|", "'|' is not in the language; write `or`"),
    ("!", "'!' is not in the language; write `not`"),
    ("~", "'~' is not in the language; write `not`"),
    ("^", "'^' is not in the language; for a power write x * x, or exp(y * log(x))"),
    ("%", "'%' is not in the language; a percentage is a fraction: 5 % is 0.05"),
    ("[", "brackets are not in the language; for the bar before write prev(close, 1)"),
    (".", ATTRIBUTE),
    ("?", "'?' is not in the language; combine conditions with `and`, `or` and `not`"),
)


def tokens_of(text: str) -> list[Token]:
    """Return the tokens of `text`, with one of kind "end" behind the last.

    Raises
    ------
    ExpressionError
        At the first character that no token starts with.

    Examples
    --------
    >>> [token.text for token in tokens_of("close >= 1.5")]
    ['close', '>=', '1.5', '']
    """
    if len(text) > LENGTH_MAX:
        raise ExpressionError(
            f"the expression has {len(text)} characters, at most {LENGTH_MAX} are allowed; shorten it", text[:60], 0
        )
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKENS.match(text, position) or _joint(text, position, tokens)
        found = None if match is None else match.lastgroup
        if match is None or found is None:
            _refuse(text, position)
        if found != "space":
            _refuse_glued(text, match, tokens)
            tokens.append(_token(found, match))
        position = match.end()
    tokens.append(Token("end", "", len(text.rstrip())))
    return tokens


def _token(found: str, match: re.Match[str]) -> Token:
    kinds: dict[str, TokenKind] = {"number": "number", "name": "name", "text": "text", "symbol": "symbol"}
    kind = "word" if match[0] in KEYWORDS else kinds[found]
    return Token(kind, match[0], match.start())


def _joint(text: str, position: int, tokens: list[Token]) -> re.Match[str] | None:
    """Return the `=` behind the name of an argument, or the dot behind a bracket; anywhere else they mean nothing."""
    last = tokens[-1] if tokens else None
    if last is None:
        return None
    if last.text in NAMED_ARGUMENTS:
        return _NAMES_ARGUMENT.match(text, position)
    return _DOT.match(text, position) if last.text == ")" else None


def _refuse_glued(text: str, match: re.Match[str], tokens: list[Token]) -> None:
    """Refuse two symbols that make one in another language (`**`, `//`, `<>`), and `2x` or `1.2.3`."""
    if not tokens or tokens[-1].end != match.start():
        return
    last = tokens[-1]
    pair = last.text + match[0]
    if pair in {"**", "//", "<>"}:
        _refuse(text, last.column)
    if last.kind == "number" and match.lastgroup in {"number", "name"}:
        raise ExpressionError(f"{pair!r} is not a number; to multiply write `{last.text} * ...`", text, last.column)


def _refuse(text: str, position: int) -> NoReturn:
    rest = text[position:]
    for start, message in _HINTS:
        if rest.startswith(start):
            raise ExpressionError(message, text, position)
    if rest[0] in "\"'":
        raise ExpressionError(f"the text that starts here has no closing {rest[0]}", text, position)
    raise ExpressionError(f"{rest[0]!r} has no meaning in an expression", text, position)
