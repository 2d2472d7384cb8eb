"""What Alpaca's refusals mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from algotrendy.errors import AccessRefused, AlgotrendyError, BadAnswer, DataError

NAME = "alpaca"


def error_of(status: int | None, text: str, symbol: str) -> AlgotrendyError:
    """Return the error for a status and the text that came with it.

    Examples
    --------
    >>> str(error_of(400, '{"message": "invalid symbol: ?"}', "?"))
    "alpaca refuses '?': invalid symbol: ?; check the symbol and the dates"
    """
    said = _said(text)
    if status in (401, 403):
        return AccessRefused(
            NAME, f"access was refused (status {status}): {said}; check the keys, the plan and the feed"
        )
    if status in (400, 404, 422):
        return DataError(f"alpaca refuses {symbol!r}: {said}; check the symbol and the dates")
    return BadAnswer(NAME, f"answered with status {status} for {symbol}: {said}")


@contextmanager
def translated_errors(symbol: str) -> Iterator[None]:
    """Raise what alpaca-py raises as errors of ours: the only place that knows both."""
    import requests
    from alpaca.common.exceptions import APIError

    from algotrendy.data.providers.bridge import our_error_in

    try:
        yield
    except APIError as e:
        raise error_of(e.status_code, str(e), symbol) from e
    except requests.exceptions.JSONDecodeError as e:
        raise BadAnswer(NAME, f"the answer for {symbol} is no JSON, or is cut off: {_shown(e.doc)}") from e
    except requests.exceptions.RequestException as e:
        raise our_error_in(e) or BadAnswer(NAME, f"no answer: {type(e).__name__}") from e
    except (ValueError, AttributeError, TypeError) as e:  # alpaca-py did not find what it expects
        raise BadAnswer(NAME, f"the answer for {symbol} has no known form ({type(e).__name__}: {e})") from e


def _said(text: str) -> str:
    try:
        payload = json.loads(text)
    except ValueError:
        return _shown(text)
    return str(payload.get("message", payload)) if isinstance(payload, dict) else _shown(text)


def _shown(text: str) -> str:
    start = text.strip()[:80]
    return f"it is a web page, {start!r}" if start.startswith("<") else f"it begins {start!r}"
