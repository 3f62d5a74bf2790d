"""What serves now, by the server's word and by the disk's, and how that differs from what is to serve."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hilum.contract import CHALLENGER_SCREENING, MONITOR, SCREENING
from hilum.files import sha256_file
from hilum.reference import REFERENCE_FILE
from training.errors import IntegrityError, RepositoryError
from training.export.passport import read_passport
from training.promote.triton_control import TritonControl
from training.promote.wanted import Wanted
from training.repository.config_pbtxt import is_within, parse
from training.repository.front_door import read_served_release
from training.repository.layout import (
    CONFIG_FILE,
    FRONT_DOORS,
    MODEL_FILES,
    packaged_model,
    render_configs,
    versions_of,
)
from training.repository.served_release import Lineup, ServedRelease


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing on the disk or in the server that is not as it is to be."""

    where: Literal["disk", "server", "mirror"]
    """What disagrees with the registry."""
    model: str
    """The served model that it concerns; empty where it is none in particular."""
    sentence: str
    """What was expected and what was found."""


def find_serving(folder: Path, triton: TritonControl | None) -> Lineup | None:
    """Return the releases that answer: the server's word first, the disk's where no server has one."""
    loaded = triton.loaded_versions() if triton else {}
    doors: dict[str, ServedRelease] = {}
    for door in FRONT_DOORS:
        if triton and door in loaded:
            doors[door] = read_served_release(triton.config(door))
        elif release := read_disk(folder, door):
            doors[door] = release
    if SCREENING not in doors:
        return None  # no server could load it: there is nothing to keep
    return Lineup(champion=doors[SCREENING], challenger=doors.get(CHALLENGER_SCREENING))


def read_disk(folder: Path, door: str) -> ServedRelease | None:
    """Return the release that a front door on the disk serves; None where no server could load it."""
    with suppress(FileNotFoundError, RepositoryError, UnicodeDecodeError):
        return read_served_release(parse((folder / door / CONFIG_FILE).read_text()))
    return None


def find_differences(
    folder: Path, triton: TritonControl | None, wanted: Wanted, *, instances: int
) -> list[Difference]:
    """Return what a rollout would have to change, on the disk first.

    Args:
        folder: the live model repository.
        triton: the server; None where none runs.
        wanted: what is to serve.
        instances: copies of each network that run side by side.
    """
    configs = render_configs(wanted.lineup, instances=instances)
    found = [*_config_differences(folder, configs), *_file_differences(folder, wanted)]
    return [*found, *_server_differences(triton, configs)] if triton else found


def _config_differences(folder: Path, configs: dict[str, bytes]) -> Iterator[Difference]:
    for model in MODEL_FILES:
        path = folder / model / CONFIG_FILE
        if model in configs and (not path.is_file() or path.read_bytes() != configs[model]):
            what = "is another than the registry's releases need" if path.is_file() else "is missing"
            yield Difference(where="disk", model=model, sentence=f"{model}/{CONFIG_FILE} {what}.")
        elif model not in configs and (folder / model).exists():
            sentence = f"{model} is in the repository, and no release has that role."
            yield Difference(where="disk", model=model, sentence=sentence)


def _file_differences(folder: Path, wanted: Wanted) -> Iterator[Difference]:
    """Yield version folders that are missing, damaged or left over."""
    versions = versions_of(wanted.lineup)
    for model, version in versions:
        name = f"{model}/{version}/{MODEL_FILES[model]}"
        path = folder / name
        if not path.is_file():
            yield Difference(where="disk", model=model, sentence=f"{name} is missing.")
            continue
        if model in FRONT_DOORS:
            continue
        found = sha256_file(path)
        expected = wanted.networks.get((model, version)) or sha256_file(packaged_model(model))
        if found != expected:
            sentence = f"{name} is damaged or another: its SHA-256 is {found[:12]}…, not {expected[:12]}…."
            yield Difference(where="disk", model=model, sentence=sentence)
        elif (model, version) in wanted.networks and (problem := _passport_problem(path, expected)):
            yield Difference(where="disk", model=model, sentence=f"The passport of {name} {problem}")
        elif model == MONITOR and not _has_reference(path.parent, wanted.references.get(version)):
            sentence = f"{model}/{version}/{REFERENCE_FILE} is missing, or not what the release pins."
            yield Difference(where="disk", model=model, sentence=sentence)
    for model in wanted_models(wanted):
        for path in sorted((folder / model).glob("*")):
            if path.name.startswith(".") or (
                path.is_dir() and path.name.isdigit() and (model, int(path.name)) not in versions
            ):
                sentence = f"{model}/{path.name} is left over: nothing serves it."
                yield Difference(where="disk", model=model, sentence=sentence)


def _passport_problem(path: Path, sha256: str) -> str | None:
    """Return what is wrong with the passport beside a network, if one lies there."""
    try:
        passport = read_passport(path)
    except IntegrityError:
        return "cannot be read."
    if passport is not None and passport.sha256 != sha256:
        return "is another file's."
    return None


def _has_reference(version_folder: Path, expected: bytes | None) -> bool:
    """Whether the monitor of a release has the release's reference sample, if there is one."""
    path = version_folder / REFERENCE_FILE
    return expected is None or (path.is_file() and path.read_bytes() == expected)


def _server_differences(triton: TritonControl, configs: dict[str, bytes]) -> Iterator[Difference]:
    loaded = triton.loaded_versions()
    for model in MODEL_FILES:
        config = parse(configs[model].decode()) if model in configs else None
        expected = set(config.version_policy.specific.versions) if config else set()
        found = loaded.get(model, set())
        if found != expected:
            sentence = f"Triton has {model} {_listing(found)} loaded, not {_listing(expected)}."
            yield Difference(where="server", model=model, sentence=sentence)
        elif config and not all(is_within(config, triton.config(model, version)) for version in found):
            sentence = f"Triton runs {model} under another configuration than the registry's releases need."
            yield Difference(where="server", model=model, sentence=sentence)


def wanted_models(wanted: Wanted) -> list[str]:
    """Return the models that a lineup needs, in the order of the ensemble's steps."""
    return list(dict.fromkeys(model for model, _ in versions_of(wanted.lineup)))


def _listing(versions: set[int]) -> str:
    return ", ".join(map(str, sorted(versions))) or "in no version"
