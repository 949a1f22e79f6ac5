"""``plimsoll profile``: what an engine can do, from what somebody measured. Asks no cluster.

``fit`` is here, ``check`` in ``profile_check``.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from plimsoll.api import API_VERSION, Duration, ServingProfile, parse
from plimsoll.cli import profile_check
from plimsoll.cli.output import Format, Output, console, write
from plimsoll.errors import InvalidObject, UnusableMeasurements
from plimsoll.fitting import CHUNK_TOKENS, FORMATS, Fit, Given, fit, read

_DIGITS = 4
"""Significant digits of a coefficient: an order better than the measurements."""
_MAX_ERROR_PERCENT = 1000.0
"""What the field holds; beyond it a law says nothing anyway."""

profiles = typer.Typer(
    help="Make ServingProfiles from measurements, and check them.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    profile_check.register(profiles)
    app.add_typer(profiles, name="profile")


@profiles.command("fit")
def fit_files(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Measurements of one engine.")],
    name: Annotated[str | None, typer.Option(help="Of the ServingProfile.")] = None,
    model: Annotated[str | None, typer.Option(help="As the engine and the InferenceDeployments spell it.")] = None,
    engine: Annotated[str | None, typer.Option(help="vLLM, SGLang, TGI, TensorRTLLM, LlamaCpp, OpenVINO.")] = None,
    hardware: Annotated[str | None, typer.Option(help="Of one replica, as the ComputePool spells it.")] = None,
    precision: Annotated[str | None, typer.Option(help="Of the weights: bf16, fp8, int8, q4_k_m.")] = None,
    max_sequences: Annotated[int | None, typer.Option(min=1, help="Sequences the engine runs at once.")] = None,
    kv_cache_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens its KV cache holds.")] = None,
    startup_time: Annotated[str | None, typer.Option(help="From pod start to ready, such as 90s.")] = None,
    reference: Annotated[str | None, typer.Option(help="Where the figures come from.")] = None,
    date: Annotated[str | None, typer.Option(help="The day of the measurement, such as 2026-08-01.")] = None,
    file_format: Annotated[
        str | None, typer.Option("--format", help=f"One of {', '.join(FORMATS)}; else told by the content.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=VALUE", help="Rows of a table to take; may be repeated.")
    ] = None,
    chunk_tokens: Annotated[
        int, typer.Option(min=1, help="Prompt tokens of one step (vLLM: --max-num-batched-tokens).")
    ] = CHUNK_TOKENS,
    replicas: Annotated[int, typer.Option(min=1, help="Over which the measured rates were spread.")] = 1,
    prompt_tokens: Annotated[float | None, typer.Option(min=1, help="Mean prompt, if no file says (MLPerf).")] = None,
    output_tokens: Annotated[float | None, typer.Option(min=1, help="Mean output, if no file says.")] = None,
    output: Output = Format.YAML,
) -> None:
    """Fit a ServingProfile to measurements, and say how far it can be trusted.

    Prints the manifest; errors and whatever the data cannot tell go to standard error. With -o table only the fit is
    shown, and the profile need not be named.
    """
    given = Given(_pairs(only or ()), prompt_tokens, output_tokens, replicas, max_sequences)
    found = [one for file in files for one in read(str(file), _text(file), given, file_format)]
    fitted = fit(found, chunk_tokens, max_sequences)
    if output is Format.TABLE:
        _show(fitted)
        return
    named = {
        "name": name,
        "model": model,
        "engine": engine,
        "hardware": hardware,
        "precision": precision,
        "max-sequences": max_sequences,
        "kv-cache-tokens": kv_cache_tokens,
        "startup-time": startup_time,
        "reference": reference,
    }
    manifest = _manifest(fitted, named, date)
    for line in _remarks(fitted):
        typer.echo(line, err=True)
    write(manifest, output)


def _pairs(only: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in only:
        column, equals, value = text.partition("=")
        if not equals:
            raise InvalidObject(f"--only {text} cannot be read: write COLUMN=VALUE, such as 'hardware=h100'")
        pairs[column.strip().lower()] = value.strip()
    return pairs


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableMeasurements(f"{file} cannot be read: {error}") from error


def _manifest(fitted: Fit, named: dict[str, Any], date: str | None) -> dict[str, Any]:
    """The profile as it stands in a manifest, checked like any other."""
    missing = [f"--{option}" for option, value in named.items() if value is None]
    if missing:
        raise InvalidObject(f"a profile also needs {', '.join(missing)}; to see the fit alone, use -o table")
    law = fitted.step_time
    validity = {
        "maxPromptTokens": fitted.validity.max_prompt_tokens,
        "maxOutputTokens": fitted.validity.max_output_tokens,
    }
    manifest: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": "ServingProfile",
        "metadata": {"name": named["name"]},
        "spec": {
            "model": named["model"],
            "engine": named["engine"],
            "hardware": named["hardware"],
            "precision": named["precision"],
            "coefficients": {
                "alpha": _rounded(law.alpha_ms),
                "beta": _rounded(law.beta_ms_per_sequence),
                "pi": _rounded(law.pi_ms_per_prefill_token),
                "kappa": _rounded(law.kappa_ms_per_kv_token),
            },
            "maxSequences": named["max-sequences"],
            "kvCacheTokens": named["kv-cache-tokens"],
            "startupTime": named["startup-time"],
            "validity": {side: math.ceil(tokens) for side, tokens in validity.items() if tokens is not None},
            "provenance": {
                # With a term that nobody measured it is no more than an estimate.
                "kind": "Estimated" if fitted.assumed else "Fitted",
                "reference": named["reference"],
                **({} if date is None else {"date": date}),
                "errorPercent": min(round(100.0 * fitted.error_ratio, 1), _MAX_ERROR_PERCENT),
            },
        },
    }
    if fitted.ttft_overhead_ms > 0.0:
        manifest["spec"]["ttftOverhead"] = str(Duration.of_ms(fitted.ttft_overhead_ms))
    parse(ServingProfile, manifest)
    return manifest


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


# --- For people ------------------------------------------------------------------------------------------------------


def _remarks(fitted: Fit) -> Iterator[str]:
    yield f"{fitted.observations} measurements; errors of each as predicted by the others:"
    for figure, errors in fitted.errors.items():
        yield (
            f"  {figure.value}: mean {errors.mean_ratio:.1%}, median {errors.median_ratio:.1%} of {errors.count},"
            f" worst {errors.worst_ratio:.0%} at {errors.worst_where}"
        )
    if fitted.ttft_overhead_ms > 0.0:
        yield f"  a first token takes {fitted.ttft_overhead_ms:.1f} ms outside the engine's steps (HTTP, tokenising)"
    for note in fitted.notes:
        yield f"NOTE: {note}"


def _show(fitted: Fit) -> None:
    law = fitted.step_time
    table = Table("term", Column("ms", justify="right"), "for each", box=None)
    for term, value, unit in (
        ("alpha", law.alpha_ms, "step"),
        ("beta", law.beta_ms_per_sequence, "running sequence"),
        ("pi", law.pi_ms_per_prefill_token, "prompt token"),
        ("kappa", law.kappa_ms_per_kv_token, "token in the KV cache"),
        ("overhead", fitted.ttft_overhead_ms, "first token, outside the steps"),
    ):
        table.add_row(term, f"{value:.{_DIGITS}g}", unit)
    out = console()
    out.print(table)
    for line in _remarks(fitted):
        out.print(line, markup=False)
