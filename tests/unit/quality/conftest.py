"""What the tests of data quality share: the injected faults of the benchmark, and clean bars."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from algotrendy.data import synthetic

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="session")
def injection() -> Any:
    """Return the module of injected faults, which the table in the documentation is made with."""
    spec = importlib.util.spec_from_file_location("quality_faults", ROOT / "benchmarks" / "quality_faults.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["quality_faults"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def daily() -> pd.DataFrame:
    """Return 600 clean daily bars."""
    return synthetic(600, seed=11, model="garch").drop(columns="is_synthetic")


@pytest.fixture
def minutes() -> pd.DataFrame:
    """Return 30 clean sessions of 5-minute bars."""
    return synthetic(2_340, seed=12, interval="5m").drop(columns="is_synthetic")
