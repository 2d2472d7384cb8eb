"""`import algotrendy` is free: nothing heavy is loaded, no socket opened, no file written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

HEAVY = (
    "pandas",
    "numba",
    "scipy",
    "sklearn",
    "sqlalchemy",
    "fastapi",
    "pydantic",
    "plotly",
    "pyarrow",
    "arch",
    "typer",
    "rich",
)

PROBE = """
import json, os, sys
events = []

def watch(event, arguments):
    if event.startswith("socket.") or event in ("os.mkdir", "os.rename", "os.remove", "subprocess.Popen", "os.system"):
        events.append([event, repr(arguments)])
    if event == "open":
        path, mode, flags = arguments
        writes = (isinstance(mode, str) and set(mode) & set("wax+")) or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and path != os.devnull:
            events.append([event, repr(arguments)])

sys.dont_write_bytecode = True
sys.addaudithook(watch)
import algotrendy
dir(algotrendy)
print(json.dumps({"events": events, "modules": sorted(sys.modules)}))
"""


def _probe(home: Path) -> dict[str, list[str]]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("ALGOTRENDY_", "XDG_", "COV"))},
        "HOME": str(home),
    }
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, cwd=home, capture_output=True, text=True, check=True, timeout=60
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_import_loads_nothing_heavy_opens_no_socket_and_writes_no_file(tmp_path: Path) -> None:
    found = _probe(tmp_path)
    assert set(HEAVY) & set(found["modules"]) == set()
    assert found["events"] == []
    assert list(tmp_path.iterdir()) == []
