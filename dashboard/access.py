"""Who may decide on this page: nobody, unless the installation says so and the reader shows it.

Two ways, both off by default: Streamlit's own login (OIDC, `[auth]` in its secrets), or a key that the
installation sets (`HILUM_DASHBOARD_KEY`) and the reader types in with a name.
"""

import hmac
import time

import streamlit as st

from dashboard.language import tr
from hilum.settings import settings

_WHO = "access_who"

WRONG_KEY_DELAY_S = 1.0
"""Pause after a wrong key, so that guessing is slow."""


def has_login() -> bool:
    """Tell whether readers can sign in with an identity provider."""
    try:
        return "auth" in st.secrets
    except FileNotFoundError:
        return False


def is_enabled() -> bool:
    """Tell whether anybody may decide here at all."""
    return has_login() or settings().dashboard_key is not None


def signed_in() -> str | None:
    """Return who the reader is, as the ledger will say; None for a reader who may only look."""
    if has_login() and st.user.is_logged_in:
        return str(st.user.get("email") or st.user.get("name") or st.user.get("sub"))
    who = st.session_state.get(_WHO)
    return str(who) if who else None


def draw_sign_in() -> None:
    """Draw what the reader can do to be allowed to decide, or to stop being so."""
    who = signed_in()
    if who is not None:
        st.write(tr("Signed in as {who}.", who=who))
        if st.button(tr("Sign out"), key="access_sign_out"):
            st.session_state.pop(_WHO, None)
            if has_login() and st.user.is_logged_in:
                st.logout()  # leads the browser away: drawing anew at once may overtake that
            else:
                st.rerun()
    elif not is_enabled():
        st.caption(tr("Deciding on this page is off. An operator turns it on with HILUM_DASHBOARD_KEY."))
    elif has_login():
        if st.button(tr("Sign in"), key="access_sign_in"):
            st.login()
    else:
        _key_form()


def _key_form() -> None:
    with st.form("access_form", clear_on_submit=True):
        name = st.text_input(tr("Your name, for the ledger"), key="access_name")
        key = st.text_input(tr("Key"), type="password", key="access_key")
        sent = st.form_submit_button(tr("Sign in"))
    if not sent:
        return
    expected = settings().dashboard_key
    assert expected is not None
    if not name.strip():
        st.error(tr("Say who you are: the ledger keeps the name beside each decision."))
    elif hmac.compare_digest(key.encode(), expected.get_secret_value().encode()):
        st.session_state[_WHO] = name.strip()
        st.rerun()
    else:
        time.sleep(WRONG_KEY_DELAY_S)
        st.error(tr("This is not the key."))
