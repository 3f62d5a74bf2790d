"""What explanations found, as tables for a person."""

from rich import box
from rich.table import Table

from training.explain.methods import NAMES, Method
from training.explain.placement import FLAT_BORDER_SHARE
from training.explain.sanity import Sanity
from training.explain.similarity import Mean
from training.explain.summary import ClassSummary, warnings_of


def summary_table(method: Method, summaries: tuple[ClassSummary, ...]) -> Table:
    """Return a row per true class: images, how many are decided so, and where the maps' mass lies."""
    method_note = (
        f"border: share of the map's mass on the outer tenth of the image; a flat map has "
        f"{FLAT_BORDER_SHARE:.2f}. outside film: share on the black around it, and that black's share of the "
        "area. Means over images with 95 % intervals (Student's t)."
    )
    table = _new_table(
        f"Evidence by {NAMES[method]} for the reported class",
        "\n".join((*warnings_of(summaries), method_note)),
    )
    table.add_column("true class", no_wrap=True)
    for heading in ("images", "decided so", "border", "outside film", "black"):
        table.add_column(heading, justify="right")
    covers = any(summary.n_flipped is not None for summary in summaries)
    if covers:
        table.add_column("flipped", justify="right")
    for summary in summaries:
        cells = [
            summary.label,
            str(summary.n_images),
            str(summary.n_right),
            _cell(summary.border_share),
            _cell(summary.outside_share),
            f"{summary.outside_area:.2f}",
        ]
        table.add_row(*cells, *([str(summary.n_flipped)] if covers else []))
    return table


def sanity_table(sanity: Sanity) -> Table:
    """Return how alike heat maps stay as weights are randomised, and how alike the methods' maps are."""
    note = (
        "rank: Spearman's correlation, SSIM: structural similarity, with the trained network's maps (Adebayo "
        "et al. 2018) or between methods. Means over images with 95 % intervals (Student's t)."
    )
    table = _new_table(f"Sanity of {NAMES[sanity.method]}", f"{sanity.sentence}\n{note}")
    table.add_column("randomised", no_wrap=True)
    for heading in ("weights", "rank", "SSIM"):
        table.add_column(heading, justify="right")
    for stage in sanity.stages:
        weights = f"{100 * stage.weights:.1f} %"
        table.add_row(stage.name, weights, _cell(stage.rank_correlation), _cell(stage.structural_similarity))
    table.add_section()
    for pair, mean in sanity.agreement.items():
        table.add_row(pair, "", _cell(mean), "")
    return table


def _cell(mean: Mean) -> str:
    """Return the value over its interval."""
    return str(mean).replace(" (", "\n").removesuffix(")")


def _new_table(title: str, caption: str) -> Table:
    table = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    return table
