"""Work over cores: order, equality, Ctrl-C, and errors that say what to do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from algotrendy.compute import Cancel, Estimate, Executor, Journal, Record, map_work, progress_for, worker_count
from algotrendy.errors import DataError, ExpressionError, InputError, MissingExtraError, WorkerLost


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
    mapped = map_work(square, list(range(20)), workers=workers, where=where)  # type: ignore[arg-type]
    assert mapped.results == [n * n for n in range(20)]
    assert not mapped.interrupted


def test_no_chunks_give_no_results() -> None:
    assert map_work(square, []).results == []


def test_progress_counts_every_step() -> None:
    counter = Counter()
    map_work(square, [1, 2, 3], workers=2, progress=counter, steps=lambda n: n)
    assert counter.steps == 6


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_keeps_what_is_done(workers: int) -> None:
    def work(n: int) -> int:
        if n == 3:
            raise KeyboardInterrupt
        return n

    mapped = map_work(work, list(range(100)), workers=workers)
    assert mapped.interrupted
    assert mapped.results[0] == 0
    assert mapped.results[-1] is None


def test_ctrl_c_stops_processes_and_keeps_what_is_done() -> None:
    script = textwrap.dedent(
        """
        import os, signal, time
        from algotrendy.compute import map_work

        def work(n):
            if n == 5:
                os.kill(os.getppid(), signal.SIGINT)
            time.sleep(0.05)
            return n

        mapped = map_work(work, list(range(1000)), workers=2, where="processes")
        done = sum(result is not None for result in mapped.results)
        print(mapped.interrupted, 0 < done < 100)
        """
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.split() == ["True", "True"]


def test_an_error_in_a_chunk_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        map_work(lambda n: 1 // n, [1, 0], workers=2)


def test_a_function_that_cannot_travel_says_what_to_do() -> None:
    with pytest.raises(InputError, match="workers=1"):
        map_work(lambda n: n, [1, 2], workers=2, where="processes")


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
    map_work(square, [1, 2, 3], workers=2, where="processes")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert os.getpid() > 0


# --- a token ends the work ---


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("where", ["threads", "processes"])
def test_a_token_keeps_what_is_done(workers: int, where: str) -> None:
    cancel = Cancel()
    mapped = map_work(
        square,
        list(range(500)),
        where=where,  # type: ignore[arg-type]
        workers=workers,
        cancel=cancel,
        on_result=lambda place, _: cancel.cancel() if place == 5 else None,
    )
    done = [n for n, result in enumerate(mapped.results) if result is not None]
    assert mapped.interrupted
    assert 5 in done
    assert len(done) < 50


def test_a_token_from_another_thread_is_seen_while_chunks_run() -> None:
    cancel = Cancel()
    threading.Timer(0.1, cancel.cancel).start()
    begun = time.monotonic()
    mapped = map_work(time.sleep, [0.3] * 100, workers=2, cancel=cancel)
    assert mapped.interrupted
    assert time.monotonic() - begun < 5


def test_results_are_told_as_they_come() -> None:
    told: dict[int, int] = {}
    map_work(square, list(range(20)), workers=3, on_result=told.__setitem__)
    assert told == {n: n * n for n in range(20)}


# --- a worker that is killed ---


def kill_once(chunk: tuple[str, int]) -> int:
    """Square a number; the process that is the first to see the number 3 is killed amid it."""
    folder, n = chunk
    if n == 3:
        try:
            Path(folder, "killed").touch(exist_ok=False)
        except FileExistsError:
            return n * n
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return n * n


def kill_always(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_a_killed_process_costs_its_own_chunk_only(tmp_path: Path) -> None:
    counter = Counter()
    chunks = [(str(tmp_path), n) for n in range(12)]
    mapped = map_work(kill_once, chunks, where="processes", workers=3, progress=counter)
    assert mapped.results == [n * n for n in range(12)]
    assert not mapped.interrupted
    assert (mapped.retried, counter.steps) == (1, 12)


@pytest.mark.parametrize("retries", [0, 2])
def test_a_chunk_that_kills_again_and_again_is_named(retries: int) -> None:
    executor = Executor(where="processes", workers=2, retries=retries)
    with pytest.raises(WorkerLost, match=r"chunk 3 of 8.*SIGKILL") as caught:
        map_work(kill_always, list(range(8)), where=executor)
    assert (caught.value.chunk, caught.value.attempts) == (3, retries + 1)


def sleep_and_say(chunk: tuple[str, int]) -> int:
    folder, n = chunk
    Path(folder, f"{os.getpid()}").touch()
    time.sleep(0.05)
    return n


def test_processes_killed_from_outside_at_any_time_change_nothing(tmp_path: Path) -> None:
    stop, killed = threading.Event(), set()

    def kill_some() -> None:
        while not stop.wait(0.15) and len(killed) < 6:
            alive = {int(path.name) for path in tmp_path.iterdir()} - killed
            if alive:
                victim = max(alive)
                killed.add(victim)
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    continue

    killer = threading.Thread(target=kill_some)
    killer.start()
    try:
        executor = Executor(where="processes", workers=2, retries=6)
        mapped = map_work(sleep_and_say, [(str(tmp_path), n) for n in range(40)], where=executor)
    finally:
        stop.set()
        killer.join()
    assert mapped.results == list(range(40))
    assert mapped.retried >= 1


def test_no_process_is_left_behind(tmp_path: Path) -> None:
    map_work(sleep_and_say, [(str(tmp_path), n) for n in range(6)], where="processes", workers=3)
    for path in tmp_path.iterdir():
        with pytest.raises(ProcessLookupError):
            os.kill(int(path.name), 0)


def test_processes_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import os, pathlib, sys, time
        from algotrendy.compute import map_work

        def work(n):
            pathlib.Path(sys.argv[1], str(os.getpid())).touch()
            time.sleep(0.3)

        map_work(work, list(range(1000)), workers=3, where="processes")
        """
    )
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) as parent:
        assert _until(lambda: len(list(tmp_path.iterdir())) == 3, 60)
        parent.kill()
    workers = [int(path.name) for path in tmp_path.iterdir()]
    assert _until(lambda: not any(_is_running(pid) for pid in workers), 10)


def _until(condition: Any, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def _is_running(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    try:
        return status.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


class OwnTroubleError(Exception):
    pass


def trouble(n: int) -> int:
    if n == 2:
        raise OwnTroubleError(n)
    return n


def test_an_error_in_another_process_reaches_the_caller_as_it_is() -> None:
    with pytest.raises(OwnTroubleError):
        map_work(trouble, [1, 2, 3], where="processes", workers=2)


def lock(n: int) -> Any:
    return threading.Lock()


def test_a_result_that_cannot_travel_says_so() -> None:
    with pytest.raises(InputError, match="cannot be sent back"):
        map_work(lock, [1, 2], where="processes", workers=2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"where": "cloud"}, "'threads', 'processes', 'ray'"),
        ({"retries": -1}, "retries"),
        ({"workers": 0}, "workers"),
        ({"address": "auto"}, "where='ray'"),
    ],
)
def test_a_wrong_executor_says_what_is_wrong(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Executor(**values)


def raise_own(kind: str) -> None:
    if kind == "foreign":
        raise UnevenError(1, 2)
    raise {
        "expression": ExpressionError("what is this", "close > ?", 8),
        "extra": MissingExtraError("ray", "ray"),
        "lost": WorkerLost(3, 8, 2, "why"),
    }[kind]


class UnevenError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")


@pytest.mark.parametrize(
    ("kind", "error", "attribute"),
    [("expression", ExpressionError, "column"), ("extra", MissingExtraError, "extra"), ("lost", WorkerLost, "chunk")],
)
def test_errors_with_facts_travel_between_processes(kind: str, error: type[Exception], attribute: str) -> None:
    with pytest.raises(error) as caught:
        map_work(raise_own, [kind, kind], where="processes", workers=2)
    assert getattr(caught.value, attribute) is not None
    assert len(str(caught.value)) > 10


def test_an_error_that_cannot_travel_is_told_in_words() -> None:
    with pytest.raises(InputError, match="UnevenError"):
        map_work(raise_own, ["foreign", "foreign"], where="processes", workers=2)


def test_progress_tells_how_long_it_will_take() -> None:
    told: list[Estimate] = []
    with progress_for("sweep", 4, show=told.append) as progress:
        time.sleep(0.02)
        progress.advance(1)
        progress.advance(3)
    assert [each.done for each in told] == [0, 1, 4]
    assert told[0].left_seconds is None
    assert told[1].left_seconds == pytest.approx(3 * told[1].elapsed_seconds)
    assert told[2].left_seconds == 0.0


# --- the journal ---


@given(cut=st.integers(0, 400), sizes=st.lists(st.integers(0, 60), max_size=5))
def test_a_journal_cut_anywhere_keeps_its_whole_records(
    tmp_path_factory: pytest.TempPathFactory, cut: int, sizes: list[int]
) -> None:
    path = tmp_path_factory.mktemp("journal") / "run"
    records = [Record({"n": n}, bytes([n]) * size) for n, size in enumerate(sizes)]
    ends = []
    with Journal(path, {"bars": "a"}, "sweep") as journal:
        for record in records:
            journal.append(record)
            ends.append(path.stat().st_size)
    content = path.read_bytes()
    path.write_bytes(content[:cut])
    with Journal(path, {"bars": "a"}, "sweep") as journal:
        assert journal.records == records[: sum(end <= cut for end in ends)]
        journal.append(Record({"more": True}))
    with Journal(path, {"bars": "a"}, "sweep") as journal:
        assert journal.records[-1] == Record({"more": True})


def test_a_journal_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with Journal(path, {"bars": "a", "grid": [1, 2]}, "sweep"):
        pass
    with pytest.raises(InputError, match=r"another sweep: bars differs.*delete"):
        Journal(path, {"bars": "b", "grid": [1, 2]}, "sweep")
    path.write_text("a letter")
    with pytest.raises(DataError, match="not a checkpoint"):
        Journal(path, {"bars": "a"}, "sweep")
    with pytest.raises(InputError, match="no folder"):
        Journal(tmp_path / "nowhere" / "run", {}, "sweep")


def test_a_journal_has_one_writer(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys
        from algotrendy.compute import Journal
        from algotrendy.errors import InputError
        try:
            Journal(sys.argv[1], {}, "sweep")
        except InputError as error:
            print(error)
        """
    )
    with Journal(tmp_path / "run", {}, "sweep"):
        answer = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "run")],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    assert "another run is writing" in answer.stdout
