"""The lock of a portfolio: one at a time, in the order of asking."""

from __future__ import annotations

import contextlib
import threading
import time

from algotrendy.risk.fair_lock import FairLock


def test_threads_are_served_in_the_order_in_which_they_asked() -> None:
    lock, served = FairLock(), []

    def ask(number: int) -> None:
        with lock:
            served.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    with lock:
        for number, thread in enumerate(threads):
            thread.start()
            while len(lock._waiting) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join()
    assert served == list(range(20))


def test_only_one_thread_is_inside_even_if_some_raise() -> None:
    lock, inside, counts = FairLock(), [0], []

    def work() -> None:
        for number in range(300):
            with contextlib.suppress(KeyError), lock:
                inside[0] += 1
                counts.append(inside[0])
                inside[0] -= 1
                {0: 1}.pop(number % 7, None) or {}.pop("no such key")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [1] * 1800


def test_a_thread_that_gives_up_waiting_leaves_the_queue() -> None:
    lock = FairLock()
    with lock:
        turn = threading.Lock()
        turn.acquire()
        lock._waiting.append(turn)
        lock._give_up(turn)
        assert not lock._waiting
    with lock:
        other = threading.Lock()  # its turn had come just before it gave up
        lock._give_up(other)
    assert not lock._is_held
