"""Data and drift: what a release was tested on, how its images lie, and whether what arrives has changed."""

import streamlit as st

from dashboard.data import challenger, drift, glance, projector
from dashboard.frame import empty, part
from dashboard.language import tr
from dashboard.sources import evaluation_api, registry_api, releases_api
from dashboard.sources.evaluation_api import ReleaseEvaluation


def draw() -> None:
    """Draw the page."""
    st.title(tr("What was it tested on, and has what arrives changed?"))
    chosen: int | None = None
    with part():
        numbers = [release.number for release in releases_api.releases()]
        if numbers:
            champion = registry_api.promised().aliases.get("champion")
            chosen = st.selectbox(
                tr("Release"),
                numbers,
                index=numbers.index(champion) if champion in numbers else 0,
                key="data_release",
                format_func=lambda n: tr("release {n}", n=n),
            )
        else:
            empty(tr("There is no release yet. `hilum release create` makes one."))
    evaluation: ReleaseEvaluation | None = None
    if chosen is not None:
        with part():
            evaluation = evaluation_api.evaluation(chosen)
            if evaluation is None:
                empty(tr("This release's classifier was not evaluated. `hilum evaluate classifier` does it."))
    glance.draw(evaluation)
    if evaluation is not None:
        with part(tr("The test images as a map")):
            projector.draw(evaluation)
    drift.draw(chosen)
    challenger.draw()
