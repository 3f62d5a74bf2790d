"""`hilum predict`: radiographs from disk, answers to the terminal or a file."""

import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hilum.console import emit_json, stderr, stdout, track
from hilum.contract import NOTICE
from hilum.errors import PartialFailureError, UsageError
from hilum.settings import settings

if TYPE_CHECKING:
    from clients.batch import Outcome


@click.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per file on stdout.")
@click.option("--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write FILE as CSV.")
@click.option(
    "--heatmaps",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write an overlay of each finding's evidence into this folder.",
)
@click.option("--url", help="host:port of Triton's gRPC service.  [default: the local server]")
@click.option(
    "--in-flight", type=click.IntRange(1, 256), default=4, show_default=True, help="Requests at a time."
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(0, min_open=True),
    default=30.0,
    show_default=True,
    help="Longest wait for one answer, in seconds.",
)
@click.option(
    "--shadow",
    "shadow_share",
    type=click.FloatRange(0, 1, min_open=True),
    help="Also send this share of the images to the challenger; answers do not wait for it.",
)
@click.option(
    "--shadow-record",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to append both answers to, without images (`hilum release compare`).",
)
def predict(
    paths: tuple[Path, ...],
    as_json: bool,  # noqa: FBT001 - click passes flags by name
    csv_file: Path | None,
    heatmaps: Path | None,
    url: str | None,
    in_flight: int,
    timeout_s: float,
    shadow_share: float | None,
    shadow_record: Path | None,
) -> None:
    """Screen radiographs through the front door: files, or folders and all that is in them.

    A file that cannot be screened is reported and does not stop the others (exit status 3).

    \b
    Examples:
      hilum predict scan.dcm                        a table
      hilum predict ward/ --json | jq .finding      one object per file
      hilum predict ward/ --csv answers.csv --heatmaps overlays/
      hilum predict ward/ --shadow 0.1 --shadow-record pairs.jsonl
    """
    from clients.batch import Batch, Outcome
    from clients.client import ScreeningClient
    from clients.heatmap import HeatmapFolder
    from clients.image_files import find_images
    from clients.report import print_answers, print_failures, write_csv
    from clients.shadow import ShadowPolicy
    from hilum.tls import TlsFiles

    if as_json and csv_file:
        raise UsageError("Give --json or --csv, not both.")
    if (shadow_share is None) != (shadow_record is None):
        raise UsageError("Give --shadow and --shadow-record together: a share, and where its answers go.")
    shadow = (
        ShadowPolicy(share=shadow_share, record=shadow_record) if shadow_share and shadow_record else None
    )
    images = find_images(paths)
    kept: list[Outcome] = []
    failed = 0
    is_written = as_json
    address = url or settings().triton_address
    tls = TlsFiles.from_settings(settings())
    with ScreeningClient(address, timeout_s=timeout_s, tls=tls, shadow=shadow) as client:
        client.check_ready()
        batch = Batch(client, in_flight=in_flight, heatmaps=HeatmapFolder(heatmaps) if heatmaps else None)
        try:
            with closing(batch.screen(images)) as outcomes:
                for outcome in _with_progress(outcomes, len(images), as_json=as_json):
                    failed += outcome.error is not None
                    if as_json:
                        emit_json(outcome.as_json())
                    else:
                        kept.append(outcome)
            if csv_file:
                write_csv(csv_file, kept)
                is_written = True
                print_failures(stderr, kept)
        finally:  # after Ctrl-C or a full disk too, what is done is shown
            if is_written:
                stderr.print(NOTICE)
            else:
                print_answers(stdout, kept)
    if shadow is not None:
        stderr.print(f"Mirrored to the challenger: {client.shadow_counts}.", markup=False)
    if batch.server_error is not None:
        raise batch.server_error
    if failed:
        raise PartialFailureError(failed, len(images), "files")


def _with_progress(outcomes: Iterable["Outcome"], total: int, *, as_json: bool) -> Iterable["Outcome"]:
    """Show a progress bar, unless JSON lines on the same terminal show it already."""
    return outcomes if as_json and sys.stdout.isatty() else track(outcomes, "Screening", total=total)
