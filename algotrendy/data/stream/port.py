"""The port of live data: what an event is, what a source can do, and what the hub asks of it.

A source is one connection long. It opens, hands on what comes in, and raises when the connection is lost; connecting
again, filling the gap and keeping count are the hub's, the same for every source.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeAlias, runtime_checkable

from algotrendy.data.series import Span
from algotrendy.errors import InputError

__all__ = [
    "Backfill",
    "Event",
    "Notice",
    "Quote",
    "StreamCapabilities",
    "StreamSource",
    "Tick",
    "Wanted",
    "kinds_of",
]


class Tick(NamedTuple):
    """One trade.

    Attributes
    ----------
    symbol : str
        As it was subscribed to.
    time : int
        When it was made, nanoseconds since 1970 in UTC.
    price : float
        In quote currency.
    size : float
        Shares, contracts or coins.
    id : str
        The venue's name of the trade, unique within the symbol; empty if it gives none.
    backfilled : bool
        Whether it was missed live and fetched afterwards.

    Examples
    --------
    >>> Tick("AAPL", 1_709_303_400_000_000_000, 179.55, 100.0).price
    179.55
    """

    symbol: str
    time: int
    price: float
    size: float
    id: str = ""
    backfilled: bool = False


class Quote(NamedTuple):
    """The best bid and the best ask at one moment; sizes are NaN if the venue gives none.

    Examples
    --------
    >>> Quote("AAPL", 1_709_303_400_000_000_000, 179.54, 179.55).ask
    179.55
    """

    symbol: str
    time: int
    bid: float
    ask: float
    bid_size: float = float("nan")
    ask_size: float = float("nan")


class Notice(NamedTuple):
    """Something that a source has to say and that is no event: it is counted and reported, never fatal.

    Attributes
    ----------
    kind : {"malformed", "refused"}
        A message that could not be read, or something that the venue would not do.
    text : str
        What it was, in a sentence, without a secret.
    """

    kind: Literal["malformed", "refused"]
    text: str


Event: TypeAlias = Tick | Quote


class Wanted(NamedTuple):
    """Which symbols are wanted, by kind of event.

    Examples
    --------
    >>> sorted(Wanted(frozenset({"AAPL"}), frozenset({"SPY"})).symbols)
    ['AAPL', 'SPY']
    """

    trades: frozenset[str] = frozenset()
    quotes: frozenset[str] = frozenset()

    @property
    def symbols(self) -> frozenset[str]:
        """All of them, of either kind."""
        return self.trades | self.quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamCapabilities:
    """What a source can do: data, so that a table can show it and a wish can be refused before any I/O.

    Attributes
    ----------
    live : bool
        Whether a venue is at the other end, which does not wait and whose silence means something; else it is a
        recording.
    realtime : bool
        Whether its events carry the time of this moment, so that freshness means something; a delayed feed is live and
        not real time.
    trades, quotes : bool
        Which events it has.
    backfill : bool
        Whether it can be asked for the trades of a past span.
    settle_seconds : float
        How long after `open` a subscription may take to become active, where the venue does not confirm it. The hub
        asks for missed trades only then, so that none falls between.
    """

    live: bool = True
    realtime: bool = True
    trades: bool = True
    quotes: bool = False
    backfill: bool = False
    settle_seconds: float = 0.0

    def require(self, wanted: Wanted, name: str) -> None:
        """Refuse what the source `name` does not have.

        Raises
        ------
        InputError
            With what it has instead.
        """
        for kind in ("trades", "quotes"):
            if getattr(wanted, kind) and not getattr(self, kind):
                there = " and ".join(each for each in ("trades", "quotes") if getattr(self, each)) or "nothing"
                raise InputError(f"{name} streams {there}, no {kind}; choose other fields, or another source")


Backfill: TypeAlias = Callable[[str, Span], Awaitable[Sequence[Tick]]]
"""Returns the trades of a symbol in a span, oldest first; more than those of the span does no harm."""


@runtime_checkable
class StreamSource(Protocol):
    """A source of live events, used by one hub from one event loop. Errors are those of `algotrendy.errors`."""

    name: str
    capabilities: StreamCapabilities

    async def open(self, wanted: Wanted) -> None:
        """Make the subscriptions at the venue exactly these; connect first if there is no connection.

        Called again with other symbols while `events` is running, and again after `events` has raised.

        Raises
        ------
        InputError
            If the venue has no such symbol.
        ConfigError, AccessRefused
            If a key or an extra is missing, or the key does not cover what is wanted: the hub stops.
        VenueUnavailable, BadAnswer
            If it cannot be reached, or does not speak as expected: the hub tries again later.
        """

    def events(self) -> AsyncGenerator[Sequence[Event | Notice], None]:
        """Yield what comes in, in the venue's order, in lots of any size; end when there will be nothing more.

        Raises
        ------
        VenueError
            When the connection is lost, as `open` does.
        """

    async def backfill(self, symbol: str, span: Span) -> Sequence[Tick]:
        """Return the trades of a past span, oldest first, with the same ids as in `events`.

        Only asked of a source with the capability `backfill`.
        """

    async def close(self) -> None:
        """Give back what it holds; `open` may be called again afterwards."""


_FIELDS = {
    "price": "trades",
    "size": "trades",
    "volume": "trades",
    "trades": "trades",
    "bid": "quotes",
    "ask": "quotes",
    "bid_size": "quotes",
    "ask_size": "quotes",
    "quotes": "quotes",
}


def kinds_of(fields: Iterable[str] | None) -> frozenset[str]:
    """Return which kinds of events hold any of the fields: `trades`, `quotes`, or both; None means trades.

    Raises
    ------
    InputError
        If a field is none of `price size volume trades bid ask bid_size ask_size quotes`.

    Examples
    --------
    >>> sorted(kinds_of(["price", "bid"])), sorted(kinds_of(None))
    (['quotes', 'trades'], ['trades'])
    """
    if fields is None:
        return frozenset({"trades"})
    names = [fields] if isinstance(fields, str) else list(fields)
    unknown = [name for name in names if name not in _FIELDS]
    if unknown or not names:
        found = ", ".join(map(repr, unknown)) if unknown else "no field at all"
        raise InputError(f"fields hold {found}; choose from {', '.join(_FIELDS)}, or leave them out for trades")
    return frozenset(_FIELDS[name] for name in names)
