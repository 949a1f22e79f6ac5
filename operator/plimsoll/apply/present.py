"""What is there before the writes?

In: nothing. Out: the type that the tick hands over, and who wants more of us than a status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from plimsoll.domain import Mode, ObjectKey
from plimsoll.observe import Contents

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Present:
    """Parsed contents, and the raw objects that carry a status."""

    contents: Contents
    deployments: Mapping[ObjectKey, Raw]
    pools: Mapping[ObjectKey, Raw]


def is_auto(raw: Raw | None) -> bool:
    """True for an InferenceDeployment that is there to stay and wants more than a status."""
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        return False
    return bool((raw.get("spec") or {}).get("mode", Mode.AUTO) == Mode.AUTO)
