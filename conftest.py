"""What every collected test shares, doctests of the package included: the rest stands in tests/conftest.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Set before algotrendy is imported: compiled kernels are kept between test runs, apart from the user's own.
os.environ.setdefault("ALGOTRENDY_HOME", str(Path(__file__).parent / "build" / "test-home"))
os.environ.setdefault("ALGOTRENDY_PROGRESS", "false")
os.environ.setdefault("ALGOTRENDY_LEDGER", "off")  # a test that counts trials brings its own ledger


@pytest.fixture(autouse=True)
def _doctests_write_elsewhere(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each doctest in an empty folder, so that an example may save a file without leaving it here."""
    if isinstance(request.node, pytest.DoctestItem):
        monkeypatch.chdir(tmp_path)
