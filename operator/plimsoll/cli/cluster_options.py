"""Which cluster and namespace does a command talk to? The options that all such commands share."""

from pathlib import Path
from typing import Annotated

import typer
from kubernetes.config import ConfigException, list_kube_config_contexts

from plimsoll.api import API_VERSION
from plimsoll.api_server import ApiServer, connect
from plimsoll.errors import InvalidSettings
from plimsoll.settings import ClusterSettings

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace; default: the context's own.")]
Kubeconfig = Annotated[Path | None, typer.Option(help="Kubeconfig file.")]
Context = Annotated[str | None, typer.Option(help="Context of the kubeconfig.")]


def server_for(kubeconfig: Path | None, context: str | None) -> ApiServer:
    """The cluster of the options."""
    if kubeconfig is not None and not kubeconfig.is_file():
        raise InvalidSettings(f"--kubeconfig {kubeconfig} is not there: name the file that kubectl uses")
    settings = ClusterSettings(kubeconfig=kubeconfig, context=context)
    return ApiServer(connect(settings), settings.timeout_s)


def deployment_path(name: str, namespace: str | None, kubeconfig: Path | None, context: str | None) -> str:
    """Where an InferenceDeployment is, in the named namespace or the context's own."""
    chosen = namespace_of(namespace, kubeconfig, context)
    return f"/apis/{API_VERSION}/namespaces/{chosen}/inferencedeployments/{name}"


def namespace_of(namespace: str | None, kubeconfig: Path | None, context: str | None) -> str:
    """The named namespace, or the context's own."""
    return namespace or _namespace_of_context(kubeconfig, context)


def _namespace_of_context(kubeconfig: Path | None, context: str | None) -> str:
    path = str(kubeconfig) if kubeconfig else None
    try:
        contexts, active = list_kube_config_contexts(path)  # type: ignore[no-untyped-call]
    except ConfigException:
        return "default"
    chosen = next((one for one in contexts if one["name"] == context), active) if context else active
    return str(chosen["context"].get("namespace") or "default")
