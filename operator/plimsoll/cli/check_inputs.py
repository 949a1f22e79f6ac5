"""How are the options of ``plimsoll profile check`` written? Text in, values out, or what to write instead."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic_core import PydanticCustomError

from plimsoll.api import Duration, ServingProfile, parse
from plimsoll.api.values import LatencyLimit
from plimsoll.domain import POISSON, Burstiness, LatencyMetric, LatencyTarget, TokenMix
from plimsoll.errors import InvalidObject
from plimsoll.manifests import STANDARD_INPUT, objects_in
from plimsoll.observe.token_mix import OUTPUT_P95_OVER_MEAN, PROMPT_P95_OVER_MEAN
from plimsoll.sizing.token_mix import DEFAULT_MIX


def served_profile(file: Path, name: str | None) -> ServingProfile:
    """The ServingProfile of a file, the named one where there are several."""
    if str(file) != STANDARD_INPUT and not file.is_file():
        raise InvalidObject(f"{file} is no file: name one that holds a ServingProfile, or - for standard input")
    manifests = [one for one in objects_in(file) if one.get("kind") == "ServingProfile"]
    names = [str((one.get("metadata") or {}).get("name")) for one in manifests]
    if not manifests:
        raise InvalidObject(f"{file} holds no ServingProfile: `plimsoll profile fit` makes one from measurements")
    if name is None and len(manifests) > 1:
        raise InvalidObject(f"{file} holds {len(manifests)} ServingProfiles: choose with --name {', '.join(names)}")
    if name is not None and name not in names:
        raise InvalidObject(f"--name {name} is not in {file}: it holds {', '.join(names)}")
    return parse(ServingProfile, manifests[0 if name is None else names.index(name)])


def targets(texts: Sequence[str]) -> tuple[LatencyTarget, ...]:
    """The SLO, in the order given."""
    slo = tuple(map(_target, texts))
    places = [(one.metric, one.quantile) for one in slo]
    for text, place in zip(texts, places, strict=True):
        if places.count(place) > 1:
            raise InvalidObject(f"--slo {text}: there are two limits for the same latency; give the one that counts")
    return slo


def _target(text: str) -> LatencyTarget:
    where, _, limit = text.partition("=")
    metric, _, percentile = where.partition(":")
    try:
        quantile = float(percentile.removeprefix("p")) / 100.0
        if not percentile.startswith("p") or not 0.0 < quantile < 1.0:
            raise ValueError(percentile)
        return LatencyTarget(LatencyMetric(metric.lower()), quantile, LatencyLimit.accept(limit).milliseconds)
    except (ValueError, PydanticCustomError) as error:
        raise InvalidObject(
            f"--slo {text} cannot be read: write METRIC:PERCENTILE=LIMIT, such as ttft:p95=800ms; metrics are "
            f"{', '.join(LatencyMetric)} (tpot: per output token after the first), percentiles p50, p95, p99.9, "
            "limits durations above zero"
        ) from error


def rates(values: Sequence[float]) -> tuple[float, ...]:
    """Requests per second of one replica, as given."""
    for value in values:
        if not math.isfinite(value) or value <= 0.0:
            raise InvalidObject(f"--rate {value:g} is no rate: write requests per second above 0, such as 4.5")
    return tuple(values)


def token_mix(prompt: str | None, output: str | None) -> tuple[TokenMix, str]:
    """The requests, and which of their lengths nobody stated."""
    mix, guessed, spread = DEFAULT_MIX, [], []
    if prompt is None:
        guessed.append("--prompt-tokens")
    else:
        mean, p95 = _lengths("--prompt-tokens", prompt)
        if p95 is None:
            spread.append(f"a prompt's is {PROMPT_P95_OVER_MEAN:g}")
        mix = replace(mix, prompt_tokens_mean=mean, prompt_tokens_p95=p95 or PROMPT_P95_OVER_MEAN * mean)
    if output is None:
        guessed.append("--output-tokens")
    else:
        mean, p95 = _lengths("--output-tokens", output)
        if p95 is None:
            spread.append(f"an output's is {OUTPUT_P95_OVER_MEAN:g}")
        mix = replace(mix, output_tokens_mean=mean, output_tokens_p95=p95 or OUTPUT_P95_OVER_MEAN * mean)
    said = []
    if guessed:
        said.append(f"a guess: state yours with {' and '.join(guessed)}")
    if spread:
        said.append(f"p95 guessed: {', '.join(spread)} times the mean; state it as MEAN/P95")
    return mix, "; ".join(said)


def _lengths(option: str, text: str) -> tuple[float, float | None]:
    mean, slash, p95 = text.partition("/")
    try:
        values = float(mean), float(p95) if slash else None
        if not 1.0 <= values[0] < math.inf or (values[1] is not None and not values[0] <= values[1] < math.inf):
            raise ValueError(text)
    except ValueError as error:
        raise InvalidObject(
            f"{option} {text} cannot be read: write MEAN or MEAN/P95 in tokens, such as 512/1024; at least 1, and the "
            "p95 not below the mean"
        ) from error
    return values


def burstiness(text: str | None) -> Burstiness:
    """How the rate wanders; not at all where nothing is said."""
    if text is None:
        return POISSON
    cv2, at, window = text.partition("@")
    try:
        value = float(cv2)
        window_s = Duration.accept(window).seconds if at else POISSON.window_s
        if not 0.0 <= value < math.inf or window_s <= 0.0:
            raise ValueError(text)
    except (ValueError, PydanticCustomError) as error:
        raise InvalidObject(
            f"--bursts {text} cannot be read: write CV2 or CV2@WINDOW, such as 0.3@15s: the squared coefficient of "
            "variation of the rate from window to window, 0 or more"
        ) from error
    return Burstiness(value, window_s)
