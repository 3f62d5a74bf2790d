"""Every environment variable that Hilum reads, with its default.

Precedence: command-line flag, then environment (`HILUM_*`), then `hilum.toml` in the working
directory, then the default below.
"""

import getpass
import secrets
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from typing_extensions import override

from hilum.errors import UsageError
from hilum.files import write_once

ADMIN_KEY_NAME = "hilum-admin"
"""The header that carries the admin key; on gRPC it is prefixed by `triton-grpc-protocol-`."""

Accelerator = Literal["cpu", "cuda", "tensorrt_fp32", "tensorrt_fp16", "tensorrt_int8"]
"""What runs the networks; `training/repository/accelerator.py` says what each means."""


OptionalFile = Annotated[Path | None, BeforeValidator(lambda value: value or None)]
"""A file, or none where the variable is empty."""


class Settings(BaseSettings):
    """Addresses, folders and secrets of one installation."""

    model_config = SettingsConfigDict(
        env_prefix="HILUM_", toml_file="hilum.toml", frozen=True, extra="forbid"
    )

    home: Path = Path(".hilum")
    """State of the local stack: databases, logs, caches, the live model repository."""
    host: str = "127.0.0.1"
    """Address that local servers listen on; loopback unless changed."""
    http_port: int = 8000
    """Triton's HTTP port."""
    grpc_port: int = 8001
    """Triton's gRPC port."""
    metrics_port: int = 8002
    """Triton's Prometheus metrics port."""
    mlflow_port: int = 5000
    """The local MLflow server's port."""
    mlflow_uri: str = ""
    """MLflow tracking URI; empty means the local server."""
    triton_url: str = ""
    """`host:port` of Triton's gRPC service; empty means the local server. By `dns:///host:port` a rollout
    reaches every server that the name stands for, as a headless Service's does."""
    admin_key: SecretStr | None = None
    """Key for Triton's admin calls; by default one is made and kept in `home`."""
    instances: int = 2
    """Copies of each network that Triton runs side by side: one per CPU core, two on a GPU."""
    accelerator: Accelerator = "cpu"
    """What Triton runs the networks on: `cpu`, `cuda`, or TensorRT inside ONNX Runtime at a precision. All
    but `cpu` need a GPU and NVIDIA's own container."""
    repository_mirror: str = ""
    """`s3://bucket/prefix` from which Triton reads a copy of the live model repository; empty: no copy."""
    ledger_url: str = ""
    """SQLAlchemy URL of the ledger; empty means a SQLite file in `home`."""
    actor: str = ""
    """Who promotes, approves and rolls out, as the ledger says; empty means the user of this process."""
    hand_moved_aliases: Literal["adopt", "refuse"] = "refuse"
    """What a rollout does with an alias that was moved in MLflow's page, round the gate: take it over, or
    move it back."""
    gate_policy: str = ""
    """Name or file of the policy that a verdict must have been reached under for promotion; empty: any."""
    prometheus_port: int = 9090
    """The local Prometheus' port."""
    alertmanager_port: int = 9093
    """The local Alertmanager's port."""
    alert_webhook: SecretStr | None = None
    """http or https URL that the local Alertmanager sends alerts to, in its own JSON; by default to none."""
    watch_port: int = 8003
    """Port of the rollout watcher: webhooks, health and metrics."""
    webhook_secret: SecretStr | None = None
    """Secret that MLflow signs its webhooks with; by default one is made and kept in `home`."""
    dashboard_port: int = 8501
    """Port of the dashboard."""
    dashboard_key: SecretStr | None = Field(default=None, min_length=16)
    """Key that a reader of the dashboard types in to promote and roll back; without it, none can."""
    prometheus_url: str = ""
    """URL of the Prometheus that the dashboard asks; empty means the local one."""
    data: OptionalFile = None
    """Folder of a data set, or of several, whose test images the dashboard may show; empty: none."""
    shadow_key: SecretStr | None = Field(default=None, min_length=16)
    """Key that names images in records of mirrored requests; by default one is made and kept in `home`."""
    shadow_records: OptionalFile = None
    """Folder of what clients recorded of mirrored requests (`*.jsonl`), for the dashboard; empty: none."""
    tls_ca: OptionalFile = None
    """PEM file of the authorities that may vouch for Triton; with it every gRPC connection is encrypted."""
    tls_certificate: OptionalFile = None
    """PEM file of the certificate that clients here show to a Triton that asks for one (mutual TLS)."""
    tls_key: OptionalFile = None
    """PEM file of the private key of `tls_certificate`."""
    tls_server_name: str = ""
    """Name that Triton's certificate has, where it is reached by another, through a tunnel say."""
    triton_tls_certificate: OptionalFile = None
    """PEM file of the certificate that the local Triton shows; with it its gRPC service is encrypted, and its
    HTTP and metrics services, which Triton cannot encrypt, listen on loopback only."""
    triton_tls_key: OptionalFile = None
    """PEM file of the private key of `triton_tls_certificate`."""
    triton_tls_client_ca: OptionalFile = None
    """PEM file of the authorities that may vouch for clients of the local Triton: mutual TLS."""

    @classmethod
    @override
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read flags, then the environment, then `hilum.toml`."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @property
    def mlflow_address(self) -> str:
        """The MLflow tracking URI in force."""
        return self.mlflow_uri or f"http://{self.host}:{self.mlflow_port}"

    @property
    def triton_address(self) -> str:
        """`host:port` of Triton's gRPC service in force."""
        return self.triton_url or f"{self.host}:{self.grpc_port}"

    @property
    def prometheus_address(self) -> str:
        """The URL of Prometheus in force."""
        return self.prometheus_url or f"http://{self.host}:{self.prometheus_port}"

    @property
    def live_repository(self) -> Path:
        """The model repository that the local Triton reads and a rollout writes."""
        return self.home / "model_repository"

    @property
    def ledger_address(self) -> str:
        """The SQLAlchemy URL of the ledger in force."""
        return self.ledger_url or f"sqlite:///{self.home.absolute() / 'ledger.db'}"

    @property
    def actor_name(self) -> str:
        """Who acts, as the ledger records it."""
        return self.actor or getpass.getuser()

    def read_admin_key(self) -> str:
        """Return the key for Triton's admin calls, made at first use and readable by its owner only."""
        return self._secret(self.admin_key, "admin-key")

    def read_webhook_secret(self) -> str:
        """Return the secret that signs webhooks, made at first use and readable by its owner only."""
        return self._secret(self.webhook_secret, "webhook-secret")

    def read_shadow_key(self) -> bytes:
        """Return the key that names mirrored images, made at first use and readable by its owner only."""
        return self._secret(self.shadow_key, "shadow-key").encode()

    def _secret(self, given: SecretStr | None, name: str) -> str:
        """Return a secret that was given, or the one kept in `home`, made at first use."""
        if given is not None:
            return given.get_secret_value()
        path = self.home / name
        if not path.exists():
            write_once(path, secrets.token_urlsafe(32).encode(), mode=0o600)
        return path.read_text().strip()


@cache
def settings() -> Settings:
    """Return the settings of this process, read once.

    Raises:
        UsageError: a variable or a line of `hilum.toml` is wrong; the message names each.
    """
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UsageError(f"HILUM_* variables or hilum.toml: {wrong}.") from error
