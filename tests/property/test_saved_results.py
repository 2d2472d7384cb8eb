"""Plain JSON forms lose nothing: whatever goes in comes back equal, through strict JSON text."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from algotrendy.backtest.plain import from_plain, to_plain
from algotrendy.backtest.storage_json import array_from_plain, array_to_plain
from algotrendy.domain.types import AnyArray
from algotrendy.errors import InputError

MOMENTS = st.datetimes(
    min_value=pd.Timestamp("1700-01-01").to_pydatetime(), max_value=pd.Timestamp("2200-01-01").to_pydatetime()
)
STAMPS = st.builds(
    lambda moment, unit, zone: pd.Timestamp(moment).as_unit(unit).tz_localize(zone),
    MOMENTS,
    st.sampled_from(["s", "ms", "us", "ns"]),
    st.sampled_from([None, "UTC", "Asia/Tokyo"]),
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | STAMPS
KEYS = st.text() | st.sampled_from(["$float", "$moment", "$pairs"]) | st.integers()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4))


def through_json(plain: Any) -> Any:
    return json.loads(json.dumps(plain, allow_nan=False))


@given(value=VALUES)
def test_any_value_survives_strict_json(value: Any) -> None:
    found = from_plain(through_json(to_plain(value)))
    assert found == value
    assert repr(found) == repr(value)


@given(values=arrays(st.sampled_from([np.float64, np.float32, np.int64, np.int8, np.bool_]), st.integers(0, 30)))
def test_any_array_survives_strict_json(values: AnyArray) -> None:
    found = array_from_plain(through_json(array_to_plain(values)))
    assert found.dtype == values.dtype
    assert np.array_equal(found, values, equal_nan=values.dtype.kind == "f")


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(InputError, match="cannot be saved with a complex in it"):
        to_plain({"a": [1j]})
