"""The challenger beside the champion: shares of live traffic, and both answers to the same images."""

from typing import TYPE_CHECKING

import streamlit as st

from dashboard import queries
from dashboard.data import challenger_plots
from dashboard.data.challenger_words import answer_name, conclusion, findings, is_shown
from dashboard.frame import empty, part, updated
from dashboard.language import tr
from dashboard.look import label_name, show
from dashboard.sources.pairs_api import Judged, judged
from dashboard.sources.prometheus_api import query
from hilum.contract import LABELS

if TYPE_CHECKING:
    from training.promote.challenge import Challenge

SIGNS = {
    "differ": (":material/warning:", "orange"),
    "alike": (":material/check_circle:", "green"),
    "few": (":material/hourglass_empty:", "gray"),
}
"""Sign and colour of each conclusion; the sentence beside them says the same."""


def draw() -> None:
    """Draw both parts."""
    with part(tr("The challenger beside the champion")):
        _shares()
    with part(tr("Where the two disagree")):
        with st.spinner(tr("Reading the records of mirrored images.")):
            found = judged()
        if found is None:
            empty(
                tr(
                    "No records of mirrored images are known here. `hilum predict --shadow 0.1 "
                    "--shadow-record FILE` writes them; HILUM_SHADOW_RECORDS names their folder."
                )
            )
        else:
            _records(found)


def _shares() -> None:
    """Set what the challenger reported of mirrored images beside what the champion reported."""
    champion = findings(query(queries.CHAMPION_FINDINGS.expression))
    challenger = findings(query(queries.CHALLENGER_FINDINGS.expression))
    if not challenger:
        empty(tr("No challenger answered a mirrored image in the last day."))
        return
    counts = {
        tr("release {n}, as champion", n=number): (number, found) for number, found in champion.items()
    } | {tr("release {n}, as challenger", n=number): (number, found) for number, found in challenger.items()}
    show(challenger_plots.reported(counts, LABELS), "data_challenger")
    for name, (_, found) in counts.items():
        total = sum(found.values())
        told = ", ".join(f"{label_name(label)} {found.get(label, 0) / total:.0%}" for label in LABELS)
        st.markdown(tr("{name}: {told}, of {n} images.", name=name, told=told, n=total))
    st.caption(
        tr(
            "Last day; bars with 95 % intervals (Wilson). The challenger is given a sample of the images, so "
            "only shares can be compared here."
        )
    )


def _records(found: Judged) -> None:
    """Show what the paired answers say, or why they say nothing."""
    if found.torn:
        st.caption(tr("{n} lines are no records and were left out.", n=found.torn))
    if not found.pairs:
        empty(tr("The folder holds no record yet. A file stays empty while no challenger is loaded."))
    elif not found.challenges:
        empty(tr("The challenger answered none of {n} mirrored images.", n=found.pairs))
    else:
        challenge = found.challenges[0]
        if len(found.challenges) > 1:
            challenge = st.selectbox(
                tr("Challenger and champion"),
                found.challenges,
                key="data_challenge",
                format_func=lambda one: tr(
                    "release {b} beside release {a}, {first} to {last}",
                    a=one.champion,
                    b=one.challenger,
                    first=one.first[:10],
                    last=one.last[:10],
                ),
            )
        _disagreements(challenge)
    updated(found.at)


def _disagreements(challenge: "Challenge") -> None:
    outcome, sentence = conclusion(challenge)
    sign, colour = SIGNS[outcome]
    st.markdown(f":{colour}[{sign}] {sentence}")
    agreement = challenge.agreement
    st.markdown(
        tr(
            "Release {b} beside release {a}, {first} to {last}: the same answer to {share} of {n} images "
            "({lower} to {upper}). {failed} images the challenger never answered. Median time of an answer: "
            "champion {a_ms} ms, challenger {b_ms} ms.",
            a=challenge.champion,
            b=challenge.challenger,
            first=challenge.first[:10],
            last=challenge.last[:10],
            share=f"{agreement.value or 0:.1%}",
            lower=f"{agreement.lower or 0:.1%}",
            upper=f"{agreement.upper or 0:.1%}",
            n=challenge.n,
            failed=challenge.failed,
            a_ms=round(1000 * challenge.latency_s[0]),
            b_ms=round(1000 * challenge.latency_s[1]),
        )
    )
    show(challenger_plots.answers(challenge), "data_answers")
    st.dataframe(
        [
            {
                tr("answer"): answer_name(one.answer),
                tr("both"): one.both,
                tr("champion only"): one.only_champion,
                tr("challenger only"): one.only_challenger,
                tr("difference, % of images"): _points(one.difference, one.lower, one.upper),
                tr("more than chance"): tr("yes") if is_shown(one) else tr("not shown"),
            }
            for one in challenge.reported
        ],
        hide_index=True,
        width="stretch",
    )
    st.caption(
        tr(
            "Difference: challenger less champion, with Tango's 95 % interval for one look. “More than "
            "chance” holds however often one looks. Nobody knows here who is right: "
            "`hilum release compare --labels` says it where the truth is known."
        )
    )


def _points(value: float, lower: float | None, upper: float | None) -> str:
    """Return a difference of shares in percentage points, with its interval."""
    bounds = "" if lower is None or upper is None else f" ({100 * lower:+.1f} - {100 * upper:+.1f})"
    return f"{100 * value:+.1f}{bounds}"
