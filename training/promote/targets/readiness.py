"""Whether an InferenceService does what it was asked, read off the status that KServe's controller writes."""

from dataclasses import dataclass

from training.promote.targets.inference_service import Object, Standard, mode_of

_FAILED = {"BlockedByFailedLoad", "InvalidSpec"}
"""States of a model that no waiting mends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """What the status says."""

    ready: bool
    """Everything that was asked for runs, and the traffic is shared as asked."""
    failure: str
    """Why it will never be; empty where it may."""
    missing: str
    """What is still missing; empty where it is ready."""


def read_readiness(service: Object) -> Readiness:
    """Return whether the newest generation of the object is in force."""
    status = service.get("status", {})
    failure = _failure(service)
    missing = "" if failure else _missing(service, status)
    return Readiness(ready=not failure and not missing, failure=failure, missing=missing)


def _failure(service: Object) -> str:
    """Return why a model will not load; empty where none has failed.

    An older generation's failure says nothing of the newest: the controller has not looked at it yet.
    """
    status = service.get("status", {})
    if status.get("observedGeneration", 0) < service["metadata"]["generation"]:
        return ""
    states = [status.get("modelStatus", {})]
    states += [each.get("modelStatus", {}) for each in status.get("canaryStatuses", [])]
    for state in states:
        if state.get("transitionStatus") in _FAILED:
            info = state.get("lastFailureInfo", {})
            return f"{info.get('reason', state['transitionStatus'])}: {info.get('message', 'no message')}"
    return ""


def _missing(service: Object, status: Object) -> str:
    if status.get("observedGeneration", 0) < service["metadata"]["generation"]:
        return "KServe's controller has not seen the change yet"
    conditions = {each["type"]: each for each in status.get("conditions", [])}
    ready = conditions.get("Ready", {})
    if ready.get("status") != "True":
        return f"it is not ready ({ready.get('reason') or ready.get('message') or 'no reason given'})"
    if isinstance(mode_of(service), Standard):
        return _missing_canary(service, status)
    return _missing_share(service, status)


def _missing_canary(service: Object, status: Object) -> str:
    reported = {each["name"]: each for each in status.get("canaryStatuses", [])}
    for canary in service["spec"].get("canary", []):
        name, percent = canary["predictor"]["name"], canary["trafficPercent"]
        state = reported.get(name, {"ready": False, "trafficPercent": 0})
        if not state["ready"]:
            return f"{name} is not ready"
        if state["trafficPercent"] != percent:
            return f"{name} gets {state['trafficPercent']} % of the traffic instead of {percent} %"
    return ""


def _missing_share(service: Object, status: Object) -> str:
    percent = service["spec"]["predictor"].get("canaryTrafficPercent", 100)
    shares = status.get("components", {}).get("predictor", {}).get("traffic", [])
    newest = sum(each.get("percent", 0) for each in shares if each.get("latestRevision"))
    return (
        ""
        if newest == percent
        else f"the newest revision gets {newest} % of the traffic instead of {percent} %"
    )
