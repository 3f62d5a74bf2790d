"""Puts files into a model repository, in an order that never shows Triton half a model.

Whatever is new is built beside the repository, on the same disk, and renamed in; a configuration is
replaced by one rename, after everything that it names is there. So a server that starts at any
moment, also after a crash in the middle, finds a repository it can load.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

import hilum
from hilum.contract import CLASSIFIER, DECODE, FILTER, LABELS, MONITOR, SCREENING
from hilum.files import fsync_folder, sha256_file, write_atomic
from hilum.operating_point import OperatingPoint
from training.errors import RepositoryError
from training.repository.config_pbtxt import (
    LABELLED,
    LABELS_FILE,
    ServedRelease,
    build_configs,
    parse,
    render,
)

CONFIG_FILE = "config.pbtxt"

MODEL_FILES = {
    DECODE: "model.py",
    FILTER: "model.onnx",
    CLASSIFIER: "model.onnx",
    MONITOR: "model.py",
    SCREENING: ".gitkeep",  # an ensemble's version folder is empty; git keeps no empty folder
}
"""The one file in each version folder, by model, in the order of the ensemble's steps."""

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
    """Write a new model repository that serves `release`: `folder` appears at once and whole.

    Raises:
        RepositoryError: the folder is there and not empty, or a Python model does not ship with this
            installation.
        OSError: a file cannot be read or written; nothing is left.
    """
    if folder.exists() and any(folder.iterdir()):
        raise RepositoryError(f"{folder} is not empty. `hilum rollout` replaces what a repository serves.")
    sources: dict[str, Path | None] = {
        DECODE: _packaged_model(DECODE),
        FILTER: filter_onnx,
        CLASSIFIER: classifier_onnx,
        MONITOR: _packaged_model(MONITOR),
        SCREENING: None,
    }
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}.") as temporary:
        draft = Path(temporary) / folder.name
        for model, content in render_configs(release, instances=instances).items():
            source, version = sources[model], draft / model / str(release.version_of(model))
            write_atomic(version / MODEL_FILES[model], source.read_bytes() if source else b"")
            write_atomic(draft / model / CONFIG_FILE, content)
        for model in LABELLED:
            write_atomic(draft / model / LABELS_FILE, labels_text())
        draft.replace(folder)
    fsync_folder(folder.parent)


def render_configs(
    release: ServedRelease, *, beside: ServedRelease | None = None, instances: int = 2
) -> dict[str, bytes]:
    """Return the content of each model's `config.pbtxt`; arguments as for `build_configs`."""
    configs = build_configs(release, beside=beside, instances=instances)
    return {model: render(config) for model, config in configs.items()}


def move_versions(source: Path, folder: Path, release: ServedRelease) -> set[str]:
    """Move the version folders of `release` from one repository into another on the same disk.

    No configuration lists them yet. A network that is already there under its version number stays; a
    Python model of another Hilum is replaced.

    Returns:
        The models of which a file that was already there changed: a server has to load them again.

    Raises:
        RepositoryError: the folder holds another network under one of the release's version numbers.
    """
    changed = set()
    for model, name in MODEL_FILES.items():
        version = Path(model) / str(release.version_of(model))
        new, existing = source / version / name, folder / version / name
        if not existing.exists():
            if existing.parent.exists():  # somebody emptied it
                _delete(existing.parent)
            (source / version).replace(folder / version)
            fsync_folder(folder / model)
        elif sha256_file(new) != sha256_file(existing):
            if existing.suffix == ".onnx":
                raise _other_network(existing, new)
            new.replace(existing)
            fsync_folder(existing.parent)
            changed.add(model)
    return changed


def move_models(source: Path, folder: Path) -> None:
    """Move whole models from one repository into another on the same disk, in place of what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_models(folder, source.with_name(f"{source.name}.replaced"))
    for model in MODEL_FILES:
        (source / model).replace(folder / model)
    fsync_folder(folder)


def remove_models(folder: Path, bin_folder: Path) -> None:
    """Move all models out of a repository into a new folder on the same disk, the ensemble first."""
    bin_folder.mkdir()
    for model in reversed(MODEL_FILES):
        if (folder / model).exists():
            (folder / model).replace(bin_folder / model)
    fsync_folder(folder)


def write_config(folder: Path, model: str, content: bytes) -> bool:
    """Replace a model's configuration at once; return whether it was another."""
    path = folder / model / CONFIG_FILE
    if path.exists() and path.read_bytes() == content:
        return False
    write_atomic(path, content)
    return True


def drop_unlisted_versions(folder: Path, *, keep: Iterable[ServedRelease] = ()) -> None:
    """Delete version folders that no configuration lists, and what a killed writer left.

    Args:
        folder: the model repository.
        keep: releases whose versions stay although they are not listed, or not yet.
    """
    keep = list(keep)
    for model in MODEL_FILES:
        kept = {*listed_versions(folder, model), *(release.version_of(model) for release in keep)}
        for path in sorted((folder / model).glob("*")):
            leftover = path.name.startswith(".")
            unlisted = path.is_dir() and path.name.isdigit() and int(path.name) not in kept
            if leftover or unlisted:
                _delete(path)


def has_versions(folder: Path, release: ServedRelease) -> bool:
    """Whether every version folder of `release` is in the repository."""
    return all((folder / model / str(release.version_of(model))).is_dir() for model in MODEL_FILES)


def listed_versions(folder: Path, model: str) -> list[int]:
    """Return the versions that a model's configuration on disk lists; none where it has no configuration."""
    path = folder / model / CONFIG_FILE
    return list(parse(path.read_text()).version_policy.specific.versions) if path.exists() else []


def labels_text() -> bytes:
    """Return the content of a labels file."""
    return "".join(f"{label}\n" for label in LABELS).encode()


def committed_files() -> dict[str, bytes]:
    """Return the files of the packaged repository that are generated, by path below it."""
    files = {f"{model}/{CONFIG_FILE}": content for model, content in render_configs(FIRST_RELEASE).items()}
    files |= {f"{model}/{LABELS_FILE}": labels_text() for model in LABELLED}
    return files | {f"{SCREENING}/{FIRST_RELEASE.number}/{MODEL_FILES[SCREENING]}": b""}


def _packaged_model(model: str) -> Path:
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
