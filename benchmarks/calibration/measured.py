"""How far off is sizing's physics from what was measured on hardware?

In: the measured files of the data folder. Out: cross-validated errors on load points, each played request by request;
for every other file the error of the law that fits it best, each figure predicted by a law that did not see it; and,
where that is far off, why.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from calibration import vllm_serving
from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting import CHUNK_TOKENS, Given, crossvalidate, fit, read, saturated
from plimsoll.fitting.observations import LoadPoint, Observation

LENGTH_CV = 0.289
"""Of the load generator of gpu_8b_load_points.csv: lengths are uniform between 0.5 and 1.5 times the mean. Source:
llm-inferno/model-trainer, the configuration of its second experiment."""


MOST_LAW_ERROR = 0.15
"""Median error left out, of each machine of which enough was measured."""
MOST_PLAYED_ERROR = 0.12
"""Median error of each figure of the load points."""


@dataclass(frozen=True, slots=True)
class Part:
    """One machine of a measured file."""

    file: str
    given: Given
    too_little: str = ""
    """Why what was measured of it cannot tell a law's error; nothing where it can."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one machine's measurements say of the physics."""

    line: str
    errors: Mapping[str, float] = field(default_factory=dict)
    """Median relative error, by file, machine and figure."""
    too_little: str = ""

    def __str__(self) -> str:
        return f"{self.line}\n  held to nothing: {self.too_little}" if self.too_little else self.line

    @property
    def beyond(self) -> Mapping[str, float]:
        """What is further off than it may be."""
        return {} if self.too_little else {name: one for name, one in self.errors.items() if one > MOST_LAW_ERROR}


PARTS = (
    Part("splitwise_llama2_70b_tp2.csv", Given(only={"hardware": "a100-80gb x2"})),
    Part("splitwise_llama2_70b_tp2.csv", Given(only={"hardware": "h100-80gb x2"})),
    Part("cpu_batch_sweeps.csv", Given(only={"hardware": "Neoverse-N2 64 threads"})),
    Part("cpu_batch_sweeps.csv", Given(only={"hardware": "1 socket Xeon Gold 6430 (AMX)"})),
    *(Part(vllm_serving.FILE, Given(only={"gpu": gpu}), why) for gpu, why in vllm_serving.TOO_LITTLE.items()),
    Part(
        "mlperf.csv",
        Given(
            only={"model": "llama3.1-8b", "system": "2S Xeon 6980P GNR", "round": "v6.1-submission"},
            prompt_tokens=778.0,
            sequences=256,
        ),
        "two runs, offline and server, each predicted from the other alone; how many sequences ran at once is not told,"
        " and 256 is a guess; the data's README says no more",
    ),
)

TRTLLM_SEQUENCES = 512
"""That ran at once at most: not said in trtllm_llama_fp8.csv, a guess."""


def cross_validation(folder: Path) -> dict[str, float]:
    """The errors of both latencies on load points that were not fitted to, with evenly spaced arrivals as measured."""
    points = [one for one in _read(folder, Part("gpu_8b_load_points.csv", Given())) if isinstance(one, LoadPoint)]
    found = crossvalidate(points, length_cv=LENGTH_CV, chunk_tokens=CHUNK_TOKENS)
    print(
        f"gpu_8b_load_points.csv, cross-validated: ITL {found.itl_error_median:.1%} (p95 "
        f"{found.itl_p95_error_median:.1%}), TTFT {found.ttft_error_median:.1%} (p95 "
        f"{found.ttft_p95_error_median:.1%}); chunk of {CHUNK_TOKENS} tokens assumed"
    )
    return {
        "itl_error_median": round(found.itl_error_median, 4),
        "ttft_error_median": round(found.ttft_error_median, 4),
        "itl_p95_error_median": round(found.itl_p95_error_median, 4),
        "ttft_p95_error_median": round(found.ttft_p95_error_median, 4),
    }


def other_files(folder: Path) -> Iterator[Told]:
    """Each machine of each other file."""
    for part in PARTS:
        machine = ", ".join((part.given.only or {}).values())
        yield _told(f"{part.file}, {machine}", _read(folder, part), part.too_little)
    for hardware in ("h100", "h200"):
        for model in ("Llama-3.1-8B", "Llama-3.3-70B"):
            yield _told(f"trtllm_llama_fp8.csv, {model} on {hardware}", _trtllm(folder, model, hardware))
    yield from _served(folder)


def _served(folder: Path) -> Iterator[Told]:
    """vLLM's rows, played as the load points are: means and the 0.99 quantiles, which no law tells."""
    rows = list(vllm_serving.played(folder))
    for gpu in dict.fromkeys(one.row.gpu for one in rows):
        own = [one for one in rows if one.row.gpu == gpu]
        how = "played by its own law" if own[0].seen_before else "played"
        errors = {
            _key(f"{vllm_serving.FILE} {gpu} {how} {figure}"): round(median(abs(one.errors[place]) for one in own), 4)
            for place, figure in enumerate(vllm_serving.FIGURES)
        }
        yield Told("\n".join(one.line for one in own), errors, vllm_serving.TOO_LITTLE[gpu])


def _read(folder: Path, part: Part) -> list[Observation]:
    path = folder / "measured" / part.file
    return list(read(path.name, path.read_text(), part.given))


def _trtllm(folder: Path, model: str, hardware: str) -> list[Observation]:
    path = folder / "measured" / "trtllm_llama_fp8.csv"
    header, *lines = path.read_text().splitlines()
    observations: list[Observation] = []
    for number, line in enumerate(lines, start=2):
        row = dict(zip(header.split(","), line.split(","), strict=True))
        if row["model"] == model and float(row["isl"]) <= 5000:
            prompt, output = float(row["isl"]), float(row["osl"])
            rate_rps = float(row[f"{hardware}_tok_s"]) / output
            observations.append(saturated(f"{path.name}:{number}", rate_rps, prompt, output, TRTLLM_SEQUENCES))
    return observations


def _told(name: str, observations: list[Observation], too_little: str = "") -> Told:
    try:
        fitted = fit(observations)
    except UnusableMeasurements as error:
        return Told(f"{name}: no fit: {error}", too_little=too_little)
    law = fitted.step_time
    terms = (law.alpha_ms, law.beta_ms_per_sequence, law.pi_ms_per_prefill_token, law.kappa_ms_per_kv_token)
    errors = ", ".join(
        f"{figure.value} {found.median_ratio:.1%} of {found.count}" for figure, found in fitted.errors.items()
    )
    return Told(
        f"{name}: {' '.join(f'{term:.4g}' for term in terms)}; median error left out: {errors}",
        {_key(f"{name} {figure.value}"): round(found.median_ratio, 4) for figure, found in fitted.errors.items()},
        too_little,
    )


def _key(name: str) -> str:
    """A name in JSON: letters, digits and underscores."""
    return "_".join("".join(one if one.isalnum() else " " for one in name.replace(".csv", "")).lower().split())
