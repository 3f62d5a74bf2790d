"""The gate's verdict on a release: its outcome, what speaks against it first, and every number behind it."""

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.frame import empty
from dashboard.language import current_language, tr
from dashboard.look import show
from dashboard.releases.ledger_words import OUTCOMES, outcome_word
from dashboard.releases.verdict_plot import intervals
from dashboard.sources import releases_api

if TYPE_CHECKING:
    from training.promote.verdict import Check, Verdict

SIGNS = {
    "passed": (":material/check_circle:", "green"),
    "failed": (":material/cancel:", "red"),
    "cannot_tell": (":material/help:", "orange"),
    "skipped": (":material/remove:", "gray"),
}
"""Sign and colour of each outcome."""


def draw(number: int) -> None:
    """Draw the newest verdict on a release.

    Raises:
        SourceError: MLflow does not answer, or the verdict was changed since it was stored.
    """
    verdict = releases_api.verdict(number)
    if verdict is None:
        empty(tr("The gate was not asked about this release. `hilum release gate` asks it."))
        return
    _headline(verdict)
    for outcome in ("failed", "cannot_tell"):
        for check in verdict.checks:
            if check.outcome == outcome:
                _sentence(check)
    _plots(verdict)
    with st.expander(tr("Every check, with what was found")):
        for check in verdict.checks:
            _sentence(check)
        _table(verdict)
    from training.promote.gate.page import render_page

    st.download_button(
        tr("Download the whole verdict (HTML)"),
        render_page(verdict),
        f"verdict-release-{number}.html",
        "text/html",
        key="releases_verdict_page",
        on_click="ignore",
        icon=":material/download:",
    )


def time_of(at: datetime) -> str:
    """Return a time as the page shows it, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")


def _headline(verdict: "Verdict") -> None:
    against = (
        tr("against release {n}", n=verdict.against)
        if verdict.against
        else tr("without a champion to compare with")
    )
    icon, colour = SIGNS[verdict.outcome]
    context = tr(
        "{n} images, judged by {who} on {when} (UTC), policy “{policy}”",
        n=verdict.n_images,
        who=verdict.judged_by,
        when=time_of(verdict.judged_at),
        policy=verdict.policy,
    )
    st.markdown(f":{colour}[{icon} **{outcome_word(verdict.outcome)}**] · {against} · {context}")
    counts = Counter[str](check.outcome for check in verdict.checks)
    st.caption(" · ".join(f"{outcome_word(outcome)}: {counts[outcome]}" for outcome in OUTCOMES))
    if current_language() != "en":
        st.caption(tr("The gate's sentences stand here as they were recorded, in English."))


def _sentence(check: "Check") -> None:
    icon, colour = SIGNS[check.outcome]
    st.markdown(f":{colour}[{icon} {outcome_word(check.outcome)}] · **{check.name}**: {check.sentence}")


def _plots(verdict: "Verdict") -> None:
    floors = intervals(
        [check for check in verdict.checks if "floor" in check.numbers],
        x_title=tr("share of the cases, with its bounds"),
    )
    beside = intervals(
        [check for check in verdict.checks if "margin" in check.numbers],
        x_title=tr("difference to release {n}, with its bounds", n=verdict.against or "-"),
    )
    if floors:
        st.markdown(tr("**By itself: what it must reach**"))
        show(floors, "releases_floors")
    if beside:
        st.markdown(tr("**Beside the champion, on the same cases**"))
        show(beside, "releases_beside")
    if floors or beside:
        st.caption(
            tr(
                "Sign: what was seen. Line: its bounds, each one-sided at the policy's confidence. "
                "Stroke: what is demanded; the whole line must lie to its right."
            )
        )


def _table(verdict: "Verdict") -> None:
    st.dataframe(
        [
            {
                tr("check"): check.name,
                tr("verdict"): outcome_word(check.outcome),
                tr("seen"): check.numbers.get("value", check.numbers.get("difference")),
                tr("lower bound"): check.numbers.get("lower"),
                tr("upper bound"): check.numbers.get("upper"),
                tr("demanded"): check.numbers.get(
                    "floor", -check.numbers["margin"] if "margin" in check.numbers else None
                ),
                tr("cases"): check.numbers.get("n"),
                tr("further cases needed"): check.numbers.get("further_cases"),
            }
            for check in verdict.checks
            if check.numbers
        ],
        hide_index=True,
        width="stretch",
    )
