"""The past of one's own engines is read as the operator reads the present; a silent Prometheus is given up."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from plimsoll.domain import ObjectKey
from plimsoll.errors import MetricsUnavailable
from plimsoll.observe import PrometheusSettings
from plimsoll.observe.queries import SIGNAL_LABEL
from plimsoll.simulator.demand import history
from plimsoll.simulator.episode import draw, objects
from plimsoll.simulator.scenario import load
from unit.observe.manifests import MODEL
from unit.simulator.folders import a_scenario

CHAT = ObjectKey("team-a", "chat")
SETTINGS = PrometheusSettings("http://p", window_s=300.0)


class Remembering:
    """A Prometheus that knows a pod of `chat`: 2 requests a second, 200 tokens in and 50 out; at one step nothing."""

    def __init__(self, blind_at_s: float) -> None:
        self.blind_at_s = blind_at_s
        self.asked_at_s: list[float] = []

    def custom_query(
        self, query: str, params: dict[str, str] | None = None, timeout: float | None = None
    ) -> list[dict[str, Any]]:
        at_s = float((params or {})["time"])
        # Of the two queries of a step only one is about demand.
        if "request_rate" not in query or at_s == self.blind_at_s:
            return []
        self.asked_at_s.append(at_s)
        own = {"namespace": "team-a", "pod": "chat-h100-6b7c-xyz", "model_name": MODEL}
        signals = {
            "request_rate": 2.0, "requests": 5000.0, "age_s": 5.0, "scrapes": 20.0, "running": 3.0, "waiting": 0.0,
            "running_before": 3.0, "waiting_before": 0.0, "prompt_tokens_rate": 400.0, "prompts_rate": 2.0,
            "output_tokens_rate": 100.0, "outputs_rate": 2.0,
        }  # fmt: skip
        return [{"metric": {**own, SIGNAL_LABEL: name}, "value": [at_s, str(value)]} for name, value in signals.items()]


class Silent:
    """A Prometheus that answers so many questions and no more."""

    def __init__(self, answers: int, error: Exception) -> None:
        self.left, self.error = answers, error
        self.asked = 0

    def custom_query(
        self, query: str, params: dict[str, str] | None = None, timeout: float | None = None
    ) -> list[dict[str, Any]]:
        self.asked += 1
        self.left -= 1
        if self.left < 0:
            raise self.error
        return []


def read_of(folder: Path, client: Any, steps: int = 4) -> history.Histories:
    return history.read(SETTINGS, objects(a_scenario(folder)).asked, 1000.0, steps, client)


def test_the_past_of_ones_own_engines_is_read_as_the_operator_reads_the_present(tmp_path: Path) -> None:
    client = Remembering(blind_at_s=1600.0)
    found = read_of(tmp_path, client).known[CHAT]
    assert client.asked_at_s == [1300.0, 1900.0, 2200.0]
    assert found.rate_rps_k == pytest.approx((2.0, 2.0, 2.0, 2.0))  # the blind step takes the last rate, not zero
    assert found.known_ratio == 0.75
    traffic = history.draw(found, 3600.0, np.random.default_rng(1))
    assert traffic.count == pytest.approx(7200, rel=0.05)
    assert traffic.output_tokens_i.mean() == pytest.approx(50.0, rel=0.1)


def test_a_deployment_of_which_nothing_is_known_stops_no_other(tmp_path: Path) -> None:
    found = read_of(tmp_path, Remembering(blind_at_s=1300.0), steps=1)
    assert found.known == {}
    assert list(found.unknown) == [CHAT]
    assert found.unknown[CHAT]  # says why


def test_a_history_takes_the_place_of_the_scenarios_demand_and_without_one_that_stays(tmp_path: Path) -> None:
    found = read_of(tmp_path, Remembering(blind_at_s=0.0)).known
    (tmp_path / "scenario.yaml").unlink()
    assert draw(load(tmp_path, hours=1.0), 1, found).traffic[CHAT].count == pytest.approx(7200, rel=0.05)
    assert draw(load(tmp_path, hours=1.0), 1, {}).traffic[CHAT].count == 0
    a_scenario(tmp_path)
    assert draw(load(tmp_path, hours=0.5), 1, {}).traffic[CHAT].count == pytest.approx(3600, rel=0.1)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (requests.ConnectTimeout("timed out"), "did not answer in time"),
        (requests.ConnectionError("Connection refused"), "cannot be reached"),
        (requests.exceptions.JSONDecodeError("no JSON", "<html>", 0), "does not look like Prometheus"),
    ],
)
def test_what_does_not_answer_is_asked_once_and_not_for_every_step(tmp_path: Path, error: Exception, told: str) -> None:
    client = Silent(0, error)
    with pytest.raises(MetricsUnavailable, match=told):
        read_of(tmp_path, client, steps=2016)
    assert client.asked == 1


def test_one_that_stops_answering_half_way_is_given_up(tmp_path: Path) -> None:
    # One question before all, and two a step.
    client = Silent(1 + 2 * 5, requests.ConnectionError("Connection refused"))
    with pytest.raises(MetricsUnavailable, match="It answered for 5 of 2016 steps before that"):
        read_of(tmp_path, client, steps=2016)
