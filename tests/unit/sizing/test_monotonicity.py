"""What must hold for every replica: more load is never better, a looser SLO never safer to break, more work no gain."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.sizing.safe_rate import Case, latencies, safe_rates
from unit.sizing.cases import E2E, a_chain, a_target, any_case

quick = settings(max_examples=60, deadline=None)
ROUNDING = 1.0 + 1e-9
SEARCH = 1.0 + 1e-4
"""Two searches end in intervals of 0.0005% each; the rest is rounding."""


def _rate_rps(case: Case) -> float:
    return safe_rates([case])[case].rate_rps


@quick
@given(case=any_case(), load=st.floats(0.001, 1.5), more=st.floats(1.0, 3.0))
def test_higher_rate_never_gives_better_latency(case: Case, load: float, more: float) -> None:
    rate_rps = load * float(a_chain(case).replicas.full_completions_per_ms_v[0]) * 1000.0

    for low, high in zip(latencies(case, rate_rps), latencies(case, rate_rps * more), strict=True):
        assert low.value_ms <= high.value_ms * ROUNDING


@quick
@given(case=any_case(), looser=st.floats(1.0, 5.0), data=st.data())
def test_looser_slo_never_lowers_the_safe_rate(case: Case, looser: float, data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(case.slo) - 1))
    slo = tuple(
        replace(target, limit_ms=target.limit_ms * looser) if place == which else target
        for place, target in enumerate(case.slo)
    )

    assert _rate_rps(case) <= _rate_rps(replace(case, slo=slo)) * ROUNDING


@quick
@given(case=any_case(), longer=st.floats(1.0, 4.0))
def test_longer_prompts_never_raise_the_safe_rate(case: Case, longer: float) -> None:
    # With the same slots. Where longer prompts leave fewer slots, requests wait instead of slowing each other: TPOT
    # then improves, and a TPOT promise alone is easier to keep, with the model as with an engine.
    mix = case.mix
    heavier = replace(
        mix, prompt_tokens_mean=mix.prompt_tokens_mean * longer, prompt_tokens_p95=mix.prompt_tokens_p95 * longer
    )

    assert _rate_rps(replace(case, mix=heavier)) <= _rate_rps(case) * SEARCH


@quick
@given(case=any_case(), longer=st.floats(1.0, 4.0))
def test_a_longer_tail_of_prompts_never_raises_the_safe_rate(case: Case, longer: float) -> None:
    heavier = replace(case.mix, prompt_tokens_p95=case.mix.prompt_tokens_p95 * longer)

    assert _rate_rps(replace(case, mix=heavier)) <= _rate_rps(case) * SEARCH


@quick
@given(case=any_case(), longer=st.floats(1.0, 4.0), limit_ms=st.floats(100.0, 60_000.0))
def test_longer_outputs_never_raise_the_safe_rate_for_whole_requests(
    case: Case, longer: float, limit_ms: float
) -> None:
    # For E2E. The model spreads a prefill over the steps of its own request, so a single step gets shorter with longer
    # outputs, and TPOT may get better while the request as a whole takes longer.
    case = replace(case, slo=(a_target(E2E, limit_ms),))
    heavier = replace(case.mix, output_tokens_mean=case.mix.output_tokens_mean * longer)

    assert _rate_rps(replace(case, mix=heavier)) <= _rate_rps(case) * SEARCH


@quick
@given(case=any_case(), longer=st.floats(1.0, 4.0))
def test_longer_outputs_never_raise_the_capacity(case: Case, longer: float) -> None:
    heavier = replace(case, mix=replace(case.mix, output_tokens_mean=case.mix.output_tokens_mean * longer))
    light, heavy = (a_chain(each).replicas.full_completions_per_ms_v[0] for each in (case, heavier))

    assert heavy <= light * ROUNDING


@quick
@given(case=any_case(), slower=st.floats(1.0, 3.0))
def test_time_has_no_unit_of_its_own(case: Case, slower: float) -> None:
    # Every coefficient and every limit times c: the safe rate divided by c.
    law = case.step_time
    step_time = replace(
        law,
        alpha_ms=law.alpha_ms * slower,
        beta_ms_per_sequence=law.beta_ms_per_sequence * slower,
        pi_ms_per_prefill_token=law.pi_ms_per_prefill_token * slower,
        kappa_ms_per_kv_token=law.kappa_ms_per_kv_token * slower,
    )
    # A hair looser, so that a limit that is met exactly does not fail by rounding.
    slo = tuple(replace(target, limit_ms=target.limit_ms * slower * ROUNDING) for target in case.slo)

    assert _rate_rps(replace(case, step_time=step_time, slo=slo)) * slower * SEARCH >= _rate_rps(case)
