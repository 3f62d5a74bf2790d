"""`hilum paper`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from training.commands.options import DATA, JSON
from training.commands.study_options import (
    BOOTSTRAP,
    DEVICE,
    EPOCHS,
    FRESH,
    MAX_MINUTES,
    REPEATS,
    SEED,
    WEIGHTS,
)

if TYPE_CHECKING:
    from training.study.paper.report import PaperReport

EXPERIMENT = "paper"
"""The MLflow experiment of these reports."""

RESULT_OPTIONS = (
    "variants",
    "network",
    "folds",
    "repeats",
    "epochs",
    "max_minutes",
    "weights",
    "seed",
    "bootstrap",
)
"""Options that shape the result, so that the report must name them."""


@click.command()
@click.argument("name")
@DATA
@click.option("--variant", "variants", multiple=True, help="Only this network; may be given again.")
@click.option("--network", type=click.Choice(["filter", "classifier"]), help="Only tables of this network.")
@click.option(
    "--folds", type=click.IntRange(min=2), help="Parts that are tested in turn, where the paper does so."
)
@REPEATS
@EPOCHS
@MAX_MINUTES
@WEIGHTS
@DEVICE
@SEED
@BOOTSTRAP
@FRESH
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Also write Markdown, JSON and figures here.",
)
@JSON
@click.pass_context
def paper(
    context: click.Context,
    name: str,
    folder: Path,
    variants: tuple[str, ...],
    network: str | None,
    folds: int | None,
    repeats: int | None,
    epochs: int | None,
    max_minutes: float | None,
    weights: str | None,
    device: str,
    seed: int,
    bootstrap: int,
    fresh: bool,  # noqa: FBT001  click passes flags by name
    out: Path | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Train the networks of paper NAME by its protocol, and print its tables beside ours.

    NAME is a recipe family, or a YAML file. Every network that a table shows is trained and tested as the
    paper did, by patient; what is complete for the same data and options is taken as it is (--fresh trains it
    anew), and what was cut short goes on. The tables are logged to MLflow's experiment `paper`.

    \b
    Examples:
      hilum paper deepcovid --data DIR
      hilum paper apostolopoulos --data DIR --variant mobilenetv2 --folds 5 --weights none --max-minutes 10
      hilum paper icapuc --data DIR --network classifier --repeats 3 --out results
    """
    from hilum.console import emit_json, stderr, stdout
    from hilum.settings import settings
    from training import mlflow_server
    from training.data.cache import RadiographCache
    from training.data.metadata import load_metadata
    from training.study.paper.grids import grid_of
    from training.study.paper.plan import check_tables, choose_networks, plan_studies
    from training.study.paper.render import grid_table
    from training.study.paper.report import build_report
    from training.study.run import check_possible, complete_run, run_study
    from training.train.family import load_family

    family = load_family(name)
    networks = choose_networks(family, variants, [f"xray_{network}"] if network else [])
    check_tables(family, networks)
    data = load_metadata(folder)
    mlflow_server.connect(settings().mlflow_address)
    studies = plan_studies(
        family,
        networks,
        data,
        folds=folds,
        repeats=repeats,
        epochs=epochs,
        weights=weights,
        seed=seed,
        max_minutes=max_minutes,
        device=device,
    )
    home = settings().home
    cache = RadiographCache.open(home / "cache")
    for (
        study
    ) in studies.values():  # all before the first: nothing should be found out after hours of training
        if fresh or complete_run(study) is None:
            check_possible(study)
    finished = {
        key: run_study(study, cache, home, n_bootstrap=bootstrap, fresh=fresh)
        for key, study in studies.items()
    }
    command = f"hilum paper {name} --data DIR{_options_given(context)}"
    report = build_report(family, finished, command=command, data=folder.name, data_digest=data.digest())
    run_id = _store(report, out)
    if as_json:
        emit_json({"run_id": run_id, **report.as_dict()})
        return
    for sentence in report.banner:
        stdout.print(f"- {sentence}", markup=False)
    for comparison in report.comparisons:
        stdout.print(grid_table(grid_of(comparison)))
    where = f" and {out}" if out else ""
    stderr.print(f"Stored in run {run_id} of MLflow's experiment `{EXPERIMENT}`{where}.")


def _options_given(context: click.Context) -> str:
    """Return the options of the command line that shape the result, as they would be typed."""
    typed = ""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if source is ParameterSource.COMMANDLINE and option.name in RESULT_OPTIONS:
            value = context.params[option.name]
            for each in value if isinstance(value, tuple) else (value,):
                typed += f" {option.opts[0]} {each}"
    return typed


def _store(report: "PaperReport", out: Path | None) -> str:
    """Log the report's files to a run of their own, write them to `out` too, and return the run's id."""
    import tempfile

    from hilum.files import write_atomic
    from training import artifacts, tracking
    from training.study.paper.render import report_files

    files = report_files(report)
    tags = {tracking.RECIPE_TAG: report.name, tracking.DATA_DIGEST_TAG: report.data_digest}
    with (
        tracking.training_run(EXPERIMENT, report.name, tags | tracking.environment_tags(), None) as run_id,
        tempfile.TemporaryDirectory(prefix="hilum-") as folder,
    ):
        for path, content in files.items():
            write_atomic(Path(folder) / path, content)
        artifacts.log_artifacts(run_id, Path(folder), "paper")
        tracking.log_params({f"study.{facts.name}": facts.run_id for facts in report.networks})
        tracking.set_tags(run_id, {tracking.COMPLETE_TAG: "true"})
    for path, content in files.items():
        if out is not None:
            write_atomic(out / path, content)
    return run_id
