"""What ccxt's errors mean: it has brought the codes of every exchange to one tree already."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from algotrendy.errors import AccessRefused, AlgotrendyError, BadAnswer, DataError, RateLimited, VenueUnavailable


def error_of(error: BaseException, venue: str, symbol: str) -> AlgotrendyError:
    """Return the error for one of ccxt's.

    Examples
    --------
    >>> import ccxt
    >>> type(error_of(ccxt.RateLimitExceeded("binance 418"), "binance", "BTC/USDT")).__name__
    'RateLimited'
    """
    import ccxt

    from algotrendy.data.providers.bridge import our_error_in

    ours = our_error_in(error)
    if ours is not None:
        return ours
    said = str(error).partition(" http")[0][:200]  # what follows is the address
    if isinstance(error, ccxt.BadSymbol):
        return DataError(f"{venue} knows no {symbol!r}: {said}")
    if isinstance(error, ccxt.AuthenticationError | ccxt.RestrictedLocation):
        return AccessRefused(venue, f"access was refused: {said}")
    if isinstance(error, ccxt.RateLimitExceeded | ccxt.DDoSProtection):
        return RateLimited(venue, f"too many requests: {said}")
    if isinstance(error, ccxt.BadRequest | ccxt.ArgumentsRequired):
        return DataError(f"{venue} refuses the request for {symbol!r}: {said}")
    if isinstance(error, ccxt.NetworkError):
        return VenueUnavailable(venue, f"no answer: {said}")
    return BadAnswer(venue, f"the answer for {symbol} cannot be used ({type(error).__name__}): {said}")


@contextmanager
def translated_errors(venue: str, symbol: str) -> Iterator[None]:
    """Raise what ccxt raises as errors of ours: the only place that knows both."""
    import ccxt
    import requests

    try:
        yield
    except (ccxt.BaseError, requests.exceptions.RequestException) as e:
        raise error_of(e, venue, symbol) from e
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as e:  # ccxt did not find what it expects
        raise BadAnswer(venue, f"the answer for {symbol} has no known form ({type(e).__name__}: {e})") from e
