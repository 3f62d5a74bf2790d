"""One InferenceService on a Kubernetes cluster: read, create, replace.

The Kubernetes client does this, not the `kserve` package: that one drops the HTTP status of a refusal, by
which a conflict is known, and cannot be imported beside `tritonclient.grpc`, with which the rest of a rollout
speaks to Triton (both register the same protobuf messages).
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from urllib3 import Retry
from urllib3.exceptions import HTTPError

from hilum.errors import HilumError, ServiceUnreachableError, UsageError
from training.errors import ClusterError
from training.promote.targets.inference_service import API_VERSION, Object

CALL_TIMEOUT_S = 30
"""Longest wait for one answer of the API server, in seconds."""

READS = 3
"""How often a read is repeated that fails for a passing reason."""

_GROUP, _VERSION = API_VERSION.split("/")
_PLURAL = "inferenceservices"


class ConflictError(ClusterError):
    """Somebody else changed the object since it was read: read it again."""


class Cluster:
    """One InferenceService by name."""

    def __init__(
        self, namespace: str, name: str, *, kubeconfig: Path | None = None, context: str = ""
    ) -> None:
        """Find the cluster; nothing is sent yet.

        Args:
            namespace: of the service.
            name: of the service.
            kubeconfig: file that says how to reach the cluster; None: the pod's own account, or else what
                KUBECONFIG names, or `~/.kube/config`.
            context: entry of that file; empty: its current one.

        Raises:
            UsageError: there is no such file or context, and this is no pod.
        """
        self.namespace, self.name = namespace, name
        configuration = client.Configuration()
        try:
            _load(configuration, kubeconfig, context)
        except ConfigException as error:
            raise UsageError(
                f"No Kubernetes cluster is configured: {error}. Set KUBECONFIG, or run this in a pod."
            ) from error
        # A change is repeated by whoever knows whether it may be.
        configuration.retries = Retry(READS, allowed_methods=["GET"], backoff_factor=0.5)
        self._host = configuration.host
        self._api = client.CustomObjectsApi(client.ApiClient(configuration))

    @property
    def target(self) -> str:
        """What the ledger calls it."""
        return f"inferenceservice/{self.namespace}/{self.name}"

    def fetch(self) -> Object | None:
        """Return the object; None where there is none.

        Raises:
            ServiceUnreachableError: the API server does not answer.
            ClusterError: it refuses.
        """
        try:
            with self._call("read"):
                return self._object(
                    self._api.get_namespaced_custom_object(
                        _GROUP, _VERSION, self.namespace, _PLURAL, self.name, _request_timeout=CALL_TIMEOUT_S
                    )
                )
        except _AbsentError:
            return None

    def create(self, service: Object) -> Object:
        """Create the object and return it as the server has it.

        Raises:
            ConflictError: it is there by now.
            ServiceUnreachableError, ClusterError: as `fetch`.
        """
        with self._call("create"):
            return self._object(
                self._api.create_namespaced_custom_object(
                    _GROUP, _VERSION, self.namespace, _PLURAL, service, _request_timeout=CALL_TIMEOUT_S
                )
            )

    def replace(self, service: Object) -> Object:
        """Replace the object that was read, and return it as the server has it.

        Its `metadata.resourceVersion` makes the server refuse where somebody else was faster.

        Raises:
            ConflictError: somebody else was faster.
            ServiceUnreachableError, ClusterError: as `fetch`.
        """
        sent = {key: value for key, value in service.items() if key != "status"}
        with self._call("change"):
            return self._object(
                self._api.replace_namespaced_custom_object(
                    _GROUP,
                    _VERSION,
                    self.namespace,
                    _PLURAL,
                    self.name,
                    sent,
                    _request_timeout=CALL_TIMEOUT_S,
                )
            )

    def _object(self, answer: object) -> Object:
        assert isinstance(answer, dict)
        return answer

    @contextmanager
    def _call(self, verb: str) -> Iterator[None]:
        try:
            yield
        except ApiException as error:
            raise self._refusal(verb, error) from error
        except HTTPError as error:
            raise ServiceUnreachableError(
                "The Kubernetes API", self._host, "Check KUBECONFIG, its context, and the network."
            ) from error

    def _refusal(self, verb: str, error: ApiException) -> HilumError:
        what = f"InferenceService {self.name} in namespace {self.namespace}"
        reason = _message(error)
        if error.status == 404 and verb == "read":
            return _AbsentError(f"There is no {what}.")
        if error.status == 404:
            return UsageError(f"Could not {verb} {what}: {reason}. Is KServe installed on {self._host}?")
        if error.status == 409:
            return ConflictError(f"Somebody else is changing {what}: {reason}. Run this again.")
        if error.status in {401, 403}:
            return ClusterError(
                f"The cluster does not let you {verb} {what}: {reason}. The account needs the verbs get, "
                f"create and update on inferenceservices.{_GROUP}."
            )
        return ClusterError(f"The cluster refuses to {verb} {what}: {reason}")


class _AbsentError(ClusterError):
    """There is no such object."""


def _load(configuration: client.Configuration, kubeconfig: Path | None, context: str) -> None:
    """Fill in how to reach the cluster."""
    if kubeconfig is None and not context:
        try:
            load_incluster_config(client_configuration=configuration)
        except ConfigException:
            pass  # this is no pod
        else:
            return
    load_kube_config(
        config_file=str(kubeconfig) if kubeconfig else None,
        context=context or None,
        client_configuration=configuration,
        persist_config=False,
    )


def _message(error: ApiException) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.reason)
