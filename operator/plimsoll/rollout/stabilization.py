"""What has been wanted lately? A target goes down only to the highest count wanted throughout a window.

In: samples of what the planner wanted, by variant. Out: the samples to remember, and the count that may be gone down
(or up) to. A sample stands until the next one; equal neighbours are one. Design section 6.
"""

from plimsoll.domain import TargetSample

History = tuple[TargetSample, ...]


def remember(history: History, now_s: float, target: int, keep_s: float) -> History:
    """The history with the present target, without what ended more than `keep_s` ago.

    Args:
        history: samples by rising time; any from the future (a clock set back) are dropped.
        now_s: the snapshot's time.
        target: what the planner wants now.
        keep_s: the longest window that will be asked for.
    """
    past = tuple(sample for sample in history if sample.at_s <= now_s)
    if not past or past[-1].replicas != target:
        past = (*past, TargetSample(now_s, target))
    standing = [index for index, sample in enumerate(past) if sample.at_s <= now_s - keep_s]
    return past[standing[-1] :] if standing else past


def known_for_s(history: History, now_s: float) -> float:
    """For how long the targets have been watched."""
    return now_s - history[0].at_s if history else 0.0


def highest(history: History, now_s: float, window_s: float) -> int:
    """The highest target that stood at any moment of the window."""
    return max(_standing(history, now_s, window_s))


def lowest(history: History, now_s: float, window_s: float) -> int:
    """The lowest target that stood at any moment of the window."""
    return min(_standing(history, now_s, window_s))


def moments(history: History, now_s: float, window_s: float) -> tuple[float, ...]:
    """When the window began, and when another target came up within it."""
    begins_s = now_s - window_s
    return (begins_s, *(sample.at_s for sample in history if sample.at_s > begins_s))


def standing_at(history: History, at_s: float) -> int:
    """The target that stood then; of a time before the first sample what came first."""
    return next((sample.replicas for sample in reversed(history) if sample.at_s <= at_s), history[0].replicas)


def _standing(history: History, now_s: float, window_s: float) -> list[int]:
    begins_s = now_s - window_s
    before = [sample.replicas for sample in history if sample.at_s <= begins_s]
    return [*before[-1:], *(sample.replicas for sample in history if sample.at_s > begins_s)]
