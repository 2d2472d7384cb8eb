"""The fast check decides as its plain definition does, on bars with every kind of fault."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.domain.bars import check_bars
from algotrendy.errors import InputError

PRICES = st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0, math.inf, -math.inf, math.nan, 5e-324])
ROW = st.tuples(
    st.integers(0, 3), PRICES, PRICES, PRICES, PRICES, st.sampled_from([0.0, 1.0, -1.0, math.nan, math.inf])
)
GOOD_ROW = st.tuples(st.just(1), st.just(1.5), st.just(3.0), st.just(1.0), st.just(2.0), st.just(10.0))


def is_sound(rows: list[tuple[int, float, float, float, float, float]]) -> bool:
    if any(row[0] < 1 for row in rows[1:]):  # the gap to the stamp before
        return False
    for _, open, high, low, close, volume in rows:
        if not all(math.isfinite(value) for value in (open, high, low, close, volume)):
            return False
        if min(open, high, low, close) <= 0 or volume < 0:
            return False
        if not (low * (1 - 1e-9) <= open <= high * (1 + 1e-9) and low * (1 - 1e-9) <= close <= high * (1 + 1e-9)):
            return False
        if low > high:
            return False
    return True


@given(rows=st.lists(st.one_of(GOOD_ROW, GOOD_ROW, ROW), min_size=1, max_size=12))
def test_bars_pass_exactly_if_the_definition_says_so(
    rows: list[tuple[int, float, float, float, float, float]],
) -> None:
    days = np.cumsum([row[0] for row in rows])
    table = pd.DataFrame(
        [row[1:] for row in rows],
        columns=["open", "high", "low", "close", "volume"],
        index=pd.DatetimeIndex(np.datetime64("2024-01-01") + days),
    )
    if is_sound(rows):
        check_bars(table)
    else:
        with pytest.raises(InputError):
            check_bars(table)
