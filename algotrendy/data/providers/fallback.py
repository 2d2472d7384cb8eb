"""Several providers, one after the other: the first that can serves, and it is told which that was and why."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

from algotrendy.data.providers.port import Capabilities, Fetched, Provider
from algotrendy.data.series import BarsRequest
from algotrendy.errors import (
    AlgotrendyError,
    ConfigError,
    DataError,
    InputError,
    VenueError,
    VenueUnavailable,
)

__all__ = ["FallbackProvider"]


class FallbackProvider:
    """Asks a list of providers in order.

    The next one is asked where a provider cannot serve such a request at all, has no such series, refuses the key, is
    down, or answers nonsense; never where the call itself is wrong. `Fetched.source` names the one that served.

    Parameters
    ----------
    providers : sequence of Provider
        The preferred one first.

    Raises
    ------
    InputError
        If there are none.

    Examples
    --------
    >>> from algotrendy.compute import wait_for
    >>> from algotrendy.data.providers import get
    >>> from algotrendy.data.series import Span
    >>> source = FallbackProvider([get("synthetic"), get("sample")])
    >>> request = BarsRequest(symbol="NASDAQ", interval="1d", span=Span.of("2010-01-01", "2010-02-01"))
    >>> with warnings.catch_warnings(record=True) as told:
    ...     warnings.simplefilter("always")
    ...     wait_for(source.bars(request)).source, str(told[0].message)[:47]
    ('sample', 'NASDAQ comes from sample: synthetic did not ser')
    """

    name = "fallback"

    def __init__(self, providers: Sequence[Provider]) -> None:
        if not providers:
            raise InputError("a list of providers to fall back on needs at least one")
        self._providers = tuple(providers)
        self.capabilities = _united([provider.capabilities for provider in self._providers])

    async def bars(self, request: BarsRequest) -> Fetched:
        """Return bars of the first provider that has them.

        Warns
        -----
        UserWarning
            If it was not the first: which one served, and why those before it did not.

        Raises
        ------
        DataError
            If none of them has such a series.
        VenueUnavailable
            If none could serve and it may help to try again.
        VenueError, ConfigError, InputError
            If none could serve, by what kept them.
        """
        refused: list[tuple[str, AlgotrendyError]] = []
        for provider in self._providers:
            reason = provider.capabilities.why_not(request)
            if reason is not None:
                refused.append((provider.name, InputError(f"has {reason}")))
                continue
            try:
                fetched = await provider.bars(request)
            except (VenueError, DataError, ConfigError) as e:
                refused.append((provider.name, e))
                continue
            return _told(fetched, request.symbol, refused)
        raise _summary(request, refused) from refused[0][1]

    async def close(self) -> None:
        """Close all of them."""
        for provider in self._providers:
            await provider.close()


def _told(fetched: Fetched, symbol: str, refused: list[tuple[str, AlgotrendyError]]) -> Fetched:
    if not refused:
        return fetched
    note = f"{symbol} comes from {fetched.source}: {_reasons(refused)}"
    warnings.warn(note, UserWarning, stacklevel=3)
    return replace(fetched, notes=(*fetched.notes, note))


def _reasons(refused: list[tuple[str, AlgotrendyError]]) -> str:
    return "; ".join(f"{name} did not serve ({str(error).removeprefix(f'{name}: ')})" for name, error in refused)


def _summary(request: BarsRequest, refused: list[tuple[str, AlgotrendyError]]) -> AlgotrendyError:
    text = f"no provider has bars of {request.symbol}: {_reasons(refused)}"
    errors = [error for _, error in refused]
    if all(isinstance(error, InputError) for error in errors):
        return InputError(text)
    if any(isinstance(error, VenueUnavailable) for error in errors):
        return VenueUnavailable("fallback", text)
    if any(isinstance(error, VenueError) for error in errors):
        return VenueError("fallback", text)
    if any(isinstance(error, DataError) for error in errors):
        return DataError(text)
    return ConfigError(text)


def _united(parts: Sequence[Capabilities]) -> Capabilities:
    """Return what at least one of them can do."""
    lengths: set[str] = set()
    for part in parts:
        lengths |= part.intervals or set()
    longest = [part.longest_request for part in parts]
    return Capabilities(
        intervals=None if any(part.intervals is None for part in parts) else frozenset(lengths),
        asset_classes=frozenset().union(*(part.asset_classes for part in parts)),
        adjusted=frozenset().union(*(part.adjusted for part in parts)),
        realtime=any(part.realtime for part in parts),
        longest_request=None if None in longest else max(one for one in longest if one is not None),
        dated_tickers=all(part.dated_tickers for part in parts),
        needs_key=all(part.needs_key for part in parts),
        local=all(part.local for part in parts),
    )
