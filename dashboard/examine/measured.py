"""How the release that answered was measured, in a few plain words beside its answer."""

from collections.abc import Mapping
from typing import Any

from dashboard.errors import SourceError
from dashboard.language import tr
from dashboard.look import label_name
from dashboard.sources import evaluation_api
from hilum.contract import FINDINGS


def measured_words(release: int) -> str:
    """Return how often a release was right on test images, as its evaluation says; or that it is not known.

    The shares are those of the rule that serving decides by.
    """
    try:
        evaluation = evaluation_api.evaluation(release)
    except SourceError:
        return tr("How release {release} was evaluated cannot be read at the moment.", release=release)
    if evaluation is None:
        return tr("Release {release} was not evaluated.", release=release)
    result = evaluation.result
    sentences = [
        tr(
            "Release {release} was tested on {n} pictures of {patients} patients it had not learned from.",
            release=release,
            n=result["n_images"],
            patients=result["n_patients"],
        )
    ]
    for finding in FINDINGS:
        measures = result["whole"]["per_class"].get(finding, {})
        rates = [measures.get(name) for name in ("sensitivity", "specificity")]
        if all(rate is not None and rate["lower"] is not None for rate in rates):
            sentences.append(_of_a_hundred(finding, *rates))
    return " ".join([*sentences, tr("In brackets: 95 % intervals.")])


def _of_a_hundred(finding: str, sensitivity: Mapping[str, Any], specificity: Mapping[str, Any]) -> str:
    """Return both rates as counts of 100 pictures, which more readers grasp than percentages of two kinds."""
    hits, low, high = (round(100 * sensitivity[name]) for name in ("value", "lower", "upper"))
    alarms, fewest, most = (round(100 * (1 - specificity[name])) for name in ("value", "upper", "lower"))
    return tr(
        "Of 100 pictures with {finding} it reported {hits} ({low} to {high}); of 100 without, it reported "
        "{alarms} by mistake ({fewest} to {most}).",
        finding=label_name(finding),
        hits=hits,
        low=low,
        high=high,
        alarms=alarms,
        fewest=fewest,
        most=most,
    )
