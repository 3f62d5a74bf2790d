"""`hilum data import`: public data sets, as their publishers ship them, into Hilum's form."""

import functools
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from typing_extensions import override

from hilum.console import emit_json, stderr, stdout
from hilum.errors import UsageError
from hilum.files import safe_name
from training.commands.options import JSON
from training.data.importers.registry import IMPORTERS, Importer, load_importer

if TYPE_CHECKING:
    from training.data.importers.run import Imported

_EXAMPLES = 3
"""Files shown for each reason to leave out."""

OPTIONS = [
    click.argument("source", metavar="SRC", type=click.Path(path_type=Path)),
    click.argument("folder", metavar="DIR", type=click.Path(path_type=Path)),
    click.option("--copy", is_flag=True, help="Copy the images. Default: hard links where possible."),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True, help="Of draws."),
    click.option("--resplit", is_flag=True, help="Draw 80/10/10 by patient even over a publisher's split."),
    click.option("--partial", is_flag=True, help="Import what is there of an incomplete download."),
    JSON,
]

FOLDER_OPTIONS = [
    click.option("--class", "classes", multiple=True, metavar="NAME=WHAT", help="What a folder holds."),
    click.option("--patient", metavar="REGEX", help="What in a picture's path names its patient."),
    click.option("--source-name", metavar="NAME", help="The column source. Default: SRC's own name."),
]
"""What nobody but the user knows of a folder of pictures."""


class ImporterGroup(click.Group):
    """The importers, each imported when it is called, not to list it."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the importers' names."""
        return list(IMPORTERS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of one importer, whose help is its module's own documentation."""
        return _build_command(cmd_name) if cmd_name in IMPORTERS else None

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of importers without importing them."""
        with formatter.section("Names"):
            formatter.write_dl(list(IMPORTERS.items()))


@click.group(name="import", cls=ImporterGroup, subcommand_metavar="NAME SRC DIR [OPTIONS]")
def import_data() -> None:
    """Turn a public data set in SRC, as its publisher ships it, into a new data set in DIR.

    `hilum data import NAME --help` says what the set holds, its licence and citation, where to
    download it, and what becomes of its labels.

    Images are hard links to the publisher's files where the file system can (they take no space and
    outlive SRC), else copies. Nothing half-written is left behind. No patient stands in two splits:
    the publisher's split is kept where it respects that, else 80/10/10 is drawn.

    \b
    Examples:
      hilum data import cohen ~/covid-chestxray-dataset data/cohen
      hilum data import nih ~/ChestX-ray14 data/nih --partial --json
      hilum data import folder ~/films data/films --class 'Viral=lung_opacity' --patient 'p\\d+'
      hilum data check data/cohen
    """


def _build_command(name: str) -> click.Command:
    importer = load_importer(name)
    about = "\n\n".join(f"\b\n{paragraph}" for paragraph in importer.about.strip().split("\n\n"))
    command = click.Command(
        name,
        callback=functools.partial(_run, importer),
        help=about + f"\n\n\b\nExamples:\n  hilum data import {name} SRC DIR\n  hilum data check DIR",
        short_help=IMPORTERS[name],
    )
    for option in [*OPTIONS, *(FOLDER_OPTIONS if name == "folder" else [])]:
        option(command)
    return command


def _run(
    importer: Importer,
    source: Path,
    folder: Path,
    *,
    copy: bool,
    seed: int,
    resplit: bool,
    partial: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Import and report."""
    from training.data.importers.run import import_data_set

    if options:
        importer = _with_options(importer, source, **options)
    done = import_data_set(
        importer.publisher,
        importer.read,
        source,
        folder,
        seed=seed,
        copy=copy,
        resplit=resplit,
        partial=partial,
    )
    summary = _summarise(importer, folder, seed, done)
    if as_json:
        emit_json(summary)
    else:
        _print_summary(summary)


def _with_options(
    importer: Importer,
    source: Path,
    *,
    classes: tuple[str, ...],
    patient: str | None,
    source_name: str | None,
) -> Importer:
    """Return the folder's importer with what the user says of the folder.

    Raises:
        UsageError: an option has another form than its help says.
    """
    try:
        pattern = re.compile(patient) if patient else None
    except re.error as error:
        raise UsageError(f"--patient {patient!r} is no regular expression: {error}.") from error
    name = safe_name(source_name or source.absolute().name)
    read = functools.partial(importer.read, classes=_parse_classes(classes), patient=pattern)
    return replace(importer, publisher=replace(importer.publisher, name=name), read=read)


def _parse_classes(texts: tuple[str, ...]) -> dict[str, str]:
    """Return what each named folder holds."""
    from training.data.importers.folder import MEANINGS

    pairs = [text.rpartition("=") for text in texts]
    for text, (name, _, meaning) in zip(texts, pairs, strict=True):
        if not name or meaning not in MEANINGS:
            raise UsageError(
                f"--class {text!r}: expected NAME=WHAT, WHAT being one of {', '.join(MEANINGS)}."
            )
    return {name: meaning for name, _, meaning in pairs}


def _summarise(importer: Importer, folder: Path, seed: int, done: "Imported") -> dict[str, Any]:
    """Return what was imported, what was left out, and why."""
    from training.data.check import count_images

    frame = done.data.frame
    return {
        "folder": str(folder),
        "source": importer.publisher.name,
        "title": importer.publisher.title,
        "license": importer.publisher.licence,
        "images": len(frame),
        "patients": int(frame["patient_id"].nunique()),
        "split": done.split,
        "seed": seed,
        "linked": done.linked,
        "copied": done.copied,
        "counts": count_images(frame).to_dict("records"),
        "left_out": [
            {"reason": reason, "images": len(origins), "examples": origins[:_EXAMPLES]}
            for reason, origins in done.found.left_out.items()
        ],
        "unknown_labels": dict(done.found.unknown_labels),
        "notes": done.found.notes,
    }


def _print_summary(summary: Mapping[str, Any]) -> None:
    """Print the counts to stdout, and what a person should know to stderr."""
    from rich.table import Table

    title = f"{summary['images']} images of {summary['patients']} patients from {summary['title']}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column, value in summary["counts"][0].items():
        table.add_column(column, justify="right" if isinstance(value, int) else "left")
    for record in summary["counts"]:
        table.add_row(*[str(value) or "-" for value in record.values()])
    stdout.print(table)
    stdout.print(
        f"Split: {summary['split']}.\n{summary['linked']} images are hard links, {summary['copied']} copies. "
        f"Licence: {summary['license']}.\nNext: hilum data check {summary['folder']}",
        markup=False,
    )
    for item in summary["left_out"]:
        examples = ", ".join(item["examples"])
        stderr.print(f"Left out: {item['images']} {item['reason']} ({examples})", markup=False)
    for label, images in summary["unknown_labels"].items():
        stderr.print(f"Unknown label {label!r}: {images} images have no finding for it.", markup=False)
    for note in summary["notes"]:
        stderr.print(f"Note: {note}", markup=False)
