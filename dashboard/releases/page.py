"""Releases: which one answers, on what evidence, what would change, and the decision beside it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import streamlit as st

from dashboard.frame import empty, part
from dashboard.language import tr
from dashboard.look import show
from dashboard.releases import change, decision, verdict
from dashboard.releases.ledger_words import describe, outcome_word, role_word
from dashboard.releases.timeline import timeline
from dashboard.sources import registry_api, releases_api

HISTORY_ROWS = 200
"""Newest entries of the ledger that the table shows."""


def draw() -> None:
    """Draw the page."""
    st.title(tr("Which release answers, and why?"))
    if told := st.session_state.pop(decision.TOLD, None):
        st.success(told, icon=":material/check:")
    with part():
        aliases = registry_api.promised().aliases
        _standing(aliases)
        numbers = [release.number for release in releases_api.releases()]
        if numbers:
            _judge_and_decide(numbers, aliases)
        else:
            empty(tr("There is no release yet. `hilum release create` makes one."))
    with part(tr("What happened")):
        _history()
    with part(tr("All releases")):
        _table()


def _standing(aliases: Mapping[str, int]) -> None:
    names = ("champion", "challenger", "previous")
    for column, alias in zip(st.columns(len(names)), names, strict=True):
        column.metric(
            role_word(alias), tr("release {n}", n=aliases[alias]) if alias in aliases else tr("none")
        )


def _judge_and_decide(numbers: Sequence[int], aliases: Mapping[str, int]) -> None:
    """Draw the evidence on one release, and beside it what can be decided."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        number = st.selectbox(
            tr("Release"), numbers, key="releases_number", format_func=lambda n: tr("release {n}", n=n)
        )
        with part(tr("The gate's verdict")):
            verdict.draw(number)
    with right:
        with part(tr("What promoting it would change")):
            change.draw(number, aliases)
        with part(tr("Decide")):
            decision.draw(number, aliases)


def _table() -> None:
    releases = releases_api.releases()
    if not releases:
        empty(tr("There is no release yet. `hilum release create` makes one."))
        return
    st.dataframe(
        [
            {
                tr("release"): release.number,
                tr("roles"): ", ".join(map(role_word, release.aliases)),
                tr("verdict"): outcome_word(release.verdict),
                tr("filter"): release.filter_version,
                tr("classifier"): release.classifier_version,
                tr("made (UTC)"): verdict.time_of(datetime.fromtimestamp(release.created_ms / 1000, UTC)),
            }
            for release in releases
        ],
        hide_index=True,
        width="stretch",
    )


def _history() -> None:
    entries = releases_api.history()
    if not entries:
        empty(tr("The ledger is empty."))
        return
    show(timeline(entries[::-1], HISTORY_ROWS), "releases_timeline")
    st.dataframe(
        [
            {
                tr("no."): entry.number,
                tr("when (UTC)"): verdict.time_of(entry.at),
                tr("who"): entry.who,
                tr("what"): describe(entry),
                tr("why"): entry.why,
            }
            for entry in entries[:HISTORY_ROWS]
        ],
        hide_index=True,
        width="stretch",
    )
    if len(entries) > HISTORY_ROWS:
        st.caption(
            tr(
                "The newest {n} of {all} entries; `hilum ledger show` has them all.",
                n=HISTORY_ROWS,
                all=len(entries),
            )
        )
