"""What a newcomer copies runs as it stands: the README's code and every file in `examples/`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))

TEN_LINES = """\
import algotrendy as at
bars = at.sample("NASDAQ")
strategy = at.Strategy(entry="sma(close, fast) > sma(close, slow)", exit="sma(close, fast) <= sma(close, slow)", fast=20, slow=50)
result = at.backtest(strategy, bars, cash=100_000, commission=0.0005, fill="next_open")
print(result.summary())
result.report("first.html")
sweep = at.optimize(strategy, bars, {"fast": range(5, 51), "slow": range(20, 201)}, metric="sharpe_ratio", where="fast < slow", cash=100_000, commission=0.0005)
print(sweep.top(10))
"""  # noqa: E501 - word for word as promised


def _run(path: Path, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path)], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_the_readme_promises_the_ten_lines_word_for_word() -> None:
    assert TEN_LINES in BLOCKS


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_a_code_block_of_the_readme_runs(number: int, tmp_path: Path) -> None:
    script = tmp_path / "block.py"
    script.write_text(BLOCKS[number], encoding="utf-8")
    assert _run(script, tmp_path) != ""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    assert _run(path, tmp_path) != ""


def test_the_readme_names_every_folder_of_the_package() -> None:
    rooms = [path.name for path in (ROOT / "algotrendy").iterdir() if (path / "__init__.py").exists()]
    assert [room for room in rooms if f"`algotrendy/{room}/`" not in README] == []
