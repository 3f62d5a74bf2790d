"""Command lines and variables of rendered containers, asked of the programs that get them."""

import re
import shlex
import subprocess
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import PurePosixPath
from typing import Any

import click

from hilum.cli import cli
from hilum.settings import Settings
from hilum.triton.installation import find_triton
from tests.support.chart.pods import Pod, Values, pods
from tests.support.helm import Object

NEWER_FLAGS: Mapping[str, str] = {}
"""Flags of Triton that the embedded 2.51 does not know, each with where it is documented."""

ANY_VALUE = "1"
"""Stands for a variable whose value only the cluster knows."""

_REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")

Words = list[str]


def command_line(container: Mapping[str, Any], known: Mapping[str, str] | None = None) -> Words:
    """Return a container's command and arguments, with its variables put in as the kubelet does.

    Args:
        container: of a pod.
        known: values of variables that come from elsewhere; all others get `ANY_VALUE`.
    """
    variables = environment(container, known)
    words = [*container.get("command", ()), *container.get("args", ())]
    return [_REFERENCE.sub(lambda found: variables.get(found[1], found[0]), word) for word in words]


def environment(container: Mapping[str, Any], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return a container's variables, references among them resolved as the kubelet does: to those above."""
    variables: dict[str, str] = {}
    for each in container.get("env", ()):
        value = (
            each.get("value", "") if "valueFrom" not in each else (known or {}).get(each["name"], ANY_VALUE)
        )
        variables[each["name"]] = _REFERENCE.sub(lambda found: variables.get(found[1], found[0]), value)
    return variables


def check_variables(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every `$(NAME)` in a container is one of its variables, and each HILUM_* one that Hilum reads."""
    known = {f"HILUM_{name}".upper() for name in Settings.model_fields}
    for pod, container in _containers(objects):
        where = f"{pod.name}, container {container['name']}"
        words = [*command_line(container), *environment(container).values()]
        if not container.get("envFrom"):
            for name in {name for word in words for name in _REFERENCE.findall(word)}:
                yield f"{where} uses $({name}), which is no variable of it, or is set only later"
        for name in environment(container):
            if name.startswith("HILUM_") and name not in known:
                yield f"{where} sets {name}, which hilum/settings.py does not read"


def check_triton_flags(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every flag given to Triton is one that the real server knows."""
    for pod, container in _containers(objects):
        for words in programs(container):
            if PurePosixPath(words[0]).name != "tritonserver":
                continue
            for word in words[1:]:
                flag = word.partition("=")[0]
                if not flag.startswith("--"):
                    yield f"{pod.name}, container {container['name']}: Triton takes no argument {word!r}"
                elif flag not in triton_flags() and flag not in NEWER_FLAGS:
                    yield f"{pod.name}, container {container['name']}: Triton has no flag {flag}"


def check_service_links(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """No pod that may run `hilum` gets a variable for each Service: HILUM_MLFLOW_PORT would be `tcp://…`."""
    for pod in pods(objects):
        names = [each["name"] for container in pod.containers for each in container.get("env", ())]
        if pod.spec.get("enableServiceLinks", True) and any(name.startswith("HILUM_") for name in names):
            yield f"{pod.name} reads HILUM_* variables, and Kubernetes sets some: enableServiceLinks is on"


def check_hilum_commands(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every `hilum` command line is one that the command takes."""
    for pod, container in _containers(objects):
        for words in programs(container):
            if words[1:2] == ["-m"] and words[2].startswith("hilum.") and find_spec(words[2]) is None:
                yield f"{pod.name}, container {container['name']}: there is no module {words[2]}"
            arguments = _after(words, "hilum")
            if arguments is None:
                continue
            if wrong := refusal(cli, arguments):
                yield f"{pod.name}, container {container['name']}: hilum {shlex.join(arguments)}: {wrong}"


def check_mlflow_commands(objects: Sequence[Object], values: Values) -> Iterator[str]:
    """Every `mlflow` command line is one that MLflow takes."""
    for pod, container in _containers(objects):
        for words in programs(container):
            arguments = _after(words, "mlflow")
            if arguments is not None and (wrong := refusal(_mlflow(), arguments)):
                yield f"{pod.name}, container {container['name']}: mlflow {shlex.join(arguments)}: {wrong}"


def programs(container: Mapping[str, Any]) -> list[Words]:
    """Return the programs that a container starts, each as words; a shell's script counts as several."""
    found = _commands(command_line(container))
    for hook in container.get("lifecycle", {}).values():
        found += _commands(hook.get("exec", {}).get("command", []))
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        found += _commands(container.get(probe, {}).get("exec", {}).get("command", []))
    return found


def refusal(command: click.Command, arguments: Sequence[str]) -> str | None:
    """Return why click would refuse a command line, or None; paths need not be there."""
    context = click.Context(command, info_name=command.name, resilient_parsing=False)
    try:
        if isinstance(command, click.Group):
            _, rest, _ = command.make_parser(context).parse_args(list(arguments))
            if not rest:
                return "no subcommand is given" if not command.invoke_without_command else None
            sub = command.get_command(context, rest[0])
            if sub is None:
                return f"there is no subcommand {rest[0]!r}"
            return refusal(sub, rest[1:])
        options, rest, _ = command.make_parser(context).parse_args(list(arguments))
        for parameter in command.params:
            if isinstance(parameter.type, click.Path | click.File):
                if parameter.required and parameter.name not in options:
                    return f"{parameter.opts[0]} is missing"
                continue
            parameter.handle_parse_result(context, options, [])
        return f"unexpected arguments {rest}" if rest and not context.allow_extra_args else None
    except click.ClickException as error:
        return error.format_message()


@cache
def triton_flags() -> frozenset[str]:
    """Return the flags that the embedded server prints in its help."""
    installation = find_triton()
    result = subprocess.run(
        [installation.binary, "--help"],
        env={"LD_LIBRARY_PATH": str(installation.libraries)},
        capture_output=True,
        text=True,
        check=False,
    )
    return frozenset(re.findall(r"^\s+(--[a-z0-9-]+)", result.stdout + result.stderr, re.MULTILINE))


@cache
def _mlflow() -> click.Command:
    with warnings.catch_warnings():  # MLflow's own
        warnings.simplefilter("ignore")
        from mlflow.cli import cli as mlflow  # takes seconds

    return mlflow


def _containers(objects: Sequence[Object]) -> Iterator[tuple[Pod, Mapping[str, Any]]]:
    for pod in pods(objects):
        for container in pod.containers:
            yield pod, container


def _commands(words: Words) -> list[Words]:
    """Return a command line as programs: a shell's script is split where the shell would."""
    if not words:
        return []
    if PurePosixPath(words[0]).name not in ("sh", "bash"):
        return [words]
    flags = [place for place, word in enumerate(words) if re.fullmatch(r"-[a-z]*c", word)]
    if not flags:  # a script in a file
        return [words]
    script, arguments = words[flags[0] + 1], words[flags[0] + 3 :]  # the word between is the shell's own name
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars=";&|()\n")
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    split: list[Words] = [[]]
    for word in lexer:
        if set(word) <= set(";&|()\n"):
            split.append([])
        elif word == "$@":
            split[-1] += arguments
        else:
            split[-1].append(word)
    return [_without_shell_words(program) for program in split if _without_shell_words(program)]


def _without_shell_words(words: Words) -> Words:
    """Drop what stands before a program: `exec`, `if`, `until`, `!`, variables; and redirections."""
    while words and (words[0] in _SHELL_WORDS or re.match(r"[A-Za-z_][A-Za-z0-9_]*=", words[0])):
        words = words[1:]
    kept, places = [], iter(words)
    for word in places:
        if redirection := re.fullmatch(r"\d*[<>]+(&?.*)", word):
            if not redirection[1]:
                next(places)  # where to
        else:
            kept.append(word)
    return kept


_SHELL_WORDS = {"exec", "if", "then", "else", "do", "while", "until", "!", "time", "{"}


def _after(words: Words, program: str) -> Words | None:
    """Return a program's arguments, where a command starts it by name, or by Python or torchrun with `-m`."""
    name = PurePosixPath(words[0]).name
    if name == program:
        return words[1:]
    module = words.index("-m") + 1 if "-m" in words else 0
    if module and (name.startswith("python") or name == "torchrun") and words[module] == program:
        return words[module + 1 :]
    return None
