"""KServe's InferenceService as this rollout reads and changes it: objects in, objects out, no cluster.

Which release a predictor serves is the end of its `storageUri` (`…/release-7`). KServe shifts traffic in
two ways, told apart by `serving.kserve.io/deploymentMode`: a `canary` list of named predictors where it
runs plain Deployments (Standard, since KServe 0.20), `canaryTrafficPercent` over Knative's revisions
(Knative). Both are made to do the same five things; fields that are not about them stay as they are.
"""

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import yaml
from typing_extensions import override

from hilum.errors import UsageError

Object = dict[str, Any]
"""A Kubernetes object as JSON has it."""

API_VERSION = "serving.kserve.io/v1beta1"
MODE_ANNOTATION = "serving.kserve.io/deploymentMode"
CONTAINER = "kserve-container"
"""KServe's name of a model's container: its schema (0.20) asks for it in a canary, and only there."""

CHAMPION_ANNOTATION = "hilum/champion"
"""In Knative mode the object says nowhere else which release has the rest of the traffic."""

_RELEASE = re.compile(r"/release-([1-9][0-9]*)/?$")


@dataclass(frozen=True, kw_only=True, slots=True)
class Traffic:
    """Who answers, as an object asks for it."""

    stable: int | None
    """The release that gets what the canaries leave; None: no release of Hilum's."""
    canaries: Mapping[int, int]
    """Percent of the traffic by release; 0: it runs and gets none."""


class Mode(Protocol):
    """One of KServe's ways to shift traffic; every change returns a new object."""

    def traffic(self, service: Object) -> Traffic:
        """Return who answers."""

    def start(self, service: Object, release: int, uri: str) -> Object:
        """Let a release run beside the others, without traffic."""

    def shift(self, service: Object, release: int, percent: int) -> Object:
        """Give a running canary so much of the traffic."""

    def promote(self, service: Object, release: int) -> Object:
        """Give a running canary all traffic: it is the stable release now."""

    def withdraw(self, service: Object, release: int, stable_uri: str) -> Object:
        """Take a canary away, its traffic first."""


class Standard(Mode):
    """Traffic among named predictors, each a Deployment of its own.

    A predictor is named after its release, so that promoting a canary renames nothing and restarts no pod.
    """

    @override
    def traffic(self, service: Object) -> Traffic:
        """Return who answers."""
        canaries = {release_of(each["predictor"]): each["trafficPercent"] for each in _canaries(service)}
        return Traffic(
            stable=release_of(service["spec"]["predictor"]),
            canaries={release: percent for release, percent in canaries.items() if release is not None},
        )

    @override
    def start(self, service: Object, release: int, uri: str) -> Object:
        """Add a canary with the stable predictor's replicas and rights: it may have to take over."""
        service = copy.deepcopy(service)
        predictor = copy.deepcopy(service["spec"]["predictor"])
        predictor["name"] = predictor_name(release)
        predictor["model"] = {"name": CONTAINER, **predictor["model"], "storageUri": uri}
        service["spec"]["canary"] = [*_canaries(service), {"predictor": predictor, "trafficPercent": 0}]
        return service

    @override
    def shift(self, service: Object, release: int, percent: int) -> Object:
        """Set a canary's percent."""
        service = copy.deepcopy(service)
        _canary(service, release)["trafficPercent"] = percent
        return service

    @override
    def promote(self, service: Object, release: int) -> Object:
        """Give the stable predictor the canary's name and model; the canary leaves the list."""
        service = copy.deepcopy(service)
        promoted = _canary(service, release)["predictor"]
        service["spec"]["predictor"] |= {"name": promoted["name"], "model": promoted["model"]}
        return _without(service, release)

    @override
    def withdraw(self, service: Object, release: int, stable_uri: str) -> Object:
        """Take a canary off the list: the stable predictor was never touched."""
        return _without(copy.deepcopy(service), release)


class Knative(Mode):
    """Traffic between the newest revision and the one that had all of it before."""

    @override
    def traffic(self, service: Object) -> Traffic:
        """Return who answers."""
        predictor = service["spec"]["predictor"]
        newest, percent = release_of(predictor), predictor.get("canaryTrafficPercent")
        if percent is None:
            return Traffic(stable=newest, canaries={})
        noted = service["metadata"].get("annotations", {}).get(CHAMPION_ANNOTATION, "")
        stable = int(noted) if noted.isdigit() else None
        return Traffic(stable=stable, canaries={} if newest is None else {newest: percent})

    @override
    def start(self, service: Object, release: int, uri: str) -> Object:
        """Make the release the newest revision; a canary that was there before gives way."""
        stable = self.traffic(service).stable
        service = copy.deepcopy(service)
        service["spec"]["predictor"]["model"]["storageUri"] = uri
        return self._with(service, percent=0, stable=stable)

    @override
    def shift(self, service: Object, release: int, percent: int) -> Object:
        """Set the newest revision's percent."""
        return self._with(copy.deepcopy(service), percent=percent, stable=self.traffic(service).stable)

    @override
    def promote(self, service: Object, release: int) -> Object:
        """Let the newest revision have everything."""
        service = copy.deepcopy(service)
        del service["spec"]["predictor"]["canaryTrafficPercent"]
        return self._noting(service, release)

    @override
    def withdraw(self, service: Object, release: int, stable_uri: str) -> Object:
        """Take the canary's traffic; once it has none, make the stable release the newest revision again."""
        traffic = self.traffic(service)
        if traffic.canaries[release] > 0:
            return self.shift(service, release, 0)
        service = copy.deepcopy(service)
        service["spec"]["predictor"]["model"]["storageUri"] = stable_uri
        del service["spec"]["predictor"]["canaryTrafficPercent"]
        return self._noting(service, traffic.stable)

    def _with(self, service: Object, *, percent: int, stable: int | None) -> Object:
        service["spec"]["predictor"]["canaryTrafficPercent"] = percent
        return self._noting(service, stable)

    def _noting(self, service: Object, stable: int | None) -> Object:
        service["metadata"].setdefault("annotations", {})[CHAMPION_ANNOTATION] = str(stable or "")
        return service


_MODES: Mapping[str, Mode] = {
    "Standard": Standard(),
    "RawDeployment": Standard(),  # KServe's older names
    "Knative": Knative(),
    "Serverless": Knative(),
}


def mode_of(service: Object) -> Mode:
    """Return how this service shifts traffic: as its annotation says, or else as KServe reports.

    Raises:
        UsageError: neither says so, or it is a way in which traffic cannot be shifted.
    """
    named = service["metadata"].get("annotations", {}).get(MODE_ANNOTATION)
    mode = named or service.get("status", {}).get("deploymentMode")
    if mode not in _MODES:
        raise UsageError(
            f"InferenceService {service['metadata']['name']} must have the annotation {MODE_ANNOTATION} with "
            f"Standard or Knative, the two ways in which KServe shifts traffic; found {mode or 'none'}."
        )
    return _MODES[mode]


def load_template(path: Path) -> Object:
    """Read the YAML of an InferenceService.

    Raises:
        UsageError: it is no YAML, or not one object.
    """
    try:
        template = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is no YAML: {error}") from error
    if not isinstance(template, dict):
        raise UsageError(f"{path} must hold one InferenceService.")
    return template


def first_service(template: Object, *, name: str, namespace: str, release: int, uri: str) -> Object:
    """Return the object that makes a service of its template: the template with a name and a release.

    Raises:
        UsageError: the template is no InferenceService with a `predictor.model`, or names no mode.
    """
    service = copy.deepcopy(template)
    model = service.get("spec", {}).get("predictor", {}).get("model")
    if (
        service.get("apiVersion") != API_VERSION
        or service.get("kind") != "InferenceService"
        or not isinstance(model, dict)
    ):
        raise UsageError(
            f"The template must be one InferenceService ({API_VERSION}) whose spec.predictor.model says how "
            "Triton runs; docs/targets.md has one."
        )
    service["metadata"] = {**service.get("metadata", {}), "name": name, "namespace": namespace}
    model |= {"name": model.get("name", CONTAINER), "storageUri": uri}
    if isinstance(mode_of(service), Standard):
        service["spec"]["predictor"]["name"] = predictor_name(release)
    return service


def release_of(predictor: Object) -> int | None:
    """Return the release that a predictor serves; None where it is none of Hilum's."""
    found = _RELEASE.search(predictor.get("model", {}).get("storageUri", ""))
    return int(found[1]) if found else None


def predictor_name(release: int) -> str:
    """Return the name of a release's predictor: KServe names its Deployment `SERVICE-NAME-predictor`."""
    return f"release-{release}"


def _canaries(service: Object) -> list[Object]:
    return service["spec"].get("canary") or []


def _canary(service: Object, release: int) -> Object:
    return next(each for each in _canaries(service) if release_of(each["predictor"]) == release)


def _without(service: Object, release: int) -> Object:
    service["spec"]["canary"] = [
        each for each in _canaries(service) if release_of(each["predictor"]) != release
    ]
    if not service["spec"]["canary"]:
        del service["spec"]["canary"]
    return service
