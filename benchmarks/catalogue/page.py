"""docs/catalogue.md: every figure of it is computed here."""

from collections.abc import Iterator, Mapping, Sequence

from catalogue import profiles
from catalogue.costs import OUTPUTS, PROMPTS, SLOS, Offer
from catalogue.pools import LIST_DATE, PAID_SHARE, PoolTemplate
from catalogue.profiles import Check, Entry, mean_error
from catalogue.sources import GPU_MEMORY_SHARE
from catalogue.verdict import Duel, sentences
from plimsoll.api.serving_profile import ProvenanceKind
from plimsoll.domain import PriceKind

_NOTHING = "–"


def page(
    entries: Sequence[Entry],
    pools: Sequence[PoolTemplate],
    found: Sequence[Offer],
    fought: Sequence[Duel],
    checks: Mapping[str, Sequence[Check]],
    spot_shares: Sequence[str],
) -> str:
    """The whole page."""
    parts = (
        _opening(entries),
        _verdict(fought, checks, spot_shares),
        _costs(found),
        _sources(entries),
        _scaling(checks),
        _prices(pools),
        _guesses(),
    )
    return "\n".join(line for part in parts for line in part) + "\n"


def _opening(entries: Sequence[Entry]) -> Iterator[str]:
    counts = {kind: sum(entry.source.kind is kind for entry in entries) for kind in ProvenanceKind}
    told = ", ".join(f"{count} {kind.value}" for kind, count in counts.items() if count)
    yield from (
        "# The catalogue",
        "",
        "What common hardware can do with common models, to start with before you have measured your own:"
        f" {len(entries)} ServingProfiles ({told}) and pool templates, in `charts/plimsoll/catalog`. The chart carries"
        " them and installs none. Take what you need:",
        "",
        "```",
        "kubectl apply -f charts/plimsoll/catalog/profiles/llama-3.1-8b-fp8-vllm-l4.yaml",
        "```",
        "",
        "`Fitted` comes from published measurements of that very build, `Estimated` from something else by the rules"
        " below, or from data in which a term or the machine had to be assumed. Before an estimate decides over money,"
        " measure: `plimsoll profile fit` makes a profile of one load test (see [the command line](cli.md)).",
        "",
        "This page and the manifests are written by `make catalogue`.",
        "",
    )


def _verdict(
    fought: Sequence[Duel], checks: Mapping[str, Sequence[Check]], spot_shares: Sequence[str]
) -> Iterator[str]:
    yield from ("## Where a CPU wins, and where it does not", "")
    for sentence in sentences(fought, PAID_SHARE, spot_shares):
        yield f"- {sentence}"
    errors = ", ".join(f"{mean_error(found):.0%} on {kind}s" for kind, found in checks.items())
    yield f"- **How sure:** most of these figures are estimates, which miss by {errors} in the mean (below)."
    yield from (
        "",
        "Per million output tokens at list price, the cheapest of each kind. The last column is what the CPU replica"
        " might cost an hour to draw level, and what it does cost.",
        "",
        "| model | SLO | cheapest GPU | $ | cheapest CPU | $ | CPU / GPU | draws level at |",
        "|---|---|---|---|---|---|---|---|",
    )
    for one in fought:
        ratio = _NOTHING if one.ratio is None else f"{one.ratio:.0f}x" if one.ratio >= 10 else f"{one.ratio:.1f}x"
        level = one.break_even_usd_per_hour
        level_told = (
            _NOTHING
            if level is None or one.cpu is None
            else f"{_usd(level)} of {_usd(one.cpu.list_usd_per_hour)} an hour"
        )
        yield _row(one.size, one.slo.name, *_told(one.gpu), *_told(one.cpu), ratio, level_told)
    yield ""


def _told(offer: Offer | None) -> tuple[str, str]:
    if offer is None:
        return "none keeps it", _NOTHING
    return offer.entry.name, _usd(offer.per_million_output(offer.list_usd_per_hour))


def _costs(found: Sequence[Offer]) -> Iterator[str]:
    yield from (
        "## Cost per million tokens against the SLO",
        "",
        f"Prompts of {PROMPTS.mean:g} tokens on average and {PROMPTS.p95:g} at p95, outputs of {OUTPUTS.mean:g} and"
        f" {OUTPUTS.p95:g}, Poisson arrivals at one replica, loaded to its safe rate: the highest at which both p95"
        " limits hold, played request by request. A replica costs its share of a full node. Several replicas behind a"
        " router take more than each alone, bursts leave less. *list*: on demand; *spot*: `no sample` where none is"
        f" known; *paid for*: the next token costs nothing, in brackets the amortised price at {PAID_SHARE:.0%} of"
        " list, an assumption. † the mix is longer than what was measured.",
        "",
    )
    for slo in SLOS:
        own = [one for one in found if one.slo is slo]
        yield from (
            f"### {slo.name.capitalize()}: TTFT p95 {slo.ttft_p95_ms:g} ms, TPOT p95 {slo.tpot_p95_ms:g} ms",
            "",
            "| profile | kind | replica $/h | safe rate /s | $ per M output, list | $ per M total, list |"
            " $ per M output, spot | paid for |",
            "|---|---|---|---|---|---|---|---|",
        )
        yield from (_cost_row(one) for one in own if one.safe_rate_rps > 0.0)
        too_slow = [one.entry.name for one in own if one.safe_rate_rps == 0.0]
        if too_slow:
            yield from ("", f"Cannot keep it even with a lone request: {', '.join(too_slow)}.")
        yield ""


def _cost_row(offer: Offer) -> str:
    usd = offer.list_usd_per_hour
    output = offer.per_million_output(usd)
    spot = offer.per_million_output(offer.spot_usd_per_hour)
    paid = "0" if output is None else f"0 ({_usd(PAID_SHARE * output)})"
    return _row(
        offer.entry.name + ("" if _covers(offer.entry) else " †"),
        offer.entry.source.kind.value,
        "no price" if usd is None else _usd(usd),
        f"{offer.safe_rate_rps:.3g}",
        _usd(output),
        _usd(offer.per_million_total(usd)),
        "no sample" if spot is None else _usd(spot),
        paid,
    )


def _covers(entry: Entry) -> bool:
    validity = entry.source.validity
    return (validity.max_prompt_tokens or PROMPTS.mean) >= PROMPTS.mean and (
        validity.max_output_tokens or OUTPUTS.mean
    ) >= OUTPUTS.mean


def _sources(entries: Sequence[Entry]) -> Iterator[str]:
    references = list(dict.fromkeys(entry.source.reference for entry in entries))
    yield from (
        "## What each profile stands on",
        "",
        "Error: of each measurement as predicted by the others; for scaled ones that of scaling, below. Valid: mean"
        " prompt / output tokens up to.",
        "",
        "| profile | kind | error | valid up to | date | source |",
        "|---|---|---|---|---|---|",
    )
    for entry in entries:
        source = entry.source
        validity = source.validity
        yield _row(
            entry.name,
            source.kind.value,
            "not known" if source.error_ratio is None else f"{source.error_ratio:.0%}",
            f"{_tokens(validity.max_prompt_tokens)} / {_tokens(validity.max_output_tokens)}",
            source.date or "not stated",
            f"[{references.index(source.reference) + 1}]",
        )
    yield ""
    yield from (f"{place}. {text}" for place, text in enumerate(references, start=1))
    yield ""


def _scaling(checks: Mapping[str, Sequence[Check]]) -> Iterator[str]:
    yield from (
        "## How estimates are made, and how far they miss",
        "",
        "The nearest measured law is scaled by what bounds each term: alpha by weight bytes over memory bandwidth, pi"
        " and beta by operations over peak arithmetic, kappa by cache bytes over bandwidth, each at the efficiency that"
        " the measured machine reached. Alpha never falls below the shortest step seen on a GPU, and below"
        f" {profiles.CPU_STEP_FLOOR_MS:g} ms on a CPU (a guess). The cache takes what weights leave of"
        f" {GPU_MEMORY_SHARE:.0%} of memory, on CPUs at most {profiles.CPU_KV_GB:g} GB. Where both ends were measured,"
        " it misses by:",
        "",
        "| kind | from | to | alpha | pi |",
        "|---|---|---|---|---|",
    )
    for kind, found in checks.items():
        for one in found:
            yield _row(kind, one.source, one.target, f"{one.alpha_error:.0%}", f"{one.pi_error:.0%}")
        yield _row(kind, "mean of both", "", f"{mean_error(found):.0%}", "")
    yield ""


def _prices(pools: Sequence[PoolTemplate]) -> Iterator[str]:
    yield from (
        "## Pools and prices",
        "",
        f"List prices of AWS are of {LIST_DATE}; spot samples carry no date. Labels under `example.com` are"
        " placeholders: put in your own, since no well-known label tells such nodes from others.",
        "",
        "| pool | hardware | nodes | price |",
        "|---|---|---|---|",
    )
    for pool in pools:
        labels = ", ".join(f"`{key}={value}`" for key, value in pool.selector.items())
        kind = {PriceKind.ON_DEMAND: "list", PriceKind.SPOT: "spot", PriceKind.PAID: "paid for"}[pool.price_kind]
        yield _row(pool.name, pool.machine.title, labels, f"{kind}: {pool.price_told}")
    yield ""


def _guesses() -> Iterator[str]:
    yield from (
        "## What else is a guess",
        "",
        "- Startup times: weights at one GB/s, and a fixed time for the engine to get warm. No figure of any source.",
        "- `maxSequences`: the engine's default, or the largest batch measured.",
        "- Peaks of CPUs: instructions a cycle times cores times a clock under vector load; only ratios of them count.",
        "- Pools: provisioning times, and what daemonsets leave of a node.",
    )


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _usd(value: float | None) -> str:
    if value is None:
        return _NOTHING
    return f"{value:.2f}" if value >= 1.0 else f"{value:.3f}"


def _tokens(count: float | None) -> str:
    return "not stated" if count is None else f"{count:,.0f}"
