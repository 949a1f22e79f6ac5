"""Only one replica writes: taking, keeping, losing and giving back the lease."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from plimsoll.leader import Elector
from plimsoll.settings import LeaderSettings
from unit.apply.fake_api_server import FakeApiServer

COLLECTION = "/apis/coordination.k8s.io/v1/namespaces/plimsoll-system/leases"
LEASE = f"{COLLECTION}/plimsoll"
EARLIER = "2026-11-01T12:00:00.000000Z"


class World:
    """One API server, one elector, and a clock that moves when told."""

    def __init__(self, lease: dict[str, Any] | None = None, **settings: Any) -> None:
        self.server = FakeApiServer({LEASE: {"metadata": {"name": "plimsoll"}, "spec": lease}} if lease else {})
        self.now_s = 100.0
        self.taken = 0
        self.elector = self.another("me", **settings)

    def another(self, identity: str, **settings: Any) -> Elector:
        return Elector(
            self.server,
            LeaderSettings(**settings),
            identity,
            lambda: self.now_s,
            lambda: datetime(2026, 11, 1, 13, 0, tzinfo=timezone(timedelta(hours=1))) + timedelta(seconds=self.now_s),
            self._count_taking,
        )

    def _count_taking(self) -> None:
        self.taken += 1

    def attempt(self) -> bool:
        return asyncio.run(self.elector.try_once())

    def lose_to_another(self) -> None:
        self.server.keep(LEASE, {"spec": held_by("other")})

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.server.objects[LEASE]["spec"]
        return spec


def held_by(holder: str, renewed: str = EARLIER, duration_s: int = 15) -> dict[str, Any]:
    return {
        "holderIdentity": holder,
        "renewTime": renewed,
        "leaseDurationSeconds": duration_s,
        "leaseTransitions": 4,
    }


def test_nobody_leads_before_the_first_attempt() -> None:
    assert not World().elector.is_leader()


def test_a_missing_lease_is_created() -> None:
    world = World()
    assert world.attempt()
    assert world.spec["holderIdentity"] == "me"
    assert world.spec["leaseTransitions"] == 0
    assert [write.path for write in world.server.writes] == [COLLECTION]


def test_a_free_lease_is_taken_at_once() -> None:
    world = World(held_by(""))
    assert world.attempt()
    assert world.spec["holderIdentity"] == "me"
    assert world.spec["leaseTransitions"] == 5


def test_a_live_lease_of_another_replica_is_not_taken() -> None:
    world = World(held_by("other"))
    assert not world.attempt()
    assert world.server.writes == []


def test_a_lease_expires_by_our_own_clock_not_by_its_written_time() -> None:
    world = World(held_by("other", renewed="1999-01-01T00:00:00.000000Z"))
    assert not world.attempt()
    world.now_s += 14.9
    assert not world.attempt()
    world.now_s += 0.1
    assert world.attempt()
    assert world.spec["holderIdentity"] == "me"
    assert world.spec["leaseTransitions"] == 5


def test_a_lease_that_is_renewed_meanwhile_does_not_expire() -> None:
    world = World(held_by("other"))
    world.attempt()
    world.now_s += 10.0
    world.server.keep(LEASE, {"spec": held_by("other", renewed="2026-11-01T12:00:10.000000Z")})
    world.attempt()
    world.now_s += 10.0
    assert not world.attempt()


def test_of_two_takers_the_one_with_a_conflict_loses() -> None:
    world = World(held_by(""))
    world.server.before_write = world.lose_to_another
    assert not world.attempt()
    assert world.spec["holderIdentity"] == "other"


def test_of_two_creators_the_second_loses() -> None:
    world = World()
    world.server.before_write = world.lose_to_another
    assert not world.attempt()
    assert world.spec["holderIdentity"] == "other"


def test_a_renewal_keeps_transitions_and_time_of_acquisition() -> None:
    world = World(held_by(""))
    world.attempt()
    first = dict(world.spec)
    world.now_s += 2.0
    assert world.attempt()
    assert world.spec["acquireTime"] == first["acquireTime"]
    assert world.spec["leaseTransitions"] == first["leaseTransitions"]
    assert world.spec["renewTime"] > first["renewTime"]


def test_writing_stops_at_the_renew_deadline_while_the_api_server_is_silent() -> None:
    world = World()
    world.attempt()
    world.server.refuse("GET", LEASE, 503)
    world.now_s += 5.9
    assert world.attempt()
    world.now_s += 0.1
    assert not world.elector.is_leader()
    assert not world.attempt()


def test_an_attempt_that_hangs_counts_from_its_start() -> None:
    world = World()

    def slow() -> None:
        world.now_s += 5.0

    world.server.before_write = slow
    assert world.attempt()
    world.now_s += 1.0
    assert not world.elector.is_leader()


def test_the_deadline_passes_before_another_replica_may_take_over() -> None:
    world = World()
    world.attempt()
    other = world.another("other")
    assert not asyncio.run(other.try_once())
    world.now_s += 10.0
    assert not world.elector.is_leader()
    assert not asyncio.run(other.try_once())
    world.now_s += 1.0
    assert asyncio.run(other.try_once())


def test_others_never_see_a_shorter_duration_than_ours() -> None:
    world = World(lease_duration_s=1.4, renew_deadline_s=1.3, retry_s=0.5)
    world.attempt()
    assert world.spec["leaseDurationSeconds"] == 2


def test_a_lease_taken_by_somebody_else_ends_leading_at_once(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.attempt()
    world.lose_to_another()
    with caplog.at_level(logging.WARNING):
        assert not world.attempt()
    assert "lost the lease plimsoll: writing stops" in caplog.text


def test_release_empties_the_holder_so_that_the_next_one_need_not_wait() -> None:
    world = World()
    world.attempt()
    world.elector.release()
    assert world.spec["holderIdentity"] == ""
    assert not world.elector.is_leader()
    assert asyncio.run(world.another("other").try_once())


def test_release_leaves_the_lease_of_another_replica() -> None:
    world = World()
    world.attempt()
    world.lose_to_another()
    world.elector.release()
    assert world.spec["holderIdentity"] == "other"


def test_release_without_leading_asks_nothing() -> None:
    world = World(held_by("other"))
    world.elector.release()
    assert world.server.reads == []


def test_a_release_that_fails_says_how_long_the_next_one_waits(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.attempt()
    world.server.refuse("PUT", LEASE, 503)
    world.elector.release()
    assert "Another replica takes over in 11s" in caplog.text


def test_nothing_is_taken_after_the_release() -> None:
    world = World()
    world.attempt()
    world.elector.release()
    assert not world.attempt()
    assert world.spec["holderIdentity"] == ""


def test_times_are_utc_with_microseconds() -> None:
    world = World()
    world.now_s = 0.25
    world.attempt()
    assert world.spec["renewTime"] == "2026-11-01T12:00:00.250000Z"
    assert datetime.fromisoformat(world.spec["acquireTime"]).tzinfo == UTC


def test_a_lease_without_a_spec_is_free() -> None:
    world = World()
    world.server.keep(LEASE, {"metadata": {"name": "plimsoll"}})
    assert world.attempt()


def test_taking_the_lease_is_told_once_and_renewing_it_is_not() -> None:
    world = World(held_by("other"))
    world.attempt()
    assert world.taken == 0
    world.server.keep(LEASE, {"spec": held_by("")})
    world.attempt()
    world.now_s += 2.0
    world.attempt()
    assert world.taken == 1


def test_a_lease_that_is_lost_and_taken_again_is_told_again() -> None:
    world = World()
    world.attempt()
    world.lose_to_another()
    world.attempt()
    world.server.keep(LEASE, {"spec": held_by("")})
    world.attempt()
    assert world.taken == 2
