"""Do the alerts and the dashboard ask Prometheus for something that it understands and that the operator tells?"""

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.small_exporter import Exporter
from plimsoll.telemetry import Metrics
from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.chart import CHART, rendered
from plimsoll_testkit.manual import pieces_of_manifests
from plimsoll_testkit.prometheus_server import PrometheusServer
from unit.explain.plans import a_deployment_plan, a_plan, a_pool_plan

RUNBOOKS = Path(__file__).resolve().parents[2] / "docs/runbooks"
ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((CHART / "monitoring/alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
ALERT_TESTS = Path(__file__).with_name("alerts.yaml")
INVENTED = sorted(
    {
        series["series"]
        for one in yaml.safe_load(ALERT_TESTS.read_text())["tests"]
        for series in one.get("input_series", ())
    }
)
DASHBOARD: Mapping[str, Any] = json.loads((CHART / "monitoring/dashboard.json").read_text())
FOR_KEDA = {
    f"{page}, {piece['metadata']['name']}": trigger["metadata"]["query"]
    for page, piece in pieces_of_manifests()
    if piece["kind"] == "ScaledObject"
    for trigger in piece["spec"]["triggers"]
}
QUERIES = {
    **{rule["alert"]: rule["expr"] for rule in ALERTS},
    **{
        f"{panel['title']}, {target['refId']}": target["expr"]
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    },
    **FOR_KEDA,
}


@pytest.fixture(scope="module")
def prometheus(exporter: Exporter) -> Iterator[PrometheusServer]:
    with PrometheusServer(exporter.service_discovery_url) as running:
        yield running


def a_page() -> str:
    """What the operator tells of a plan."""
    metrics = Metrics()
    metrics.show(a_plan(a_deployment_plan(), pools=(a_pool_plan(),)))
    return metrics.page().decode()


@pytest.mark.parametrize("name", QUERIES)
def test_prometheus_understands_each_query(name: str, prometheus: PrometheusServer) -> None:
    query = QUERIES[name].replace("$namespace", ".*").replace("$deployment", ".*")
    url = f"{prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    with urllib.request.urlopen(url, timeout=30.0) as answer:
        assert json.loads(answer.read())["status"] == "success"


@pytest.mark.parametrize("name", QUERIES)
def test_each_query_asks_for_metrics_that_the_operator_has(name: str) -> None:
    told = set(re.findall(r"^# TYPE (\S+)", a_page(), re.MULTILINE))
    asked = set(re.findall(r"\bplimsoll_\w+", QUERIES[name]))
    assert asked
    assert {one.removesuffix("_bucket") for one in asked} <= told


def promtool(*arguments: str | Path, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    """Prometheus's own tool for rules and metrics."""
    command = [ensure(["promtool"])["promtool"], *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)


def test_promtool_finds_nothing_to_mend_in_the_metrics() -> None:
    """Base units, help texts, and `_total` on what only grows."""
    page = a_page()
    checked = promtool("check", "metrics", "--lint=all", stdin=page)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
    spoilt = page.replace("plimsoll_cost_usd_per_hour", "plimsoll_cost_usd_per_hour_total")
    assert promtool("check", "metrics", "--lint=all", stdin=spoilt).returncode != 0


def test_promtool_finds_nothing_to_mend_in_the_alerts() -> None:
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", CHART / "monitoring/alerts.yaml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_each_alert_fires_in_trouble_and_is_silent_without() -> None:
    tested = promtool("test", "rules", ALERT_TESTS)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    cases = [case for one in yaml.safe_load(ALERT_TESTS.read_text())["tests"] for case in one["alert_rule_test"]]
    for fires in (True, False):
        assert {case["alertname"] for case in cases if bool(case["exp_alerts"]) is fires} == {
            rule["alert"] for rule in ALERTS
        }


@pytest.mark.parametrize("series", INVENTED, ids=lambda one: one[:60])
def test_what_the_alerts_are_tried_on_is_what_the_operator_tells(series: str) -> None:
    """Or they would be silent with the labels that there are."""
    metric, _, labels = series.partition("{")
    # Prometheus itself adds the instance.
    named = set(re.findall(r"(\w+)=", labels)) - {"instance"}
    gauge = next(one for one in Metrics()._registry._collector_to_names if getattr(one, "_name", "") == metric)
    assert named == set(getattr(gauge, "_labelnames", ()))


def test_keda_can_be_made_to_follow_plimsoll_as_the_manual_says() -> None:
    assert FOR_KEDA


def test_labels_in_words_are_labels_of_the_metric() -> None:
    page = a_page()
    words = {rule["alert"]: " ".join(rule["annotations"].values()) for rule in ALERTS}
    for rule in ALERTS:
        named = set(re.findall(r"\$labels\.(\w+)", words[rule["alert"]]))
        (metric, *_) = re.findall(r"\bplimsoll_\w+", rule["expr"])
        if not named or metric == "plimsoll_latency_observed_over_predicted_ratio":
            continue  # Told only where engines are compared with their prediction.
        labels = set(re.findall(r"(\w+)=\"", next(line for line in page.splitlines() if line.startswith(metric + "{"))))
        assert named <= labels, rule["alert"]


def test_each_alert_has_a_runbook_to_which_it_links_and_no_runbook_is_left_over() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {rule["alert"] for rule in ALERTS}
    objects = rendered("trial", "default", {"prometheusRule": {"enabled": True, "runbookURL": "https://example.com/r"}})
    (made,) = [one for one in objects if one["kind"] == "PrometheusRule"]
    rules = [rule for group in made["spec"]["groups"] for rule in group["rules"]]
    assert [rule["annotations"]["runbook_url"] for rule in rules] == [
        f"https://example.com/r/{rule['alert']}.md" for rule in ALERTS
    ]
    assert [rule["expr"] for rule in rules] == [rule["expr"] for rule in ALERTS]
    # Prometheus itself fills in the labels; Helm must leave them alone.
    assert [rule["annotations"]["summary"] for rule in rules] == [rule["annotations"]["summary"] for rule in ALERTS]


def test_the_dashboard_reaches_grafana_as_it_is() -> None:
    objects = rendered("trial", "default", {"dashboard": {"enabled": True}})
    (made,) = [one for one in objects if one["metadata"]["name"] == "trial-plimsoll-dashboard"]
    assert json.loads(made["data"]["plimsoll.json"]) == DASHBOARD
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
