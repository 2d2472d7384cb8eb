"""Reverse stress: the formula, a search that finds the same, and nothing closer that does it, too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algotrendy.errors import InputError
from algotrendy.risk.limits import Limit
from algotrendy.risk.stress import StressBook, StressTester, reverse_stress


def book_of(seed: int, n: int, **more: Any) -> StressBook:
    rng = np.random.default_rng(seed)
    names = [f"S{i}" for i in range(n)]
    root = rng.normal(size=(n, n + 2)) * 0.01
    values = dict(zip(names, rng.normal(30_000, 40_000, n), strict=True))
    covariance = pd.DataFrame(root @ root.T, names, names)
    betas = {"market": dict(zip(names, rng.uniform(0.5, 1.5, n), strict=True))}
    return StressBook(
        values=values, equity=100_000.0, covariance=covariance, betas=betas, peak_equity=105_000.0, **more
    )


@given(seed=st.integers(0, 10_000), n=st.integers(1, 8), loss=st.floats(0.01, 0.3))
def test_a_linear_book_has_the_closed_form(seed: int, n: int, loss: float) -> None:
    book = book_of(seed, n)
    v, s = book.exposures, book.matrix
    expected = -loss * book.equity * (s @ v) / (v @ s @ v)
    if expected.min() < -1:
        return
    found = reverse_stress(book, loss=loss)
    assert found.is_closed_form
    assert list(found.shock.values()) == pytest.approx(expected, rel=1e-9)
    assert found.loss == pytest.approx(loss)
    assert found.distance == pytest.approx(np.sqrt(expected @ np.linalg.solve(s, expected)), rel=1e-6)
    limit = Limit(kind="drawdown", limit="0.2")
    by_limit = reverse_stress(book, limit=limit)
    assert by_limit.loss == pytest.approx(1 - 0.8 * 1.05)
    assert by_limit.value == pytest.approx(0.2)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), n=st.integers(1, 6), loss=st.floats(0.02, 0.2))
def test_the_search_finds_the_closed_form_to_a_millionth(seed: int, n: int, loss: float) -> None:
    linear = book_of(seed, n)
    v, s = linear.exposures, linear.matrix
    distance = loss * linear.equity / np.sqrt(v @ s @ v)
    if distance > 40 or (s @ v).max() * distance / np.sqrt(v @ s @ v) > 1:  # too far, or below zero
        return
    formula = reverse_stress(linear, loss=loss)
    searched = reverse_stress(replace(linear, reprice=lambda returns: float(v @ returns)), loss=loss)
    assert not searched.is_closed_form
    assert searched.distance == pytest.approx(formula.distance, rel=1e-6)
    assert list(searched.shock.values()) == pytest.approx(list(formula.shock.values()), abs=1e-6)


@pytest.mark.parametrize("kind", ["gross_leverage", "net_leverage", "concentration"])
def test_nothing_closer_breaks_the_limit(kind: str) -> None:
    names, rng = ["A", "B"], np.random.default_rng(1)
    covariance = pd.DataFrame([[4e-4, 1e-4], [1e-4, 9e-4]], names, names)
    book = StressBook(values={"A": 120_000.0, "B": -50_000.0}, equity=100_000.0, covariance=covariance)
    level = {"gross_leverage": "2", "net_leverage": "0.4", "concentration": "1.4"}[kind]
    level = "1" if kind == "net_leverage" else level
    found = reverse_stress(book, limit=Limit(kind=kind, limit=level))
    assert found.value == pytest.approx(float(level), rel=1e-9)
    assert found.distance is not None
    root = np.linalg.cholesky(book.matrix)
    angles = rng.uniform(0, 2 * np.pi, 20_000)
    z = np.column_stack((np.cos(angles), np.sin(angles))) * (found.distance * (1 - 1e-5))
    after = book.exposures * (1 + z @ root.T)
    equity = 100_000.0 + (z @ root.T) @ book.exposures
    worst = {
        "gross_leverage": np.abs(after).sum(axis=1), "net_leverage": np.abs(after.sum(axis=1)),
        "concentration": np.abs(after).max(axis=1),
    }[kind] / equity  # fmt: skip
    assert (worst < float(level)).all(), "a closer shock breaks it"


def test_leverage_of_one_position_by_hand() -> None:
    covariance = pd.DataFrame([[4e-4]], ["A"], ["A"])
    book = StressBook(values={"A": 150.0}, equity=100.0, covariance=covariance, betas={"market": {"A": 1.5}})
    limit = Limit(kind="gross_leverage", limit=2)
    found = reverse_stress(book, limit=limit)  # 150 (1 + r) = 2 (100 + 150 r)
    assert found.shock["A"] == pytest.approx(-1 / 3, abs=1e-9)
    assert found.distance == pytest.approx(1 / 3 / 0.02)
    by_factor = reverse_stress(book, limit=limit, factor="market")
    assert by_factor.factor_return == pytest.approx(-2 / 9, abs=1e-9)


def test_a_book_of_options_is_searched() -> None:
    names = ["A", "B"]
    covariance = pd.DataFrame(np.diag([4e-4, 1e-4]), names, names)
    gamma = StressBook(  # loses by any large move; smallest along the direction that moves most
        values={"A": 0.0, "B": 0.0}, equity=100.0, covariance=covariance,
        reprice=lambda returns: -1000.0 * float(returns[0] ** 2) - 1000.0 * float(returns[1] ** 2),
    )  # fmt: skip
    found = reverse_stress(gamma, loss=0.4)  # 1000 r^2 = 40
    assert abs(found.shock["A"]) == pytest.approx(0.2, abs=1e-6)
    assert found.shock["B"] == pytest.approx(0.0, abs=1e-5)
    assert found.distance == pytest.approx(10.0, rel=1e-6)


@given(seed=st.integers(0, 10_000), loss=st.floats(0.01, 0.2))
def test_one_factor_has_its_closed_form(seed: int, loss: float) -> None:
    book = book_of(seed, 5)
    slope = float(book.exposures @ book.loadings("market"))
    expected = -loss * book.equity / slope
    if abs(expected) > 0.6:
        return
    found = StressTester().reverse(book, loss=loss, factor="market")
    assert found.is_closed_form
    assert found.factor_return == pytest.approx(expected)
    v = book.exposures
    searched = reverse_stress(replace(book, reprice=lambda r: float(v @ r)), loss=loss, factor="market")
    assert searched.factor_return == pytest.approx(expected, abs=1e-6)


def test_prices_do_not_fall_below_zero() -> None:
    names = ["A", "B"]
    covariance = pd.DataFrame(np.diag([1e-2, 1e-4]), names, names)
    book = StressBook(values={"A": 40.0, "B": 60.0}, equity=100.0, covariance=covariance)
    found = reverse_stress(book, loss=0.5)  # by formula A would fall by 1.22
    assert not found.is_closed_form
    assert found.shock == pytest.approx({"A": -1.0, "B": -1 / 6}, abs=1e-5)
    assert found.loss == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (reverse_stress, "either loss= or limit="),
        (lambda book: reverse_stress(book, loss=0.1, limit=Limit(kind="drawdown", limit=1)), "either loss= or limit="),
        (lambda book: reverse_stress(book, loss=-0.1), "above 0"),
        (lambda book: reverse_stress(book, limit=Limit(kind="beta", limit=1)), "does not break beta"),
        (lambda book: reverse_stress(book, limit=Limit(kind="gross_leverage", limit="0.5")), "already"),
        (lambda book: reverse_stress(book, loss=0.1, factor="oil"), "no betas of the factor 'oil'"),
        (lambda book: reverse_stress(book, loss=2.0, factor="market"), "no return of market"),
        (lambda book: reverse_stress(replace(book, reprice=lambda _: 0.0), loss=0.1), "no shock within"),
        (
            lambda book: reverse_stress(replace(book, peak_equity=None), limit=Limit(kind="drawdown", limit=1)),
            "peak_eq",
        ),
        (lambda book: reverse_stress(replace(book, values={"A": 0.0}), loss=0.1), "no variance"),
    ],
)
def test_what_cannot_be_found_is_told(call: Any, said: str) -> None:
    covariance = pd.DataFrame([[4e-4]], ["A"], ["A"])
    book = StressBook(
        values={"A": 100.0}, equity=100.0, covariance=covariance, betas={"market": {"A": 1.0}}, peak_equity=100.0
    )
    with pytest.raises(InputError, match=said):
        call(book)
