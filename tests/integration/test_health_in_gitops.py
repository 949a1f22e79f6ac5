"""Do Argo CD and Flux make of a status what it means? In: statuses that the operator really wrote.

Argo CD's health check runs in a real Lua 5.1, which is the language of its interpreter; kstatus is the library by which
Flux judges, in a small command of ours.
"""

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from lupa.lua51 import LuaRuntime

from integration.world import DOWN_WITHIN_S, LITTLE_RPS, MUCH_RPS, UP_WITHIN_S, World
from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.json_api import MERGE_PATCH, request

ARGOCD_CM = Path(__file__).resolve().parents[2] / "examples/gitops/argocd/argocd-cm.yaml"
TOO_MUCH_RPS = 10_000.0


def argo_health(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Status and message by the check in the example for the object's kind."""
    key = f"resource.customizations.health.plimsoll.dev_{manifest['kind']}"
    script = yaml.safe_load(ARGOCD_CM.read_text())["data"][key]
    # Whoever writes Argo CD's own scripts has no more than these.
    lua = LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    check = lua.eval(f"function(obj) {script} end")
    told = check(lua.table_from(dict(manifest), recursive=True))
    return told["status"], told["message"]


def kstatus(manifest: Mapping[str, Any]) -> str:
    """The status by the library."""
    done = subprocess.run(
        [ensure(["kstatus"])["kstatus"]],
        input=json.dumps(manifest),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\t")[0]


@pytest.mark.waits_long
def test_health_follows_a_model_from_its_first_moment_to_its_troubles(world: World) -> None:
    world.add_model()
    health, told = argo_health(world.model())
    assert (health, told) == ("Progressing", "Plimsoll has not looked at it yet")
    # What nobody has looked at yet counts as done for kstatus; hence the healthCheckExprs in Flux's example.
    assert kstatus(world.model()) == "Current"
    world.set_demand(LITTLE_RPS)
    operator = world.start_operator()

    def becomes(
        health: str,
        status: str,
        holds: Callable[[dict[str, Any]], bool] = lambda _: True,
        within_s: float = UP_WITHIN_S,
    ) -> None:
        def is_so() -> bool:
            seen = world.model()
            return argo_health(seen)[0] == health and kstatus(seen) == status and holds(seen)

        world.wait(is_so, f"{health} and {status}, last seen {argo_health(world.model())}", within_s)

    becomes("Healthy", "Current", lambda seen: seen["status"]["plan"]["phase"] == "Steady")
    for pool in (world.cpu, world.gpu):
        manifest = request(world.api, "GET", f"/apis/plimsoll.dev/v1alpha1/computepools/{pool}")
        assert (argo_health(manifest)[0], kstatus(manifest)) == ("Healthy", "Current")
    world.set_demand(MUCH_RPS)
    # New replicas take two seconds to start, and until then what runs does not carry the demand.
    becomes("Progressing", "InProgress")
    becomes("Healthy", "Current")
    world.set_demand(TOO_MUCH_RPS)
    becomes("Degraded", "InProgress", lambda seen: condition(seen, "Ready")["reason"] == "CapacityShort")
    world.set_demand(LITTLE_RPS)
    patch(world, {"variants": changed_pool(world, "nowhere")})
    becomes("Degraded", "Failed", lambda seen: condition(seen, "Stalled")["reason"] == "PoolMissing")
    assert "nowhere" in argo_health(world.model())[1]
    patch(world, {"mode": "Paused"})
    assert argo_health(world.model())[0] == "Suspended"
    patch(world, {"mode": "Recommend", "variants": changed_pool(world, world.gpu)})
    # The forecast remembers the peak for a while.
    becomes("Healthy", "Current", within_s=DOWN_WITHIN_S)
    operator.stop()
    patch(world, {"priority": 7})
    assert argo_health(world.model()) == ("Progressing", "Plimsoll has not seen this version of it yet")
    assert kstatus(world.model()) == "InProgress"


def condition(manifest: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = manifest["status"]["conditions"]
    return next((one for one in conditions if one["type"] == kind), {"reason": ""})


def changed_pool(world: World, pool: str) -> list[dict[str, Any]]:
    gpu, *others = world.model()["spec"]["variants"]
    return [{**gpu, "pool": pool}, *others]


def patch(world: World, spec: Mapping[str, Any]) -> None:
    request(world.api, "PATCH", f"{world.models_path}/chat", {"spec": dict(spec)}, None, MERGE_PATCH)
