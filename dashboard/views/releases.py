"""Releases: which one answers, on what evidence, what would change, and the decision beside it."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import access
from dashboard.errors import SourceError
from dashboard.frame import empty, part
from dashboard.language import mark, tr
from dashboard.sources import registry_api, releases_api
from hilum.errors import HilumError

if TYPE_CHECKING:
    from training.promote.verdict import Verdict

OUTCOMES = {
    "passed": (mark("passed"), ":material/check_circle:", "green"),
    "failed": (mark("failed"), ":material/cancel:", "red"),
    "cannot_tell": (mark("cannot tell"), ":material/help:", "orange"),
    "skipped": (mark("not asked"), ":material/remove:", "gray"),
}
"""Word, sign and colour of each outcome of the gate."""

HISTORY_ROWS = 200
"""Newest entries of the ledger that are shown."""


def draw() -> None:
    """Draw the page."""
    st.title(tr("Which release answers, and why?"))
    if told := st.session_state.pop("releases_told", None):
        st.success(told, icon=":material/check:")
    with part():
        _standing()
        numbers = [release.number for release in releases_api.releases()]
        if not numbers:
            empty(tr("There is no release yet. `hilum release create` makes one."))
            return
        left, right = st.columns([3, 2])
        with left:
            number = st.selectbox(
                tr("Release"), numbers, key="releases_number", format_func=lambda n: tr("release {n}", n=n)
            )
            with part(tr("The gate's verdict")):
                _verdict(releases_api.verdict(number))
        with right:
            with part(tr("What would change")):
                _changes(number)
            st.subheader(tr("Decide"))
            _decide(number)
    with part(tr("All releases")):
        _table()
    with part(tr("What happened, newest first")):
        _history()


def _standing() -> None:
    aliases = registry_api.promised().aliases
    columns = st.columns(3)
    for column, (alias, name) in zip(
        columns,
        (("champion", tr("Champion")), ("challenger", tr("Challenger")), ("previous", tr("Champion before"))),
        strict=True,
    ):
        column.metric(name, tr("release {n}", n=aliases[alias]) if alias in aliases else tr("none"))


def _verdict(verdict: "Verdict | None") -> None:
    """Show every check of the gate as a sentence with its outcome."""
    if verdict is None:
        empty(tr("The gate was not asked about this release. `hilum release gate` asks it."))
        return
    word, icon, colour = OUTCOMES[verdict.outcome]
    against = (
        tr("against release {n}", n=verdict.against)
        if verdict.against
        else tr("without a champion to compare with")
    )
    st.markdown(
        f":{colour}[{icon} **{tr(word)}**] · {against} · "
        + tr("{n} images, judged by {who} on {when}", n=verdict.n_images, who=verdict.judged_by,
             when=_time(verdict.judged_at))
    )  # fmt: skip
    for check in verdict.checks:
        _, sign, shade = OUTCOMES[check.outcome]
        st.markdown(f":{shade}[{sign}] **{check.name}**: {check.sentence}")


def _changes(number: int) -> None:
    champion = registry_api.promised().aliases.get("champion")
    if champion is None or champion == number:
        st.write(
            tr("This release is the champion.") if champion else tr("There is no champion to compare with.")
        )
        return
    difference = releases_api.difference(champion, number)
    if difference.is_empty:
        st.write(tr("Nothing: the two are the same in all that they promise."))
        return
    st.dataframe(
        [
            {tr("what"): change.what, tr("champion"): str(change.before), tr("this one"): str(change.after)}
            for change in difference.changes
        ],
        hide_index=True,
        width="stretch",
    )
    deciding = sum(change.changes_decision for change in difference.golden_changes)
    st.caption(
        tr(
            "{changed} of the golden cases are answered differently, {deciding} with another decision.",
            changed=len(difference.golden_changes),
            deciding=deciding,
        )
    )


def _decide(number: int) -> None:
    """Draw the two actions; each asks for a reason and a confirmation."""
    access.draw_sign_in()
    who = access.signed_in()
    allowed = who is not None
    left, right = st.columns(2)
    if left.button(
        tr("Promote release {n}", n=number), disabled=not allowed, key="releases_promote", type="primary"
    ):
        _confirm(tr("Promote release {n} to champion?", n=number), number)
    if right.button(tr("Roll back"), disabled=not allowed, key="releases_roll_back"):
        _confirm(tr("Make the champion before this one champion again?"), None)


@st.dialog("Hilum")
def _confirm(question: str, number: int | None) -> None:
    """Ask for a reason; then promote a release, or roll back where `number` is None."""
    st.write(question)
    reason = st.text_input(tr("Why? The ledger keeps it."), key="releases_reason")
    if not st.button(tr("Yes, do it"), key="releases_confirm", type="primary"):
        return
    who = access.signed_in()
    if who is None or not reason.strip():
        st.error(tr("A decision needs a reason."))
        return
    try:
        if number is None:
            promotion = releases_api.roll_back(who=who, reason=reason.strip())
        else:
            promotion = releases_api.promote(number, who=who, reason=reason.strip())
    except SourceError as error:
        st.error(tr(error.message, **error.values))
        return
    except HilumError as error:
        st.error(str(error))
        return
    st.session_state["releases_told"] = tr(
        "Release {n} is the champion. The rollout watcher makes it answer within seconds.",
        n=promotion.release,
    )
    st.rerun()


def _table() -> None:
    st.dataframe(
        [
            {
                tr("release"): release.number,
                tr("roles"): ", ".join(release.aliases),
                tr("verdict"): tr(OUTCOMES[release.verdict][0]) if release.verdict in OUTCOMES else "",
                tr("filter"): release.filter_version,
                tr("classifier"): release.classifier_version,
                tr("made"): datetime.fromtimestamp(release.created_ms / 1000, UTC),
            }
            for release in releases_api.releases()
        ],
        hide_index=True,
        width="stretch",
    )


def _history() -> None:
    from training.ledger.sentences import describe

    entries = releases_api.history()
    if not entries:
        empty(tr("The ledger is empty."))
        return
    st.dataframe(
        [
            {
                tr("no."): entry.number,
                tr("when (UTC)"): _time(entry.at),
                tr("who"): entry.who,
                tr("what"): describe(entry),
                tr("why"): entry.why,
            }
            for entry in entries[:HISTORY_ROWS]
        ],
        hide_index=True,
        width="stretch",
    )


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
