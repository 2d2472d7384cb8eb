"""The name that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection


def nearest_name(name: str, known: Collection[str], listed: Collection[str] = ()) -> str:
    """Return the end of a message about an unknown name.

    Parameters
    ----------
    name : str
        The unknown one.
    known : collection of str
        All names that would have been right.
    listed : collection of str
        Those to list when none of `known` comes near.

    Examples
    --------
    >>> nearest_name("clsoe", ["open", "close"])
    "; did you mean 'close'?"
    >>> nearest_name("wibble", ["open", "close"], ["open", "close"])
    '; there are: open, close'
    """
    by_lower = {candidate.lower(): candidate for candidate in known}
    close = difflib.get_close_matches(name.lower(), list(by_lower), n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(repr(by_lower[match]) for match in close)}?"
    if not listed:
        return ""
    return f"; there are: {', '.join(listed)}"
