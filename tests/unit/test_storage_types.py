"""Identities and the types of columns, without a database."""

from __future__ import annotations

import time
import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from algotrendy.errors import InputError
from algotrendy.storage import id_of, new_id, uuid_of
from algotrendy.storage.types import Exact, Json, UtcTime

DIALECTS = {"sqlite": sqlite.dialect(), "postgresql": postgresql.dialect()}


def there_and_back(kind: Any, value: Any, dialect: str) -> Any:
    """Return what a column of a database gives back."""
    chosen = DIALECTS[dialect]
    return kind.process_result_value(kind.process_bind_param(value, chosen), chosen)


def test_an_identity_begins_with_the_time_as_the_standard_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9562, appendix A.6: 2022-02-22 14:22:22 at GMT-05:00 is 017F22E2-79B0-7..."""
    at = datetime(2022, 2, 22, 14, 22, 22, tzinfo=timezone(timedelta(hours=-5)))
    monkeypatch.setattr(time, "time_ns", lambda: int(at.timestamp()) * 10**9)
    made = uuid_of("bt", new_id("bt"))
    assert made.hex.startswith("017f22e279b07000")
    assert (made.version, made.variant) == (7, uuid.RFC_4122)


def test_identities_differ_and_later_ones_sort_later() -> None:
    made = []
    for _ in range(200):
        made.append(new_id("job"))
        time.sleep(1e-6)
    assert len(set(made)) == len(made)
    assert made == sorted(made)


@given(number=st.integers(0, 2**128 - 1))
def test_a_text_names_one_uuid(number: int) -> None:
    value = uuid.UUID(int=number)
    assert uuid_of("port", id_of("port", value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bt_",
        "bt_12",
        "bt" + "0" * 32,
        "job_" + "0" * 32,
        "bt_" + "0" * 33,
        "bt_" + "G" * 32,
        "BT_" + "0" * 32,
        None,
        7,
    ],
)
def test_what_is_no_identity_is_refused(text: Any) -> None:
    with pytest.raises(InputError, match="expected an identity such as bt_"):
        uuid_of("bt", text)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(value=st.decimals(-(10**18) + 1, 10**18 - 1, places=10))
def test_decimals_are_kept_exactly(dialect: str, value: Decimal) -> None:
    found = there_and_back(Exact(), value, dialect)
    assert found == value
    assert "E" not in str(there_and_back(Exact(), Decimal(1000), dialect))


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e18", "0.12345678901"])
def test_a_decimal_that_would_be_rounded_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="cannot be kept exactly; expected below 1e18 with at most 10 decimals"):
        Exact().process_bind_param(Decimal(text), DIALECTS["postgresql"])


@pytest.mark.parametrize("dialect", DIALECTS)
@given(at=st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), hours=st.integers(-12, 14))
def test_an_instant_is_kept_to_the_microsecond(dialect: str, at: datetime, hours: int) -> None:
    zoned = at.replace(tzinfo=timezone(timedelta(hours=hours)))
    found = there_and_back(UtcTime(), zoned, dialect)
    assert found == zoned
    assert found.tzinfo is UTC


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@pytest.mark.parametrize("dialect", DIALECTS)
@given(value=st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))
def test_json_comes_back_as_it_was_put_in(dialect: str, value: Any) -> None:
    found = there_and_back(Json(), value, dialect)
    assert repr(found) == repr(value), "types, signs of zero and the order of keys included"


@pytest.mark.parametrize(
    ("text", "is_refused"), [("a\0", True), ("\\\0", True), ("\\u0000", False), ("\\\\u0000", False)]
)
def test_a_nul_in_what_is_to_be_queried_is_refused(text: str, is_refused: bool) -> None:
    kind = Json(is_binary=True)
    if is_refused:
        with pytest.raises(InputError, match="NUL"):
            kind.process_bind_param({"x": [text]}, DIALECTS["postgresql"])
    else:
        assert there_and_back(kind, {"x": [text]}, "postgresql") == {"x": [text]}
