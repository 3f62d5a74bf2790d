"""Every call to MLflow's model registry: networks, releases, and the aliases that say which one serves.

A version carries its tags from the moment it exists, so a registration that is cut short leaves no
version that a later stage could take for whole.
"""

import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

import mlflow
import mlflow.onnx
import numpy as np
import numpy.typing as npt
import onnx
from mlflow.entities.model_registry import ModelVersion
from mlflow.entities.webhook import Webhook, WebhookEvent, WebhookEventStr
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, Schema, TensorSpec

from hilum.contract import PASSPORT_SUFFIX, SCREENING
from hilum.files import sha256_bytes, sha256_file, write_atomic
from training.artifacts import downloaded, downloaded_from
from training.errors import IntegrityError, UnknownVersionError
from training.mlflow_server import connect, mlflow_errors

CHAMPION = "champion"
"""Alias of the release that is to serve."""

CHALLENGER = "challenger"
"""Alias of the release that is watched beside the champion."""

PREVIOUS = "previous"
"""Alias of the release that was champion before."""

SHA256_TAG = "hilum.sha256"
"""SHA-256 of a network's ONNX file, as it is downloaded."""

RUN_ID_TAG = "hilum.run_id"
PARITY_TAG = "hilum.parity"
OPSET_TAG = "hilum.opset"
MAP_SIZE_TAG = "hilum.map_size"
EMBEDDING_SIZE_TAG = "hilum.embedding_size"
"""What an export says of the network it registers."""

PASSPORT_TAG = "hilum.passport"
"""SHA-256 of a network's passport, which its run holds among its artifacts."""

PASSPORT_FOLDER = "passports"
"""Artifact folder of a run that holds the passports of the networks registered from it."""

RELEASE_FOLDER = "release"
"""Artifact folder of a release's run."""

WEBHOOK = "hilum-rollout"
"""Name of the webhook that wakes the rollout watcher."""

ADVICE = {
    "xray_filter": "Register one with `hilum export filter`.",
    "xray_classifier": "Register one with `hilum export classifier`.",
    SCREENING: "Create one with `hilum release create --data DIR`.",
}
"""What to do where a registered model has no version."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredVersion:
    """One version of a registered model."""

    name: str
    """Name of the registered model."""
    number: int
    """Version number, from 1."""
    run_id: str
    """The MLflow run that made it; empty where none did."""
    created_ms: int
    """When it was registered, in milliseconds since 1970."""
    tags: Mapping[str, str]
    """What is known of it: digests, lineage, thresholds."""

    def tag(self, key: str) -> str:
        """Return a tag that this version must have.

        Raises:
            UnknownVersionError: it has none: it was not registered by Hilum.
        """
        if key not in self.tags:
            raise UnknownVersionError(
                f"{self.name} version {self.number} has no tag {key}: it was not registered by Hilum. "
                f"{ADVICE.get(self.name, '')}"
            )
        return self.tags[key]


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredModelState:
    """What the registry says of a registered model as a whole, read at once."""

    aliases: Mapping[str, int]
    """The version number behind each alias."""
    tags: Mapping[str, str]
    """Tags of the registered model, not of a version."""


class Registry:
    """The model registry of one MLflow server."""

    def __init__(self, tracking_uri: str) -> None:
        """Connect to the server.

        Raises:
            ServiceUnreachableError: it does not answer.
        """
        connect(tracking_uri)
        self._client = mlflow.MlflowClient()

    def register_onnx(
        self,
        name: str,
        onnx_path: Path,
        *,
        run_id: str,
        tags: Mapping[str, str],
        input_example: Mapping[str, npt.NDArray[np.generic]],
        passport: bytes | None = None,
    ) -> RegisteredVersion:
        """Log a network into the run that trained it and register it as the next version of `name`.

        Args:
            name: the registered model.
            onnx_path: one ONNX file with its weights inside.
            run_id: the training run.
            tags: set on the version beside its SHA-256.
            input_example: a small batch for each input, by name; MLflow runs the network on it.
            passport: what is known of the file, as JSON; `download_onnx` puts it beside the file.
        """
        network = onnx.load(onnx_path)
        digest = sha256_bytes(network.SerializeToString())  # what MLflow will store
        all_tags = {**tags, SHA256_TAG: digest}
        if passport is not None:
            all_tags[PASSPORT_TAG] = sha256_bytes(passport)
            with mlflow_errors():  # before the version, which is whole as soon as it is there
                self._client.log_text(run_id, passport.decode(), _passport_artifact(all_tags[PASSPORT_TAG]))
        with mlflow_errors(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*Any type hint is inferred")  # of MLflow's own, on import
            info = mlflow.onnx.log_model(
                network,
                name=name,
                run_id=run_id,
                registered_model_name=name,
                signature=_signature(network),
                input_example=dict(input_example),
                save_as_external_data=False,
                # Named, or MLflow would start a process and guess them.
                pip_requirements=mlflow.onnx.get_default_pip_requirements(),
                onnx_execution_providers=["CPUExecutionProvider"],
                tags=all_tags,
            )
        return self.version(name, int(info.registered_model_version))

    def versions(self, name: str) -> list[RegisteredVersion]:
        """Return all versions of a registered model, oldest first; none where there is no such model."""
        with mlflow_errors():
            found = self._client.search_model_versions(f"name = '{name}'")
        return sorted((_registered(version) for version in found), key=lambda version: version.number)

    def version(self, name: str, number: int | None = None) -> RegisteredVersion:
        """Return one version, by default the newest.

        Raises:
            UnknownVersionError: the registry has no such version.
        """
        versions = self.versions(name)
        for version in reversed(versions):
            if number in (None, version.number):
                return version
        if not versions:
            raise UnknownVersionError(f"The registry has no version of {name}. {ADVICE.get(name, '')}")
        raise UnknownVersionError(f"{name} has no version {number}; its newest is {versions[-1].number}.")

    def download_onnx(self, version: RegisteredVersion, folder: Path) -> Path:
        """Download a network into `folder` and return the file's path; its passport, if any, lies beside it.

        Raises:
            IntegrityError: the file or its passport is not the one that was registered.
        """
        expected = version.tag(SHA256_TAG)
        with downloaded_from(f"models:/{version.name}/{version.number}") as source:
            found = sha256_file(source / "model.onnx")
            if found != expected:
                raise IntegrityError(
                    f"The network of {version.name} version {version.number} is not the one that was "
                    f"registered: its SHA-256 is {found}, the registry says {expected}. Nothing was written. "
                    "Someone changed the artifact store; register the network again with `hilum export`."
                )
            path = folder / f"{version.name}-{version.number}.onnx"
            folder.mkdir(parents=True, exist_ok=True)
            shutil.move(source / "model.onnx", path)
        if PASSPORT_TAG in version.tags:
            write_atomic(path.with_name(f"{path.name}{PASSPORT_SUFFIX}"), self._passport(version))
        return path

    def _passport(self, version: RegisteredVersion) -> bytes:
        """Return the passport of a network as it was registered."""
        expected = version.tags[PASSPORT_TAG]
        with downloaded(version.run_id, _passport_artifact(expected)) as source:
            content = source.read_bytes()
        if sha256_bytes(content) != expected:
            raise IntegrityError(
                f"The passport of {version.name} version {version.number} is not the one that was "
                "registered. Someone changed the artifact store; register the network again with "
                "`hilum export`."
            )
        return content

    def create_release(self, files: Mapping[str, bytes], tags: Mapping[str, str]) -> RegisteredVersion:
        """Store the files of a release in a run of its own and register it as the next release."""
        with TemporaryDirectory(prefix="hilum-release-") as temporary, mlflow_errors():
            for name, content in files.items():
                write_atomic(Path(temporary) / name, content)
            experiment = mlflow.set_experiment(SCREENING)
            run = self._client.create_run(experiment.experiment_id, tags=dict(tags))
            self._client.log_artifacts(run.info.run_id, temporary, RELEASE_FOLDER)
            self._client.set_terminated(run.info.run_id)
            if not self.versions(SCREENING):
                self._create_registered_model(SCREENING)
            created = self._client.create_model_version(
                SCREENING,
                source=f"{run.info.artifact_uri}/{RELEASE_FOLDER}",
                run_id=run.info.run_id,
                tags=dict(tags),
            )
        return _registered(created)

    def release_files(self, version: RegisteredVersion) -> AbstractContextManager[Path]:
        """Give a folder with the files of a release for the time of a `with` block."""
        return downloaded(version.run_id, RELEASE_FOLDER)

    def aliases(self, name: str) -> dict[str, int]:
        """Return the version number behind each alias of a registered model."""
        return dict(self.model_state(name).aliases)

    def model_state(self, name: str) -> RegisteredModelState:
        """Return aliases and tags of a registered model; none where there is no such model."""
        with mlflow_errors():
            try:
                model = self._client.get_registered_model(name)
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return RegisteredModelState(aliases={}, tags={})
                raise
        return RegisteredModelState(
            aliases={alias: int(number) for alias, number in model.aliases.items()}, tags=dict(model.tags)
        )

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """Let `alias` point to version `number`."""
        with mlflow_errors():
            self._client.set_registered_model_alias(name, alias, str(number))

    def ensure_webhook(self, url: str, secret: str) -> bool:
        """Let the server tell `url` of every moved alias, signed with `secret`; return whether that is new.

        A webhook of this address is brought up to date where there is one: MLflow never says which
        secret it holds.

        Raises:
            HilumError: the server allows no webhook to this address.
        """
        events: list[WebhookEventStr | WebhookEvent] = [
            "model_version_alias.created",
            "model_version_alias.deleted",
        ]
        with mlflow_errors():
            for webhook in self._webhooks():
                if webhook.url == url:
                    self._client.update_webhook(
                        webhook.webhook_id, events=events, secret=secret, status="ACTIVE"
                    )
                    return False
            self._client.create_webhook(
                WEBHOOK, url, events, description="Wakes `hilum rollout watch`.", secret=secret
            )
        return True

    def _webhooks(self) -> Iterator[Webhook]:
        token: str | None = None
        while True:
            page = self._client.list_webhooks(page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def delete_alias(self, name: str, alias: str) -> None:
        """Let `alias` point nowhere; it may do so already."""
        with mlflow_errors():
            self._client.delete_registered_model_alias(name, alias)

    def set_model_tag(self, name: str, key: str, value: str) -> None:
        """Set a tag on a registered model as a whole."""
        with mlflow_errors():
            self._client.set_registered_model_tag(name, key, value)

    def set_version_tags(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """Set tags on a version that exists."""
        with mlflow_errors():
            for key, value in tags.items():
                self._client.set_model_version_tag(name, str(number), key, value)

    def _create_registered_model(self, name: str) -> None:
        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _passport_artifact(digest: str) -> str:
    return f"{PASSPORT_FOLDER}/{digest}.json"


def _registered(version: ModelVersion) -> RegisteredVersion:
    return RegisteredVersion(
        name=version.name,
        number=int(version.version),
        run_id=version.run_id or "",
        created_ms=version.creation_timestamp,
        tags=MappingProxyType(dict(version.tags)),
    )


def _signature(network: onnx.ModelProto) -> ModelSignature:
    """Return the MLflow signature of a network: every tensor's name, dtype and shape, -1 where dynamic."""
    return ModelSignature(inputs=_schema(network.graph.input), outputs=_schema(network.graph.output))


def _schema(values: Iterable[onnx.ValueInfoProto]) -> Schema:
    specs: list[ColSpec | TensorSpec] = []
    for value in values:
        tensor = value.type.tensor_type
        shape = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in tensor.shape.dim]
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
        specs.append(TensorSpec(dtype, tuple(shape), value.name))
    return Schema(specs)
