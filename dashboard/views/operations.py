"""Operations: is the service well? The answer first, then what explains it."""

import math

import streamlit as st

from dashboard import queries
from dashboard.errors import SourceError
from dashboard.frame import empty, part, updated
from dashboard.language import mark, tr
from dashboard.lines import lines
from dashboard.sources import prometheus_api, registry_api, triton_api

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


def draw() -> None:
    """Draw the page."""
    st.title(tr("Is the service well?"))
    _now()
    hours = st.segmented_control(
        tr("Time range"),
        list(RANGES),
        format_func=lambda value: tr(RANGES[value]),
        default=6.0,
        required=True,
        key="operations_hours",
    )
    _plots(hours or 6.0)


@st.fragment(run_every=REFRESH)
def _now() -> None:
    """Draw what is true now, anew every few seconds, without the rest of the page."""
    trouble = triton_api.trouble()
    if trouble:
        st.error(tr(TROUBLES.get(trouble, TROUBLES["ServerUnreachable"])), icon=":material/error:")
    else:
        st.success(tr("The front door answers."), icon=":material/check_circle:")
    with part():
        _numbers()
    with part(tr("Alerts")):
        _alerts()
    with part(tr("What is served, and what was promised")):
        _versions()


def _numbers() -> None:
    images = prometheus_api.query(queries.IMAGES.expression)
    per_second = sum(sample.value for sample in images.samples)
    columns = st.columns(4)
    columns[0].metric(
        tr("Images per second, 5 minutes"), f"{per_second:.2f}" if images.samples else tr("nothing yet")
    )
    columns[1].metric(
        tr("Failed by the server, 5 minutes"),
        _percent(prometheus_api.query(queries.FAILURES.expression).value),
    )
    columns[2].metric(
        tr("Failed by the server, 1 day"),
        _percent(prometheus_api.query(queries.FAILURES_DAY.expression).value),
    )
    columns[3].metric(
        tr("Mean time of a request"), _seconds(prometheus_api.query(queries.DURATION.expression).value)
    )
    updated(images.at)


def _alerts() -> None:
    alerts = prometheus_api.alerts()
    if not alerts:
        st.write(tr("No alert fires."))
    for alert in alerts:
        box = st.error if alert.state == "firing" and alert.severity == "critical" else st.warning
        state = tr("fires") if alert.state == "firing" else tr("about to fire")
        what_to_do = tr("what to do")
        link = f" [{what_to_do}]({alert.runbook_url})" if alert.runbook_url else ""
        box(f"**{alert.name}** ({state}): {alert.summary}{link}", icon=":material/notifications_active:")


def _versions() -> None:
    """Set the registry's aliases beside what the server said that it serves."""
    served = {
        sample.labels["role"]: sample.labels["release"]
        for sample in prometheus_api.query(queries.SERVED.expression).samples
        if {"role", "release"} <= set(sample.labels)
    }
    aliases: dict[str, int] = {}
    try:
        aliases = dict(registry_api.promised().aliases)
    except SourceError as error:
        st.warning(tr(error.message, **error.values), icon=":material/cloud_off:")
    roles = [role for role in ("champion", "challenger") if role in served or role in aliases]
    if not roles:
        empty(tr("No release was promoted yet."))
    for role in roles:
        promise, answer = aliases.get(role), served.get(role)
        same = promise is not None and str(promise) == answer
        sentence = tr(
            "{role}: promised {promised}, served {served}",
            role=tr("Champion") if role == "champion" else tr("Challenger"),
            promised=promise if promise is not None else tr("nothing"),
            served=answer if answer is not None else tr("nothing"),
        )
        (st.success if same else st.warning)(
            sentence, icon=":material/check:" if same else ":material/sync_problem:"
        )


@st.fragment(run_every="30s")
def _plots(hours: float) -> None:
    left, right = st.columns(2)
    with left:
        with part(tr("Images")):
            lines("operations_images", [queries.IMAGES], hours=hours, unit=tr("images per second"))
        with part(tr("Waiting before each step")):
            lines("operations_queue", [queries.QUEUE], hours=hours, unit=tr("seconds per request"))
        with part(tr("Images answered together")):
            lines("operations_batch", [queries.BATCH], hours=hours, unit=tr("images per execution"))
    with right:
        with part(tr("Failed by the server")):
            lines(
                "operations_failures",
                [queries.FAILURES],
                hours=hours,
                unit=tr("share of requests"),
                names=[tr("5 minutes")],
            )
        with part(tr("Time of a request")):
            lines(
                "operations_duration",
                [
                    queries.DURATION,
                    queries.CLIENT_P50,
                    queries.CLIENT_P95,
                    queries.DECODE_P50,
                    queries.DECODE_P95,
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
            )
        with part(tr("Memory and processors")):
            lines(
                "operations_load",
                [queries.MEMORY, queries.CPU, queries.GPU],
                hours=hours,
                unit=tr("share in use"),
                names=[tr("memory"), tr("CPU"), tr("GPU")],
            )


def _percent(share: float) -> str:
    return tr("nothing yet") if math.isnan(share) else f"{share:.2%}"


def _seconds(seconds: float) -> str:
    return tr("nothing yet") if math.isnan(seconds) else f"{1000 * seconds:.0f} ms"
