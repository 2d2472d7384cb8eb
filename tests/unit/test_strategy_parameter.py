"""Parameter specs: bounds, types, choices, and names that are taken."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest

from algotrendy.errors import InputError
from algotrendy.strategy.parameter import ParameterSpec, check_name, spec_from_dict


def test_a_spec_has_the_specified_fields_in_order() -> None:
    assert [field.name for field in fields(ParameterSpec)] == [
        "name",
        "type",
        "min_value",
        "max_value",
        "choices",
        "default",
    ]


@pytest.mark.parametrize(
    ("value", "expected"), [(20, 20), (20.0, 20), (np.int64(20), 20), (np.float64(2.0), 2), (2, 2), (200, 200)]
)
def test_a_whole_number_within_the_bounds_is_taken_as_an_int(value: Any, expected: int) -> None:
    checked = ParameterSpec("fast", "int", 2, 200).check(value)
    assert checked == expected
    assert type(checked) is int


@pytest.mark.parametrize("value", [1, 201, 20.5, "20", None, True, float("nan"), float("inf"), [20]])
def test_anything_else_is_refused_with_the_bounds(value: Any) -> None:
    with pytest.raises(InputError, match=r"parameter 'fast' is .*; it must be a whole number from 2 to 200"):
        ParameterSpec("fast", "int", 2, 200).check(value)


def test_a_float_keeps_its_fraction_and_one_sided_bounds_are_named() -> None:
    assert ParameterSpec("width", "float", min_value=0.5).check(np.float32(0.75)) == 0.75
    with pytest.raises(InputError, match=r"a number from 0.5 up"):
        ParameterSpec("width", "float", min_value=0.5).check(0.1)
    with pytest.raises(InputError, match="a number up to 3"):
        ParameterSpec("width", "float", max_value=3).check(4)


def test_a_choice_takes_only_its_choices_and_tells_true_from_one() -> None:
    spec = ParameterSpec("mode", "choice", choices=["fast", 1, 2.5], default="fast")
    assert [spec.check(value) for value in ("fast", 1, 2.5)] == ["fast", 1, 2.5]
    for value in ("slow", True, 2):
        with pytest.raises(InputError, match=r"one of 'fast', 1, 2.5"):
            spec.check(value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"type": "integer"}, "use one of int, float, choice"),
        ({"type": "choice"}, "give choices"),
        ({"type": "choice", "choices": "ab"}, "give choices"),
        ({"type": "int", "choices": [1]}, "only the type 'choice'"),
        ({"type": "int", "min_value": 5, "max_value": 2}, "min_value=5 above max_value=2"),
        ({"type": "int", "min_value": float("nan")}, "a bound is a finite number"),
        ({"type": "int", "min_value": 5, "default": 2}, "it must be a whole number from 5 up"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ParameterSpec("fast", **options)


def test_a_spec_is_frozen_hashable_and_survives_a_dict() -> None:
    spec = ParameterSpec("mode", "choice", choices=[1, 2], default=2)
    assert hash(spec) == hash(ParameterSpec("mode", "choice", choices=(1, 2), default=2))
    assert spec_from_dict("mode", spec.to_dict()) == spec
    with pytest.raises(FrozenInstanceError):
        spec.default = 1  # type: ignore[misc]


def test_a_spec_from_a_dict_names_what_is_wrong() -> None:
    with pytest.raises(InputError, match="unknown field 'minvalue'; did you mean 'min_value'"):
        spec_from_dict("fast", {"type": "int", "minvalue": 2})
    with pytest.raises(InputError, match="it is an object with name, type"):
        spec_from_dict("fast", 20)


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("entry", "field 'entry' of a strategy"),
        ("stop", "can be swept"),
        ("params", "field 'params'"),
        ("commission", "option 'commission' of a backtest"),
        ("periods_per_year", "option 'periods_per_year'"),
        ("close", "column 'close' of the bars"),
        ("not", "reserved word 'not'"),
        ("lambda", "reserved word 'lambda'"),
        ("sma", "function 'sma'"),
    ],
)
def test_a_name_that_means_something_else_is_refused_with_a_remedy(name: str, meaning: str) -> None:
    with pytest.raises(InputError, match=f"{meaning}.*choose another name, such as '{name}_value'"):
        check_name(name, {"sma"})


@pytest.mark.parametrize("name", ["2fast", "fast window", "", "größe", 3])
def test_a_name_that_cannot_be_written_in_a_condition_is_refused(name: Any) -> None:
    with pytest.raises(InputError, match="cannot name a parameter"):
        check_name(name)
