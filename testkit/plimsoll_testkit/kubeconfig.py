"""How does a client get to the control plane, and as whom?

In: the server's address, its authority and one identity (a bearer token or a client certificate). Out: a kubeconfig
file that holds everything inline, readable by its owner alone.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plimsoll_testkit.certificates import KeyPair


@dataclass(frozen=True)
class Server:
    """Where the API server is and whom to trust for it."""

    url: str
    authority_pem: bytes


def with_token(token: str) -> Mapping[str, Any]:
    """The identity of a bearer token."""
    return {"token": token}


def with_certificate(pair: KeyPair) -> Mapping[str, Any]:
    """The identity in a client certificate."""
    return {"client-certificate-data": _base64(pair.certificate_pem), "client-key-data": _base64(pair.key_pem)}


def write_kubeconfig(path: Path, server: Server, name: str, identity: Mapping[str, Any]) -> Path:
    """The path, where a kubeconfig with this one context now is."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [
            {
                "name": "plimsoll-testkit",
                "cluster": {"server": server.url, "certificate-authority-data": _base64(server.authority_pem)},
            }
        ],
        "users": [{"name": name, "user": dict(identity)}],
        "contexts": [{"name": name, "context": {"cluster": "plimsoll-testkit", "user": name}}],
    }
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def _base64(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
