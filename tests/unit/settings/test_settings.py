"""Settings: which source wins, what is refused and in which words, and defaults that do not change by accident."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from plimsoll.errors import InvalidSettings
from plimsoll.settings import LogLevel, Settings, describe_settings, load_settings


def a_file(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def refusal(flags: dict[str, dict[str, Any]], config_file: Path | None = None) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load_settings(flags, config_file)
    return str(refused.value)


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = a_file(
        tmp_path, "observe: {pod_label: from-file, namespace_label: from-file, timeout_s: 3}\nloop: {interval_s: 7}"
    )
    monkeypatch.setenv("PLIMSOLL_OBSERVE__POD_LABEL", "from-environment")
    monkeypatch.setenv("PLIMSOLL_OBSERVE__NAMESPACE_LABEL", "from-environment")
    observe = load_settings({"observe": {"pod_label": "from-flag"}}, file).observe
    assert observe.pod_label == "from-flag"
    assert observe.namespace_label == "from-environment"
    assert observe.timeout_s == 3.0
    assert observe.window_s == 60.0


def test_a_flag_in_text_is_read_as_its_type() -> None:
    settings = load_settings({"loop": {"interval_s": "2.5"}, "log": {"level": "debug"}})
    assert settings.loop.interval_s == 2.5
    assert settings.log.level is LogLevel.DEBUG


@pytest.mark.parametrize("text", ["team-a,team-b", " team-a , team-b,"])
def test_namespaces_are_separated_by_commas_in_flags_and_environment(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings({"cluster": {"namespaces": text}}).cluster.namespaces == ("team-a", "team-b")
    monkeypatch.setenv("PLIMSOLL_CLUSTER__NAMESPACES", text)
    assert load_settings({}).cluster.namespaces == ("team-a", "team-b")


def test_namespaces_are_a_list_in_the_file(tmp_path: Path) -> None:
    file = a_file(tmp_path, "cluster: {namespaces: [team-a, team-b]}")
    assert load_settings({}, file).cluster.namespaces == ("team-a", "team-b")


@pytest.mark.parametrize(("text", "name"), [("loop: {intervall_s: 5}", "loop.intervall_s"), ("lop: {}", "lop")])
def test_a_misspelt_name_in_the_file_is_refused_by_name(text: str, name: str, tmp_path: Path) -> None:
    assert f"{name} is not a setting: see `plimsoll run --help`" in refusal({}, a_file(tmp_path, text))


def test_a_misspelt_flag_is_refused_by_name() -> None:
    assert "loop.x is not a setting" in refusal({"loop": {"x": 1}})


def test_a_misspelt_name_in_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIMSOLL_LEADER__RETRY", "1")
    assert "leader.retry is not a setting" in refusal({})


def test_what_kubernetes_puts_into_the_environment_for_a_service_called_plimsoll_does_no_harm(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = load_settings({})
    monkeypatch.setenv("PLIMSOLL_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("PLIMSOLL_PORT_8080_TCP_ADDR", "10.0.0.1")
    assert load_settings({}) == without


def test_a_group_with_a_value_of_its_own_says_how_to_write_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLIMSOLL_LEADER", "plimsoll")
    message = refusal({})
    assert '"leader"' in message
    assert "set PLIMSOLL_<GROUP>__<NAME>" in message


def test_a_value_that_is_not_accepted_is_shown_with_what_is() -> None:
    assert refusal({"log": {"level": "loud"}}).startswith("log.level is 'loud': input should be 'debug'")
    assert "loop.interval_s is 0: input should be greater than 0" in refusal({"loop": {"interval_s": 0}})


def test_every_mistake_is_told_at_once() -> None:
    message = refusal({"loop": {"interval_s": -1}, "http": {"port": 70000}})
    assert "loop.interval_s" in message
    assert "http.port" in message


def test_a_file_that_is_not_there_names_the_flag(tmp_path: Path) -> None:
    assert "is not there: correct --config" in refusal({}, tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["- a list", "a: ["])
def test_a_file_that_is_no_mapping_is_refused(text: str, tmp_path: Path) -> None:
    assert "settings.yaml is not a YAML mapping" in refusal({}, a_file(tmp_path, text))


def test_an_empty_file_leaves_the_defaults(tmp_path: Path) -> None:
    assert load_settings({}, a_file(tmp_path, "")) == load_settings({})


@pytest.mark.parametrize(
    "leader",
    [
        {"renew_deadline_s": 7},
        {"renew_deadline_s": 11},
        {"renew_deadline_s": 20},
        {"lease_duration_s": 10},
        {"lease_duration_s": 5},
    ],
)
def test_a_lease_under_which_two_replicas_could_write_is_refused(leader: dict[str, float]) -> None:
    message = refusal({"leader": leader})
    assert "could still be under way when another replica begins to write. Raise leader.lease_duration_s" in message
    assert "leader.renew_deadline_s=6, cluster.timeout_s=4, leader.lease_duration_s=11" in message


def test_a_write_must_end_before_another_replica_may_begin() -> None:
    assert "cluster.timeout_s (5) is not below" in refusal({"cluster": {"timeout_s": 5}})
    longer: dict[str, dict[str, Any]] = {"cluster": {"timeout_s": 5}, "leader": {"lease_duration_s": 11.1}}
    assert load_settings(longer).leader.lease_duration_s == 11.1


def test_a_leader_that_would_lose_the_lease_between_two_renewals_is_refused() -> None:
    assert "would stop writing between two renewals. Lower leader.retry_s" in refusal({"leader": {"retry_s": 6}})


def test_without_an_election_the_lease_puts_no_limit_on_time_outs() -> None:
    settings = load_settings({"cluster": {"timeout_s": 30}, "leader": {"enabled": False}})
    assert settings.cluster.timeout_s == 30.0


def test_with_the_defaults_a_successor_acts_within_20_seconds_of_the_death_of_the_leader() -> None:
    settings = load_settings({})
    leader = settings.leader
    # It may see the last renewal one retry late, and look again one retry after the end of the lease.
    leads_s = leader.retry_s + leader.lease_duration_s + leader.retry_s
    # Its first tick waits for metrics at most; it plans and writes within a second.
    assert leads_s + settings.observe.timeout_s + 1.0 <= 20.0


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load_settings({})
    with pytest.raises(ValidationError):
        settings.loop.interval_s = 1.0  # type: ignore[misc]


def test_defaults_are_what_the_manual_says() -> None:
    assert {name: default for name, default, _ in describe_settings()} == {
        "cluster.kubeconfig": "",
        "cluster.context": "",
        "cluster.namespaces": "",
        "cluster.timeout_s": "4.0",
        "loop.interval_s": "10.0",
        "observe.prometheus_url": "http://prometheus-operated.monitoring.svc:9090",
        "observe.bearer_token_file": "",
        "observe.verify_tls": "True",
        "observe.namespace_label": "namespace",
        "observe.pod_label": "pod",
        "observe.window_s": "60.0",
        "observe.timeout_s": "4.0",
        "sizing.simulate": "True",
        "sizing.cache_file": "",
        "leader.enabled": "True",
        "leader.lease_name": "plimsoll",
        "leader.lease_namespace": "plimsoll-system",
        "leader.lease_duration_s": "11.0",
        "leader.renew_deadline_s": "6.0",
        "leader.retry_s": "2.0",
        "http.host": "0.0.0.0",
        "http.port": "8080",
        "log.level": "info",
        "log.format": "json",
        "tracing.otlp_endpoint": "",
    }


def test_every_setting_is_described_and_every_duration_says_seconds() -> None:
    for name, _, description in describe_settings():
        assert description, name
        assert not name.endswith("_s") or "second" in description.lower(), name


def test_loading_nothing_gives_the_defaults_of_the_model() -> None:
    assert load_settings({}).model_dump() == Settings.model_construct().model_dump()
