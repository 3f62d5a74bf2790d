"""The `hilum` command: a table of subcommands, each imported only when it is called."""

import sys
from importlib import import_module

import click
from typing_extensions import override

from hilum import __version__
from hilum.errors import HilumError

COMMANDS = {
    "data": ("training.commands.data:data", "Import, check or draw a data set."),
    "train": ("training.commands.train:train", "Train the filter or the classifier."),
    "tune": ("training.commands.tune:tune", "Search for better settings of a recipe."),
    "evaluate": ("training.commands.evaluate:evaluate", "Measure a trained network, with intervals."),
    "explain": ("training.commands.explain:explain", "Show where a network finds its evidence."),
    "report": ("training.commands.report:report", "Write an evaluation as one HTML page."),
    "compare": ("training.commands.compare:compare", "Compare two networks on the same cases."),
    "crossval": ("training.commands.crossval:crossval", "Train and test in folds, or repeatedly."),
    "paper": ("training.commands.paper:paper", "Print a paper's tables beside ours."),
    "export": ("training.commands.export:export", "Export to ONNX, prove parity, register."),
    "release": ("training.commands.release:release", "Pin a filter and a classifier into a release."),
    "promote": ("training.commands.promotion:promote", "Make a release the champion or the challenger."),
    "rollback": ("training.commands.promotion:rollback", "Make the champion before it champion again."),
    "rollout": ("training.commands.rollout:rollout", "Let Triton serve the champion and the challenger."),
    "ledger": ("training.commands.ledger:ledger", "Who decided what, and who served when."),
    "repository": ("training.commands.repository:repository", "Lint a model repository offline."),
    "serve": ("hilum.commands.serve:serve", "Run Triton on a model repository."),
    "up": ("hilum.commands.stack:up", "Start the whole system on this machine."),
    "down": ("hilum.commands.stack:down", "Stop what `up` started."),
    "status": ("hilum.commands.stack:status", "Say what runs, and what it serves."),
    "doctor": ("hilum.commands.doctor:doctor", "Find what is missing, and how to get it."),
    "dashboard": ("dashboard.commands:dashboard", "Show the page: examine, watch, compare, promote."),
    "predict": ("clients.commands:predict", "Screen radiographs through the front door."),
    "capacity": ("clients.capacity.command:capacity", "How many replicas a rate of images needs."),
}
"""Where each subcommand lives, and its line in `hilum --help`: listing them imports none."""


class LazyGroup(click.Group):
    """A command group that imports a subcommand when it is called, not to list it."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands in the order of the flow."""
        return list(COMMANDS)

    @override
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module that holds `cmd_name` and return the command."""
        if cmd_name not in COMMANDS:
            return None
        module_name, attribute = COMMANDS[cmd_name][0].split(":")
        try:
            command = getattr(import_module(module_name), attribute)
        except ModuleNotFoundError as error:
            half = module_name.split(".")[0]
            extra = "embedded" if half == "hilum" else half
            raise click.ClickException(
                f"`hilum {cmd_name}` needs the package {error.name!r}, which is not installed. "
                f"Install it with: pip install 'hilum[{extra}]'"
            ) from error
        assert isinstance(command, click.Command)
        return command

    @override
    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of subcommands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="hilum")
def cli() -> None:
    """Train, release, serve and watch a chest-radiograph screening pipeline on Triton.

    \b
    data -> train -> evaluate -> export -> release -> promote -> rollout -> serve -> predict

    \b
    Examples:
      hilum up --detach                    start MLflow and Triton on this machine
      hilum train filter --data DIR        train on a folder with metadata.csv
      hilum predict scan.dcm --json        ask the served champion
    """


def main() -> None:
    """Run the command line; turn errors into one sentence on stderr and an exit status.

    Exit status: 0 done, 1 failed, 2 usage, 3 some items failed, 4 a server does not answer, 130 interrupted.
    """
    try:
        status = cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("\nInterrupted. Finished work is kept; run the same command to go on.", err=True)
        status = 130
    except HilumError as error:
        click.echo(f"Error: {error}", err=True)
        status = error.exit_code
    except OSError as error:
        click.echo(f"Error: {_describe_os_error(error)}", err=True)
        status = 1
    sys.exit(status)


def _describe_os_error(error: OSError) -> str:
    """Return a sentence for a failed file operation: a full disk, a read-only folder, a missing file."""
    where = f" ({error.filename})" if error.filename else ""
    reason = error.strerror or str(error)
    return f"{reason}{where}. Nothing half-written was kept; mend the cause and run the same command again."
