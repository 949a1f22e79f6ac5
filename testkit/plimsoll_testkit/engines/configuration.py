"""What is simulated? The configuration file, as YAML.

In: a file. Out: frozen values. Its shape:

    seed: 1
    models:
    - namespace: demo
      deployment: chat                 # the InferenceDeployment
      model_name: acme/llama           # the label that vLLM puts on its metrics
      slo: {ttft_ms: 800, tpot_ms: 60} # what the summary counts
      traffic: {rate_points: [[0, 2.0], [60, 20.0]], interval_cv: 1.0, prompt_scale: 0.25, max_tokens: 2000}
      variants:
      - name: h100
        selector: {app: chat-h100}     # labels of its pods
        hardware: {alpha_ms: 6.6, beta_ms: 0.02, pi_ms: 0.02, kappa_ms: 0.00005, max_sequences: 256,
                   kv_cache_tokens: 400000}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plimsoll_testkit.engines.engine import Hardware


@dataclass(frozen=True)
class Slo:
    """What a request must see to count as well served; None leaves one open."""

    ttft_ms: float | None = None
    tpot_ms: float | None = None


@dataclass(frozen=True)
class VariantConfig:
    """The pods of one variant and what they run."""

    name: str
    selector: Mapping[str, str]
    hardware: Hardware

    def accepts(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.selector.items())


@dataclass(frozen=True)
class ModelConfig:
    """One model: who asks for it, and where it can run."""

    namespace: str
    deployment: str
    model_name: str
    slo: Slo
    variants: tuple[VariantConfig, ...]
    rate_points: tuple[tuple[float, float], ...]
    interval_cv: float
    prompt_scale: float
    max_tokens: int


@dataclass(frozen=True)
class Configuration:
    """All models, and the seed of all chance."""

    seed: int
    models: tuple[ModelConfig, ...]


def load(path: Path) -> Configuration:
    """The file's content; a missing or misspelt key is a KeyError or TypeError that names it."""
    raw = yaml.safe_load(path.read_text())
    return Configuration(raw.get("seed", 1), tuple(_model(one) for one in raw["models"]))


def _model(raw: Mapping[str, Any]) -> ModelConfig:
    traffic = raw["traffic"]
    return ModelConfig(
        namespace=raw["namespace"],
        deployment=raw["deployment"],
        model_name=raw["model_name"],
        slo=Slo(**raw.get("slo", {})),
        variants=tuple(
            VariantConfig(one["name"], one["selector"], Hardware(**one["hardware"])) for one in raw["variants"]
        ),
        rate_points=tuple((float(at_s), float(rate)) for at_s, rate in traffic["rate_points"]),
        interval_cv=traffic.get("interval_cv", 1.0),
        prompt_scale=traffic.get("prompt_scale", 1.0),
        max_tokens=traffic.get("max_tokens", 4096),
    )
