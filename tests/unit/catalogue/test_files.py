"""Is the catalogue that users get usable as it is, and does it say honestly what it stands on?"""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from plimsoll.api import ComputePool, ServingProfile, parse
from plimsoll.api.serving_profile import ProvenanceKind

ROOT = Path(__file__).parents[3]
CATALOG = ROOT / "charts/plimsoll/catalog"
PROFILES = sorted((CATALOG / "profiles").glob("*.yaml"))
POOLS = sorted((CATALOG / "pools").glob("*.yaml"))
ADMITTED = ("Not measured", "Guessed", "guess", "assumed", "inferred", "were not measured", "scaled from")
"""How a reference says that a term or the machine does not come from figures of this build."""


def manifest(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def profile(path: Path) -> ServingProfile:
    return parse(ServingProfile, manifest(path))


def pool(path: Path) -> ComputePool:
    return parse(ComputePool, manifest(path))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_profile_says_where_it_is_from_and_is_an_estimate_where_it_must_be(path: Path) -> None:
    found = profile(path)
    provenance = found.spec.provenance
    assert found.name == path.stem
    assert provenance.reference
    assert found.spec.validity.max_prompt_tokens
    assert found.spec.coefficients.pi > 0.0
    if any(word in provenance.reference for word in ADMITTED):
        assert provenance.kind is ProvenanceKind.ESTIMATED
    else:
        assert provenance.error_percent is not None


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_equal_beta_and_pi_are_an_assumption_and_make_an_estimate(path: Path) -> None:
    spec = profile(path).spec
    if spec.coefficients.beta == spec.coefficients.pi:
        assert spec.provenance.kind is ProvenanceKind.ESTIMATED


@pytest.mark.parametrize("path", POOLS, ids=lambda path: path.stem)
def test_a_pool_is_named_like_its_file_and_says_what_a_node_offers(path: Path) -> None:
    found = pool(path)
    assert found.name == path.stem
    assert found.spec.resources


def test_names_are_unique() -> None:
    names = Counter(manifest(path)["metadata"]["name"] for path in (*PROFILES, *POOLS))
    assert [name for name, count in names.items() if count > 1] == []


def test_every_profile_has_a_pool_and_every_pool_a_profile() -> None:
    assert {profile(path).spec.hardware for path in PROFILES} == {pool(path).spec.hardware for path in POOLS}


def test_only_slices_of_a_node_select_the_same_nodes_as_another_pool() -> None:
    """A template of slices is an alternative to the whole node; any other pair would count nodes twice."""
    whole = [path for path in POOLS if "slices" not in path.stem]
    selectors = Counter(tuple(sorted(pool(path).spec.node_selector.items())) for path in whole)
    assert [selector for selector, count in selectors.items() if count > 1] == []


@pytest.mark.parametrize(
    ("hardware", "engine", "precisions"),
    [
        ("h100-sxm", "TensorRTLLM", {"fp8"}),
        ("h100-sxm", "vLLM", {"bf16", "fp8", "int4"}),
        ("h200-sxm", "TensorRTLLM", {"fp8"}),
        ("a100-sxm-80gb", "vLLM", {"fp16", "bf16", "int8"}),
        ("l4", "vLLM", {"bf16", "fp8", "int4"}),
        ("mi300x", "vLLM", {"bf16", "fp8"}),
        ("gaudi2", "vLLM", {"bf16"}),
        ("xeon-4-amx", "vLLM", {"bf16", "int8"}),
        ("xeon-4-vnni", "vLLM", {"int8"}),
        ("xeon-6-amx", "vLLM", {"int8"}),
        ("epyc-genoa", "LlamaCpp", {"q4_k_m", "q8_0"}),
        ("graviton4", "LlamaCpp", {"q4_k_m", "q8_0"}),
        ("neoverse-n2", "LlamaCpp", {"q4_k_m"}),
        ("desktop-zen4", "LlamaCpp", {"q4_0", "q8_0"}),
    ],
)
def test_common_hardware_is_covered(hardware: str, engine: str, precisions: set[str]) -> None:
    found = [profile(path).spec for path in PROFILES]
    assert {one.precision for one in found if (one.hardware, one.engine.value) == (hardware, engine)} >= precisions


def test_the_page_names_every_profile_and_every_pool() -> None:
    page = (ROOT / "docs/catalogue.md").read_text()
    missing = [path.stem for path in (*PROFILES, *POOLS) if f"| {path.stem} " not in page]
    assert missing == []
