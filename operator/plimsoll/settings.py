"""How is this process set up? Flags over environment over file, one documented model.

In: flags, ``PLIMSOLL_<GROUP>__<NAME>`` in the environment, a YAML file. Out: one frozen ``Settings``, or
``InvalidSettings`` with a sentence for each mistake. The only place that reads the environment. The text under a field
is its documentation: ``plimsoll run --help`` and the manual repeat it.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)
from yaml import YAMLError

from plimsoll.errors import InvalidSettings

Seconds = Annotated[float, Field(gt=0)]


def _split_names(value: object) -> object:
    """Flags and the environment have one text for a list: `a,b`."""
    return tuple(filter(None, (name.strip() for name in value.split(",")))) if isinstance(value, str) else value


# Not decoded: pydantic would insist on JSON in the environment.
Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_names)]


class LogFormat(StrEnum):
    JSON = "json"
    TEXT = "text"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Group(BaseModel):
    """Base of the groups: frozen, and a misspelt name is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ClusterSettings(Group):
    """Which cluster, and which part of it."""

    kubeconfig: Path | None = None
    """Kubeconfig file; none: the pod's service account, else the default file."""
    context: str | None = None
    """Context of the kubeconfig; none: its current one."""
    namespaces: Names = ()
    """Namespaces whose InferenceDeployments are served, separated by commas; empty: all. Pods are watched in all."""
    timeout_s: Seconds = 4.0
    """Longest wait for one answer of the API server, in seconds."""


class LoopSettings(Group):
    """The one loop."""

    interval_s: Seconds = 10.0
    """Seconds from the start of one tick to the start of the next."""


class ObserveSettings(Group):
    """Where demand is read."""

    prometheus_url: str = "http://prometheus-operated.monitoring.svc:9090"
    """Address of Prometheus, or of anything that answers its query API."""
    bearer_token_file: Path | None = None
    """File with a token that is sent to Prometheus with each query; none: no token."""
    verify_tls: bool = True
    """Whether the certificate of Prometheus must be valid."""
    namespace_label: str = "namespace"
    """Label in which the scrape configuration puts the namespace of the scraped pod."""
    pod_label: str = "pod"
    """Label in which the scrape configuration puts the name of the scraped pod."""
    window_s: Seconds = 60.0
    """Rates are averaged over this many seconds; at least four scrape intervals."""
    timeout_s: Seconds = 4.0
    """Longest wait for all metrics of one tick, in seconds; without them demand counts as unknown, never as zero."""


class SizingSettings(Group):
    """How exactly safe rates are known."""

    simulate: bool = True
    """Whether safe rates are simulated in the background, at low priority; estimates alone know nothing of bursts."""
    cache_file: Path | None = None
    """File in which simulated safe rates outlive a restart; none: they are simulated anew after each."""


class LeaderSettings(Group):
    """Which of several replicas writes."""

    enabled: bool = True
    """Off only where a single process runs, such as on a laptop: two without a lease would both write."""
    lease_name: str = "plimsoll"
    """Name of the Lease."""
    lease_namespace: str = "plimsoll-system"
    """Namespace of the Lease."""
    # A successor is to act within 20 s: it sees the last renewal up to one retry late and tries again up to one retry
    # after the lease has run out, and then its first tick may wait for metrics in vain: 11 + 2 + 2 + 4.
    lease_duration_s: Seconds = 11.0
    """A lease that was not renewed for this many seconds is taken over by another replica."""
    renew_deadline_s: Seconds = 6.0
    """The leader stops writing after so many seconds without renewal; plus cluster.timeout_s below lease_duration_s."""
    retry_s: Seconds = 2.0
    """Seconds between two attempts to take or renew the lease."""


class HttpSettings(Group):
    """Probes and metrics."""

    host: str = "0.0.0.0"
    """Address to listen on for /metrics, /healthz and /readyz."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port for them; 0 takes a free one and logs it."""


class LogSettings(Group):
    """What is logged."""

    level: LogLevel = LogLevel.INFO
    """Least severity that is logged."""
    format: LogFormat = LogFormat.JSON
    """One JSON object a line, or text for people."""


class TracingSettings(Group):
    """Where the spans of a tick go."""

    otlp_endpoint: str | None = None
    """Full address that takes OTLP over HTTP, such as http://otel-collector:4318/v1/traces; none: no spans."""


class Settings(BaseSettings):
    """All settings of the process, grouped by what they are for."""

    # Unknown names in the environment are not refused: a Service called plimsoll makes Kubernetes put
    # PLIMSOLL_SERVICE_HOST and the like into every pod.
    model_config = SettingsConfigDict(
        env_prefix="PLIMSOLL_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
    )

    cluster: ClusterSettings = ClusterSettings()
    loop: LoopSettings = LoopSettings()
    observe: ObserveSettings = ObserveSettings()
    sizing: SizingSettings = SizingSettings()
    leader: LeaderSettings = LeaderSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    tracing: TracingSettings = TracingSettings()


def load_settings(flags: Mapping[str, Mapping[str, Any]], config_file: Path | None = None) -> Settings:
    """Settings from flags, then the environment, then the file, then the defaults.

    Args:
        flags: values by group and name, as given on the command line.
        config_file: a YAML file of the same shape.

    Raises:
        InvalidSettings: a file that cannot be read, an unknown name, or a value that is not accepted.
    """
    if config_file is not None and not config_file.is_file():
        raise InvalidSettings(f"the settings file {config_file} is not there: correct --config")

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = (YamlConfigSettingsSource(settings_cls, yaml_file=config_file),) if config_file else ()
            return init_settings, env_settings, *file

    try:
        loaded = Loaded(**{group: dict(values) for group, values in flags.items() if values})  # type: ignore[arg-type]
    except ValidationError as mistakes:
        raise InvalidSettings(_told(mistakes)) from mistakes
    except SettingsError as mistake:
        raise InvalidSettings(
            f"the environment cannot be used: {mistake}. A group takes no value of its own: set "
            "PLIMSOLL_<GROUP>__<NAME>, such as PLIMSOLL_LOOP__INTERVAL_S=10"
        ) from mistake
    except (YAMLError, OSError, ValueError, TypeError) as mistake:
        raise InvalidSettings(f"the settings file {config_file} is not a YAML mapping: {mistake}") from mistake
    return _checked(Settings.model_construct(**{name: getattr(loaded, name) for name in Settings.model_fields}))


def _checked(settings: Settings) -> Settings:
    leader, timeout_s = settings.leader, settings.cluster.timeout_s
    if not leader.enabled:
        return settings
    if leader.retry_s >= leader.renew_deadline_s:
        raise InvalidSettings(
            f"leader.retry_s is {leader.retry_s:g} and leader.renew_deadline_s {leader.renew_deadline_s:g}: the leader "
            f"would stop writing between two renewals. Lower leader.retry_s; {_lease_defaults()}"
        )
    if leader.renew_deadline_s + timeout_s >= leader.lease_duration_s:
        raise InvalidSettings(
            f"leader.renew_deadline_s ({leader.renew_deadline_s:g}) + cluster.timeout_s ({timeout_s:g}) is not below "
            f"leader.lease_duration_s ({leader.lease_duration_s:g}): a write that starts at the deadline could still "
            f"be under way when another replica begins to write. Raise leader.lease_duration_s; {_lease_defaults()}"
        )
    return settings


def _lease_defaults() -> str:
    defaults, timeout_s = LeaderSettings(), ClusterSettings().timeout_s
    return (
        f"the defaults are leader.retry_s={defaults.retry_s:g}, leader.renew_deadline_s={defaults.renew_deadline_s:g}, "
        f"cluster.timeout_s={timeout_s:g}, leader.lease_duration_s={defaults.lease_duration_s:g}"
    )


def _told(mistakes: ValidationError) -> str:
    lines = []
    for mistake in mistakes.errors():
        name = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            lines.append(f"{name} is not a setting: see `plimsoll run --help` for all of them")
        else:
            lines.append(f"{name} is {mistake['input']!r}: {mistake['msg'][:1].lower()}{mistake['msg'][1:]}")
    return "; ".join(lines)


def describe_settings() -> list[tuple[str, str, str]]:
    """Every setting as (group.name, default, description), in the order of the model."""
    rows = []
    for group, field in Settings.model_fields.items():
        model = field.annotation
        assert isinstance(model, type)
        assert issubclass(model, Group)
        for name, setting in model.model_fields.items():
            default = setting.default
            shown = "" if default is None or default == () else getattr(default, "value", default)
            rows.append((f"{group}.{name}", str(shown), setting.description or ""))
    return rows
