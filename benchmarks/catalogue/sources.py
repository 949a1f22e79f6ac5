"""What has been measured, by whom, and which law does it give?

In: the folder of measured files, and a few figures cited from public threads. Out: `Measured` laws by key, each with
its reference, and what had to be guessed because the source does not say it. A law with a term that its data do not
show, or of a machine that its source does not name, is `Estimated`, however many figures there are.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from catalogue import hardware as hw
from catalogue import models
from catalogue.scaling import Build, doubling_efficiency, is_possible, kv_cache_tokens, relative_error, scaled
from plimsoll.api.serving_profile import ProvenanceKind
from plimsoll.domain import StepTime, ValidityRange
from plimsoll.fitting import CHUNK_TOKENS, DecodeStep, Fit, Given, LoadPoint, PromptPass, fit, read, saturated

TRT_SEQUENCES = 256
"""Guess: of those that fit within a few percent, the one that leaves a step most time; it promises least."""
GPU_MEMORY_SHARE = 0.9
"""vLLM's and TensorRT-LLM's usual share for weights and cache."""
_UNIFORM_CV = 0.289
"""guidellm draws lengths evenly between half and one and a half times the mean."""
_MLPERF_PROMPTS = {"gptj": 919.0, "llama3.1-8b": 778.0, "llama2-70b": 294.0}
"""Mean prompt of each task's data set, tokens: about what MLCommons' reference documents; the table does not say."""
_GPT_J_OUTPUT = 69.0
"""As other rows of the same task show (tokens a second over samples a second)."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A law that comes from figures of this very build."""

    build: Build
    engine: str
    step_time: StepTime
    kind: ProvenanceKind
    reference: str
    date: str | None
    error_ratio: float | None
    validity: ValidityRange
    max_sequences: int
    chunk_tokens: int
    ttft_overhead_ms: float = 0.0


def measured(folder: Path) -> Mapping[str, Measured]:
    """All of them by a short key."""
    found = {
        "h100-vllm-8b": _load_points(folder),
        "h100-pcie-vllm-8b": _vllm_iog(folder),
        **_splitwise(folder),
        **_tensorrt(folder),
        **_mlperf(folder),
        "neoverse-n2-8b": _neoverse(folder),
        "xeon-6430-13b": _xeon_13b(folder),
        **_desktop(),
    }
    return {**found, **_epyc(found)}


def _from_fit(fitted: Fit, build: Build, engine: str, reference: str, date: str | None, **limits: int) -> Measured:
    return Measured(
        build=build,
        engine=engine,
        step_time=fitted.step_time,
        kind=ProvenanceKind.ESTIMATED if fitted.assumed else ProvenanceKind.FITTED,
        reference=reference + (" One term is assumed: beta = pi." if fitted.assumed else ""),
        date=date,
        error_ratio=fitted.error_ratio,
        validity=fitted.validity,
        max_sequences=limits["max_sequences"],
        chunk_tokens=limits["chunk_tokens"],
        ttft_overhead_ms=fitted.ttft_overhead_ms,
    )


# --- GPUs ------------------------------------------------------------------------------------------------------------


def _load_points(folder: Path) -> Measured:
    file = folder / "gpu_8b_load_points.csv"
    points = [one for one in read(file.name, file.read_text(), Given()) if isinstance(one, LoadPoint)]
    spread = [
        replace(one, prompt_sd=_UNIFORM_CV * one.prompt_tokens, output_sd=_UNIFORM_CV * one.output_tokens)
        for one in points
    ]
    fitted = fit(spread)
    build = Build(models.LLAMA_8B, "bf16", hw.H100)
    found = _from_fit(
        fitted,
        build,
        "vLLM",
        "llm-inferno/model-trainer: 64 load points of guidellm, 8B on one GPU. It names neither the GPU nor the number"
        " format; H100 SXM and bf16 are inferred from the weights and cache read per ms. The maximum of sequences is"
        " vLLM's default.",
        None,
        max_sequences=256,
        chunk_tokens=2048,
    )
    return replace(found, kind=ProvenanceKind.ESTIMATED)


def _vllm_iog(folder: Path) -> Measured:
    file = folder / "vllm_serving_iog.csv"
    fitted = fit(read(file.name, file.read_text(), Given(only={"gpu": "H100-PCIe"})))
    return _from_fit(
        fitted,
        Build(models.LLAMA_3_8B, "bf16", hw.H100_PCIE),
        "vLLM",
        "vLLM 0.8.5 serving runs at three rates, mean TTFT and TPOT. The number format is taken to be bf16.",
        "2025-04-28",
        max_sequences=256,
        chunk_tokens=2048,
    )


def _splitwise(folder: Path) -> Mapping[str, Measured]:
    file = folder / "splitwise_llama2_70b_tp2.csv"
    machines = {"a100-80gb x2": hw.A100, "h100-80gb x2": hw.H100}
    return {
        f"{machine.name}-vllm-70b": _from_fit(
            fit(read(file.name, file.read_text(), Given(only={"hardware": name}))),
            Build(models.LLAMA_2_70B, "fp16", machine, 2),
            "vLLM",
            "Splitwise (Patel et al., ISCA 2024, arXiv 2311.18677): prompt and token times of static batches, two GPUs."
            " Output lengths were not recorded.",
            "2023-11-30",
            max_sequences=64,
            chunk_tokens=2048,
        )
        for name, machine in machines.items()
    }


def _tensorrt(folder: Path) -> Mapping[str, Measured]:
    rows = list(csv.DictReader((folder / "trtllm_llama_fp8.csv").read_text().splitlines()))
    found: dict[str, Measured] = {}
    for model in (models.LLAMA_8B, models.LLAMA_70B):
        own = rows_of(rows, model)
        for machine, short in ((hw.H200, "h200"), (hw.H100, "h100")):
            build = Build(model, "fp8", machine, int(own[0][f"{short}_tp"]), models.KV_BYTES_8_BIT)
            key = f"{machine.name}-trtllm-{model.slug}"
            found[key] = _in_flight(own, short, build) or _pair(own, found[f"{hw.H200.name}-trtllm-{model.slug}"])
    return found


_TRT_REFERENCE = (
    "NVIDIA's TensorRT-LLM performance overview (release 1.0): peak throughput at eight to ten pairs of lengths,"
    f" in-flight batching. Guessed, not published: at most {TRT_SEQUENCES} sequences, {GPU_MEMORY_SHARE:.0%} of memory"
    " for weights and an fp8 cache."
)
_TRT_OTHER_CAPS = (192, 384, 512)


def _in_flight(rows: list[dict[str, str]], short: str, build: Build) -> Measured | None:
    """None where the guesses leave a step less time than reading the weights takes."""
    fitted = _with_cap(rows, short, build, TRT_SEQUENCES)
    if not is_possible(fitted.step_time, build):
        return None
    others = [_with_cap(rows, short, build, cap).step_time.alpha_ms for cap in _TRT_OTHER_CAPS]
    doubt = (
        f" With {min(_TRT_OTHER_CAPS)} to {max(_TRT_OTHER_CAPS)} sequences alpha comes to {min(others):.1f} to"
        f" {max(others):.1f} ms. Peak throughput does not depend on it, latency does: hence an estimate."
    )
    found = _from_fit(
        fitted, build, "TensorRTLLM", _TRT_REFERENCE + doubt, None, max_sequences=TRT_SEQUENCES, chunk_tokens=8192
    )
    return replace(found, kind=ProvenanceKind.ESTIMATED)


def _with_cap(rows: list[dict[str, str]], short: str, build: Build, cap: int) -> Fit:
    return fit(_points(rows, short, build, cap))


def _points(rows: list[dict[str, str]], short: str, build: Build, cap: int) -> list[LoadPoint]:
    cache = kv_cache_tokens(build, GPU_MEMORY_SHARE)
    points = []
    for place, row in enumerate(rows):
        prompt, output = float(row["isl"]), float(row["osl"])
        slots = min(cap, int(cache / (prompt + output)))
        points.append(saturated(f"row {place}", float(row[f"{short}_tok_s"]) / output, prompt, output, slots))
    return points


def _pair(rows: list[dict[str, str]], single: Measured) -> Measured:
    """Two H100 from the fit of one H200: the same arithmetic each, so the table itself says what two reach together."""
    build = replace(single.build, machine=hw.H100, devices=2)
    efficiency = pair_efficiency(rows)
    law = scaled(single.step_time, single.build, build, efficiency)
    return replace(
        single,
        build=build,
        kind=ProvenanceKind.ESTIMATED,
        step_time=law,
        error_ratio=error_of(law, _points(rows, "h100", build, TRT_SEQUENCES)),
        reference=f"{_TRT_REFERENCE} With these guesses two H100 would read their weights faster than their memory"
        f" is: scaled from the fit of one H200, two reaching {efficiency:.0%} of twice one (prompt 2,048, output 128)."
        " Error: against the table's own H100 rows.",
    )


def error_of(law: StepTime, points: Sequence[LoadPoint]) -> float:
    """Mean relative error of a law's steps against load points that it was not fitted to."""
    terms = (
        law.alpha_ms,
        law.beta_ms_per_sequence,
        law.pi_ms_per_prefill_token,
        law.kappa_ms_per_kv_token,
    )
    steps = [point.equations(CHUNK_TOKENS)[0] for point in points]
    predicted_ms = [sum(count * term for count, term in zip(step.counts, terms, strict=False)) for step in steps]
    errors = [relative_error(ms, step.measured_ms) for ms, step in zip(predicted_ms, steps, strict=True)]
    return sum(errors) / len(errors)


def rows_of(rows: list[dict[str, str]], model: models.Model) -> list[dict[str, str]]:
    """The table's rows of one model."""
    return [row for row in rows if row["model"] == model.name.split("/")[1].removesuffix("-Instruct")]


def pair_efficiency(rows: list[dict[str, str]]) -> float:
    """Two H100 over twice one H200, at the lengths where arithmetic decides: of it both GPUs have the same."""
    longest = max(rows, key=lambda row: (float(row["isl"]) / float(row["osl"]), float(row["isl"])))
    return doubling_efficiency(float(longest["h100_tok_s"]), float(longest["h200_tok_s"]))


# --- MLPerf: one Server and one Offline run of a system, so beta and pi cannot be told apart -------------------------

_MLPERF = (
    # key, round, model as in the table, system, build of one replica, replicas, sequences (guess), date of the results
    ("xeon-8480-gptj", "v3.1", "gptj-99 (6B int8)", "2S Xeon SPR", (models.GPT_J, "int8", hw.XEON_8480), 2, 32),
    ("xeon-5-gptj", "v4.1", "gptj-99", "2S Xeon EMR", (models.GPT_J, "int8", hw.XEON_5), 2, 32),
    ("xeon-6-8b", "v6.1-submission", "llama3.1-8b", "2S Xeon 6980P GNR", (models.LLAMA_8B, "int8", hw.XEON_6), 2, 128),
    ("gaudi2-gptj", "v3.1", "gptj-99", "8x Gaudi2", (models.GPT_J, "fp8", hw.GAUDI2), 8, 256),
    ("mi300x-70b", "v4.1", "llama2-70b-99 (fp8)", "8x MI300X", (models.LLAMA_2_70B, "fp8", hw.MI300X), 8, 1024),
)
_ROUND_DATES = {"v3.1": "2023-09-11", "v4.1": "2024-08-28", "v6.1-submission": None}


def _mlperf(folder: Path) -> Mapping[str, Measured]:
    file = folder / "mlperf.csv"
    text = file.read_text()
    found = {}
    for key, edition, task, system, (model, precision, machine), replicas, sequences in _MLPERF:
        name = task.split("-99")[0]
        given = Given(
            only={"round": edition, "model": task, "system": system},
            prompt_tokens=_MLPERF_PROMPTS[name],
            output_tokens={"gptj": _GPT_J_OUTPUT, "llama2-70b": _MLPERF_PROMPTS[name]}.get(name),
            replicas=replicas,
            sequences=sequences,
        )
        stated = "" if "(" in task else f" The number format is not stated: {precision} is a guess."
        found[key] = replace(
            _from_fit(
                fit(read(file.name, text, given)),
                Build(model, precision, machine, kv_bytes_per_element=models.KV_BYTES_8_BIT),
                "vLLM" if machine is hw.MI300X else "Custom",
                f"MLPerf Inference {edition}, {task} on {system}: one Server and one Offline run, hardly more than the"
                f" terms fitted, so the error is one run predicted by the other. {replicas} replicas, mean prompt of"
                f" {_MLPERF_PROMPTS[name]:.0f} tokens and {sequences} sequences are guesses.{stated}",
                _ROUND_DATES[edition],
                max_sequences=sequences,
                chunk_tokens=2048,
            ),
            kind=ProvenanceKind.ESTIMATED,
            validity=ValidityRange(round(_MLPERF_PROMPTS[name]), round(given.output_tokens or 128)),
        )
    return found


# --- CPUs ------------------------------------------------------------------------------------------------------------


def _neoverse(folder: Path) -> Measured:
    file = folder / "cpu_batch_sweeps.csv"
    fitted = fit(read(file.name, file.read_text(), Given(only={"hardware": "Neoverse-N2 64 threads"})))
    return _from_fit(
        fitted,
        Build(models.LLAMA_3_8B, "q4_k_m", hw.NEOVERSE_N2),
        "LlamaCpp",
        "ggml-org/llama.cpp pull request 13886 (commit 54a2c7a8cd): llama-batched-bench, batches of 1 to 32, 128 prompt"
        " and 128 output tokens. kappa could not be told apart and is 0: longer contexts than measured cost more.",
        "2025-05-29",
        max_sequences=32,
        chunk_tokens=512,
    )


def _xeon_13b(folder: Path) -> Measured:
    """Its speeds include the prompts, so each batch is a full load, not a step."""
    file = folder / "cpu_batch_sweeps.csv"
    rows = [row for row in csv.DictReader(file.read_text().splitlines()) if "6430" in row["hardware"]]
    points = [
        saturated(
            f"{file.name} batch {row['batch']}",
            float(row["decode_tok_s_total"]) / float(row["gen"]),
            float(row["prompt"]),
            float(row["gen"]),
            float(row["batch"]),
        )
        for row in rows
    ]
    return _from_fit(
        fit(points),
        Build(models.LLAMA_13B, "bf16", hw.XEON_6430),
        "Custom",
        "ggml-org/llama.cpp issue 2555: throughput with an Intel build for AMX, batches of 1 to 256, prompts included;"
        " bf16 weights with fp16 cache.",
        None,
        max_sequences=64,
        chunk_tokens=2048,
    )


def _desktop() -> Mapping[str, Measured]:
    """Ryzen 9 7950X, LLaMA-3.1-8B, the column of llama.cpp itself: prompt speed at 512 tokens, output speed of one
    sequence over 128 tokens. Source: ikawrakow/ik_llama.cpp, pull request 54."""
    speeds = {"q4_0": (123.46, 11.25), "q8_0": (141.30, 7.56)}
    return {
        f"desktop-{precision}": replace(
            _from_fit(
                fit(
                    [
                        PromptPass("pp512", 1000.0 * 512.0 / prompt, 512.0, chunk_tokens=512.0),
                        DecodeStep("tg128", 1000.0 / output, 1.0, 64.0),
                    ],
                    chunk_tokens=512,
                ),
                Build(models.LLAMA_8B, precision, hw.DESKTOP),
                "LlamaCpp",
                f"ikawrakow/ik_llama.cpp pull request 54, its column of llama.cpp on a Ryzen 9 7950X: {prompt} prompt"
                f" tokens/s, {output} output tokens/s of one sequence. Two figures for two terms, so there is no error"
                " to tell.",
                "2024-09-14",
                max_sequences=8,
                chunk_tokens=512,
            ),
            error_ratio=None,
            validity=ValidityRange(512, 128),
        )
        for precision, (prompt, output) in speeds.items()
    }


def _epyc(found: Mapping[str, Measured]) -> Mapping[str, Measured]:
    """EPYC 9554, Phi-4: output speed of one sequence. Nobody measured its prompts: those as on the desktop's like
    cores. Source: ahelpme.com, "AMD EPYC 9554", llama-bench."""
    speeds = {"q4_k_m": (28.74, "desktop-q4_0"), "q8_0": (19.194, "desktop-q8_0")}
    laws = {}
    for precision, (output, like) in speeds.items():
        build = Build(models.PHI_4, precision, hw.EPYC_9554)
        other = scaled(found[like].step_time, found[like].build, build)
        laws[f"epyc-9554-{precision}"] = replace(
            found[like],
            build=build,
            kind=ProvenanceKind.ESTIMATED,
            step_time=replace(other, alpha_ms=1000.0 / output - other.beta_ms_per_sequence),
            reference=f"ahelpme.com (p=6685), llama-bench on one EPYC 9554: {output} output tokens/s of one sequence."
            " Prompts were not measured: pi and beta scaled by cores and clock from a Ryzen 9 7950X"
            " (ik_llama.cpp pull request 54), kappa from bandwidth.",
            date=None,
            max_sequences=32,
        )
    return laws
