"""A pause ends with its time or with the first event, and leaves nothing behind."""

import asyncio

from plimsoll.waiting import pause


def test_a_pause_ends_when_its_time_is_over() -> None:
    async def scene() -> float:
        clock = asyncio.get_running_loop()
        started_s = clock.time()
        await pause(0.05, asyncio.Event())
        return clock.time() - started_s

    assert asyncio.run(scene()) >= 0.05


def test_the_first_event_ends_the_pause() -> None:
    async def scene() -> None:
        never, soon = asyncio.Event(), asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, soon.set)
        async with asyncio.timeout(1.0):
            await pause(60.0, never, soon)

    asyncio.run(scene())


def test_an_event_that_is_set_already_leaves_no_pause() -> None:
    async def scene() -> None:
        event = asyncio.Event()
        event.set()
        async with asyncio.timeout(1.0):
            await pause(60.0, event)

    asyncio.run(scene())


def test_no_task_outlives_the_pause_also_when_it_is_cancelled() -> None:
    async def scene() -> int:
        await pause(0.0, asyncio.Event())
        pausing = asyncio.create_task(pause(60.0, asyncio.Event()))
        await asyncio.sleep(0)
        pausing.cancel()
        await asyncio.sleep(0.01)
        return len(asyncio.all_tasks())

    assert asyncio.run(scene()) == 1, "only the scene itself"
