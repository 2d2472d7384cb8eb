"""One thing per event loop, closed in the loop that it belongs to."""

from __future__ import annotations

import asyncio
import gc
import threading

from algotrendy.compute import wait_for
from algotrendy.compute.per_loop import PerLoop


class Thing:
    """Knows the loop that it was made in and the one that it was closed in."""

    def __init__(self) -> None:
        self.made_in = asyncio.get_running_loop()
        self.closed_in: asyncio.AbstractEventLoop | None = None

    async def close(self) -> None:
        self.closed_in = asyncio.get_running_loop()


def test_each_loop_has_its_own_and_closing_reaches_those_that_run() -> None:
    things = PerLoop(Thing)

    async def get() -> Thing:
        return things.get()

    background = wait_for(get())
    with asyncio.Runner() as short:
        forgotten = short.run(get())
    other = asyncio.new_event_loop()
    thread = threading.Thread(target=other.run_forever)
    thread.start()
    running = asyncio.run_coroutine_threadsafe(get(), other).result()
    assert len({id(background), id(forgotten), id(running)}) == 3
    wait_for(things.close(Thing.close))
    assert background.closed_in is background.made_in
    assert running.closed_in is other
    assert forgotten.closed_in is None
    assert wait_for(get()) is not background
    other.call_soon_threadsafe(other.stop)
    thread.join()
    other.close()


def test_a_loop_that_is_gone_takes_its_thing_along() -> None:
    things: PerLoop[list[int]] = PerLoop(list)

    async def get() -> list[int]:
        return things.get()

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(get()) == []
    assert len(things._made) == 1
    loop.close()
    del loop
    gc.collect()
    assert len(things._made) == 0
