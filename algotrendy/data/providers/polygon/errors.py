"""What Polygon's refusals mean."""

from __future__ import annotations

from typing import Any

from algotrendy.errors import AccessRefused, AlgotrendyError, BadAnswer, DataError

NAME = "polygon"


def error_of(status: int, payload: Any, symbol: str) -> AlgotrendyError:
    """Return the error for a status and what came with it.

    Examples
    --------
    >>> type(error_of(403, {"status": "NOT_AUTHORIZED", "message": "upgrade your plan"}, "AAPL")).__name__
    'AccessRefused'
    """
    said = _said(payload)
    if status in (401, 403):
        return AccessRefused(
            NAME, f"access was refused (status {status}): {said}; check the key, and that the plan covers {symbol}"
        )
    if status == 404:
        return DataError(f"polygon knows no {symbol!r}: {said}; check the symbol, or ask another provider")
    return BadAnswer(NAME, f"answered with status {status} for {symbol}: {said}")


def _said(payload: Any) -> str:
    if not isinstance(payload, dict):
        return "no reason was given"
    return str(payload.get("message") or payload.get("error") or payload.get("status") or "no reason was given").rstrip(
        "."
    )
