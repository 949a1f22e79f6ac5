"""``plimsoll run``: the operator itself, and the container's entry point."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from plimsoll.settings import LogFormat, LogLevel, describe_settings, load_settings
from plimsoll.telemetry import set_up_logging


def _all_settings() -> str:
    rows = [f"{name} (default: {default or 'none'}): {text}" for name, default, text in describe_settings()]
    return (
        "Every setting can stand in the file of --config (as group: {name: value}), in the environment (as "
        "PLIMSOLL_GROUP__NAME), or in --set. A flag wins over the environment, and that over the file.\n\n"
        + "\n\n".join(rows)
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=_all_settings())(run)


def run(
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; default: the pod's own account.")] = None,
    context: Annotated[str | None, typer.Option(help="Context of the kubeconfig.")] = None,
    namespace: Annotated[
        list[str] | None, typer.Option("--namespace", "-n", help="Serve only this namespace; may be repeated.")
    ] = None,
    prometheus_url: Annotated[str | None, typer.Option(help="Address of Prometheus.")] = None,
    tick_interval: Annotated[float | None, typer.Option(help="Seconds between two ticks.")] = None,
    lease_name: Annotated[str | None, typer.Option(help="Name of the Lease that the writing replica holds.")] = None,
    lease_namespace: Annotated[str | None, typer.Option(help="Namespace of that Lease.")] = None,
    listen: Annotated[str | None, typer.Option(help="HOST:PORT for /metrics, /healthz and /readyz.")] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="Least severity that is logged.")] = None,
    log_format: Annotated[LogFormat | None, typer.Option(help="One JSON object a line, or text.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", metavar="GROUP.NAME=VALUE", help="Any setting; may be repeated.")
    ] = None,
) -> None:
    """Watch InferenceDeployments and keep them at the lowest cost that meets their SLOs.

    Ends with 0 after SIGTERM or SIGINT, with 1 when a watch or the election broke, with 2 when it is set up wrongly.
    """
    # Loaded here: kopf takes a second, which the other commands need not wait for.
    from plimsoll.operator import run_operator

    host, port = _address(listen)
    flags: dict[str, dict[str, Any]] = {
        "cluster": {"kubeconfig": kubeconfig, "context": context, "namespaces": tuple(namespace or ()) or None},
        "loop": {"interval_s": tick_interval},
        "observe": {"prometheus_url": prometheus_url},
        "leader": {"lease_name": lease_name, "lease_namespace": lease_namespace},
        "http": {"host": host, "port": port},
        "log": {"level": log_level, "format": log_format},
    }
    for text in setting or ():
        group, name, value = _assignment(text)
        flags.setdefault(group, {})[name] = value
    given = {group: {name: value for name, value in one.items() if value is not None} for group, one in flags.items()}
    settings = load_settings(given, config)
    set_up_logging(settings.log)
    raise typer.Exit(asyncio.run(run_operator(settings)))


def _address(listen: str | None) -> tuple[str | None, str | None]:
    if listen is None:
        return None, None
    host, colon, port = listen.rpartition(":")
    if not colon:
        raise typer.BadParameter(f"{listen} is no HOST:PORT: write for example 0.0.0.0:8080", param_hint="--listen")
    return host.strip("[]") or None, port


def _assignment(text: str) -> tuple[str, str, str]:
    path, equals, value = text.partition("=")
    group, dot, name = path.partition(".")
    if not (equals and dot):
        raise typer.BadParameter(
            f"{text} is no GROUP.NAME=VALUE: write for example loop.interval_s=5", param_hint="--set"
        )
    return group, name, value
