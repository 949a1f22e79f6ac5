"""Weights of an HTTPRoute follow the plan, and nothing else of the route changes."""

from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.apply.route_weights import RouteOutcome, share_out_requests
from plimsoll.apply.writer import Writer
from plimsoll.domain import Mode, ObjectKey, RouteWeights
from unit.apply.fake_api_server import FakeApiServer
from unit.explain.plans import a_deployment_plan, a_plan
from unit.observe.manifests import a_cache, a_route_manifest

PATH = "/apis/gateway.networking.k8s.io/v1/namespaces/team-a/httproutes/chat"
ROUTE = ObjectKey("team-a", "chat")


class World:
    """One route, as the server has it and as the cache knows it."""

    def __init__(self, may_write: bool = True, **weights: int | None) -> None:
        self.server = FakeApiServer({PATH: a_route_manifest(**weights)})
        self.cached = deepcopy(self.server.objects[PATH])
        self.writer = Writer(self.server, lambda: may_write, lambda _kind, _verb: None)

    def share(self, mode: Mode = Mode.AUTO, **percent: int) -> tuple[RouteOutcome, ...]:
        wanted = {service.replace("_", "-"): share for service, share in percent.items()}
        plan = a_plan(a_deployment_plan(mode=mode, weights=RouteWeights(ROUTE, wanted) if wanted else None))
        return share_out_requests(plan, a_cache(("HTTPRoute", self.cached)).contents(), self.writer)

    @property
    def backends(self) -> list[dict[str, Any]]:
        backends: list[dict[str, Any]] = self.server.objects[PATH]["spec"]["rules"][0]["backendRefs"]
        return backends

    @property
    def weights(self) -> dict[str, int]:
        return {backend["name"]: backend["weight"] for backend in self.backends}


def test_weights_are_written_and_nothing_else_changes() -> None:
    world = World(chat_h100=None, chat_xeon=None)
    before = deepcopy(world.server.objects[PATH]["spec"]["rules"])
    (outcome,) = world.share(chat_h100=80, chat_xeon=20)
    assert outcome.failure is None
    assert world.weights == {"chat-h100": 80, "chat-xeon": 20}
    before[0]["backendRefs"][0]["weight"], before[0]["backendRefs"][1]["weight"] = 80, 20
    assert world.server.objects[PATH]["spec"]["rules"] == before


def test_weights_in_the_wanted_proportion_are_left_alone() -> None:
    world = World(chat_h100=4, chat_xeon=1)
    assert world.share(chat_h100=80, chat_xeon=20) == ()
    assert world.share(chat_h100=82, chat_xeon=18) == ()
    assert world.server.writes == []
    assert world.server.reads == []


def test_a_backend_that_comes_or_goes_is_written_at_once() -> None:
    world = World(chat_h100=99, chat_xeon=1)
    world.share(chat_h100=100, chat_xeon=0)
    assert world.weights == {"chat-h100": 100, "chat-xeon": 0}


def test_backends_of_others_keep_their_weight() -> None:
    world = World(chat_h100=1, canary=5)
    world.share(chat_h100=100)
    assert world.server.writes == []  # One variant alone has all that the rule gives to variants already.
    world = World(chat_h100=1, chat_xeon=1, canary=5)
    world.share(chat_h100=80, chat_xeon=20)
    assert world.weights == {"chat-h100": 80, "chat-xeon": 20, "canary": 5}


def test_every_rule_with_such_backends_is_weighed() -> None:
    world = World(chat_h100=1, chat_xeon=1)
    rules = world.server.objects[PATH]["spec"]["rules"]
    rules += [deepcopy(rules[0]), {"filters": [{"type": "RequestRedirect"}]}]
    world.cached = deepcopy(world.server.objects[PATH])
    world.share(chat_h100=80, chat_xeon=20)
    told = [[one["weight"] for one in rule.get("backendRefs", ())] for rule in rules_of(world)]
    assert told == [[80, 20], [80, 20], []]


def rules_of(world: World) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = world.server.objects[PATH]["spec"]["rules"]
    return rules


def test_what_was_written_before_the_watch_told_is_not_written_again() -> None:
    world = World(chat_h100=1, chat_xeon=1)
    world.share(chat_h100=80, chat_xeon=20)
    assert world.share(chat_h100=80, chat_xeon=20) == ()
    assert len(world.server.writes) == 1


def test_a_change_in_between_is_looked_at_again_and_kept() -> None:
    world = World(chat_h100=1, chat_xeon=1)

    def somebody_adds_a_rule() -> None:
        world.server.before_write = lambda: None
        changed = deepcopy(world.server.objects[PATH])
        changed["spec"]["rules"].append({"name": "new"})
        world.server.keep(PATH, changed)

    world.server.before_write = somebody_adds_a_rule
    (outcome,) = world.share(chat_h100=80, chat_xeon=20)
    assert outcome.failure is None
    assert world.weights == {"chat-h100": 80, "chat-xeon": 20}
    assert rules_of(world)[1] == {"name": "new"}


@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.RECOMMEND])
def test_other_modes_than_auto_write_no_weights(mode: Mode) -> None:
    world = World(chat_h100=1, chat_xeon=1)
    assert world.share(mode, chat_h100=80, chat_xeon=20) == ()
    assert world.server.writes == []


def test_a_route_that_is_gone_or_a_lost_lease_is_no_failure() -> None:
    world = World(chat_h100=1, chat_xeon=1)
    del world.server.objects[PATH]
    assert world.share(chat_h100=80, chat_xeon=20) == ()
    assert World(may_write=False, chat_h100=1, chat_xeon=1).share(chat_h100=80, chat_xeon=20) == ()


def test_a_refused_write_is_told() -> None:
    world = World(chat_h100=1, chat_xeon=1)
    world.server.refuse("PATCH", PATH, 403)
    (outcome,) = world.share(chat_h100=80, chat_xeon=20)
    assert outcome.failure is not None
    assert "Check the operator's role" in outcome.failure


def test_nothing_is_written_where_no_variant_is_ready_or_no_route_is_known() -> None:
    world = World(chat_h100=1, chat_xeon=1)
    assert world.share() == ()
    elsewhere = replace(a_deployment_plan(), weights=RouteWeights(ObjectKey("team-a", "other"), {"chat-h100": 100}))
    contents = a_cache(("HTTPRoute", world.cached)).contents()
    assert share_out_requests(a_plan(elsewhere), contents, world.writer) == ()
    world.cached["spec"]["rules"][0]["backendRefs"] = [{"name": "chat-h100", "weight": 0}]
    assert world.share(chat_h100=0, chat_xeon=100) == ()
