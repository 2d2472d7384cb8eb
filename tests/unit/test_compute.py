"""Work over cores: order, equality, Ctrl-C, and errors that say what to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap

import pytest

from algotrendy.compute import map_chunks, progress_for, worker_count
from algotrendy.errors import InputError


def square(n: int) -> int:
    return n * n


class Counter:
    def __init__(self) -> None:
        self.steps = 0

    def __enter__(self) -> Counter:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def advance(self, steps: int) -> None:
        self.steps += steps


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("where", ["threads", "processes"])
def test_results_come_in_the_order_of_the_chunks(workers: int, where: str) -> None:
    mapped = map_chunks(square, list(range(20)), workers=workers, where=where)  # type: ignore[arg-type]
    assert mapped.results == [n * n for n in range(20)]
    assert not mapped.interrupted


def test_no_chunks_give_no_results() -> None:
    assert map_chunks(square, []).results == []


def test_progress_counts_every_step() -> None:
    counter = Counter()
    map_chunks(square, [1, 2, 3], workers=2, progress=counter, steps=lambda n: n)
    assert counter.steps == 6


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_keeps_what_is_done(workers: int) -> None:
    def work(n: int) -> int:
        if n == 3:
            raise KeyboardInterrupt
        return n

    mapped = map_chunks(work, list(range(100)), workers=workers)
    assert mapped.interrupted
    assert mapped.results[0] == 0
    assert mapped.results[-1] is None


def test_ctrl_c_stops_processes_and_keeps_what_is_done() -> None:
    script = textwrap.dedent(
        """
        import os, signal, time
        from algotrendy.compute import map_chunks

        def work(n):
            if n == 5:
                os.kill(os.getppid(), signal.SIGINT)
            time.sleep(0.05)
            return n

        mapped = map_chunks(work, list(range(1000)), workers=2, where="processes")
        done = sum(result is not None for result in mapped.results)
        print(mapped.interrupted, 0 < done < 100)
        """
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.split() == ["True", "True"]


def test_an_error_in_a_chunk_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        map_chunks(lambda n: 1 // n, [1, 0], workers=2)


def test_a_function_that_cannot_travel_says_what_to_do() -> None:
    with pytest.raises(InputError, match="workers=1"):
        map_chunks(lambda n: n, [1, 2], workers=2, where="processes")


@pytest.mark.parametrize("workers", [0, -1, True, 1.5])
def test_a_wrong_number_of_workers_is_refused(workers: object) -> None:
    with pytest.raises(InputError, match="at least 1"):
        worker_count(workers)  # type: ignore[arg-type]


def test_all_cores_by_default() -> None:
    assert worker_count(None) >= 1


def test_a_bar_is_shown_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_for("sweep", 2, show=True) as progress:
        progress.advance(2)
    assert "sweep" in capsys.readouterr().err


def test_nothing_is_shown_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_for("sweep", 2) as progress:
        progress.advance(2)
    assert capsys.readouterr().err == ""


def test_the_parent_keeps_its_interrupt_handler() -> None:
    map_chunks(square, [1, 2, 3], workers=2, where="processes")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert os.getpid() > 0
