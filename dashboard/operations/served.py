"""What each server has loaded, beside what the registry promises: the same, or said to differ."""

from collections import defaultdict
from collections.abc import Mapping

import streamlit as st

from dashboard.errors import SourceError
from dashboard.frame import empty
from dashboard.language import tr
from dashboard.queries import Installation
from dashboard.releases.ledger_words import role_word
from dashboard.sources import prometheus_api, registry_api
from hilum.contract import CHALLENGER_SCREENING, SCREENING

DOORS = {"champion": SCREENING, "challenger": CHALLENGER_SCREENING}
"""The front door of each role."""


def draw(installation: Installation) -> None:
    """Draw a sentence for each role.

    Raises:
        SourceError: Prometheus does not answer, or not as it should.
    """
    promised = _promised()
    served = {
        sample.labels.get("role", ""): sample.labels.get("release", "")
        for sample in prometheus_api.query(installation.served.expression).samples
    }
    loaded = _loaded(installation)
    roles = [
        role
        for role, door in DOORS.items()
        if loaded[door] or role in served or (promised and role in promised)
    ]
    if not roles:
        empty(tr("No release was promoted yet."))
    for role in roles:
        _draw_role(role, promised, served.get(role), loaded[DOORS[role]])
    if prometheus_api.query(installation.disagreement.expression).value == 1:
        st.warning(
            tr("The rollout watcher says that registry and server disagree: `hilum rollout plan` says how."),
            icon=":material/sync_problem:",
        )


def _draw_role(
    role: str, promised: Mapping[str, int] | None, served: str | None, loaded: Mapping[str, set[str]]
) -> None:
    """Say whether all agree; what nobody told counts neither for nor against."""
    promise = None if promised is None else str(promised.get(role, tr("nothing")))
    versions = set().union(*loaded.values())
    told = {*([promise] if promise else []), *([served] if served else []), *versions}
    sentence = tr(
        "{role}: promised {promised}, served {served}, loaded {loaded}",
        role=role_word(role),
        promised=promise or tr("not known"),
        served=served or tr("nothing"),
        loaded=", ".join(sorted(versions)) or tr("nothing"),
    )
    same = len(told) == 1 and bool(served and versions and promise)
    (st.success if same else st.warning)(
        sentence, icon=":material/check:" if same else ":material/sync_problem:"
    )
    if len(loaded) > 1 and not same:
        for server, found in sorted(loaded.items()):
            st.caption(tr("{server} has loaded {versions}", server=server, versions=", ".join(sorted(found))))


def _promised() -> Mapping[str, int] | None:
    """Return the registry's aliases; None, with a sentence, where it does not tell."""
    try:
        return registry_api.promised().aliases
    except SourceError as error:
        st.warning(error.sentence, icon=":material/cloud_off:")
        return None


def _loaded(installation: Installation) -> defaultdict[str, dict[str, set[str]]]:
    """Return the versions of each front door that each server has loaded."""
    query = installation.loaded
    found: defaultdict[str, dict[str, set[str]]] = defaultdict(dict)
    for sample in prometheus_api.query(query.expression).samples:
        door, version = sample.labels.get("model", ""), sample.labels.get("version", "")
        found[door].setdefault(query.name_of(sample.labels), set()).add(version)
    return found
