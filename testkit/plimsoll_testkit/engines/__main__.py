"""The process: looks for pods, lets time go on, answers Prometheus; until SIGTERM."""

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

import urllib3.exceptions
from kubernetes import config as kube_config
from kubernetes.client import ApiClient, ApiException, Configuration

from plimsoll_testkit.engines.configuration import Configuration as FleetConfiguration
from plimsoll_testkit.engines.configuration import load
from plimsoll_testkit.engines.fleet import Fleet, SeenPod
from plimsoll_testkit.engines.web import serve
from plimsoll_testkit.json_api import items

STEP_S = 0.05
LOOK_S = 0.5


def main() -> int:
    """Run until told to stop; not 0 when the pods can no longer be seen."""
    parser = argparse.ArgumentParser(prog="python -m plimsoll_testkit.engines", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--config", type=Path, required=True, help="what is simulated; see configuration.py")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    configuration = load(arguments.config)
    api_configuration = Configuration()
    kube_config.load_kube_config(  # type: ignore[no-untyped-call]
        str(arguments.kubeconfig), client_configuration=api_configuration
    )
    fleet = Fleet(configuration)
    server = serve(fleet, arguments.port)
    print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    started_s = time.monotonic()
    looking = threading.Thread(
        target=_look, args=(fleet, configuration, api_configuration, started_s, stopping), daemon=True
    )
    looking.start()
    while not stopping.wait(STEP_S):
        if not looking.is_alive():
            # Serving on with the pods of the past would look like a cluster in which nothing scales.
            print("the search for pods has ended, see the error above; the engines end too", flush=True)
            return 1
        fleet.advance(time.monotonic() - started_s)
    looking.join(timeout=5.0)
    server.shutdown()
    return 0


def _look(
    fleet: Fleet,
    configuration: FleetConfiguration,
    api_configuration: Configuration,
    started_s: float,
    stopping: threading.Event,
) -> None:
    namespaces = sorted({model.namespace for model in configuration.models})
    with ApiClient(api_configuration) as api:
        while not stopping.is_set():
            try:
                pods = [pod for namespace in namespaces for pod in _pods(api, namespace)]
            except (ApiException, urllib3.exceptions.HTTPError) as error:
                # What is there stays there until the API server answers again.
                print(f"looking for pods: {error}", flush=True)
            else:
                fleet.set_pods(pods, time.monotonic() - started_s)
            stopping.wait(LOOK_S)


def _pods(api: ApiClient, namespace: str) -> list[SeenPod]:
    return [
        SeenPod(
            namespace,
            raw["metadata"]["name"],
            raw["metadata"].get("labels") or {},
            any(
                one["type"] == "Ready" and one["status"] == "True"
                for one in raw.get("status", {}).get("conditions") or ()
            ),
            "deletionTimestamp" in raw["metadata"],
        )
        for raw in items(api, f"/api/v1/namespaces/{namespace}/pods")
    ]


if __name__ == "__main__":
    sys.exit(main())
