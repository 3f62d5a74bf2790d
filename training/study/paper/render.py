"""A paper's report for a terminal, as Markdown, and as files."""

import json
from io import BytesIO

from rich import box
from rich.markup import escape
from rich.table import Table

from training.evaluate.palette import DPI
from training.study.paper.figures import comparison_figure
from training.study.paper.grids import Grid, grid_of
from training.study.paper.report import PaperReport


def grid_table(grid: Grid) -> Table:
    """Return a grid for a terminal of 80 columns: what stands side by side in a cell stands stacked here."""
    table = Table(title=escape(grid.title), caption=escape(grid.note), box=box.SIMPLE_HEAD, pad_edge=False)
    table.title_justify = table.caption_justify = "left"
    table.collapse_padding = True
    for index, heading in enumerate(grid.headings):
        is_first = index == 0
        words = _stacked(heading).replace("_", " ")  # where a narrow column may break them
        table.add_column(words, justify="left" if is_first else "right", no_wrap=is_first, overflow="fold")
    for row in grid.rows:
        table.add_row(*map(_stacked, row))
    return table


def _stacked(cell: str) -> str:
    """Return `0.900 (0.842-0.911), n 150` and the like on lines of their own."""
    for separator in (": ", " (", ", ", " ± "):
        cell = cell.replace(separator, "\n± " if "±" in separator else "\n")
    return escape(cell.replace(")", ""))


def report_files(report: PaperReport) -> dict[str, bytes]:
    """Return a report as files by relative path: `NAME.md`, `NAME.json` and one PNG for each table."""
    files = {}
    names = []
    for index, comparison in enumerate(report.comparisons, start=1):
        stream = BytesIO()
        comparison_figure(comparison).savefig(stream, format="png", dpi=DPI)
        names.append(f"figures/{report.name}-{index:02}.png")
        files[names[-1]] = stream.getvalue()
    files[f"{report.name}.md"] = report_markdown(report, names).encode()
    record = json.dumps(report.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    files[f"{report.name}.json"] = record.encode()
    return files


def report_markdown(report: PaperReport, figures: list[str]) -> str:
    """Return a report as Markdown.

    Args:
        report: the tables.
        figures: path of each table's picture, relative to the file.
    """
    lines = [f"# {report.name}: the paper's tables beside ours", "", f"{report.source}.", ""]
    lines += [f"Made by `{report.command}`.", ""]
    for sentence in report.banner:
        lines += [f"- {sentence}"]
    for comparison, figure in zip(report.comparisons, figures, strict=True):
        grid = grid_of(comparison)
        lines += ["", f"## {grid.title}", "", *_pipes(grid), "", grid.note, "", f"![{grid.title}]({figure})"]
    return "\n".join(lines) + "\n"


def _pipes(grid: Grid) -> list[str]:
    """Return a grid as lines of a Markdown table."""
    rule = [":---", *["---:"] * (len(grid.headings) - 1)]
    return [f"| {' | '.join(row)} |" for row in (grid.headings, rule, *grid.rows)]
