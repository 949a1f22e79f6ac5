"""Do prices and verdicts follow from rates? By hand."""

from dataclasses import replace
from types import MappingProxyType

import pytest

import data_folder
from catalogue.costs import SLOS, Offer
from catalogue.hardware import Machine
from catalogue.models import LLAMA_8B
from catalogue.profiles import Entry
from catalogue.scaling import Build
from catalogue.sources import Measured
from catalogue.verdict import Duel, duels, sentences
from plimsoll.api.serving_profile import ProvenanceKind
from plimsoll.domain import StepTime, ValidityRange
from plimsoll.errors import UnusableMeasurements

GPU = Machine("gpu", "a GPU", 80.0, 3000.0, MappingProxyType({"bf16": 900.0}), is_gpu=True)
CPU = replace(GPU, name="cpu", is_gpu=False)


def offer(machine: Machine, rate_rps: float, usd_per_hour: float | None) -> Offer:
    source = Measured(
        build=Build(LLAMA_8B, "bf16", machine),
        engine="vLLM",
        step_time=StepTime(10.0, 0.1, 0.1, 0.0),
        kind=ProvenanceKind.ESTIMATED,
        reference="a test",
        date=None,
        error_ratio=None,
        validity=ValidityRange(None, None),
        max_sequences=8,
        chunk_tokens=512,
    )
    return Offer(Entry(source), SLOS[0], rate_rps, usd_per_hour, None)


def duel(gpu: Offer, cpu: Offer) -> Duel:
    return next(one for one in duels([gpu, cpu]) if (one.size, one.slo) == ("8B", SLOS[0]))


def test_a_million_tokens_cost_an_hour_over_the_tokens_of_an_hour() -> None:
    # 10 requests/s of 128 output tokens are 4.608 million an hour; with 512 of prompt 23.04 million.
    found = offer(GPU, 10.0, 4.608)
    assert found.per_million_output(found.list_usd_per_hour) == pytest.approx(1.0)
    assert found.per_million_total(found.list_usd_per_hour) == pytest.approx(0.2)


def test_without_a_price_or_a_rate_there_is_no_cost() -> None:
    assert offer(GPU, 10.0, None).per_million_output(None) is None
    assert offer(GPU, 0.0, 1.0).per_million_output(1.0) is None


def test_a_cpu_at_twice_the_price_and_a_tenth_of_the_rate_loses_twentyfold() -> None:
    found = duel(offer(GPU, 10.0, 1.0), offer(CPU, 1.0, 2.0))
    assert found.ratio == pytest.approx(20.0)
    assert found.break_even_usd_per_hour == pytest.approx(0.1)
    assert not found.wins_for_little_traffic
    assert "loses in 1 of 1 cases" in next(sentences([found], 0.4, ()))


def test_a_cheap_slow_cpu_wins_only_for_little_traffic() -> None:
    found = duel(offer(GPU, 10.0, 1.0), offer(CPU, 0.5, 0.4))
    assert found.ratio == pytest.approx(8.0)
    assert found.wins_for_little_traffic
    assert any(sentence.startswith("**Little traffic, 8B") for sentence in sentences([found], 0.4, ()))


def test_a_cpu_that_is_cheaper_per_token_is_said_to_win() -> None:
    found = duel(offer(GPU, 10.0, 1.0), offer(CPU, 10.0, 0.5))
    assert next(sentences([found], 0.4, ())).startswith("**At list price and full load a CPU wins** for: 8B")


def test_a_cpu_too_slow_for_the_slo_is_named_as_such() -> None:
    found = duel(offer(GPU, 10.0, 1.0), offer(CPU, 0.0, 0.5))
    assert found.ratio is None
    assert "**No CPU with a list price keeps the SLO** for: 8B, tight chat." in list(sentences([found], 0.4, ()))


def test_missing_measurements_are_told_with_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv(data_folder.VARIABLE, str(tmp_path_factory.mktemp("empty")))
    with pytest.raises(UnusableMeasurements, match="set PLIMSOLL_DATA_DIR to the folder"):
        data_folder.measured()
