"""What ends the pause of a loop early?

In: a time and the events that matter to the loop. Out: nothing, when the time is over or the first of them is set.
Whichever it was, the loop looks for itself: a reason that is passed on can be out of date by the time it arrives.
"""

import asyncio


async def pause(timeout_s: float, *events: asyncio.Event) -> None:
    """Return after the time, or as soon as one of the events is set."""
    waiting = [asyncio.create_task(event.wait(), name="pause") for event in events]
    try:
        await asyncio.wait(waiting, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
