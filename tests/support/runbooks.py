"""Reads the runbooks: their commands, their queries, and whether the `hilum` command knows the former."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from hilum.cli import cli
from tests.support.data import REPOSITORY

RUNBOOKS = REPOSITORY / "docs" / "runbooks"

_BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")


def blocks(page: Path, language: str) -> Iterator[str]:
    """Yield the code blocks of a page in a language."""
    for found in _BLOCK.finditer(page.read_text()):
        if found[1] == language:
            yield found[2]


def hilum_commands(page: Path) -> list[list[str]]:
    """Return the arguments of every `hilum` command in the blocks of a page."""
    return [each for block in blocks(page, "bash") for line in block.splitlines() for each in _commands(line)]


def hilum_mentions(page: Path) -> list[list[str]]:
    """Return the arguments of every `hilum` command that the text of a page names, perhaps without all."""
    text = _BLOCK.sub("", page.read_text())
    return [each for found in _SPAN.finditer(text) for each in _commands(found[1])]


def _commands(line: str) -> Iterator[list[str]]:
    words = shlex.split(line, comments=True)
    for index, word in enumerate(words):
        if word == "hilum" and _begins(words, index):
            rest = words[index + 1 :]
            yield rest[: next((end for end, each in enumerate(rest) if each in ("|", "&&", ">")), len(rest))]


def _begins(words: list[str], index: int) -> bool:
    """Whether a word is a command's name: first, or what `kubectl exec … --` runs."""
    return index == 0 or words[index - 1] == "--"


def check_command(arguments: list[str], *, is_whole: bool = True) -> None:
    """Parse a command line without running it.

    Args:
        arguments: what follows `hilum`.
        is_whole: whether all arguments that the command needs must be there.

    Raises:
        click.UsageError: there is no such command or option, or an argument is missing.
    """
    command: click.Command = cli
    context = click.Context(cli, info_name="hilum")
    rest = list(arguments)
    while isinstance(command, click.Group):
        if not rest:
            raise click.UsageError("a subcommand is missing")
        _, found, rest = command.resolve_command(context, rest)
        assert found is not None
        command = found
        context = click.Context(command, info_name=command.name, parent=context)
    values, left, _ = command.make_parser(context).parse_args(rest)
    if left:
        raise click.UsageError(f"unexpected: {left}")
    missing = [
        parameter.name for parameter in command.params if parameter.required and not _given(parameter, values)
    ]
    if is_whole and missing:
        raise click.UsageError(f"missing: {missing}")


def _given(parameter: click.Parameter, values: Mapping[str, Any]) -> bool:
    """Whether a value was given to a parameter; click marks those without by a value of its own."""
    value = values.get(parameter.name or "")
    return isinstance(value, str | tuple | list) and bool(value)
