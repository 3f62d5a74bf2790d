"""What the commands that train many networks ask for."""

import click

EPOCHS = click.option(
    "--epochs", type=click.IntRange(min=1), help="Epochs of each network at most. Default: the recipe's."
)
MAX_MINUTES = click.option(
    "--max-minutes",
    type=click.FloatRange(min=0, min_open=True),
    help="End each network's training after so long.",
)
REPEATS = click.option(
    "--repeats",
    type=click.IntRange(min=1),
    help="Do it so often, each time with the next seed. Default: as its protocol says, or once.",
)
WEIGHTS = click.option("--weights", help="`imagenet`, `none` (random), or a file. Default: the recipe's.")
DEVICE = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True
)
SEED = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Seeds division, weights, order and augmentation of the first repeat.",
)
BOOTSTRAP = click.option(
    "--bootstrap",
    default=1000,
    show_default=True,
    type=click.IntRange(min=100),
    help="Resamplings of patients for the intervals.",
)
FRESH = click.option("--fresh", is_flag=True, help="Train anew although the same study is complete.")
"""The same words and defaults in `crossval` and `paper`."""
