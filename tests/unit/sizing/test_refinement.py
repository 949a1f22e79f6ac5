"""What to simulate next: what the plan stands on, dear before cheap, doubtful first, nothing twice."""

from dataclasses import replace

from plimsoll.domain import (
    Burstiness,
    Deployment,
    DeploymentPlan,
    Forecast,
    Plan,
    Routing,
    StepTime,
    TokenMix,
    ValidityRange,
    Variant,
)
from plimsoll.engine.case import Case
from plimsoll.engine.serving import Router
from plimsoll.engine.workload import within_window
from plimsoll.sizing import to_simulate
from plimsoll.sizing.cases import case_of
from plimsoll.sizing.estimate import estimate
from unit.builders import a_deployment, a_forecast, a_profile, a_snapshot, a_variant
from unit.explain.plans import a_deployment_plan, a_plan, a_variant_plan

GPU, CPU = "h100", "xeon"


def a_pair(name: str = "chat", pace: float = 1.0) -> Deployment:
    """A deployment that may run on a GPU or on a CPU; each pace makes replicas of its own."""
    gpu, cpu = StepTime(6.6 * pace, 0.02, 0.02, 5e-5), StepTime(20.0 * pace, 0.5, 0.1, 1e-4)
    return a_deployment(
        name,
        variants=[
            a_variant(GPU, profile=a_profile(step_time=gpu)),
            a_variant(CPU, pool="cpu-amx", profile=a_profile(step_time=cpu)),
        ],
    )


def planned(
    deployment: Deployment, usd_per_hour: float = 10.0, forecast: Forecast | None = None, **targets: int
) -> DeploymentPlan:
    """A plan that wants so many replicas of each variant, none where it is not told."""
    return a_deployment_plan(
        key=deployment.key,
        slo=deployment.slo,
        forecast=forecast or a_forecast(deployment),
        variants=tuple(a_variant_plan(key=one.key, target=targets.get(one.name, 0)) for one in deployment.variants),
        usd_per_hour=usd_per_hour,
    )


def a_case_of(deployment: Deployment, variant: str, forecast: Forecast | None = None) -> Case:
    told = forecast or a_forecast(deployment)
    assert told.tokens is not None
    return case_of(_variant(deployment, variant).profile, told.tokens, deployment.slo, within_window(told.burstiness))


def _variant(deployment: Deployment, name: str) -> Variant:
    return next(one for one in deployment.variants if one.name == name)


def _next(deployments: list[Deployment], plan: Plan, simulated: tuple[Case, ...] = ()) -> tuple[Case, ...]:
    known = {case: estimate([case])[case] for case in simulated}
    return to_simulate(a_snapshot(deployments), plan, known)


def test_what_the_plan_uses_comes_before_what_it_does_not() -> None:
    chat = a_pair()
    gpu, cpu = a_case_of(chat, GPU), a_case_of(chat, CPU)
    assert _next([chat], a_plan(planned(chat, h100=2))) == (gpu, cpu)
    assert _next([chat], a_plan(planned(chat, xeon=2))) == (cpu, gpu)


def test_the_variant_with_more_of_the_replicas_comes_first() -> None:
    chat = a_pair()
    assert _next([chat], a_plan(planned(chat, h100=1, xeon=3)))[0] == a_case_of(chat, CPU)
    assert _next([chat], a_plan(planned(chat, h100=3, xeon=1)))[0] == a_case_of(chat, GPU)


def test_the_dearer_deployment_comes_before_the_cheaper_one() -> None:
    chat, code = a_pair("chat"), a_pair("code", pace=1.1)
    for chat_usd, code_usd, first in ((10.0, 20.0, code), (20.0, 10.0, chat)):
        plan = a_plan(planned(chat, chat_usd, h100=1), planned(code, code_usd, h100=1))
        assert _next([chat, code], plan)[0] == a_case_of(first, GPU)


def test_a_doubtful_estimate_comes_before_one_that_is_sure() -> None:
    chat, code = a_pair("chat"), a_pair("code", pace=1.1)
    bursty = a_forecast(chat, burstiness=Burstiness(0.4, 15.0))
    plan = a_plan(planned(chat, 10.0, bursty, h100=1), planned(code, 20.0, h100=1))
    assert _next([chat, code], plan)[:2] == (a_case_of(chat, GPU, bursty), a_case_of(code, GPU))


def test_much_money_outweighs_a_doubt() -> None:
    chat, code = a_pair("chat"), a_pair("code", pace=1.1)
    bursty = a_forecast(chat, burstiness=Burstiness(0.4, 15.0))
    plan = a_plan(planned(chat, 10.0, bursty, h100=1), planned(code, 100.0, h100=1))
    assert _next([chat, code], plan)[0] == a_case_of(code, GPU)


def test_what_has_been_simulated_is_left_out() -> None:
    chat = a_pair()
    gpu, cpu = a_case_of(chat, GPU), a_case_of(chat, CPU)
    plan = a_plan(planned(chat, h100=2))
    assert _next([chat], plan, simulated=(gpu,)) == (cpu,)
    assert _next([chat], plan, simulated=(gpu, cpu)) == ()


def test_a_case_of_two_deployments_is_named_once_and_weighs_as_both() -> None:
    twins = [a_pair("chat"), a_pair("twin")]
    code = a_pair("code", pace=1.1)
    plan = a_plan(planned(code, 15.0, h100=1), *(planned(twin, 10.0, h100=1) for twin in twins))
    found = _next([*twins, code], plan)
    assert found == (
        a_case_of(twins[0], GPU),  # 10 + 10 usd/h, against 15
        a_case_of(code, GPU),
        a_case_of(twins[0], CPU),
        a_case_of(code, CPU),
    )


def test_behind_a_plain_service_the_question_is_of_requests_drawn_by_chance() -> None:
    chat = replace(a_pair(), routing=Routing.SERVICE)
    found = _next([chat], a_plan(planned(chat, h100=1)))
    assert {case.router for case in found} == {Router.RANDOM}


def test_before_the_first_request_there_is_nothing_to_simulate() -> None:
    chat = a_pair()
    unseen = replace(a_forecast(chat), tokens=None)
    assert _next([chat], a_plan(planned(chat, forecast=unseen, h100=1))) == ()


def test_a_deployment_without_a_plan_waits_for_one() -> None:
    chat, code = a_pair("chat"), a_pair("code", pace=1.1)
    assert _next([chat, code], a_plan(planned(chat, h100=1))) == (a_case_of(chat, GPU), a_case_of(chat, CPU))


def test_a_deployment_that_runs_nothing_asks_for_all_that_it_might_run() -> None:
    chat = a_pair()
    assert _next([chat], a_plan(planned(chat, usd_per_hour=0.0))) == (a_case_of(chat, GPU), a_case_of(chat, CPU))


def test_what_the_profile_was_not_measured_for_is_not_simulated() -> None:
    chat = a_deployment(variants=[a_variant(GPU, profile=a_profile(validity=ValidityRange(max_prompt_tokens=100)))])
    assert _next([chat], a_plan(planned(chat, h100=1))) == ()


def test_the_same_deployments_in_another_order_have_the_same_order_of_cases() -> None:
    deployments = [a_pair(name, pace) for name, pace in (("a", 1.0), ("b", 1.1), ("c", 1.2))]
    plans = [planned(one, usd, h100=1) for one, usd in zip(deployments, (5.0, 15.0, 10.0), strict=True)]
    assert _next(deployments, a_plan(*plans)) == _next(deployments[::-1], a_plan(*plans[::-1]))


def test_a_trembling_mix_asks_for_nothing_new() -> None:
    chat = a_pair()
    before, after = (
        a_forecast(chat, tokens=TokenMix(prompt, 1025.0, output, 385.0))
        for prompt, output in ((513.0, 130.5), (527.0, 131.9))
    )
    assert _next([chat], a_plan(planned(chat, forecast=before, h100=1))) == _next(
        [chat], a_plan(planned(chat, forecast=after, h100=1))
    )
