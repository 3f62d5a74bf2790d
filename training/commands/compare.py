"""`hilum compare`."""

import click

from training.commands.options import JSON, MODEL


@click.command()
@MODEL
@click.argument("run_a")
@click.argument("run_b")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(min=100),
    help="Resamplings of patients.",
)
@JSON
def compare(
    network: str,
    run_a: str,
    run_b: str,
    split: str,
    bootstrap: int,
    as_json: bool,  # noqa: FBT001  click passes flags by name
) -> None:
    """Compare the NETWORK (`filter` or `classifier`) of two MLflow runs on the same cases.

    Reads the predictions that `hilum evaluate` stored; no network is run. Says which of the two to prefer
    only where the 95 % interval of the difference in AUROC (the macro AUROC of three classes) leaves out 0,
    and else how many more cases would roughly be needed. Table and figures are logged to RUN_A.

    \b
    Examples:
      hilum compare classifier RUN_A RUN_B
      hilum compare filter RUN_A RUN_B --split val --json
    """
    from hilum.console import emit_json, stderr, stdout
    from hilum.settings import settings
    from training import mlflow_server
    from training.evaluate.comparison_run import compare_evaluations, fetch_evaluation, log_comparison
    from training.evaluate.comparison_tables import comparison_table

    model = f"xray_{network}"
    mlflow_server.connect(settings().mlflow_address)
    a, b = (fetch_evaluation(model, run_id, split) for run_id in (run_a, run_b))
    with stderr.status("comparing"):
        comparison = compare_evaluations(a, b, n_bootstrap=bootstrap)
        log_comparison(a, b, split, comparison)
    if as_json:
        emit_json({"run_a": run_a, "run_b": run_b, "model": model, "split": split, **comparison.as_dict()})
    else:
        stdout.print(f"A: {a.name}\nB: {b.name}", markup=False)
        stdout.print(comparison_table(comparison))
