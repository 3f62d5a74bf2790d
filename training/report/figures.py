"""The figures that only a report has: reliability, and probabilities by group of images."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluate.evaluation import TOP_LABEL, Evaluation
from training.evaluate.palette import DPI, line_style
from training.evaluate.predictions import Predictions

_MOST_GROUPS = 7
"""Groups with a line of their own: as many as there are colours."""


def reliability_figure(evaluation: Evaluation) -> Figure:
    """Return, per class and for the most probable one, how often each confidence is right.

    Points are bins of images, their bars Wilson's 95 % intervals (Guo et al. 2017, figure 1).
    """
    names = list(evaluation.reliability)
    figure = Figure(figsize=(3.1 * len(names), 3.5), dpi=DPI, layout="constrained")
    panels: list[Axes] = list(figure.subplots(1, len(names), squeeze=False, sharey=True)[0])
    for place, (axes, name) in enumerate(zip(panels, names, strict=True)):
        filled = [bin_ for bin_ in evaluation.reliability[name] if bin_.n]
        x = np.array([bin_.confidence for bin_ in filled], dtype=float)
        y = np.array([bin_.share.value for bin_ in filled], dtype=float)
        bounds = np.array([(bin_.share.lower, bin_.share.upper) for bin_ in filled], dtype=float).T
        distances = np.abs(bounds - y)
        axes.plot([0, 1], [0, 1], color="0.5", linewidth=0.8, linestyle="dotted", label="calibrated")
        axes.errorbar(x, y, yerr=distances, fmt="o", markersize=4, color=line_style(place)["color"])
        scope = evaluation.whole
        metrics = scope.overall if name == TOP_LABEL else scope.per_class[name]
        shown = "most probable class" if name == TOP_LABEL else name
        axes.set_title(f"{shown}\nECE {metrics['ece']}", fontsize="small")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="mean probability given")
        axes.grid(alpha=0.3)
    panels[0].set_ylabel("share that is of the class")
    return figure


def group_histogram_figure(predictions: Predictions, column: str) -> Figure:
    """Return how each reported class's probability is spread over the images of each group.

    The form of Minaee et al. (2020), figures 6 to 9, who split the negatives by what else they show.

    Args:
        predictions: of N images.
        column: of their frame.
    """
    groups = predictions.frame[column].astype(str)
    largest = groups.value_counts().index[:_MOST_GROUPS]
    figure = Figure(figsize=(6.4, 1.2 + 1.9 * len(predictions.reported)), dpi=DPI, layout="constrained")
    rows: list[Axes] = list(figure.subplots(len(predictions.reported), 1, sharex=True, squeeze=False)[:, 0])
    for axes, k in zip(rows, predictions.reported, strict=True):
        for place, group in enumerate(largest):
            chosen = predictions.probabilities[(groups == group).to_numpy(), k]
            axes.hist(
                chosen,
                bins=25,
                range=(0, 1),
                weights=np.full(len(chosen), 100 / len(chosen)),
                histtype="step",
                linewidth=1.4,
                label=f"{group} (n = {len(chosen)})",
                **line_style(place),
            )
        axes.set(xlim=(0, 1), ylabel="images of the\ngroup (%)")
        axes.set_title(f"probability of {predictions.labels[k]}", fontsize="medium", loc="left")
        axes.grid(alpha=0.3)
    rows[0].legend(title=column, fontsize="small", title_fontsize="small")
    rows[-1].set_xlabel("probability given by the network")
    return figure
