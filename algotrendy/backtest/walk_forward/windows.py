"""The windows of a walk: where training and testing begin and end, in bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from algotrendy.errors import InputError

LEAST_TRAINING = 2


@dataclass(frozen=True)
class Window:
    """One window, as positions of bars; every end is the first bar that is not in.

    Attributes
    ----------
    number : int
        From 0.
    train_begin, train_end : int
        The bars that parameters are chosen on.
    test_begin, test_end : int
        The bars that they are traded on.
    """

    number: int
    train_begin: int
    train_end: int
    test_begin: int
    test_end: int


def cut_windows(
    n_bars: int, *, training: int, testing: int, step: int | None = None, anchored: bool = False, gap: int = 0
) -> list[Window]:
    """Return the windows that fit into so many bars; bars behind the last one are not tested.

    Parameters
    ----------
    n_bars : int
        Number of bars.
    training, testing : int
        Bars of each training and each testing window (252 and 21 trading days: a year and a month). Anchored, the
        first training window has so many bars and the later ones more.
    step : int, optional
        Bars from one testing window to the next; `testing` by default, so that they lie end to end.
    anchored : bool
        Whether every training window begins at the first bar.
    gap : int
        Bars between training and testing that neither sees.

    Raises
    ------
    InputError
        If a number is not allowed, or not even one window fits.

    Examples
    --------
    >>> [(w.train_begin, w.train_end, w.test_begin, w.test_end) for w in cut_windows(12, training=5, testing=3, gap=1)]
    [(0, 5, 6, 9), (3, 8, 9, 12)]
    """
    step = testing if step is None else step
    least = {"training": LEAST_TRAINING, "testing": 1, "step": 1, "gap": 0}
    for name, value in {"training": training, "testing": testing, "step": step, "gap": gap}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < least[name]:
            raise InputError(f"{name} is {value!r}; expected a whole number of bars, at least {least[name]}")
    _check_bool(anchored)
    needed = training + gap + testing
    if n_bars < needed:
        raise InputError(
            f"there are {n_bars:,} bars, and one window takes {needed:,} (training {training:,}, gap {gap:,}, testing "
            f"{testing:,}); load more bars, or make the windows shorter"
        )
    return [
        Window(
            number=k,
            train_begin=0 if anchored else k * step,
            train_end=k * step + training,
            test_begin=k * step + training + gap,
            test_end=k * step + needed,
        )
        for k in range((n_bars - needed) // step + 1)
    ]


def _check_bool(anchored: Any) -> None:
    if not isinstance(anchored, bool):
        raise InputError(f"anchored is {anchored!r}; expected True or False")
