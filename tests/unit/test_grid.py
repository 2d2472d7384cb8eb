"""Combinations of a sweep: all of them, in order, and errors that name the parameter."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from algotrendy.backtest.sweep.grid import make_grid
from algotrendy.errors import InputError


def test_the_last_name_varies_fastest() -> None:
    grid = make_grid({"fast": [1, 2], "slow": [10, 20, 30]})
    expected = list(itertools.product([1, 2], [10, 20, 30]))
    assert [tuple(grid.combination(row).values()) for row in range(len(grid))] == expected


def test_columns_keep_whole_numbers_whole() -> None:
    grid = make_grid({"fast": range(2, 5), "stop": [0.01, 0.02]})
    assert grid.column("fast").dtype.kind == "i"
    assert grid.column("stop").tolist() == [0.01, 0.02] * 3


def test_numpy_values_become_plain_numbers() -> None:
    grid = make_grid({"fast": np.arange(3), "stop": np.linspace(0.1, 0.2, 2)})
    assert all(type(value) in (int, float) for values in grid.values for value in values)


def test_only_the_kept_combinations_stay() -> None:
    grid = make_grid({"a": range(4), "b": range(4)}, lambda every: every.column("a") < every.column("b"))
    assert len(grid) == 6


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "at least one name"),
        ([1, 2], "at least one name"),
        ({"fast": []}, "is empty"),
        ({"fast": 5}, "several numbers"),
        ({"fast": "5:10"}, "several numbers"),
        ({"fast": [1, float("nan")]}, "finite"),
        ({"fast": [1, True]}, "finite"),
        ({"fast": [1, "2"]}, "finite"),
        ({"fast": [1, 2, 1]}, "more than once"),
        ({"a": range(10_000), "b": range(10_000)}, "100,000,000 combinations"),
    ],
)
def test_a_wrong_grid_says_what_is_wrong(given: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_grid(given)  # type: ignore[arg-type]


def test_a_condition_that_keeps_nothing_is_an_error() -> None:
    with pytest.raises(InputError, match="keeps none of the 4 combinations"):
        make_grid({"a": range(2), "b": range(2)}, lambda every: every.column("a") > 5)
