"""How is the API server reached, and what do its refusals mean?

In: paths and raw bodies. Out: decoded answers, or an error of ``errors.py`` by what the caller can do about it. The one
place where failures of the kubernetes client are translated; hot paths keep raw dictionaries. Blocking: callers in the
event loop use a thread.
"""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

from kubernetes import config as kube_config
from kubernetes.client import ApiClient, ApiException, Configuration
from kubernetes.config import ConfigException
from urllib3.exceptions import HTTPError
from yaml import YAMLError

from plimsoll.errors import (
    ClusterUnavailable,
    Forbidden,
    InvalidSettings,
    NotFound,
    PlimsollError,
    WriteConflict,
    WriteRefused,
)
from plimsoll.settings import ClusterSettings

FIELD_MANAGER = "plimsoll"
_MESSAGE_CUT = 300


class Patch(StrEnum):
    """The content types of a PATCH."""

    MERGE = "application/merge-patch+json"
    APPLY = "application/apply-patch+yaml"


def connect(settings: ClusterSettings) -> ApiClient:
    """A client for the cluster of the settings, without retries of its own.

    Raises:
        InvalidSettings: neither a service account nor a usable kubeconfig.
    """
    return ApiClient(client_configuration(settings))


def client_configuration(settings: ClusterSettings) -> Configuration:
    """Address and credentials of the cluster; read anew at each call, so that rotated tokens are seen."""
    configuration = Configuration()
    try:
        if settings.kubeconfig is None and settings.context is None:
            try:
                kube_config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
            except ConfigException:
                kube_config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        else:
            path = str(settings.kubeconfig) if settings.kubeconfig else None
            kube_config.load_kube_config(path, context=settings.context, client_configuration=configuration)  # type: ignore[no-untyped-call]
    # The client has no error of its own for a file that is YAML but no kubeconfig: it stumbles with a TypeError.
    except (ConfigException, OSError, YAMLError, TypeError) as error:
        raise InvalidSettings(
            f"no cluster to talk to: {' '.join(str(error).split())}. Run inside a pod with a service account, "
            "or pass --kubeconfig FILE"
        ) from error
    configuration.retries = False
    return configuration


PAGE = "500"
"""Objects that the API server hands out at a time; as kubectl asks for them."""


class ApiServer:
    """Raw requests to the API server, each with a time-out."""

    def __init__(self, client: ApiClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json") -> Any:
        """The object or list at the path."""
        return self._request("GET", path, query or {}, None, None, accept)

    def items(self, path: str, accept: str = "application/json") -> Iterator[Any]:
        """The objects of the list at the path, asked for page by page."""
        query = {"limit": PAGE}
        while True:
            page = self.get(path, query, accept)
            yield from page["items"] or ()
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return
            query = {"limit": PAGE, "continue": token}

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The created object."""
        return self._request("POST", path, {"fieldManager": FIELD_MANAGER}, body, "application/json")

    def put(self, path: str, body: Mapping[str, Any]) -> Any:
        """The replaced object; its resourceVersion is a precondition where the body has one."""
        return self._request("PUT", path, {"fieldManager": FIELD_MANAGER}, body, "application/json")

    def patch(self, path: str, body: Mapping[str, Any], kind: Patch = Patch.MERGE) -> Any:
        """The patched object; an APPLY patch takes over the fields it names."""
        query = {"fieldManager": FIELD_MANAGER}
        if kind is Patch.APPLY:
            query["force"] = "true"
        return self._request("PATCH", path, query, body, kind.value)

    def delete(self, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a deletion; the body is a metav1.DeleteOptions, whose preconditions make it a conflict."""
        return self._request("DELETE", path, {}, body, "application/json")

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content_type: str | None,
        accept: str = "application/json",
    ) -> Any:
        headers = {"Accept": accept} | ({"Content-Type": content_type} if content_type else {})
        address = f"{path}?{urlencode(query)}" if query else path
        url, signed = self._signed(method, address, headers)
        try:
            # The client itself encodes the body for every content type used here, the YAML of an apply as JSON.
            response = self._client.call_api(method, url, signed, body=body, _request_timeout=self._timeout_s)
            data = response.read()  # type: ignore[no-untyped-call]
        except ApiException as error:
            raise translated(error.status or 0, error.reason or "", f"{method} {path}") from error
        except HTTPError as error:
            raise ClusterUnavailable(
                f"{method} {path}: the API server did not answer: {error}"[:_MESSAGE_CUT]
            ) from error
        if not 200 <= response.status <= 299:
            raise translated(response.status, _message(data) or response.reason or "", f"{method} {path}")
        try:
            return json.loads(data)
        except ValueError as error:
            raise ClusterUnavailable(
                f"{method} {path}: the answer is not JSON, so it is not the API server's: is a proxy in between?"
            ) from error

    def _signed(self, method: str, address: str, headers: dict[str, str]) -> tuple[str, dict[str, str]]:
        """The full address and the headers with credentials, which the client reads anew when they are old."""
        try:
            _, url, signed, _, _ = self._client.param_serialize(
                method, address, header_params=headers, auth_settings=["BearerToken"]
            )
        except (ConfigException, OSError) as error:
            text = f"{method} {address}: not sent, the credentials cannot be read: {' '.join(str(error).split())}"
            raise ClusterUnavailable(
                f"{text[:_MESSAGE_CUT]}. Check the mounted token of the service account, or the kubeconfig"
            ) from error
        return url, signed


def translated(status: int, message: str, what: str) -> PlimsollError:
    """The error for one refused request, by what the caller can do about it."""
    text = f"{what}: {status} {message}"[:_MESSAGE_CUT]
    if status == 404:
        return NotFound(text)
    if status == 409:
        return WriteConflict(text)
    # 410: the token of a list's next page is too old; a new list has a new one.
    if status in (0, 408, 410, 429) or status >= 500:
        return ClusterUnavailable(text)
    if status == 401:
        return WriteRefused(f"{text}. Check the operator's credentials: its service account, or the kubeconfig")
    if status == 403:
        return Forbidden(f"{text}. Check the operator's role")
    return WriteRefused(text)


def _message(data: bytes) -> str:
    try:
        answer = json.loads(data)
    except ValueError:
        return data[:_MESSAGE_CUT].decode(errors="replace")
    return str(answer.get("message", "")) if isinstance(answer, dict) else ""
