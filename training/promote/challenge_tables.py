"""A challenger beside its champion as a person reads it."""

from collections import Counter
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Group
from rich.table import Table

from hilum.paired_answers import Pair
from training.promote.challenge import ANSWERS, Challenge, Reported
from training.promote.labelled_pairs import LabelledComparison


def challenge_table(challenge: Challenge) -> Group:
    """Return the counts and tests, and who said what; it fits 100 columns."""
    return Group(_tests(challenge), _crosstable(challenge))


def failures_sentence(pairs: Sequence[Pair]) -> str:
    """Return the sentence for pairs of which none has the challenger's answer."""
    errors = Counter(pair.error for pair in pairs)
    named = ", ".join(f"{error} {count} times" for error, count in errors.most_common())
    return (
        f"The challenger answered none of {len(pairs)} mirrored requests ({named}): there is nothing to "
        "compare. Look at what it says with `hilum rollout verify`."
    )


def labelled_sentences(labelled: LabelledComparison) -> Iterator[str]:
    """Yield what the images with a known truth say of both releases as a whole, filter included."""
    interval = (
        ""
        if labelled.lower is None or labelled.upper is None
        else f" ({labelled.lower:+.3f} to {labelled.upper:+.3f})"
    )
    yield (
        f"Of {labelled.n} labelled images {labelled.only_champion_right} are decided rightly by the champion "
        f"only and {labelled.only_challenger_right} by the challenger only, a rejected image counting as "
        f"wrong: share decided rightly, challenger less champion {labelled.difference:+.3f}{interval}."
    )
    rejected = (labelled.rejected_by_champion, labelled.rejected_by_challenger, labelled.rejected_by_both)
    if any(rejected):
        yield (
            f"Filters: {rejected[0]} images are rejected by the champion only, {rejected[1]} by the "
            f"challenger only, {rejected[2]} by both. The classifiers are compared on the others; a release "
            "whose filter rejects what is hard looks better there than it is."
        )


def _tests(challenge: Challenge) -> Table:
    title = (
        f"Challenger release {challenge.challenger} beside champion release {challenge.champion}, "
        f"{challenge.first} to {challenge.last}\n{challenge.sentence}"
    )
    table = Table(title=title, caption=_caption(challenge), box=box.SIMPLE_HEAD, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    table.add_column("answer")
    for heading in ("both", "champion\nonly", "challenger\nonly", "challenger - champion", "p"):
        table.add_column(heading, justify="right")
    table.add_column("its share of\ndiscordant", justify="right")
    for reported in challenge.reported:
        table.add_row(reported.answer, *_cells(reported))
    return table


def _cells(reported: Reported) -> Iterator[str]:
    yield from map(str, (reported.both, reported.only_champion, reported.only_challenger))
    bounds = (
        ""
        if reported.lower is None or reported.upper is None
        else f" ({reported.lower:+.3f} to {reported.upper:+.3f})"
    )
    yield f"{reported.difference:+.3f}{bounds}"
    p = reported.p_adjusted
    yield "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
    test = reported.sequential
    yield f"{test.lower:.2f} to {test.upper:.2f}"


def _crosstable(challenge: Challenge) -> Table:
    table = Table(
        title=f"The same answer to {challenge.agreement} of the images", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.title_justify = "left"
    table.add_column("champion \\ challenger")
    for answer in ANSWERS:
        table.add_column(answer, justify="right")
    for answer, row in zip(ANSWERS, challenge.table, strict=True):
        table.add_row(answer, *map(str, row))
    return table


def _caption(challenge: Challenge) -> str:
    left_out = (
        f"{challenge.repeated} pairs of images that were there already are left out. "
        if challenge.repeated
        else ""
    )
    named = ", ".join(f"{error} {count} times" for error, count in challenge.errors.items())
    failed = (
        f"{sum(challenge.errors.values())} mirrored requests failed ({named}); {challenge.failed} images "
        "were never answered. "
        if named
        else ""
    )
    return (
        f"{left_out}{failed}Median latency: champion {1000 * challenge.latency_s[0]:.0f} ms, challenger "
        f"{1000 * challenge.latency_s[1]:.0f} ms. The interval of the difference (Tango's, 95 %) is for one "
        "look. p (Holm-adjusted over the rows) and the challenger's share of the discordant images (0.5: no "
        "difference) hold however often one looks. Nobody knows here who is right: give --labels for that."
    )
