"""Promote and roll back: off for whoever is not signed in, and never without a reason and a second look."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import streamlit as st

from dashboard import access
from dashboard.errors import PageError
from dashboard.frame import part
from dashboard.language import tr
from dashboard.sources import releases_api
from hilum.errors import HilumError

if TYPE_CHECKING:
    from training.promote.promotion import Promotion

TOLD = "releases_told"
"""Where the session keeps what its last decision did, to be said on the page that follows."""


def draw(number: int, aliases: Mapping[str, int]) -> None:
    """Draw the sign-in and the two actions.

    Args:
        number: the release to promote.
        aliases: what the registry promises, as the reader sees it.
    """
    access.draw_sign_in()
    who = access.signed_in()
    champion, previous = aliases.get("champion"), aliases.get("previous")
    with part():
        _draw_evidence(number, champion, who or "")
    left, right = st.columns(2)
    if left.button(
        tr("Promote release {n}", n=number),
        disabled=who is None or number == champion,
        key="releases_promote",
    ):
        _confirm_promotion(number, champion)
    if (
        right.button(tr("Roll back"), disabled=who is None or previous is None, key="releases_roll_back")
        and previous
    ):
        _confirm_rollback(previous, champion)


def _draw_evidence(number: int, champion: int | None, who: str) -> None:
    """Say beside the button whether the gate and the approvals let the release become champion."""
    if number == champion:
        return
    found = releases_api.evidence(number, champion=champion, who=who)
    if found.approvers:
        st.caption(tr("Approved by {names}.", names=", ".join(found.approvers)))
    if found.refusal is None:
        st.success(tr("It may become champion: the gate let it pass."), icon=":material/verified:")
    else:
        st.warning(found.refusal, icon=":material/gpp_maybe:")


@st.dialog("Hilum")
def _confirm_promotion(number: int, champion: int | None) -> None:
    """Ask for a reason, and whether to go round a gate that did not let the release pass."""
    st.write(
        tr(
            "Promote release {n} to champion, in the place of release {champion}?",
            n=number,
            champion=champion,
        )
        if champion
        else tr("Promote release {n} to champion?", n=number)
    )
    with part():
        refusal = releases_api.evidence(number, champion=champion, who=access.signed_in() or "").refusal
        force = False
        if refusal:
            st.warning(refusal, icon=":material/gpp_maybe:")
            force = st.checkbox(
                tr("Promote it past the gate all the same; the ledger says so."), key="releases_force"
            )
        given = _reason()
        if given:
            who, reason = given
            _decide(lambda: releases_api.promote(number, seen=champion, who=who, reason=reason, force=force))


@st.dialog("Hilum")
def _confirm_rollback(previous: int, champion: int | None) -> None:
    """Ask for a reason."""
    st.write(
        tr(
            "Make release {n} champion again, in the place of release {champion}?",
            n=previous,
            champion=champion,
        )
    )
    given = _reason()
    if given:
        who, reason = given
        _decide(lambda: releases_api.roll_back(previous, seen=champion, who=who, reason=reason))


def _reason() -> tuple[str, str] | None:
    """Return who decides and why, once both are there and the reader confirms."""
    reason = st.text_input(tr("Why? The ledger keeps it."), key="releases_reason").strip()
    if not st.button(tr("Yes, do it"), key="releases_confirm"):
        return None
    who = access.signed_in()  # asked again: a disabled button is only a picture
    if who is None:
        st.error(tr("Sign in first."))
        return None
    if not reason:
        st.error(tr("A decision needs a reason."))
        return None
    return who, reason


def _decide(decision: "Callable[[], Promotion]") -> None:
    """Carry a decision out and tell of it on the page that follows; say why where it is refused."""
    try:
        promotion = decision()
    except PageError as error:
        st.error(error.sentence)
        return
    except HilumError as error:
        st.error(str(error))
        return
    if promotion.changed:
        told = tr(
            "Release {n} is the champion. The rollout watcher makes it answer within seconds.",
            n=promotion.release,
        )
    else:
        told = tr("Release {n} was the champion already; nothing was recorded.", n=promotion.release)
    st.session_state[TOLD] = told
    st.rerun()
