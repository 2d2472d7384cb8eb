"""What an optional package brings says how to install it where the package is missing."""

from __future__ import annotations

import sys

import pytest

import algotrendy as at
from algotrendy.compute import map_work
from algotrendy.errors import MissingExtraError


def test_ray_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"algotrendy\[ray\]"):
        map_work(abs, [1], where="ray")


def test_optuna_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    spans = {"fast": (2, 9), "slow": (10, 30)}
    with pytest.raises(MissingExtraError, match=r"algotrendy\[tune\]"):
        at.optimize(at.strategies.sma_cross(), at.synthetic(n=100, seed=1), spans, method="bayesian")
