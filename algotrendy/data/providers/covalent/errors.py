"""What Covalent's refusals mean."""

from __future__ import annotations

from typing import Any

from algotrendy.errors import AccessRefused, AlgotrendyError, BadAnswer, DataError

NAME = "covalent"


def error_of(status: int, payload: Any, what: str) -> AlgotrendyError:
    """Return the error for a status and what came with it.

    Examples
    --------
    >>> type(error_of(401, {"error": True, "error_message": "Unauthorized"}, "the token")).__name__
    'AccessRefused'
    """
    said = (
        str(payload.get("error_message") or "no reason was given")
        if isinstance(payload, dict)
        else "no reason was given"
    )
    if status in (401, 402, 403):
        return AccessRefused(NAME, f"access was refused (status {status}): {said}; check the key and its credits")
    if status in (400, 404, 406):
        return DataError(f"covalent has nothing on {what}: {said}; check the chain and the address")
    return BadAnswer(NAME, f"answered with status {status} on {what}: {said}")
