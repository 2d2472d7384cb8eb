"""What Yahoo's refusals mean."""

from __future__ import annotations

from typing import Any

from algotrendy.errors import AccessRefused, AlgotrendyError, BadAnswer, DataError

NAME = "yahoo"


def error_of(status: int, payload: Any, symbol: str) -> AlgotrendyError:
    """Return the error for a status and what came with it.

    Examples
    --------
    >>> str(error_of(404, {"chart": {"error": {"description": "No data found, symbol may be delisted"}}}, "XYZ"))
    "yahoo has no series 'XYZ': No data found, symbol may be delisted; check the symbol, or ask another provider"
    """
    said = _description(payload)
    if status in (401, 403):
        return AccessRefused(NAME, f"access was refused (status {status}): {said}; wait a while, or update yfinance")
    if status == 404:
        return DataError(f"yahoo has no series {symbol!r}: {said}; check the symbol, or ask another provider")
    if status in (400, 422):
        return DataError(f"yahoo has no such bars of {symbol!r}: {said}")
    return BadAnswer(NAME, f"answered with status {status}: {said}")


def _description(payload: Any) -> str:
    parts = payload.get("chart") or payload.get("finance") or {} if isinstance(payload, dict) else {}
    error = (parts.get("error") or {}) if isinstance(parts, dict) else {}
    return str(error.get("description") or error.get("code") or "no reason was given").rstrip(".")
