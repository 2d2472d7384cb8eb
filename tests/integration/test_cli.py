"""The command line as a user meets it: real processes, their output, their exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CROSS = ("--entry", "sma(close, fast) > sma(close, slow)", "--exit", "sma(close, fast) <= sma(close, slow)")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m algotrendy` in `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "algotrendy", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_console_script_and_the_module_are_the_same_program(tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "algotrendy"
    as_script = subprocess.run([script, "--help"], cwd=tmp_path, capture_output=True, text=True, check=True)
    as_module = run(tmp_path, "--help")
    assert as_module.stdout == as_script.stdout
    for command in ("demo", "backtest", "optimize", "report"):
        assert command in as_module.stdout


def test_the_demo_prints_a_table_and_writes_a_report(tmp_path: Path) -> None:
    done = run(tmp_path, "demo", "--out", "here")
    assert done.returncode == 0, done.stderr
    assert "sharpe ratio" in done.stdout.lower()
    assert str(Path("here") / "report.html") in done.stdout
    page = (tmp_path / "here" / "report.html").read_text(encoding="utf-8")
    assert "NASDAQ" in page
    assert len((tmp_path / "here" / "sweep.csv").read_text().splitlines()) > 7000


def test_a_backtest_of_conditions_is_saved_and_reported(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        *("backtest", "--sample", "nasdaq", *CROSS, "-p", "fast=20", "-p", "slow=50", "--stop", "0.1"),
        *("--commission", "0.0005", "--save", "result.json", "--report", "first.html"),
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "first.html").stat().st_size > 100_000
    json.loads((tmp_path / "result.json").read_text())
    again = run(tmp_path, "report", "result.json", "--out", "second.html")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "second.html").exists()
    printed = run(tmp_path, "report", "result.json", "--format", "pdf", "--date", "2026-01-31", "--paper", "letter")
    assert printed.returncode == 0, printed.stderr
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF-")
    refused = run(tmp_path, "report", "result.json", "--format", "pdf", "--out", "a.xlsx")
    assert refused.returncode == 2
    assert "contradict each other" in " ".join(refused.stderr.split())


def test_a_backtest_reads_a_csv_and_a_strategy_file(tmp_path: Path) -> None:
    import algotrendy as at

    at.synthetic(n=300, seed=1).to_csv(tmp_path / "bars.csv")
    (tmp_path / "cross.json").write_text(at.strategies.sma_cross(5, 20).to_json())
    done = run(tmp_path, "backtest", "--data", "bars.csv", "--strategy", "cross.json", "-p", "fast=10")
    assert done.returncode == 0, done.stderr
    by_name = run(
        tmp_path, "backtest", "--data", "bars.csv", "--strategy", "sma_cross", "-p", "fast=10", "-p", "slow=20"
    )
    assert by_name.stdout.partition("Data")[0] == done.stdout.partition("Data")[0]
    assert "fast=10, slow=20" in done.stdout


def test_a_stop_is_swept_by_its_name(tmp_path: Path) -> None:
    done = run(
        tmp_path, *("optimize", "--sample", "NASDAQ", *CROSS, "-g", "fast=5,10", "-p", "slow=50", "-g", "stop=0.05,0.1")
    )
    assert done.returncode == 0, done.stderr
    assert "4 combinations" in done.stdout


def test_a_file_that_may_be_read_in_two_ways_is_settled_by_an_option(tmp_path: Path) -> None:
    rows = ["Date;Open;High;Low;Close", *(f"0{day}.02.2024;1,5;2,0;1,0;1,75" for day in range(1, 10))]
    (tmp_path / "bars.csv").write_text("\n".join(rows))
    asked = run(tmp_path, "backtest", "--data", "bars.csv", "--entry", "close > open")
    assert asked.returncode == 2
    assert 'date_format="%d.%m.%Y"' in asked.stderr
    told = run(tmp_path, "backtest", "--data", "bars.csv", "--read", "date_format=%d.%m.%Y", "--entry", "close > open")
    assert told.returncode == 0, told.stderr


def test_a_sweep_ranks_the_combinations_and_writes_them_all(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        *("optimize", "--sample", "NASDAQ", *CROSS, "-g", "fast=5:20:5", "-g", "slow=10,50,100"),
        *("--where", "fast < slow", "--metric", "calmar_ratio", "--top", "3", "--workers", "1", "--table", "all.csv"),
    )
    assert done.returncode == 0, done.stderr
    assert "7 combinations" in done.stdout
    assert "calmar ratio" in done.stdout
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 1 + 7


MISTAKES = {
    "no bars": (("backtest", *CROSS), "--data FILE or --sample NAME"),
    "no such file": (("backtest", "--data", "no.csv", *CROSS), "no.csv"),
    "unknown sample": (("backtest", "--sample", "NASDAK", *CROSS, "-p", "fast=2", "-p", "slow=5"), "NASDAQ"),
    "unknown way to read": (("backtest", "--data", "bars.xls", "--read", "colour=red", *CROSS), "date_format"),
    "no strategy": (("backtest", "--sample", "NASDAQ"), "--strategy"),
    "unknown strategy": (("backtest", "--sample", "NASDAQ", "--strategy", "sma_kross"), "sma_cross"),
    "not an expression": (("backtest", "--sample", "NASDAQ", "--entry", "smaa(close, 5) > 1"), "sma"),
    "missing parameter": (("backtest", "--sample", "NASDAQ", *CROSS, "-p", "fast=2"), "slow"),
    "not name=value": (("backtest", "--sample", "NASDAQ", *CROSS, "-p", "fast"), "name=value"),
    "not a number": (("backtest", "--sample", "NASDAQ", *CROSS, "-p", "fast=two"), "not a number"),
    "no grid": (("optimize", "--sample", "NASDAQ", *CROSS), "--grid"),
    "a range of fractions": (("optimize", "--sample", "NASDAQ", *CROSS, "-g", "fast=0.1:0.5"), "whole numbers"),
    "unknown fill": (
        ("backtest", "--sample", "NASDAQ", "--strategy", "sma_cross", "--fill", "next_opn"),
        "next_open",
    ),
    "no saved result": (("report", "nothing.json"), "nothing.json"),
    "unknown kind of file": (("backtest", "--data", "bars.xls", *CROSS), ".csv"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_clear_message_and_exit_code_two(name: str, tmp_path: Path) -> None:
    arguments, hint = MISTAKES[name]
    (tmp_path / "bars.xls").touch()
    done = run(tmp_path, *arguments)
    assert done.returncode == 2
    assert hint in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("algotrendy: ")


def test_an_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    done = run(tmp_path, "backtest", "--smaple", "NASDAQ")
    assert done.returncode == 2
    assert "--sample" in done.stderr


def test_a_discovery_prints_its_verdict_and_writes_its_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from algotrendy.cli.discover import discover

    discover(
        sample="NASDAQ", candidates=12, finalists=2, side=["both"], seed=3, workers=1, save=tmp_path / "found.json"
    )
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["n_trials"] == 12
    assert found["verdict"] in capsys.readouterr().out
