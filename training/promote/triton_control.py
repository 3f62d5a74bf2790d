"""What a rollout asks of a running Triton over gRPC: load a model, say what is loaded, answer one image."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import tritonclient.grpc as grpcclient
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from hilum.contract import ACCEPTED, IMAGE_BYTES, PROBABILITIES, SCREENING, VALID_PROBABILITY
from hilum.triton.admin import admin_headers, fetch_model_states
from training.errors import RolloutError

LOAD_TIMEOUT_S = 300.0
"""Longest wait for one model to load or unload, in seconds."""

CALL_TIMEOUT_S = 30.0
"""Longest wait for any other answer, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the front door says to one image."""

    release: int
    """The release that answered: the version of the front door."""
    valid_probability: float
    """In [0, 1]."""
    accepted: bool
    """Whether the filter let it pass."""
    probabilities: tuple[float, ...]
    """In the order of the labels; NaN where rejected."""


class TritonControl:
    """The admin side of one Triton; a context manager that closes its connection."""

    def __init__(self, address: str, admin_key: str) -> None:
        """Prepare a connection; nothing is sent yet.

        Args:
            address: `host:port` of Triton's gRPC service.
            admin_key: the key that its restricted calls ask for.
        """
        self.address = address
        self._admin_key = admin_key
        self._headers = admin_headers(admin_key)
        self._client = grpcclient.InferenceServerClient(address)

    def __enter__(self) -> "TritonControl":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._client.close()

    def is_live(self) -> bool:
        """Whether a Triton answers at the address; only one that cannot be reached counts as down.

        Raises:
            RolloutError: it cannot be told: the answer took too long, or was an error.
        """
        with self._step("say whether it runs"):
            try:
                return bool(self._client.is_server_live(client_timeout=CALL_TIMEOUT_S))
            except InferenceServerException as error:
                if error.status() != "StatusCode.UNAVAILABLE":
                    raise  # it may be serving: files that it reads must not change as if it were not
                return False

    def loaded_versions(self) -> dict[str, set[int]]:
        """Return the versions that answer requests, by model.

        Raises:
            ServiceUnreachableError: the server does not say, or has another admin key.
        """
        loaded: dict[str, set[int]] = {}
        for state in fetch_model_states(self.address, self._admin_key):
            if state.state == "READY":
                loaded.setdefault(state.model, set()).add(int(state.version))
        return loaded

    def config(self, model: str, version: int | None = None) -> ModelConfig:
        """Return the configuration under which a version of a loaded model runs, by default the newest."""
        with self._step(f"read the configuration of {model}"):
            return self._client.get_model_config(
                model,
                "" if version is None else str(version),
                headers=self._headers,
                client_timeout=CALL_TIMEOUT_S,
            ).config

    def load(self, model: str) -> None:
        """Load a model as its folder says now: new versions first, then those no longer listed go.

        Raises:
            RolloutError: Triton refuses; what was loaded goes on answering.
        """
        with self._step(f"load {model}"):
            self._client.load_model(model, headers=self._headers, client_timeout=LOAD_TIMEOUT_S)

    def unload(self, model: str) -> None:
        """Unload a model."""
        with self._step(f"unload {model}"):
            self._client.unload_model(model, headers=self._headers, client_timeout=LOAD_TIMEOUT_S)

    def screen(self, image: bytes, *, door: str = SCREENING) -> Answer:
        """Return what a front door answers to one encoded image.

        Raises:
            RolloutError: it does not answer.
        """
        tensor = grpcclient.InferInput(IMAGE_BYTES.name, [1, 1], IMAGE_BYTES.dtype)
        tensor.set_data_from_numpy(np.array([[image]], dtype=np.object_))
        names = (VALID_PROBABILITY.name, ACCEPTED.name, PROBABILITIES.name)
        with self._step("answer an image"):
            result = self._client.infer(
                door,
                [tensor],
                outputs=[grpcclient.InferRequestedOutput(name) for name in names],
                client_timeout=CALL_TIMEOUT_S,
            )
        valid_probability, accepted, probabilities = (result.as_numpy(name)[0] for name in names)
        return Answer(
            release=int(result.get_response().model_version),
            valid_probability=float(valid_probability[0]),
            accepted=bool(accepted[0]),
            probabilities=tuple(map(float, probabilities)),
        )

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        """Turn a refusal of Triton's into a `RolloutError` that says which step it was."""
        try:
            yield
        except InferenceServerException as error:
            reason = " ".join(error.message().split()).rstrip(" ;.")  # Triton adds a Python traceback
            raise RolloutError(f"Triton at {self.address} could not {what}: {reason}.") from error
