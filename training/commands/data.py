"""`hilum data`: import a public data set, check one, or draw a synthetic one."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hilum.console import emit_json, stderr, stdout
from hilum.errors import HilumError
from training.commands.import_data import import_data
from training.commands.options import JSON

if TYPE_CHECKING:
    from training.data.check import CheckReport

SHOWN_WARNINGS = 20
"""Near-duplicates listed for a person."""


@click.group()
def data() -> None:
    """Import, check or draw a data set.

    A data set is a folder with metadata.csv, one row per image, and the columns path, source,
    patient_id, view, finding, filter_label, kind and split. More columns are kept as they are.
    """


data.add_command(import_data)


@data.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@JSON
def check(folder: Path, *, as_json: bool) -> None:
    """Find everything that is wrong with the data set in DIR, and count what it holds.

    Looks for wrong values and paths, missing and unreadable files, patients in two splits, and the
    same file in two splits. Every image is decoded, as serving does.

    Warns of near-duplicates in two splits or of two patients (resized, re-encoded, re-windowed, marked,
    slightly turned or cropped copies of one radiograph), nearest first, and says how well the source
    alone predicts the label: a network may learn to recognise the source instead.

    Exit status: 0 clean or only warnings, 1 problems found, 2 no data set.

    \b
    Examples:
      hilum data check ~/radiographs
      hilum data check ~/radiographs --json | jq '.problems[].message'
      hilum data check ~/radiographs --json | jq -c '.near_duplicates[] | [.paths, .distance]'
    """
    from training.data.check import check_data_set

    report = check_data_set(folder)
    if as_json:
        emit_json(
            {
                "folder": str(folder),
                "images": report.images,
                "patients": report.patients,
                "counts": report.counts.to_dict("records"),
                "problems": [
                    {"kind": problem.kind, "path": problem.path, "message": problem.message}
                    for problem in report.problems
                ],
                "near_duplicates": [
                    {"kind": pair.kind, **asdict(pair), "message": pair.message}
                    for pair in report.near_duplicates
                ],
                "shortcuts": [
                    {**asdict(shortcut), "is_high": shortcut.is_high} for shortcut in report.shortcuts
                ],
            }
        )
    else:
        _print_report(report)
    if report.problems:
        raise HilumError(
            f"{len(report.problems)} problem(s) in {folder}. "
            "Mend the files or metadata.csv, then run the same command again."
        )


@data.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--patients",
    type=click.IntRange(min=1),
    default=200,
    show_default=True,
    help="Invented patients; from 17 on every class has images in every split.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Decides every pixel.")
@JSON
def synth(folder: Path, *, patients: int, seed: int, as_json: bool) -> None:
    """Draw a synthetic data set into the new folder DIR.

    Each patient gives one or two chest films (no finding, lung opacity or COVID-19 in turn), and beside
    each stands one picture that is no frontal chest film: a CT slice, a hand or knee, a lateral view,
    a photograph, a document, an object. The same seed draws the same bytes; a larger set begins with
    the smaller one.

    \b
    Examples:
      hilum data synth data/synthetic --patients 400 --seed 7
      hilum data check data/synthetic
    """
    from training.data.metadata import load_metadata
    from training.data.synthetic import draw_data_set

    draw_data_set(folder, patients, seed)
    drawn = load_metadata(folder)
    valid = int((drawn.frame["filter_label"] == "valid").sum())
    summary = {
        "folder": str(folder),
        "patients": patients,
        "seed": seed,
        "images": len(drawn.frame),
        "valid": valid,
        "non_valid": len(drawn.frame) - valid,
        "digest": drawn.digest(),
    }
    if as_json:
        emit_json(summary)
        return
    stdout.print(
        f"Drew {summary['images']} images into {folder}: {valid} chest films of {patients} patients and "
        f"{summary['non_valid']} other pictures (seed {seed}).\nNext: hilum train filter --data {folder}"
    )


def _print_report(report: "CheckReport") -> None:
    """Print shortcuts, the high ones first, and counts to stdout; problems and near-duplicates to stderr."""
    from rich.table import Table

    for shortcut in sorted(report.shortcuts, key=lambda shortcut: not shortcut.is_high):
        stdout.print(f"{'WARNING  ' if shortcut.is_high else ''}{shortcut}", markup=False)
    title = f"{report.images} images of {report.patients} patients or single pictures"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in report.counts.columns:
        table.add_column(column, justify="right" if report.counts[column].dtype.kind == "i" else "left")
    for row in report.counts.itertuples(index=False):
        table.add_row(*[str(value) or "-" for value in row])
    stdout.print(table)
    for problem in report.problems:
        stderr.print(f"{problem.kind}: {problem.message}", markup=False)
    for pair in report.near_duplicates[:SHOWN_WARNINGS]:
        stderr.print(f"warning: {pair.kind}: {pair.message}", markup=False)
    if len(report.near_duplicates) > SHOWN_WARNINGS:
        more = len(report.near_duplicates) - SHOWN_WARNINGS
        stderr.print(f"warning: and {more} more near-duplicates; --json lists all.", markup=False)
    if not report.problems:
        warnings = f" {len(report.near_duplicates)} warning(s)." if report.near_duplicates else ""
        stdout.print(f"No problems found.{warnings}")
