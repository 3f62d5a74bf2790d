"""`hilum report`."""

from pathlib import Path

import click

from training.commands.options import JSON, MODEL, RUN


@click.command()
@MODEL
@RUN
@click.option("--split", default="test", show_default=True, help="Which evaluation of the run.")
@click.option(
    "--data",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The data set that was evaluated, to show some of its images under their heat maps.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="HTML file to write. Default: reports/RUN-SPLIT.html in HILUM_HOME.",
)
@click.option("--bootstrap", default=1000, show_default=True, type=click.IntRange(min=100))
@JSON
def report(
    network: str,
    run_id: str | None,
    split: str,
    folder: Path | None,
    out: Path | None,
    bootstrap: int,
    as_json: bool,  # noqa: FBT001  click passes flags by name
) -> None:
    """Write the evaluation of a trained NETWORK (`filter` or `classifier`) as one HTML page.

    Model card, warnings, metrics with intervals, groups, thresholds, calibration, decision curves and, with
    --data, heat maps. The page needs nothing beside it. It and the same as JSON are logged to the run.
    `hilum evaluate` must have stored the predictions first.

    \b
    Examples:
      hilum report classifier
      hilum report classifier --data DIR --out report.html
      hilum report filter --split val --json
    """
    from hilum.console import emit_json, stderr
    from hilum.settings import settings
    from training import mlflow_server, tracking
    from training.report.run import example_pictures, fetch_report, log_report

    model = f"xray_{network}"
    mlflow_server.connect(settings().mlflow_address)
    run = tracking.find_run(model, run_id)
    examples = example_pictures(run, folder, split, settings().home) if folder else ()
    content = fetch_report(run, split, examples=examples, n_bootstrap=bootstrap)
    out = out or settings().home / "reports" / f"{run.info.run_id}-{split.replace('/', '-')}.html"
    log_report(run.info.run_id, content, out)
    if as_json:
        emit_json({"run_id": run.info.run_id, "out": str(out), **content.as_dict()})
    else:
        for sentence in content.alarms:
            stderr.print(sentence, markup=False)
        stderr.print(f"Report in {out}, and in the MLflow run {run.info.run_id}.", markup=False)
