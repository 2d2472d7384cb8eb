"""A changed kernel is never served from a stale cache, also when only a kernel that it calls has changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from algotrendy.kernels._jit import source_hash

CALLER = """
import sys, types, importlib.util, pathlib
folder = pathlib.Path(sys.argv[1])
import algotrendy.kernels._jit as house
house.__file__ = str(folder / "_jit.py")          # the hash is taken over the copy
sys.path.insert(0, str(folder.parent))
from kernel_copy.caller import double_it
print(double_it(3.0))
"""


def kernels(folder: Path, factor: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text("")
    jit = "from algotrendy.kernels._jit import jit\n"
    (folder / "callee.py").write_text(jit + f"@jit\ndef scale(x):\n    return x * {factor}\n")
    (folder / "caller.py").write_text(
        jit + "from kernel_copy.callee import scale\n@jit\ndef double_it(x):\n    return scale(x)\n"
    )


def run(folder: Path, home: Path) -> str:
    environment = {**os.environ, "ALGOTRENDY_HOME": str(home)}
    answer = subprocess.run(
        [sys.executable, "-c", CALLER, str(folder)], capture_output=True, text=True, env=environment, check=True
    )
    return answer.stdout.strip()


def test_a_changed_callee_is_not_served_from_the_cache(tmp_path: Path) -> None:
    folder, home = tmp_path / "kernel_copy", tmp_path / "home"
    kernels(folder, "2.0")
    assert run(folder, home) == "6.0"
    first = {path.name for path in (home / "kernels").iterdir()}
    assert run(folder, home) == "6.0"
    assert {path.name for path in (home / "kernels").iterdir()} == first
    kernels(folder, "5.0")
    assert run(folder, home) == "15.0"


def test_the_hash_sees_every_letter_of_every_file(tmp_path: Path) -> None:
    kernels(tmp_path / "kernel_copy", "2.0")
    before = source_hash(tmp_path / "kernel_copy")
    (tmp_path / "kernel_copy" / "callee.py").write_text("# changed\n")
    assert source_hash(tmp_path / "kernel_copy") != before


def test_kernels_run_where_no_folder_can_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "a_file"
    blocked.write_text("not a folder")
    folder = tmp_path / "kernel_copy"
    kernels(folder, "2.0")
    assert run(folder, blocked) == "6.0"


def test_a_user_keeps_the_cache_folder_of_their_own_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    numba = pytest.importorskip("numba")
    from algotrendy.kernels._jit import jit

    monkeypatch.setattr(numba.config, "CACHE_DIR", "their-own")
    jit(lambda x: x)
    assert numba.config.CACHE_DIR == "their-own"


WITHOUT_LINEAR_ALGEBRA = """
import sys
import algotrendy as at

at.backtest(at.strategies.sma_cross(), at.synthetic(n=300, seed=1))
assert "numba.np.arraymath" in sys.modules, "kernels have run"
assert "scipy.linalg" not in sys.modules, "nothing here needs linear algebra"

import numba, numpy as np

@numba.njit
def multiplied(a, b):
    return a @ b

a, b = np.array([[4.0, 1.0], [2.0, 3.0]]), np.array([1.0, 2.0])
assert np.allclose(multiplied(a, b), a @ b)
assert "scipy.linalg" in sys.modules, "Numba has checked it for this kernel"
from numba.np import arraymath, linalg
assert arraymath._HAVE_BLAS
assert linalg.ensure_blas is arraymath.ensure_blas and linalg.ensure_blas.__module__ == "numba.np.linalg"
print("linear algebra works")
"""


def test_a_first_backtest_does_not_load_linear_algebra_and_users_still_have_it() -> None:
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", WITHOUT_LINEAR_ALGEBRA], capture_output=True, text=True, check=False
    )
    assert answer.stdout.strip() == "linear algebra works", answer.stderr


def test_a_backtest_does_not_load_what_only_sweeps_need() -> None:
    code = """
import sys
import algotrendy as at
at.backtest(at.strategies.macd_cross(), at.synthetic(n=300, seed=1))
print([name for name in sys.modules if name.startswith("algotrendy.kernels") and ("many" in name or "lanes" in name)])
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
