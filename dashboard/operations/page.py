"""Operations: is the service well? The answer first, then what explains it."""

import math

import streamlit as st

from dashboard.errors import SourceError
from dashboard.frame import empty, part, updated
from dashboard.language import mark, tr
from dashboard.lines import lines, measured
from dashboard.operations import served
from dashboard.queries import INSTALLATIONS, Installation, Query, of_clients
from dashboard.sources import prometheus_api, triton_api

RANGES = {
    1.0: mark("1 hour"),
    6.0: mark("6 hours"),
    24.0: mark("1 day"),
    168.0: mark("7 days"),
    720.0: mark("30 days"),
}
"""Hours that the plots show."""

REFRESH = "10s"

TROUBLES = {
    "ServerUnreachable": mark("Triton does not answer"),
    "DeadlineExceeded": mark("Triton takes too long to answer"),
    "ModelNotReady": mark("Triton runs and serves no release"),
    "Tls": mark("Triton and this page do not agree on encryption"),
}

SHARE = {"tickformat": ".0%"}
SECONDS = {"ticksuffix": "s", "exponentformat": "SI"}
"""How an axis writes its values."""


def draw() -> None:
    """Draw the page."""
    st.title(tr("Is the service well?"))
    installation = _choose_installation()
    _now(installation)
    hours = st.segmented_control(
        tr("Time range"),
        list(RANGES),
        format_func=lambda value: tr(RANGES[value]),
        default=6.0,
        required=True,
        key="operations_hours",
    )
    _plots(installation, hours or 6.0)


def _choose_installation() -> Installation:
    """Let the reader choose where Prometheus sees several: their numbers must not be mixed."""
    try:
        seen = prometheus_api.query(INSTALLATIONS.expression).samples
    except SourceError:  # which the parts below tell
        return Installation()
    namespaces = sorted({sample.labels.get("namespace", "") for sample in seen})
    if len(namespaces) < 2:
        return Installation(namespaces[0] if namespaces else "")
    chosen = st.selectbox(tr("Installation (namespace)"), namespaces, key="operations_namespace")
    return Installation(chosen)


@st.fragment(run_every=REFRESH)
def _now(installation: Installation) -> None:
    """Draw what is true now, anew every few seconds, without the rest of the page."""
    trouble = triton_api.trouble()
    if trouble:
        st.error(tr(TROUBLES.get(trouble, TROUBLES["ServerUnreachable"])), icon=":material/error:")
    else:
        st.success(tr("The front door answers."), icon=":material/check_circle:")
    with part():
        _numbers(installation)
    with part(tr("Alerts")):
        _alerts(installation)
    with part(tr("What is served, and what was promised")):
        served.draw(installation)


def _numbers(installation: Installation) -> None:
    silence = prometheus_api.query(installation.silence.expression)
    if math.isnan(silence.value):
        _say_silent(installation)
        return
    images = prometheus_api.query(installation.images.expression)
    per_second = sum(sample.value for sample in images.samples) if images.samples else math.nan
    columns = st.columns(4)
    columns[0].metric(
        tr("Images per second, 5 minutes"),
        tr("nothing yet") if math.isnan(per_second) else f"{per_second:.2f}",
    )
    columns[1].metric(tr("Failed by the server, 5 minutes"), _percent(installation.failures))
    columns[2].metric(tr("Failed by the server, 1 day"), _percent(installation.failures_of_a_day))
    columns[3].metric(tr("Mean time of a request"), _milliseconds(installation.duration))
    updated(silence.at - silence.value)


def _say_silent(installation: Installation) -> None:
    """Tell a service that was never measured from one that is not measured any more."""
    silence = prometheus_api.query(installation.long_silence.expression).value
    if math.isnan(silence):
        empty(tr("Prometheus has measured nothing of this service within a day."))
    else:
        st.warning(
            tr(
                "Prometheus has not reached Triton for {minutes} minutes: there are no numbers of now.",
                minutes=round(silence / 60),
            ),
            icon=":material/history:",
        )


def _alerts(installation: Installation) -> None:
    alerts = [
        alert
        for alert in prometheus_api.alerts()
        if not installation.namespace or alert.namespace in ("", installation.namespace)
    ]
    if not alerts:
        st.write(tr("No alert fires."))
    for alert in alerts:
        box = st.error if alert.state == "firing" and alert.severity == "critical" else st.warning
        state = tr("fires") if alert.state == "firing" else tr("about to fire")
        what_to_do = tr("what to do")
        link = f" [{what_to_do}]({alert.runbook_url})" if alert.runbook_url else ""
        box(f"**{alert.name}** ({state}): {alert.summary}{link}", icon=":material/notifications_active:")


@st.fragment(run_every="30s")
def _plots(installation: Installation, hours: float) -> None:
    with part():
        prometheus_api.query(INSTALLATIONS.expression)  # where that fails, one sentence stands for all plots
        _draw_plots(installation, hours)


def _draw_plots(installation: Installation, hours: float) -> None:
    left, right = st.columns(2)
    with left:
        with part(tr("Images")):
            lines("operations_images", [installation.images], hours=hours, unit=tr("images per second"))
        with part(tr("Waiting before each step")):
            lines(
                "operations_queue",
                [installation.waiting],
                hours=hours,
                unit=tr("seconds per request"),
                form=SECONDS,
            )
        with part(tr("Requests that wait, by server")):
            lines("operations_pending", [installation.pending], hours=hours, unit=tr("requests"))
        with part(tr("Images answered together")):
            lines("operations_batch", [installation.batch], hours=hours, unit=tr("images per execution"))
    with right:
        with part(tr("Failed by the server")):
            lines(
                "operations_failures",
                [installation.failures],
                hours=hours,
                unit=tr("share of requests"),
                form=SHARE,
            )
        with part(tr("Time of a request")):
            _times(installation, hours)
        with part(tr("Memory in use, by server")):
            lines(
                "operations_memory", [installation.memory], hours=hours, unit=tr("share in use"), form=SHARE
            )
        with part(tr("Processors in use, by server")):
            lines(
                "operations_cpu", [installation.processors], hours=hours, unit=tr("share in use"), form=SHARE
            )
    with part():
        _gpus(installation, hours)


def _times(installation: Installation, hours: float) -> None:
    lines(
        "operations_duration",
        [
            installation.duration,
            of_clients(0.5),
            of_clients(0.95),
            installation.decoding(0.5),
            installation.decoding(0.95),
        ],
        hours=hours,
        unit=tr("seconds"),
        names=[
            tr("in the server, mean"),
            tr("seen by clients, median"),
            tr("seen by clients, 95 of 100"),
            tr("decoding, median"),
            tr("decoding, 95 of 100"),
        ],
        form=SECONDS,
    )


def _gpus(installation: Installation, hours: float) -> None:
    """Draw the GPUs, where there are any."""
    if measured(installation.gpus, hours=hours) or measured(installation.gpu_memory, hours=hours):
        st.subheader(tr("GPUs in use, by server"))
        lines(
            "operations_gpu",
            [installation.gpus, installation.gpu_memory],
            hours=hours,
            unit=tr("share in use"),
            names=[tr("busiest GPU"), tr("memory of the fullest GPU")],
            form=SHARE,
        )


def _percent(query: Query) -> str:
    share = prometheus_api.query(query.expression).value
    return tr("no requests") if math.isnan(share) else f"{share:.2%}"


def _milliseconds(query: Query) -> str:
    seconds = prometheus_api.query(query.expression).value
    return tr("no requests") if math.isnan(seconds) else f"{1000 * seconds:.0f} ms"
