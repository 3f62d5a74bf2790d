"""Plays the Kubernetes API for InferenceServices, and as much of KServe's controller as a status needs.

It records every request, keeps `resourceVersion` and `generation` as the real one does, refuses a change
made from a stale read (409), checks each object against KServe's schema where that is at hand, and lets a
change get ready after so many reads, or fail.
"""

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import Any

import yaml
from typing_extensions import override

from tests.support.custom_resources import violations
from tests.support.data import crd_folder

Object = dict[str, Any]

COLLECTION = "/apis/serving.kserve.io/v1beta1/namespaces/models/inferenceservices"
SERVICE = f"{COLLECTION}/hilum"


@dataclass
class KubernetesApi:
    """The API server and its one object."""

    url: str
    stored: Object | None = None
    """The object, as last written; its status is made when it is read."""
    written: list[tuple[str, Object]] = field(default_factory=list)
    """Method and object of each write that was taken, in order."""
    reads_until_ready: int = 2
    """How often the status says "not yet" after a change."""
    broken_release: str = ""
    """The `storageUri` whose model does not load ends like this."""
    rivals: int = 0
    """How many of the next changes come second: somebody else changes the object just before."""
    refused: tuple[int, str] | None = None
    """Status and message with which every request is refused."""
    _reads: int = 0
    _in_force: Object | None = None
    _lock: RLock = field(default_factory=RLock)

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig that leads here, and return its path."""
        path = folder / "kubeconfig"
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "double", "cluster": {"server": self.url}}],
                    "users": [{"name": "somebody", "user": {"token": "test"}}],
                    "contexts": [{"name": "here", "context": {"cluster": "double", "user": "somebody"}}],
                    "current-context": "here",
                }
            )
        )
        return path

    def answer(self, method: str, path: str, body: Object | None) -> tuple[int, Object]:
        """Return status and body of the answer to a request."""
        with self._lock:
            if self.refused is not None:
                return _status(*self.refused)
            if (method, path) == ("POST", COLLECTION) and body is not None:
                return self._create(body)
            if path != SERVICE or self.stored is None:
                return _status(404, f"no such path or object: {path}")
            if method == "GET":
                return 200, self._read()
            assert method == "PUT", method
            assert body is not None
            return self._replace(body)

    def seen_traffic(self) -> list[tuple[str, str, dict[str, int]]]:
        """Return what each write asked for: method, stable storage, and percent by canary's storage."""
        return [(method, *_asked(service)) for method, service in self.written]

    def meddle(self) -> None:
        """Change the object as somebody else would, in a field that is none of the rollout's."""
        assert self.stored is not None
        changed = copy.deepcopy(self.stored)
        labels = changed["metadata"].setdefault("labels", {})
        labels["touched"] = str(int(labels.get("touched", "0")) + 1)
        self._store(changed)

    def _create(self, service: Object) -> tuple[int, Object]:
        if self.stored is not None:
            return _status(409, "it already exists")
        if problem := self._invalid(service):
            return problem
        self.written.append(("POST", copy.deepcopy(service)))
        self._store(service)
        return 201, self._read()

    def _replace(self, service: Object) -> tuple[int, Object]:
        assert self.stored is not None
        if self.rivals:
            self.rivals -= 1
            self.meddle()
        if service["metadata"].get("resourceVersion") != self.stored["metadata"]["resourceVersion"]:
            return _status(
                409, "the object has been modified; please apply your changes to the latest version"
            )
        if problem := self._invalid(service):
            return problem
        self.written.append(("PUT", copy.deepcopy(service)))
        self._store(service)
        return 200, self._read()

    def _invalid(self, service: Object) -> tuple[int, Object] | None:
        if "status" in service:
            return _status(422, "the status is the controller's")
        if crd_folder() is not None and (problems := violations(service)):
            return _status(422, "; ".join(problems))
        canaries = service["spec"].get("canary", [])
        names = [each["predictor"].get("name") for each in canaries]
        if len(set(names)) != len(names) or sum(each["trafficPercent"] for each in canaries) > 100:
            return _status(422, "admission webhook: canary names must be unique, their percents at most 100")
        return None

    def _store(self, service: Object) -> None:
        """Count versions as the API server does: a new generation only where the spec changed."""
        before = self.stored
        metadata = copy.deepcopy(service["metadata"])
        version, generation = (
            (int(before["metadata"]["resourceVersion"]), before["metadata"]["generation"])
            if before
            else (0, 0)
        )
        changed = before is None or service["spec"] != before["spec"]
        self.stored = {
            **{key: value for key, value in copy.deepcopy(service).items() if key != "status"},
            "metadata": metadata
            | {"resourceVersion": str(version + 1), "generation": generation + int(changed)},
        }
        if changed:
            self._reads = 0

    def _read(self) -> Object:
        assert self.stored is not None
        self._reads += 1
        service = copy.deepcopy(self.stored)
        spec, metadata = service["spec"], service["metadata"]
        seen = self._reads > 1  # the controller needs a moment to look at a change
        ready = self._reads > self.reads_until_ready
        status: Object = {
            "observedGeneration": metadata["generation"] - int(not seen),
            "url": "http://hilum.models.example.com",
            "conditions": [{"type": "Ready", "status": "True" if ready else "Unknown", "reason": "Starting"}],
            "modelStatus": self._model_status(spec["predictor"]),
            "canaryStatuses": [
                {
                    "name": each["predictor"]["name"],
                    "ready": ready,
                    "trafficPercent": each["trafficPercent"] if ready else 0,
                    "modelStatus": self._model_status(each["predictor"]),
                }
                for each in spec.get("canary", [])
            ],
        }
        percent = spec["predictor"].get("canaryTrafficPercent", 100)
        status["components"] = {
            "predictor": {"traffic": [{"latestRevision": True, "percent": percent if ready else 0}]}
        }
        if not seen:  # what it said of the object before
            status["conditions"][0]["status"] = "True"
        return service | {"status": status}

    def _model_status(self, predictor: Object) -> Object:
        uri = predictor.get("model", {}).get("storageUri", "")
        if not self.broken_release or not uri.endswith(self.broken_release):
            return {"transitionStatus": "UpToDate"}
        return {
            "transitionStatus": "BlockedByFailedLoad",
            "lastFailureInfo": {"reason": "ModelLoadFailed", "message": "no such opset"},
        }


def _asked(service: Object) -> tuple[str, dict[str, int]]:
    spec = service["spec"]
    percents = {
        each["predictor"]["model"]["storageUri"]: each["trafficPercent"] for each in spec.get("canary", [])
    }
    uri = spec["predictor"]["model"]["storageUri"]
    if "canaryTrafficPercent" in spec["predictor"]:
        percents[uri] = spec["predictor"]["canaryTrafficPercent"]
    return uri, percents


def _status(code: int, message: str) -> tuple[int, Object]:
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}


@contextmanager
def kubernetes_api() -> Iterator[KubernetesApi]:
    """Run the double on a free port of 127.0.0.1."""
    handle: list[KubernetesApi] = []

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            code, answer = handle[0].answer(self.command, self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = _handle  # noqa: N815 - the names that http.server calls

        @override
        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    handle.append(KubernetesApi(f"http://127.0.0.1:{server.server_port}"))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield handle[0]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
