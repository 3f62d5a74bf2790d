"""`python -m tests.bench`: what `make bench` runs. A table and one JSON line for each benchmark.

The exit status is 1 if a target was missed, so that a slower version is noticed.
"""

import sys
from pathlib import Path

import click

from hilum.errors import HilumError
from hilum.settings import settings
from tests.bench.comparisons import Sizes
from tests.bench.report import print_report

BENCHES = ("serving", "monitor", "training", "evaluation", "rollout", "scaling", "dashboard")


@click.command()
@click.argument("benches", nargs=-1, type=click.Choice(BENCHES))
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    help="Model repository to serve a copy of.  [default: the live one]",
)
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Frontal chest radiographs that the served filter accepts.  [default: real ones, or synthetic]",
)
@click.option("--rounds", type=click.IntRange(1), default=Sizes().rounds, show_default=True)
@click.option(
    "--requests",
    type=click.IntRange(1),
    default=Sizes().requests,
    show_default=True,
    help="Images on each side of a round.",
)
@click.option(
    "--releases",
    type=(int, int),
    help="Releases that a rollout moves between.  [default: the registry's two newest, or toys]",
)
@click.option(
    "--moves", type=click.IntRange(30), default=100, show_default=True, help="Rollouts from one to the other."
)
def bench(
    benches: tuple[str, ...],
    repository: Path | None,
    images: Path | None,
    rounds: int,
    requests: int,
    releases: tuple[int, int] | None,
    moves: int,
) -> None:
    """Measure serving and training beside a plain loop, and much else; all of it unless named."""
    met = True
    if "serving" in (benches or BENCHES):
        from tests.bench.serving import compare_serving

        sizes = Sizes(rounds=rounds, requests=requests)
        met &= print_report(
            "serving", compare_serving(repository or settings().live_repository, images, sizes)
        )
    if "monitor" in (benches or BENCHES):
        from tests.bench.monitoring import compare_monitor

        sizes = Sizes(rounds=rounds, requests=requests)
        met &= print_report(
            "monitor", compare_monitor(repository or settings().live_repository, images, sizes)
        )
    if "training" in (benches or BENCHES):
        from training.torchvision_schemas import declare_missing_operators

        declare_missing_operators()  # before lightning imports torchvision
        from tests.bench.training import compare_training

        met &= print_report("training", compare_training())
    if "evaluation" in (benches or BENCHES):
        from tests.bench.evaluation import compare_evaluation

        met &= print_report("evaluation", compare_evaluation())
    if "rollout" in (benches or BENCHES):
        from tests.bench.rollout import measure_rollout

        met &= print_report("rollout", measure_rollout(releases, moves=moves))
    if "scaling" in (benches or BENCHES):
        from tests.bench.scaling import compare_scaling

        sizes = Sizes(rounds=rounds, requests=requests)
        met &= print_report(
            "scaling", compare_scaling(repository or settings().live_repository, images, sizes)
        )
    if "dashboard" in (benches or BENCHES):
        from tests.bench.dashboard import measure_dashboard

        met &= print_report(
            "dashboard",
            measure_dashboard(repository or settings().live_repository, images, rounds=rounds),
        )
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    try:
        bench()
    except HilumError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
