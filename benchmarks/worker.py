"""One side of the comparison, in a process of its own: it waits for the name of a task, times it, answers in JSON.

The parent talks to one process at a time, all on the same core, so the sides never compete.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

Task = Callable[[], Callable[[], Mapping[str, float]]]
"""Prepares the inputs outside the clock and returns what is to be timed, which answers with figures to compare."""


def resident_mib() -> float:
    """Return the memory that this process holds now, in MiB."""
    with Path("/proc/self/status").open() as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS:"))


def peak_mib() -> float:
    """Return the most memory that this process has held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(tasks: Mapping[str, Task]) -> None:
    """Answer the parent's requests, one JSON object a line, until it hangs up."""
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes to the error stream
    os.dup2(2, 1)
    prepared: dict[str, Callable[[], Mapping[str, float]]] = {}
    for line in sys.stdin:
        request = json.loads(line)
        name, repeat = request["task"], request["repeat"]
        if name not in prepared:
            prepared[name] = tasks[name]()
            if request["warm"]:
                prepared[name]()
        before = resident_mib()
        seconds, facts = _timed(prepared[name], repeat)
        answer = {"seconds": seconds, "facts": dict(facts), "mib_before": before, "mib_peak": peak_mib()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _timed(run: Callable[[], Mapping[str, float]], repeat: int) -> tuple[list[float], Mapping[str, float]]:
    seconds: list[float] = []
    facts: Mapping[str, float] = {}
    gc.collect()
    gc.disable()
    for _ in range(repeat):
        start = time.perf_counter()
        facts = run()
        seconds.append(time.perf_counter() - start)
    gc.enable()
    return seconds, facts


def sweep_windows() -> list[int]:
    """Return the windows whose pairs, the smaller first, are the sweep: 142 windows, 10,011 pairs."""
    return list(range(4, 288, 2))


COMMISSION, CASH, STOP, SIZE = 0.0005, 100_000.0, 0.05, 0.5
FAST, SLOW = 20, 50
"""What every side runs with. Signals are levels: long while the fast average is above the slow one."""
ENTRY, EXIT = "sma(close, fast) > sma(close, slow)", "sma(close, fast) <= sma(close, slow)"
"""The same in our words."""
