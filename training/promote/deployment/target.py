"""The MLflow deployment target `triton`: `mlflow deployments create`, `update`, `predict` and so on.

MLflow finds this module by its entry point (group `mlflow.deployments`) and takes from it the one client
class, `run_local` and `target_help`; nothing else of Hilum calls it. A deployment is a front door of one
Triton: `xray_screening`, which is the champion's, or `xray_screening_challenger`. Everything is left to the
rollout, the ledger and the gate; errors leave as MLflow's own, with our sentence.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mlflow.deployments import BaseDeploymentClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import (
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
)
from typing_extensions import override

from hilum.contract import SCREENING
from hilum.errors import ServiceUnreachableError, UsageError
from hilum.settings import settings
from training.promote.aliases import reconcile_aliases
from training.promote.deployment.answers import answer_table
from training.promote.deployment.deploying import check_allowed, deploy, resolve_uri, served_releases
from training.promote.deployment.help_text import HELP
from training.promote.deployment.local import run_local
from training.promote.deployment.options import Options, open_site, read_address
from training.promote.deployment.words import FLAVOR, as_mlflow_errors, role_of, tracking_uri
from training.promote.site import Site
from training.promote.triton_control import TritonControl
from training.promote.wanted import DOORS
from training.promote.withdrawal import withdraw
from training.repository.served_release import ServedRelease

if TYPE_CHECKING:
    import pandas as pd

    from training.promote.promotion import Role


__all__ = ["TritonDeploymentClient", "run_local", "target_help"]


class TritonDeploymentClient(BaseDeploymentClient):
    """Deployments of one Triton."""

    def __init__(self, target_uri: str) -> None:
        """Prepare; nothing is sent yet.

        Raises:
            MlflowException: the URI is not `triton` or `triton://HOST:PORT`.
        """
        super().__init__(target_uri)  # type: ignore[no-untyped-call]
        with as_mlflow_errors():
            self._address = read_address(target_uri)

    @override
    def create_deployment(
        self,
        name: str,
        model_uri: str,
        flavor: str | None = None,
        config: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> dict[str, Any]:
        """Let a release answer behind a front door that is closed, or has this very release already.

        Raises:
            MlflowException: the front door has another release, or the deployment is refused.
        """
        return self._deploy(name, model_uri, flavor, config, endpoint, is_update=False)

    @override
    def update_deployment(
        self,
        name: str,
        model_uri: str | None = None,
        flavor: str | None = None,
        config: Mapping[str, Any] | None = None,
        endpoint: str | None = None,
    ) -> dict[str, Any]:
        """Let another release answer behind a front door that is open; no request is lost.

        Raises:
            MlflowException: the front door is closed, or the deployment is refused.
        """
        return self._deploy(name, model_uri, flavor, config, endpoint, is_update=True)

    @override
    def delete_deployment(
        self, name: str, config: Mapping[str, Any] | None = None, endpoint: str | None = None
    ) -> None:
        """Close a front door; with the champion's goes everything that the Triton serves.

        Raises:
            MlflowException: the front door is not open; or it is the champion's and that is not forced.
        """
        with self._site(config, endpoint) as (site, options):
            role = role_of(name)
            self._served(site.triton, role)
            if role == "challenger":
                deploy(site, role, None)
            elif options.permission.force and options.permission.reason.strip():
                withdraw(site)
            else:
                raise UsageError(
                    f"Without {SCREENING} nothing answers at {self._address}: all is unloaded, a challenger "
                    "too. If that is meant: -C force=true -C reason=WHY"
                )

    @override
    def list_deployments(self, endpoint: str | None = None) -> list[dict[str, Any]]:
        """Return a record for each front door that is open, as `get_deployment` does."""
        with self._triton(endpoint) as triton:
            return [self._record(role, release) for role, release in served_releases(triton).items()]

    @override
    def get_deployment(self, name: str, endpoint: str | None = None) -> dict[str, Any]:
        """Return the release behind a front door, its digest and its versions, by the server's word.

        Raises:
            MlflowException: the front door is not open.
        """
        with self._triton(endpoint) as triton:
            role = role_of(name)
            return self._record(role, self._served(triton, role))

    @override
    def predict(
        self,
        deployment_name: str | None = None,
        inputs: object = None,
        endpoint: str | None = None,
    ) -> "pd.DataFrame":
        """Return the answers to a table of images (`training.promote.deployment.answers`).

        Raises:
            MlflowException: the front door is not open, or the table has no images.
        """
        with self._triton(endpoint) as triton:
            role = role_of(deployment_name)
            self._served(triton, role)
            return answer_table(triton, DOORS[role], inputs)

    def _deploy(
        self,
        name: str,
        model_uri: str | None,
        flavor: str | None,
        config: Mapping[str, Any] | None,
        endpoint: str | None,
        *,
        is_update: bool,
    ) -> dict[str, Any]:
        with self._site(config, endpoint) as (site, options):
            role = role_of(name)
            if flavor not in (None, FLAVOR):
                raise UsageError(f"A release has the flavor {FLAVOR}; leave --flavor out.")
            if model_uri is None:
                raise UsageError(f"Say which release: -m models:/{SCREENING}@champion, or /NUMBER.")
            reconcile_aliases(site.registry, site.ledger, policy=settings().hand_moved_aliases, who=site.who)
            number = resolve_uri(site.registry, model_uri)
            found = served_releases(site.triton).get(role)
            if is_update and found is None:
                raise self._not_open(role)
            if not is_update and found is not None and found.number != number:
                raise MlflowException(
                    f"{name} serves release {found.number} at {self._address} already. To serve release "
                    f"{number} in its place: mlflow deployments update",
                    error_code=RESOURCE_ALREADY_EXISTS,
                )
            overrode = check_allowed(site, role, number, options.permission)
            deploy(replace(site, overrode=overrode), role, number)
            return self._record(role, self._served(site.triton, role))

    def _record(self, role: "Role", release: ServedRelease) -> dict[str, Any]:
        return {
            "name": DOORS[role],
            "flavor": FLAVOR,
            "role": role,
            "state": "READY",
            "release": release.number,
            "digest": release.digest,
            "filter_version": release.filter_version,
            "classifier_version": release.classifier_version,
            "thresholds": dict(release.operating_point.thresholds),
            "triton": self._address,
        }

    def _served(self, triton: TritonControl, role: "Role") -> ServedRelease:
        served = served_releases(triton)
        if role not in served:
            raise self._not_open(role)
        return served[role]

    def _not_open(self, role: "Role") -> MlflowException:
        return MlflowException(
            f"{DOORS[role]} is not deployed at {self._address}. Deploy it: mlflow deployments create",
            error_code=RESOURCE_DOES_NOT_EXIST,
        )

    @contextmanager
    def _site(self, config: Mapping[str, Any] | None, endpoint: str | None) -> Iterator[tuple[Site, Options]]:
        """Yield the site, whose Triton answers, and the options."""
        with as_mlflow_errors():
            _refuse_endpoint(endpoint)
            options = Options.read(config)
            with open_site(self._address, options, tracking_uri()) as site:
                self._check_live(site.triton)
                yield site, options

    @contextmanager
    def _triton(self, endpoint: str | None) -> Iterator[TritonControl]:
        with as_mlflow_errors():
            _refuse_endpoint(endpoint)
            with TritonControl.from_settings(settings(), self._address) as triton:
                self._check_live(triton)
                yield triton

    def _check_live(self, triton: TritonControl) -> None:
        if not triton.is_live():
            raise ServiceUnreachableError(
                "Triton", self._address, "Start it with `hilum up`, or name another: -t triton://HOST:PORT."
            )


def target_help() -> str:
    """Return what `mlflow deployments help -t triton` prints."""
    return HELP


def _refuse_endpoint(endpoint: str | None) -> None:
    if endpoint is not None:
        raise UsageError(
            "Triton has no endpoints: leave --endpoint out, and name the front door with --name."
        )
