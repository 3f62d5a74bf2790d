"""Puts files into a model repository, in an order that never shows Triton half a model.

Whatever is new is built beside the repository, on the same disk, and renamed in; a configuration is
replaced by one rename, after everything that it names is there. So a server that starts at any
moment, also after a crash in the middle, finds a repository it can load.
"""

import py_compile
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from types import MappingProxyType
from uuid import uuid4

import hilum
from hilum.contract import CHALLENGER_SCREENING, CLASSIFIER, DECODE, FILTER, LABELS, MONITOR, SCREENING
from hilum.files import fsync_folder, sha256_file, write_atomic
from hilum.operating_point import OperatingPoint
from hilum.reference import REFERENCE_FILE
from hilum.settings import Accelerator, settings
from training.errors import RepositoryError
from training.export.passport import passport_path
from training.repository.base_config import LABELLED, LABELS_FILE
from training.repository.config_pbtxt import build_configs, parse, render
from training.repository.served_release import Lineup, ServedRelease

CONFIG_FILE = "config.pbtxt"

MODEL_FILES = {
    DECODE: "model.py",
    FILTER: "model.onnx",
    CLASSIFIER: "model.onnx",
    MONITOR: "model.py",
    SCREENING: ".gitkeep",  # an ensemble's version folder is empty; git keeps no empty folder
    CHALLENGER_SCREENING: ".gitkeep",
}
"""The one file in each version folder, by model, in the order of the ensemble's steps."""

FRONT_DOORS = (SCREENING, CHALLENGER_SCREENING)
"""The ensembles; the second is there only while a challenger is loaded."""

STEP_MODELS = tuple(model for model in MODEL_FILES if model not in FRONT_DOORS)
"""The models that the ensembles join, in the order of the steps."""

PACKAGED = Path(hilum.__file__).resolve().parent.parent / "model_repository"
"""The repository that ships with Hilum: its Python models, and the configurations of `FIRST_RELEASE`."""

FIRST_RELEASE = ServedRelease(
    number=1,
    digest="0" * 64,
    filter_version=1,
    classifier_version=1,
    operating_point=OperatingPoint({"lung_opacity": 0.5, "covid19": 0.5}),
    map_size=(14, 14),
    embedding_size=1024,
)
"""What the committed configurations describe: a first release with the sizes of ICA-PUC's networks."""


def write_repository(
    folder: Path,
    release: ServedRelease,
    *,
    filter_onnx: Path,
    classifier_onnx: Path,
    instances: int = 2,
) -> None:
    """Write a new model repository that serves one release on the CPU: `folder` appears at once and whole.

    Raises:
        RepositoryError: the folder is there and not empty, or a Python model does not ship with this
            installation.
        OSError: a file cannot be read or written; nothing is left.
    """
    networks = {
        (FILTER, release.filter_version): filter_onnx,
        (CLASSIFIER, release.classifier_version): classifier_onnx,
    }
    lineup = Lineup(champion=release)
    write_lineup(folder, lineup, networks=networks, instances=instances, accelerator="cpu")


def write_lineup(
    folder: Path,
    lineup: Lineup,
    *,
    networks: Mapping[tuple[str, int], Path],
    references: Mapping[int, bytes] = MappingProxyType({}),
    instances: int = 2,
    accelerator: Accelerator | None = None,
) -> None:
    """Write a new model repository that serves a lineup; errors as for `write_repository`.

    Args:
        folder: appears at once and whole.
        lineup: what it serves.
        networks: the ONNX file of each network, by model and version.
        references: the content of `reference.json`, by release; one that is left out has none.
        instances: copies of each network that run side by side.
        accelerator: what they run on; None for what this installation's Triton is set to.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RepositoryError(
            f"{folder} is not empty. `hilum rollout apply` replaces what a repository serves."
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        draft = Path(temporary) / folder.name
        for model, version in versions_of(lineup):
            content = b""
            if MODEL_FILES[model].endswith(".onnx"):
                content = networks[model, version].read_bytes()
                _copy_passport(networks[model, version], draft / model / str(version) / MODEL_FILES[model])
            elif MODEL_FILES[model].endswith(".py"):
                content = packaged_model(model).read_bytes()
            path = draft / model / str(version) / MODEL_FILES[model]
            write_atomic(path, content)
            if model == MONITOR and version in references:
                write_atomic(path.with_name(REFERENCE_FILE), references[version])
            if path.suffix == ".py":
                _compile(path)
        configs = render_configs(lineup, instances=instances, accelerator=accelerator)
        for model, config in configs.items():
            write_atomic(draft / model / CONFIG_FILE, config)
            if model in LABELLED:
                write_atomic(draft / model / LABELS_FILE, labels_text())
        draft.replace(folder)
    fsync_folder(folder.parent)


def _copy_passport(source: Path, target: Path) -> None:
    """Put the passport that lies beside a network, if one does, beside the file that it becomes."""
    passport = passport_path(source)
    if passport.is_file():
        write_atomic(passport_path(target), passport.read_bytes())


def render_configs(
    lineup: Lineup,
    *,
    beside: Sequence[ServedRelease] = (),
    instances: int = 2,
    accelerator: Accelerator | None = None,
) -> dict[str, bytes]:
    """Return the content of each model's `config.pbtxt`; arguments as for `build_configs`.

    Without an accelerator it is the one that this installation's Triton is set to (HILUM_ACCELERATOR).
    """
    chosen = accelerator or settings().accelerator
    configs = build_configs(lineup, beside=beside, instances=instances, accelerator=chosen)
    return {model: render(config) for model, config in configs.items()}


def versions_of(lineup: Lineup) -> list[tuple[str, int]]:
    """Return each model and version that a lineup needs, in the order of the ensemble's steps."""
    needed = [(model, release.version_of(model)) for model in STEP_MODELS for release in lineup.releases]
    return [*dict.fromkeys(needed), *((door, release.number) for door, release in lineup.doors.items())]


def move_versions(source: Path, folder: Path, lineup: Lineup, *, may_repair: bool) -> set[str]:
    """Move the version folders of `lineup` from one repository into another on the same disk.

    No configuration lists them yet. A network that is already there under its version number stays; a
    Python model of another Hilum is replaced.

    Args:
        source: the repository to move from.
        folder: the repository to move into.
        lineup: what the source serves.
        may_repair: the folder was written from the same registry, so that a network that differs
            from the registry's is damaged, and is replaced.

    Returns:
        The models of which a file that was already there changed: a server has to load them again.

    Raises:
        RepositoryError: the folder holds another registry's network under one of the version numbers.
    """
    changed = set()
    for model, number in versions_of(lineup):
        if model in FRONT_DOORS and not (folder / model / CONFIG_FILE).exists():
            continue  # it comes whole, once its steps are loaded: `add_front_door`
        version = Path(model) / str(number)
        new, existing = source / version / MODEL_FILES[model], folder / version / MODEL_FILES[model]
        if not existing.exists():
            if existing.parent.exists():  # somebody emptied it
                _delete(existing.parent)
            (source / version).replace(folder / version)
            fsync_folder(folder / model)
        elif sha256_file(new) != sha256_file(existing):
            if existing.suffix == ".onnx" and not may_repair:
                raise _other_network(existing, new)
            new.replace(existing)
            fsync_folder(existing.parent)
            changed.add(model)
        if existing.suffix == ".onnx" and new.parent.exists():  # no server reads a passport
            if passport_path(new).exists():
                _renew(passport_path(new), passport_path(existing))
            else:
                passport_path(existing).unlink(missing_ok=True)  # none was registered
        if model == MONITOR and _renew(new.with_name(REFERENCE_FILE), existing.with_name(REFERENCE_FILE)):
            changed.add(model)
    return changed


def _renew(wanted: Path, found: Path) -> bool:
    """Let a file that lies beside a model be the one beside its new copy; return whether it was another."""
    if not wanted.is_file() or (found.is_file() and found.read_bytes() == wanted.read_bytes()):
        return False
    wanted.replace(found)
    fsync_folder(found.parent)
    return True


def move_models(source: Path, folder: Path) -> None:
    """Move whole models from one repository into another on the same disk, in place of what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_models(folder, source.with_name(f"{source.name}.replaced"), MODEL_FILES)
    for model in MODEL_FILES:
        if (source / model).exists():
            (source / model).replace(folder / model)
    fsync_folder(folder)


def remove_models(folder: Path, bin_folder: Path, models: Iterable[str]) -> None:
    """Move models out of a repository into a folder on the same disk, the last one first."""
    bin_folder.mkdir(exist_ok=True)
    for model in reversed(list(models)):
        if (folder / model).exists():
            (folder / model).replace(bin_folder / f"{model}-{uuid4().hex}")
    fsync_folder(folder)


def write_config(folder: Path, model: str, content: bytes) -> bool:
    """Replace a model's configuration at once; return whether it was another."""
    path = folder / model / CONFIG_FILE
    if path.exists() and path.read_bytes() == content:
        return False
    write_atomic(path, content)
    return True


def drop_unlisted_versions(folder: Path, *, keep: Iterable[Lineup] = ()) -> None:
    """Delete version folders that no configuration lists, and what a killed writer left.

    Args:
        folder: the model repository.
        keep: lineups whose versions stay although they are not listed, or not yet.
    """
    kept = {pair for lineup in keep for pair in versions_of(lineup)}
    for model in MODEL_FILES:
        listed = set(listed_versions(folder, model))
        for path in sorted((folder / model).glob("*")):
            leftover = path.name.startswith(".")
            unlisted = path.is_dir() and path.name.isdigit() and int(path.name) not in listed
            if leftover or (unlisted and (model, int(path.name)) not in kept):
                _delete(path)


def has_versions(folder: Path, release: ServedRelease) -> bool:
    """Whether every network and Python model of `release` is in the repository."""
    return all((folder / model / str(release.version_of(model))).is_dir() for model in STEP_MODELS)


def listed_versions(folder: Path, model: str) -> list[int]:
    """Return the versions that a model's configuration on disk lists; none where it has no configuration."""
    path = folder / model / CONFIG_FILE
    return list(parse(path.read_text()).version_policy.specific.versions) if path.exists() else []


def add_front_door(folder: Path, door: str, number: int, config: bytes, scratch: Path) -> None:
    """Put the folder of an ensemble into a repository at once: a folder without configuration stops a server.

    Args:
        folder: the model repository.
        door: name of the ensemble; a folder of that name without configuration is replaced.
        number: the release that it serves.
        config: its `config.pbtxt`.
        scratch: a folder on the same disk.
    """
    draft = scratch / f"{door}-{uuid4().hex}"
    write_atomic(draft / str(number) / MODEL_FILES[door], b"")
    write_atomic(draft / LABELS_FILE, labels_text())
    write_atomic(draft / CONFIG_FILE, config)
    remove_models(folder, scratch, [door])
    draft.replace(folder / door)
    fsync_folder(folder)


def _compile(path: Path) -> None:
    """Compile a Python model where it lies, as the server's Python would when it loads it.

    Triton loads every version again of which a file is newer than when it was loaded: the cache that its
    own Python writes would let the next load of anything start all Python models anew.
    """
    name = "/".join(path.parts[-3:])
    py_compile.compile(
        str(path), dfile=name, doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
    )


def labels_text() -> bytes:
    """Return the content of a labels file."""
    return "".join(f"{label}\n" for label in LABELS).encode()


def committed_files() -> dict[str, bytes]:
    """Return the files of the packaged repository that are generated, by path below it."""
    configs = render_configs(Lineup(champion=FIRST_RELEASE), accelerator="cpu")
    files = {f"{model}/{CONFIG_FILE}": content for model, content in configs.items()}
    files |= {f"{model}/{LABELS_FILE}": labels_text() for model in LABELLED if model in configs}
    return files | {f"{SCREENING}/{FIRST_RELEASE.number}/{MODEL_FILES[SCREENING]}": b""}


def packaged_model(model: str) -> Path:
    """Return the Python model that ships with Hilum."""
    path = PACKAGED / model / "1" / MODEL_FILES[model]
    if not path.is_file():
        raise RepositoryError(
            f"The Python model of {model} does not ship with this installation: there is no {path}. "
            "Install Hilum from its wheel or its source folder again."
        )
    return path


def _other_network(existing: Path, new: Path) -> RepositoryError:
    """Return the error for a version number that is taken by another network."""
    version = existing.parent
    return RepositoryError(
        f"{existing} holds another network (SHA-256 {sha256_file(existing)[:12]}…) than the registry's "
        f"version {version.name} of {version.parent.name} ({sha256_file(new)[:12]}…): this model repository "
        f"was written from another registry. Stop Triton, move the folder {version.parent.parent} away, "
        "and roll out again."
    )


def _delete(path: Path) -> None:
    """Delete a file or folder; a folder under a hidden name first, so that none is ever seen half."""
    if path.is_dir():
        hidden = path.with_name(f".{path.name}.dropped")
        path.replace(hidden)
        rmtree(hidden)
    else:
        path.unlink()


if __name__ == "__main__":  # python -m training.repository.layout model_repository
    for name, content in committed_files().items():
        write_atomic(Path(sys.argv[1]) / name, content)
