"""Identities: a UUID in the database, a text with a prefix everywhere else, so that nobody takes one for another.

The UUIDs are of version 7 (RFC 9562): they begin with the time, so those that are made later sort later.
"""

from __future__ import annotations

import secrets
import time
import uuid

from algotrendy.errors import InputError

__all__ = ["PREFIXES", "id_of", "new_id", "uuid_of"]

PREFIXES = {
    "backtest_results": "bt",
    "deployments": "dep",
    "jobs": "job",
    "portfolio_reports": "rep",
    "portfolios": "port",
    "positions": "pos",
    "rebalances": "reb",
    "reservations": "res",
    "risk_alerts": "alert",
    "strategies": "strat",
    "trades": "trd",
    "users": "usr",
}
"""The prefix of what each table holds."""


def new_id(prefix: str) -> str:
    """Return an identity that nothing else has.

    Parameters
    ----------
    prefix : str
        Says what it names: `bt`, `job`, `strat`, ...

    Examples
    --------
    >>> first, second = new_id("job"), new_id("job")
    >>> first.startswith("job_"), len(first), first < second
    (True, 36, True)
    """
    now = time.time_ns()
    milliseconds, rest = divmod(now, 1_000_000)
    fraction = rest * 4096 // 1_000_000  # 12 bits of what is below a millisecond, as the RFC allows
    number = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | secrets.randbits(62)
    return id_of(prefix, uuid.UUID(int=number))


def id_of(prefix: str, value: uuid.UUID) -> str:
    """Return the text for a UUID.

    Examples
    --------
    >>> id_of("bt", uuid.UUID(int=255))
    'bt_000000000000000000000000000000ff'
    """
    return f"{prefix}_{value.hex}"


def uuid_of(prefix: str, text: str) -> uuid.UUID:
    """Return the UUID of a text.

    Raises
    ------
    InputError
        If the text is no identity, or one of something else.

    Examples
    --------
    >>> uuid_of("bt", "bt_000000000000000000000000000000ff").int
    255
    """
    found, _, digits = text.partition("_") if isinstance(text, str) else ("", "", "")
    is_hex = len(digits) == 32 and set(digits) <= set("0123456789abcdef")
    if found != prefix or not is_hex:
        raise InputError(f"expected an identity such as {prefix}_{'0' * 28}…, found {text!r}")
    return uuid.UUID(hex=digits)
