"""The dashboard's two languages: English sentences are the keys, `translations/pt.po` holds the others."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Literal, cast, get_args

import streamlit as st
from babel.messages.pofile import read_po

Language = Literal["en", "pt"]

LANGUAGES: dict[Language, str] = {"en": "English", "pt": "Português"}
"""Each language by its own name."""

CATALOGUE = Path(__file__).with_name("translations") / "pt.po"

_KEY = "language"

_spoken: ContextVar[Language | None] = ContextVar("spoken", default=None)


def mark(message: str) -> str:
    """Return a message as it is: marks for translation what is translated where it is shown."""
    return message


def tr(message: str, **values: object) -> str:
    """Return a message in the reader's language, with `values` in its braces.

    A message that is missing from the catalogue is shown in English; a test keeps any from missing.
    """
    translated = portuguese().get(message, message) if current_language() == "pt" else message
    return translated.format(**values) if values else translated


def current_language() -> Language:
    """Return the reader's language: chosen on the page, else named in the address (`?lang=pt`)."""
    spoken = _spoken.get()
    if spoken is not None:
        return spoken
    chosen = st.session_state.get(_KEY) or st.query_params.get("lang")
    return cast(Language, chosen) if chosen in get_args(Language) else "en"


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Speak a language during the block, without asking the session for it: there may be none."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def choose_language() -> None:
    """Draw the switch; the choice stays in the address, so that a link keeps it."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = current_language()
    st.segmented_control(
        "Language · Idioma",
        list(LANGUAGES),
        format_func=lambda language: LANGUAGES[language],
        key=_KEY,
        selection_mode="single",
        required=True,
    )
    st.query_params["lang"] = current_language()


@cache
def portuguese() -> dict[str, str]:
    """Return the Portuguese sentences by the English ones."""
    with CATALOGUE.open("rb") as stream:
        catalogue = read_po(stream, locale="pt_BR")
    return {
        cast(str, message.id): cast(str, message.string)
        for message in catalogue
        if message.id and message.string and not message.fuzzy
    }
