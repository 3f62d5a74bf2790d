"""A report as one HTML file that needs nothing beside it."""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from matplotlib.figure import Figure

from training.evaluate.comparison_figures import decision_curve_figure
from training.evaluate.figures import figures
from training.evaluate.intervals import Estimate
from training.report.contents import Report
from training.report.figures import group_histogram_figure, reliability_figure

TEMPLATE = "report.html.j2"

SHOWN_DPI = 110
"""Resolution of the pictures inside: sharp on a screen, and small in the file."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure and what it is."""

    title: str
    text: str
    """What a reader sees in it."""
    uri: str
    """The PNG itself, as a data URI."""


def render_html(report: Report) -> str:
    """Return the report as one self-contained HTML document."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "estimate": _estimate,
        "percent": _percent,
        "uri": _png_uri,
        "share": _share,
        "name": _name,
    }
    template = environment.get_template(TEMPLATE)
    return template.render(
        report=report, evaluation=report.evaluation, card=report.card, pictures=list(_pictures(report))
    )


def _pictures(report: Report) -> Iterator[Picture]:
    """Yield the figures, in the order of the document."""
    drawn = figures(report.evaluation, report.predictions)
    yield _picture(
        "Confusion matrix", "True classes in rows, decisions in columns.", drawn["confusion_matrix"]
    )
    yield _picture("ROC", "The point is the decision rule in force; bands are pointwise.", drawn["roc"])
    yield _picture("Precision and recall", "Dotted: what chance would give.", drawn["precision_recall"])
    if report.curves:
        curves = {label: {"network": curve} for label, curve in report.curves.items()}
        text = "Net benefit of acting on the probability, beside acting on all and on none."
        yield _picture("Decision curves", text, decision_curve_figure(curves))
    text = "On the dotted line, probabilities mean what they say. Bars are 95 % intervals."
    yield _picture("Calibration", text, reliability_figure(report.evaluation))
    text = "How far the classes are pushed apart."
    yield _picture("Probabilities by true class", text, drawn["probability_histogram"])
    for column in report.evaluation.groups:
        if column in report.predictions.frame:
            text = "Groups of one class should look alike; where they do not, the group is what is read."
            yield _picture(
                f"Probabilities by {column}", text, group_histogram_figure(report.predictions, column)
            )


def _picture(title: str, text: str, figure: Figure) -> Picture:
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=SHOWN_DPI)
    return Picture(title, text, _png_uri(stream.getvalue()))


def _png_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _estimate(estimate: Estimate) -> str:
    return "-" if estimate.value is None else str(estimate)


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _share(share: float) -> str:
    """Return a share in percent, or a dash for NaN."""
    return "-" if np.isnan(share) else _percent(share)


def _name(metric: str) -> str:
    """Return a metric's name as readers know it."""
    words = metric.split("_")
    return " ".join({"auroc": "AUROC", "f1": "F1", "ece": "ECE"}.get(word, word) for word in words)
