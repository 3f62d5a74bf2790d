"""A reader's examinations: in memory, for this session alone, and gone with it."""

import secrets
from collections.abc import Sequence
from threading import Lock
from weakref import WeakValueDictionary

import streamlit as st

from dashboard.examine.examination import Examination
from dashboard.language import Language, current_language

MAX_HISTORY, MAX_HISTORY_BYTES = 100, 32 * 2**20
"""Most examinations that a session remembers, and most memory for them; the oldest are forgotten."""

_KEY = "examine_reader"


class Reader:
    """What one reader sent, and which of it is shown; pictures arrive while the page is drawn."""

    def __init__(self) -> None:
        """Remember nothing yet."""
        self.token = secrets.token_urlsafe()
        """Whoever has it adds pictures to this session; only the reader's own page is told."""
        self.language: Language = "en"
        self._examinations: list[Examination] = []
        self._shown = ""
        self._lock = Lock()
        _readers[self.token] = self

    @property
    def examinations(self) -> list[Examination]:
        """Those that are remembered, the oldest first."""
        with self._lock:
            return self._examinations.copy()

    def remember(self, examination: Examination) -> None:
        """Keep an examination, within the bounds of a session; nothing once all is to be forgotten."""
        with self._lock:
            if self.token not in _readers:
                return
            kept = self._examinations
            kept.append(examination)
            while len(kept) > MAX_HISTORY or (
                len(kept) > 1 and sum(one.nbytes for one in kept) > MAX_HISTORY_BYTES
            ):
                del kept[0]

    def forget(self) -> None:
        """Forget all for good; Streamlit keeps the callbacks of old buttons, and with them this reader."""
        with self._lock:
            _readers.pop(self.token, None)
            self._examinations.clear()

    def arrange(self, keys: Sequence[str]) -> None:
        """Have the examinations that were answered together stand last, in this order; show the first."""
        places = {key: place for place, key in enumerate(keys)}
        with self._lock:
            self._examinations.sort(key=lambda one: places.get(one.key, -1))
        self.show(keys[0])

    def show(self, key: str) -> None:
        """Show one examination."""
        self._shown = key

    def shown(self, among: Sequence[Examination]) -> Examination:
        """Return the examination that was chosen, else the newest."""
        return next((one for one in among if one.key == self._shown), among[-1])


_readers: WeakValueDictionary[str, Reader] = WeakValueDictionary()
"""Those whose session goes on, by their tokens."""


def find_reader(token: str) -> Reader | None:
    """Return the reader whose page was told this token; None where there is none any more."""
    return _readers.get(token)


def current_reader() -> Reader:
    """Return the reader whose page is drawn."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = Reader()
    reader: Reader = st.session_state[_KEY]
    reader.language = current_language()
    return reader


def forget_reader() -> None:
    """Forget all that this session examined, and what is on its way."""
    st.session_state[_KEY].forget()
    st.session_state[_KEY] = Reader()
