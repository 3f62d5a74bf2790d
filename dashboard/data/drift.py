"""Whether what arrives still looks like the sample that the release carries as its reference."""

import streamlit as st

from dashboard import queries
from dashboard.data import plots as data_plots
from dashboard.data.drift_signals import (
    Drift,
    distributions,
    drifts,
    measured_releases,
    signal_name,
)
from dashboard.frame import empty, part, updated
from dashboard.language import mark, tr
from dashboard.lines import lines
from dashboard.look import show
from dashboard.sources.prometheus_api import query

SIGNS = {
    "same": (":material/check_circle:", "green"),
    "drifted": (":material/warning:", "orange"),
    "few": (":material/hourglass_empty:", "gray"),
    "no_reference": (":material/help:", "gray"),
    "unknown": (":material/help:", "gray"),
}
"""Sign and colour of each outcome; the sentence beside them says the same."""

RANGES = {24.0: mark("1 day"), 168.0: mark("7 days"), 720.0: mark("30 days")}
"""Hours that the line over time shows."""


def draw(chosen: int | None) -> None:
    """Draw the part; `chosen` is the release that the reader looks at, if any."""
    with part(tr("Does what arrives still look like the reference?")):
        releases = measured_releases()
        if not releases:
            empty(tr("No image was served in the last six hours, or Prometheus does not watch Triton yet."))
        else:
            _drift(releases, chosen)


def _drift(releases: tuple[str, ...], chosen: int | None) -> None:
    release = st.selectbox(
        tr("Release that is served"),
        releases,
        index=releases.index(str(chosen)) if str(chosen) in releases else 0,
        key=f"data_served_{chosen}",
        format_func=lambda name: tr("release {n}", n=name),
    )
    if chosen is not None and str(chosen) not in releases:
        st.caption(tr("Release {n} answers no images now, so nothing is measured of it.", n=chosen))
    _now(release)


@st.fragment(run_every="60s")
def _now(release: str) -> None:
    """Draw what is true now, anew as often as the rules are computed."""
    with part():
        found = drifts(release)
        for one in found:
            sign, colour = SIGNS[one.outcome]
            st.markdown(f":{colour}[{sign}] **{signal_name(one.signal)}**: {one.words}")
        updated(query(queries.SIGNAL_IMAGES.expression).at)
        if not any(one.reference_images > 0 for one in found):
            empty(
                tr("This release has no reference sample, so drift cannot be seen. Create the release again.")
            )
            return
        _signal(release, found)


def _signal(release: str, found: tuple[Drift, ...]) -> None:
    signal = st.selectbox(
        tr("Look closer at"),
        [one.signal for one in found],
        index=next((place for place, one in enumerate(found) if one.outcome == "drifted"), 0),
        key="data_signal",
        format_func=signal_name,
    )
    left, right = st.columns(2)
    with left:
        served, reference = distributions(release, signal)
        if served is None:
            empty(tr("Nothing was served in the last six hours."))
        if served is not None or reference is not None:
            show(data_plots.cumulative(served, reference, signal_name(signal)), "data_distribution")
    with right:
        hours = st.segmented_control(
            tr("Time range"),
            list(RANGES),
            format_func=lambda value: tr(RANGES[value]),
            default=168.0,
            key="data_hours",
            required=True,
        )
        lines(
            "data_drift",
            queries.drift_of(release, signal),
            hours=hours or 168.0,
            unit=tr("distance (share of images)"),
            names=[tr("distance"), tr("explained by chance")],
        )
