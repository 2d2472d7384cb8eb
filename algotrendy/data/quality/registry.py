"""The checks that `check_quality` runs, by name; anyone may add one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from algotrendy.data.quality.issue import Issue
from algotrendy.data.quality.subject import Subject
from algotrendy.errors import InputError

Finder: TypeAlias = Callable[[Subject], "Iterable[Issue] | str"]
"""Takes the bars laid out for checks; gives the issues, or a sentence that says why it could not look."""


@dataclass(frozen=True, slots=True)
class Check:
    """A family of faults and the function that finds them.

    Attributes
    ----------
    name : str
        Its name in `report.checked`.
    kinds : mapping of str to str
        The kinds of issue that it reports, each with one line on what it is.
    find : callable
        Takes a `Subject`; returns issues, or the reason why it was not looked for.
    """

    name: str
    kinds: dict[str, str]
    find: Finder


CHECKS: dict[str, Check] = {}
loaded = False
"""Whether the checks of the house are among them; they are loaded when first asked for."""


def register_check(check: Check) -> Check:
    """Add a check to those that run; one of the same name is replaced.

    Parameters
    ----------
    check : Check
        Its name, its kinds and its function.

    Returns
    -------
    Check
        The same.

    Raises
    ------
    InputError
        If it has no kinds.

    Examples
    --------
    >>> from algotrendy.data.quality import Check, checks, register_check, unregister_check
    >>> _ = register_check(Check("nothing", {"nothing": "finds nothing"}, lambda subject: []))
    >>> "nothing" in checks()
    True
    >>> unregister_check("nothing")
    """
    if not check.kinds:
        raise InputError(f"check {check.name!r} reports no kinds; name at least one, with a line on what it is")
    CHECKS[check.name] = check
    return check


def unregister_check(name: str) -> None:
    """Take a check out again.

    Examples
    --------
    >>> unregister_check("no such check")
    Traceback (most recent call last):
        ...
    algotrendy.errors.InputError: there is no check 'no such check'; there are: ...
    """
    if name not in checks():
        raise InputError(f"there is no check {name!r}; there are: {', '.join(CHECKS)}")
    del CHECKS[name]


def checks() -> dict[str, Check]:
    """Return the checks by name, in the order in which they run.

    Examples
    --------
    >>> "gaps" in checks()
    True
    """
    from algotrendy.data.quality import _builtin

    _builtin.load()
    return dict(CHECKS)
