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
        venv.create(FOLDER, with_pip=True, symlinks=True)
        _pip(
            "--constraint",
            "constraints.txt",
            "--requirement",
            "benchmarks/requirements.txt",
            "--editable",
            ".[storage,optimise,reports]",
        )
        stamp.touch()


def ensure_peers(name: str) -> None:
    """Make an environment of the peers' own, `out/venv-NAME` from `requirements-NAME.txt`: some need what ours does not
    go with, mlfinpy an older numpy, empyrical an older peewee.

    Where it cannot be made, their figures are missing from the table and nothing else.
    """
    folder, wanted = HERE / "out" / f"venv-{name}", HERE / f"requirements-{name}.txt"
    stamp = folder / ".stamp"
    if stamp.exists() and stamp.stat().st_mtime > wanted.stat().st_mtime:
        return
    print(f"Making the environment of the peers in {wanted.name} ...", flush=True)
    venv.create(folder, with_pip=True, symlinks=True)
    command = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*command, "--requirement", str(wanted)], cwd=ROOT, check=False).returncode == 0:
        stamp.touch()
    else:
        print("They cannot be installed here; their rows go without peers.", flush=True)


def main() -> int:
    """Make the environments and hand over to the first."""
    ensure_environment()
    for name in ("charts", "risk"):
        ensure_peers(name)
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
