"""One small world to ask questions about, and plans of it by estimates.

``chat`` at 10 req/s runs on one L4 node at 1 USD/h unless told otherwise; one H100 node at 12 USD/h would do as well.
"""

from dataclasses import replace
from typing import Any

from plimsoll.domain import Deployment, ObjectKey, Pool
from plimsoll.what_if import Situation
from unit.builders import GIB, NAMESPACE, a_deployment, a_pool, a_profile, a_snapshot, a_variant

CHAT = ObjectKey(NAMESPACE, "chat")
ONE_GPU = {"cpu": 16.0, "memory": 128 * GIB, "nvidia.com/gpu": 1.0}
H100 = a_pool("gpu-h100", node_resources=ONE_GPU, price_usd_per_hour=12.0)
L4 = a_pool("gpu-l4", node_resources=ONE_GPU, price_usd_per_hour=1.0)
L4_PROFILE = a_profile("profile-l4", hardware="nvidia-l4")


def a_chat(**overrides: Any) -> Deployment:
    """With an ``l4`` variant of the same speed as ``h100``."""
    variants = [a_variant("h100"), a_variant("l4", pool="gpu-l4")]
    return a_deployment(**{"variants": variants, **overrides})


def a_situation(*deployments: Deployment, pools: tuple[Pool, ...] = (H100, L4), **overrides: Any) -> Situation:
    """Of ``chat`` alone unless deployments are given."""
    made = Situation(a_snapshot(deployments or (a_chat(),), pools))
    return replace(made, **overrides)
