"""A scenario folder: deployment `team-a/chat` on four-GPU nodes at 12 USD/h that boot in 3 minutes.

In: what scenario.yaml says besides the defaults here. Out: a folder, or the scenario in it. No profile error and no
spreads, so that figures can be worked out by hand.
"""

from pathlib import Path
from typing import Any

import yaml

from plimsoll.simulator.episode import Episode, draw
from plimsoll.simulator.scenario import Scenario, load
from unit.observe.manifests import a_deployment_manifest, a_pool_manifest, a_profile_manifest, a_workload

NO_SPREAD = {"bootSpread": 0.0, "startupSpread": 0.0}
STEADY = {
    "meanRps": 2.0,
    "lengths": {"promptMean": 200.0, "promptP95": 400.0, "outputMean": 50.0, "outputP95": 120.0},
}


def a_folder(folder: Path, *, pool: dict[str, Any] | None = None, model: dict[str, Any] | None = None,
             **spec: Any) -> Path:  # fmt: skip
    objects = (
        ("InferenceDeployment", a_deployment_manifest(**(model or {}))),
        ("ComputePool", a_pool_manifest(**(pool or {}))),
        ("ServingProfile", a_profile_manifest()),
        ("Deployment", a_workload(replicas=0)),
    )
    manifests = [{"apiVersion": "x/v1", "kind": kind, **one} for kind, one in objects]
    (folder / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    whole = {
        "hours": 0.5,
        "profileError": 0.0,
        "demand": [{"deployment": "team-a/chat", "generated": STEADY}],
        "startReplicas": {"chat/h100": 1},
        **spec,
        "cluster": {**NO_SPREAD, **spec.get("cluster", {})},
    }
    (folder / "scenario.yaml").write_text(yaml.safe_dump(whole))
    return folder


def a_scenario(folder: Path, data: Path | None = None, **spec: Any) -> Scenario:
    return load(a_folder(folder, **spec), data)


def an_episode(folder: Path, seed: int = 1, **spec: Any) -> Episode:
    return draw(a_scenario(folder, **spec), seed)
