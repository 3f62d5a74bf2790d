"""Warnings that evaluations, studies and reports hold as English sentences, in the reader's language.

A sentence that is not known here, of another version of Hilum, is shown as it is stored.
"""

import re
from collections.abc import Iterable

import streamlit as st

from dashboard.evaluation.measures import measure_name
from dashboard.language import mark, tr
from dashboard.look import label_name

SOURCE_LEAK = re.compile(r"The source nearly gives the class away \(Cramer's V (?P<strength>[\d.]+)\): .*")

KNOWN = (
    (
        SOURCE_LEAK,
        mark(
            "The source nearly gives the class away (Cramér's V {strength}): a network that only "
            "recognised the source would score high too. Read the numbers of each source."
        ),
    ),
    (
        re.compile(r"No image is labelled (?P<label>\w+): .*"),
        mark("No image is labelled {label}: what compares it with the rest is not defined."),
    ),
    (
        re.compile(r"All (?P<n>\d+) images labelled (?P<label>\w+) are of one patient: .*"),
        mark("All {n} images labelled {label} are of one patient: they say nothing about other patients."),
    ),
    (
        re.compile(
            r"The paper contradicts itself: (?P<table>.+) prints (?P<measure>\S+) (?P<printed>[\d.]+)"
            r"(?: of \S+)?, the counts of (?P<matrix>.+) make (?P<counted>[\d.]+)\."
        ),
        mark(
            "The paper contradicts itself: {table} prints {printed} ({measure}), "
            "the counts of {matrix} make {counted}."
        ),
    ),
)

_OF_A_NETWORK = re.compile(r"(?P<network>[\w/ ]+): (?P<sentence>[A-Z].*)", re.DOTALL)


def translated(sentence: str) -> str:
    """Return a stored sentence in the reader's language, the name of a network before it as it was."""
    for pattern, message in KNOWN:
        match = pattern.fullmatch(sentence)
        if match is not None:
            return tr(message, **{name: _word(name, value) for name, value in match.groupdict().items()})
    named = _OF_A_NETWORK.fullmatch(sentence)
    if named is None:
        return sentence
    return f"{named['network']}: {translated(named['sentence'])}"


def show_warnings(sentences: Iterable[str]) -> None:
    """Show stored warnings; that the source gives the class away comes first."""
    for sentence in sorted(sentences, key=lambda one: SOURCE_LEAK.search(one) is None):
        st.warning(translated(sentence), icon=":material/warning:")


def _word(name: str, value: str) -> str:
    """Return a part of a sentence in the reader's words."""
    return {"label": label_name, "measure": measure_name}.get(name, str)(value)
