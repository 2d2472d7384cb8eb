"""Time algotrendy against its peers: `make bench`.

Needs only a Python: makes `benchmarks/.venv` with this tree and the peers, then runs `compare.py` in it.
Options are handed on: `make bench BENCH_ARGS=--quick` leaves out the slow peers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FOLDER = HERE / ".venv"
CHART_PEERS = HERE / "out" / "venv-charts"
ONE_THREAD = ("NUMBA_NUM_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
NEEDED = (ROOT / "constraints.txt", ROOT / "pyproject.toml", HERE / "requirements.txt")


def _pip(*arguments: str) -> None:
    command = [str(FOLDER / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, *arguments], check=True, cwd=ROOT)


def ensure_environment() -> None:
    """Make the environment, or bring it up to date when a pinned version or a source file has changed."""
    stamp = FOLDER / ".stamp"
    if not stamp.exists() or any(path.stat().st_mtime > stamp.stat().st_mtime for path in NEEDED):
        print("Making the environment of the benchmarks ...", flush=True)
        venv.create(FOLDER, with_pip=True)
        _pip(
            "--constraint",
            "constraints.txt",
            "--requirement",
            "benchmarks/requirements.txt",
            "--editable",
            ".[storage]",
        )
        stamp.touch()


def ensure_chart_peers() -> None:
    """Make the environment of the peers that draw charts: one of them needs an older numpy than ours.

    Where it cannot be made, their figures are missing from the table and nothing else.
    """
    stamp = CHART_PEERS / ".stamp"
    wanted = HERE / "requirements-charts.txt"
    if stamp.exists() and stamp.stat().st_mtime > wanted.stat().st_mtime:
        return
    print("Making the environment of the peers that draw charts ...", flush=True)
    venv.create(CHART_PEERS, with_pip=True)
    command = [str(CHART_PEERS / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, "--requirement", str(wanted)], cwd=ROOT, check=False).returncode == 0:
        stamp.touch()
    else:
        print("They cannot be installed here; the rows of charts go without peers.", flush=True)


def ensure_risk_peers() -> None:
    """Add the peers that measure risk; where they do not go with the rest, their figures are missing."""
    stamp = FOLDER / ".stamp-risk"
    wanted = HERE / "requirements-risk.txt"
    if stamp.exists() and stamp.stat().st_mtime > max(wanted.stat().st_mtime, (FOLDER / ".stamp").stat().st_mtime):
        return
    try:
        _pip("--constraint", "constraints.txt", "--requirement", "benchmarks/requirements-risk.txt")
    except subprocess.CalledProcessError:
        print("The peers that measure risk cannot be installed here; the rows of risk go without them.", flush=True)
    else:
        stamp.touch()


def main() -> int:
    """Make the environments and hand over to the first."""
    ensure_environment()
    ensure_risk_peers()
    ensure_chart_peers()
    one_thread = dict.fromkeys(ONE_THREAD, "1")
    # pip compiles what it installs; an editable tree is compiled on its first import, unless the shell forbids it.
    shell = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    home = {"ALGOTRENDY_HOME": str(HERE / "out" / "home"), "NUMBA_CACHE_DIR": str(HERE / "out" / "numba")}
    home["ALGOTRENDY_LEDGER"] = "off"  # its cost is a row of its own
    return subprocess.run(
        [str(FOLDER / "bin" / "python"), str(HERE / "compare.py"), *sys.argv[1:]],
        env={**shell, **one_thread, **home, "PYTHONUTF8": "1"},
        cwd=ROOT,
        check=False,
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
