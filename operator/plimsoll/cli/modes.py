"""``plimsoll pause`` and ``plimsoll resume``: hands off one InferenceDeployment, and on again."""

from typing import Annotated

import typer

from plimsoll.cli.cluster_options import Context, Kubeconfig, Namespace, deployment_path, server_for
from plimsoll.domain import Mode

_GIT_MAY_REVERT = "Where Git owns spec.mode, its tool sets it back: change it there too."
Name = Annotated[str, typer.Argument(help="Name of the InferenceDeployment.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(pause)
    app.command()(resume)


def pause(name: Name, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None) -> None:
    """Leave the replicas of an InferenceDeployment as they are, until it is resumed.

    Sets spec.mode to Paused. Where Git owns that field, its tool sets it back: change it in Git instead.
    """
    _set_mode(Mode.PAUSED, deployment_path(name, namespace, kubeconfig, context), kubeconfig, context)
    typer.echo(f"{name} is paused: its replicas stay as they are until `plimsoll resume {name}`. {_GIT_MAY_REVERT}")


def resume(name: Name, namespace: Namespace = None, kubeconfig: Kubeconfig = None, context: Context = None) -> None:
    """Scale an InferenceDeployment (again).

    Sets spec.mode to Auto. Where Git owns that field, its tool sets it back: change it in Git instead.
    """
    _set_mode(Mode.AUTO, deployment_path(name, namespace, kubeconfig, context), kubeconfig, context)
    typer.echo(f"{name} is in mode Auto: the next tick scales it. {_GIT_MAY_REVERT}")


def _set_mode(mode: Mode, path: str, kubeconfig: Kubeconfig, context: Context) -> None:
    server_for(kubeconfig, context).patch(path, {"spec": {"mode": mode.value}})
