"""A process that writes to a store until it is killed, or until it is done: run by the tests of several processes.

`python -m tests.contract.store_worker KIND ADDRESS SCHEMA TASK NUMBER...`
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from algotrendy.compute import wait_for
from algotrendy.data.series import Span
from algotrendy.data.store import BarStore, ParquetStore
from tests.contract.stores import MINUTES, Place, bars_at, minutes

BLOCK, OVERLAP = 60, 20


def block(number: int) -> tuple[pd.DataFrame, Span]:
    """Return write number so and so: an hour of bars, all at one price, that begins before the last one ended."""
    first = pd.Timestamp("2024-01-01", tz="UTC") + pd.Timedelta(minutes=number * BLOCK - OVERLAP)
    index = minutes(BLOCK + OVERLAP, str(first))
    gap = index[number % OVERLAP :]  # the first bars vanish: other ones each time
    return bars_at(gap, 1.0 + number), Span(index[0], index[-1] + pd.Timedelta("1min"))


def append(store: BarStore, start: int) -> None:
    """Write block after block and say so after each, for ever."""
    number = start
    while True:
        bars, covered = block(number)
        wait_for(store.write(MINUTES, bars, covered))
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()
        number += 1


def interleave(store: BarStore, offset: int, step: int, count: int) -> None:
    """Write single minutes, every `step`-th one: other processes write those between."""
    index = minutes(count * step)
    for place in range(offset, count * step, step):
        bars = bars_at(index[place : place + 1], 1.0 + place)
        wait_for(store.write(MINUTES, bars, Span(index[place], index[place] + pd.Timedelta("1min"))))


def die_everywhere(store: BarStore, number: int) -> None:
    """Write a block in children that die at their first, second, ... file operation; say how each left things."""
    assert isinstance(store, ParquetStore)
    bars, covered = block(number)
    store._write(replace(MINUTES, source="warm"), bars, covered)  # loads what a first write loads
    for operation in range(1, 1_000):
        child = os.fork()
        if child == 0:
            sys.addaudithook(_killing_at(operation, str(store._folder)))
            store._write(MINUTES, bars, covered)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        frame = store._series(MINUTES).read(None)
        manifest = store._series(MINUTES).manifest()
        prices = [] if frame is None else frame["close"].tolist()
        ends = [] if manifest is None else [str(span.end) for span in manifest.covered]
        sys.stdout.write(f"{os.WIFSIGNALED(status):d} {len(prices)} {prices[-1] if prices else 0} {ends}\n")
        sys.stdout.flush()
        if not os.WIFSIGNALED(status):
            return


def _killing_at(operation: int, folder: str) -> Callable[[str, Any], None]:
    seen = [0]

    def watch(event: str, arguments: Any) -> None:
        if event == "fcntl.flock" or any(str(argument).startswith(folder) for argument in arguments[:1]):
            seen[0] += 1
            if seen[0] == operation:
                os.kill(os.getpid(), signal.SIGKILL)

    return watch


def main() -> None:
    """Do one task."""
    kind, address, schema, task, *rest = sys.argv[1:]
    store = Place(kind, address, schema, few_rows=True).open()
    {"append": append, "interleave": interleave, "die_everywhere": die_everywhere}[task](store, *map(int, rest))
    wait_for(store.close())


if __name__ == "__main__":
    main()
