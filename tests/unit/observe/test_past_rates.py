"""The past is read as the present is: arrivals by deployment, moments in their place, and gaps stay gaps."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest

from plimsoll.api import Engine
from plimsoll.domain import ObjectKey, PastLooks
from plimsoll.observe.attribution import Asked
from plimsoll.observe.dialects import DIALECTS, LLAMA_CPP, VLLM, Dialect, dialects_of
from plimsoll.observe.history_queries import history_query
from plimsoll.observe.past_rates import PastReading, past_looks
from plimsoll.observe.prometheus import Range, Stretch
from plimsoll.observe.queries import Labels
from unit.observe.answers import KEY, a_server, an_asked

STEP_S, END_S = 600.0, 1_000_200.0
Values = Sequence[float | None]


def shown(signal: str, values: Values, workload: str = "chat-h100", model: str = "llama-8b") -> Range:
    """One series whose newest value is of `END_S`; None leaves a point out."""
    first_s = END_S - STEP_S * (len(values) - 1)
    labels = {"namespace": "team-a", "plimsoll_workload": workload, "model_name": model, "plimsoll_signal": signal}
    return Range(labels, [(first_s + STEP_S * i, value) for i, value in enumerate(values) if value is not None])


def read(
    *ranges: Range,
    asked: Asked | None = None,
    steps: int = 3,
    dialect: Dialect = VLLM,
    custom: Mapping[str, Range] = {},
) -> PastLooks:
    """Of so many steps; a window before them is read as well."""
    stretch = Stretch(END_S - STEP_S * steps, END_S, STEP_S)
    of_custom = {KEY: {name: [one] for name, one in custom.items()}}
    reading = PastReading(stretch, STEP_S, [(dialect, ranges)], of_custom)
    return past_looks([asked or an_asked()], reading, Labels())


def rates(found: PastLooks) -> list[float]:
    return [float(rate) for rate in found.rate_ds[0]]


SCRAPED = shown("scrapes", [40.0] * 4)


def test_arrivals_are_the_requests_done_and_the_growth_of_those_in_flight() -> None:
    # 600 more in flight after 600 s: one more request a second than were done.
    found = read(
        SCRAPED,
        shown("request_rate", [5.0] * 4),
        shown("running", [10.0, 10.0, 310.0, 310.0]),
        shown("waiting", [0.0, 0.0, 300.0, 300.0]),
    )

    assert rates(found) == [5.0, 6.0, 5.0]
    assert (found.keys, found.step_s, found.end_s) == ((KEY,), STEP_S, END_S)
    assert found.at_s.tolist() == [END_S - 1200.0, END_S - 600.0, END_S]


def test_the_workloads_of_a_deployment_add_up() -> None:
    asked = an_asked(a_server(variant="h100"), a_server(variant="xeon"))
    both = [
        each
        for workload, rate in (("chat-h100", 5.0), ("chat-xeon", 2.0))
        for each in (shown("scrapes", [40.0] * 4, workload), shown("request_rate", [rate] * 4, workload))
    ]

    assert rates(read(*both, asked=asked)) == [7.0, 7.0, 7.0]


def test_pods_whose_names_are_not_of_the_usual_kind_are_found_too() -> None:
    named = [shown("scrapes", [40.0] * 4, "chat-h100-a"), shown("request_rate", [5.0] * 4, "chat-h100-a")]
    assert rates(read(*named)) == [5.0] * 3


def test_another_models_requests_are_not_counted() -> None:
    other = [shown("scrapes", [40.0] * 4, model="other"), shown("request_rate", [50.0] * 4, model="other")]
    assert rates(read(SCRAPED, shown("request_rate", [5.0] * 4), *other)) == [5.0] * 3


def test_a_moment_that_was_not_scraped_is_a_gap_and_not_silence() -> None:
    found = read(shown("scrapes", [40.0, 40.0, None, 40.0]), shown("request_rate", [5.0, 5.0, None, 5.0]))
    assert rates(found)[0] == rates(found)[2] == 5.0
    assert np.isnan(rates(found)[1])


def test_a_window_that_was_scraped_in_part_is_a_gap() -> None:
    found = read(shown("scrapes", [40.0, 40.0, 20.0, 40.0]), shown("request_rate", [5.0, 5.0, 2.5, 5.0]))
    assert np.isnan(rates(found)[1])


def test_before_the_first_scrape_nothing_is_known() -> None:
    assert np.isnan(rates(read(shown("scrapes", [None, None, None, 40.0]), shown("request_rate", [5.0]))))[:2].all()


def test_nothing_read_is_nothing_known() -> None:
    assert np.isnan(rates(read())).all()


def test_engines_that_were_there_and_never_counted_had_no_requests() -> None:
    assert rates(read(SCRAPED)) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_a_value_that_cannot_be_is_left_out(value: float) -> None:
    found = read(custom={"arrival_rate": shown("", [5.0, 5.0, value, 5.0])}, asked=an_asked(source=Engine.CUSTOM))
    assert np.isnan(rates(found)[1])
    assert rates(found)[2] == 5.0


def test_custom_queries_tell_the_past_as_well() -> None:
    answers = {
        "arrival_rate": shown("", [1.0, 2.0, 3.0, 4.0]),
        "prompt_tokens": shown("", [100.0] * 4),
        "output_tokens": shown("", [20.0] * 4),
    }
    found = read(custom=answers, asked=an_asked(source=Engine.CUSTOM))

    assert rates(found) == [2.0, 3.0, 4.0]
    assert found.tokens_kds[:, 0, 0].tolist() == [100.0, 20.0]


def test_token_means_are_tokens_over_requests_and_unknown_in_silence() -> None:
    found = read(
        SCRAPED,
        shown("prompt_tokens_rate", [1000.0, 1000.0, 0.0, 2000.0]),
        shown("prompts_rate", [5.0, 5.0, 0.0, 5.0]),
        shown("output_tokens_rate", [100.0, 100.0, 0.0, 100.0]),
        shown("outputs_rate", [5.0, 5.0, 0.0, 5.0]),
    )

    assert found.tokens_kds[:, 0, 0].tolist() == [200.0, 20.0]
    assert np.isnan(found.tokens_kds[:, 0, 1]).all()
    assert found.tokens_kds[0, 0, 2] == 400.0


def test_a_gateways_past_is_found_by_its_model() -> None:
    (dialect, _) = dialects_of(Engine.GATEWAY)
    ranges = [
        shown("scrapes", [40.0] * 4),
        shown("request_rate", [3.0] * 4),
        shown("waiting", [0.0, 600.0, 600.0, 0.0]),
    ]

    assert rates(read(*ranges, asked=an_asked(source=Engine.GATEWAY), dialect=dialect)) == [4.0, 3.0, 2.0]


def test_engines_that_count_no_requests_have_no_past() -> None:
    asked = an_asked(replace(a_server(engine=Engine.LLAMA_CPP), pods=()), source=Engine.LLAMA_CPP)

    assert history_query(LLAMA_CPP, Labels(), 600.0, tokens=True) is None
    assert np.isnan(rates(read(asked=asked, dialect=LLAMA_CPP))).all()


def test_nobody_asked_is_an_empty_answer() -> None:
    reading = PastReading(Stretch(END_S - STEP_S, END_S, STEP_S), STEP_S, [], {})
    assert past_looks([], reading, Labels()).rate_ds.shape == (0, 1)


@pytest.mark.parametrize("dialect", [one for one in DIALECTS if one.requests], ids=lambda one: one.title)
def test_the_past_is_summed_over_pods(dialect: Dialect) -> None:
    query = history_query(dialect, Labels(), 600.0, tokens=True)

    assert query is not None
    assert "by (namespace, pod" not in query
    assert ("plimsoll_workload" in query) == dialect.per_pod
    assert "[600000ms]" in query


def test_keys_stand_in_the_order_asked_for() -> None:
    other = an_asked(replace(a_server(), workload="code-h100"), key=ObjectKey("team-a", "code"))
    stretch = Stretch(END_S - STEP_S, END_S, STEP_S)
    found = past_looks([other, an_asked()], PastReading(stretch, STEP_S, [], {}), Labels())
    assert [key.name for key in found.keys] == ["code", "chat"]
