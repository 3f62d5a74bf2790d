"""What a rollout asks of a running Triton over gRPC: load a model, say what is loaded, answer one image."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from hilum.contract import SCREENING
from hilum.settings import Settings
from hilum.tls import TlsFiles
from hilum.triton.admin import admin_headers, fetch_model_states
from hilum.triton.channel import connect
from hilum.triton.tls_trouble import find_tls_trouble
from training.errors import RolloutError
from training.promote.asking import FrontDoorAnswer, ask
from training.promote.asking_steps import ask_steps
from training.repository.served_release import ServedRelease

LOAD_TIMEOUT_S = 300.0
"""Longest wait for one model to load or unload, in seconds."""

CALL_TIMEOUT_S = 30.0
"""Longest wait for any other answer, in seconds."""


class TritonControl:
    """The admin side of one Triton; a context manager that closes its connection."""

    def __init__(self, address: str, admin_key: str, tls: TlsFiles | None = None) -> None:
        """Prepare a connection; nothing is sent yet.

        Args:
            address: `host:port` of Triton's gRPC service.
            admin_key: the key that its restricted calls ask for.
            tls: whom to trust and what to show; None does not encrypt.

        Raises:
            UsageError: a file of `tls` cannot be used.
        """
        self.address = address
        self._admin_key = admin_key
        self._headers = admin_headers(admin_key)
        self._tls = tls
        self._client = connect(address, tls)

    @classmethod
    def from_settings(cls, settings: Settings, address: str | None = None) -> "TritonControl":
        """Prepare a connection to this installation's Triton, or to another under the same key and authority.

        Raises:
            UsageError: a TLS file cannot be used.
        """
        address = address or settings.triton_address
        return cls(address, settings.read_admin_key(), TlsFiles.from_settings(settings))

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

    @property
    def members(self) -> "tuple[TritonControl, ...]":
        """Each Triton that this stands for: here itself alone."""
        return (self,)

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
                if trouble := find_tls_trouble(self.address, self._tls):
                    raise RolloutError(f"Triton at {self.address} cannot be spoken to. {trouble}") from error
                return False

    def loaded_versions(self) -> dict[str, set[int]]:
        """Return the versions that answer requests, by model.

        Raises:
            ServiceUnreachableError: the server does not say, or has another admin key.
        """
        loaded: dict[str, set[int]] = {}
        for state in fetch_model_states(self.address, self._admin_key, self._tls):
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

    def screen(self, image: bytes, *, door: str = SCREENING) -> FrontDoorAnswer:
        """Return what a front door answers to one encoded image.

        Raises:
            RolloutError: it does not answer.
        """
        with self._step("answer an image"):
            return ask(self._client, image, door=door, timeout_s=CALL_TIMEOUT_S)

    def screen_by_steps(self, image: bytes, release: ServedRelease) -> FrontDoorAnswer:
        """Return what the loaded models of a release answer to one image; no front door is asked.

        Raises:
            RolloutError: one of them does not answer.
        """
        with self._step(f"answer an image by the networks of release {release.number}"):
            return ask_steps(self._client, image, release, timeout_s=CALL_TIMEOUT_S)

    @contextmanager
    def _step(self, what: str) -> Iterator[None]:
        """Turn a refusal of Triton's into a `RolloutError` that says which step it was."""
        try:
            yield
        except InferenceServerException as error:
            reason = " ".join(error.message().split()).rstrip(" ;.")  # Triton adds a Python traceback
            raise RolloutError(f"Triton at {self.address} could not {what}: {reason}.") from error
