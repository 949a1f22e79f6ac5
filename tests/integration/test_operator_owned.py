"""Deployments that Plimsoll owns, on a real control plane: they stay as their template says, and leave no sooner than
their successor serves."""

import time

from integration.world import MUCH_RPS, UP_WITHIN_S, World

REST_S = 20.0
GONE_WITHIN_S = 60.0
"""A successor's start, ticks, and the end of its predecessor's pods; the rest is for a busy machine."""


def test_a_hand_made_change_is_put_back_without_a_gap(world: World) -> None:
    world.apply_templated_model("gpu")
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait(lambda: world.has("chat-gpu"), "the owned Deployment", UP_WITHIN_S)
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    record = world.record_capacity()
    container = {"name": "engine", "image": "elsewhere:1"}
    world.edit("chat-gpu", {"template": {"spec": {"containers": [container]}}})
    assert world.images("chat-gpu") == ["elsewhere:1"]
    world.wait(lambda: world.images("chat-gpu") == ["engine:1"], "the template's image", UP_WITHIN_S)
    time.sleep(REST_S)
    assert all(event["chat-gpu"] >= 1 for event in record.events)
    # The status is written once more when the first minute of demand is over; what it owns is not.
    model = world.model()["metadata"]["uid"]
    before = {uid: version for uid, version in world.versions().items() if uid != model}
    time.sleep(REST_S)
    after = {uid: version for uid, version in world.versions().items() if uid != model}
    assert after == before, "an owned Deployment at rest is not written"


def test_a_renamed_variant_leaves_once_its_successor_serves(world: World) -> None:
    world.apply_templated_model("gpu")
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait(lambda: world.has("chat-gpu"), "the owned Deployment", UP_WITHIN_S)
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    record = world.record_capacity()
    world.apply_templated_model("h100")
    world.wait(lambda: not world.has("chat-gpu"), "the end of the old Deployment", GONE_WITHIN_S)
    assert world.ready("chat-h100") >= 1
    assert all(event.get("chat-gpu", 0) + event.get("chat-h100", 0) >= 1 for event in record.events)

    def told(words: str) -> bool:
        return any(reason == "MoveOut" and words in note for reason, note in world.events_about("chat"))

    # Events are written after what they tell of.
    world.wait(lambda: told("Deployment/chat-gpu is deleted"), "the Event of the deletion", UP_WITHIN_S)
    assert told("no variant uses Deployment/chat-gpu any more")
