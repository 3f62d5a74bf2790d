"""Reads a model repository as Triton would and says what to mend, before a server does."""

from collections.abc import Iterator
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from hilum.contract import LABELS, PROBABILITIES
from training.errors import RepositoryError
from training.repository.accelerator import lint_accelerator
from training.repository.config_pbtxt import parse
from training.repository.defect import Defect
from training.repository.ensemble_graph import lint_ensemble
from training.repository.layout import CONFIG_FILE
from training.repository.onnx_graph import lint_network
from training.repository.passport_check import lint_passport

_REGENERATE = "Roll the release out again: `hilum rollout apply` writes the configurations."


def check_repository(folder: Path) -> None:
    """Raise where `lint_repository` finds anything.

    Raises:
        RepositoryError: naming every defect and its remedy.
    """
    defects = lint_repository(folder)
    if defects:
        listing = "\n".join(f"  {defect.file}: {defect.problem} {defect.remedy}" for defect in defects)
        raise RepositoryError(f"Triton would not serve this release as it should:\n{listing}")


def lint_repository(folder: Path) -> list[Defect]:
    """Return the defects of the model repository in `folder`, by file; none where a server can load it all.

    Raises:
        RepositoryError: `folder` is no folder, or holds no model.
    """
    if not folder.is_dir():
        raise RepositoryError(f"There is no folder {folder}. Give the model repository that Triton reads.")
    entries = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not entries:
        raise RepositoryError(f"{folder} holds no model: a model repository has one folder per model.")
    defects: list[Defect] = []
    configs: dict[str, ModelConfig] = {}
    for entry in entries:
        config = _read_config(entry)
        if isinstance(config, Defect):
            defects.append(config)
        else:
            configs[entry.name] = config
    for name, config in configs.items():
        defects += _lint_config(name, config)
        defects += lint_accelerator(config, f"{name}/{CONFIG_FILE}")
        defects += _lint_versions(folder / name, config)
        defects += _lint_labels(folder / name, config)
        if config.platform == "ensemble":
            defects += lint_ensemble(config, configs, f"{name}/{CONFIG_FILE}")
    return sorted(defects)


def _read_config(entry: Path) -> ModelConfig | Defect:
    """Return the configuration of a model folder, or what is wrong with it."""
    path = entry / CONFIG_FILE
    if not path.is_file():
        return Defect(
            entry.name,
            f"This folder has no {CONFIG_FILE}, and Triton takes every folder for a model.",
            "Move it out of the model repository, or add its configuration.",
        )
    try:
        return parse(path.read_text())
    except (RepositoryError, UnicodeDecodeError) as error:
        return Defect(f"{entry.name}/{CONFIG_FILE}", str(error), _REGENERATE)


def _lint_config(name: str, config: ModelConfig) -> Iterator[Defect]:
    """Yield what the configuration leaves to Triton's auto-completion, which servers here switch off."""
    file = f"{name}/{CONFIG_FILE}"
    if config.name != name:
        yield Defect(
            file, f"It names the model {config.name!r}; the folder is {name!r}.", "Make the two names equal."
        )
    ensemble = config.platform == "ensemble"
    missing = {
        "backend": not (config.backend or ensemble),
        "max_batch_size": config.max_batch_size < 1,
        "input": not config.input,
        "output": not config.output,
        "instance_group": not (config.instance_group or ensemble),
        "default_model_filename": not (config.default_model_filename or ensemble),
        "version_policy { specific }": not config.version_policy.specific.versions,
    }
    for field in (field for field, is_missing in missing.items() if is_missing):
        yield Defect(
            file,
            f"It does not set {field}: what is served would depend on the server's guess.",
            _REGENERATE,
        )
    for tensor in (*config.input, *config.output):
        if not tensor.dims or not tensor.data_type:
            yield Defect(file, f"The tensor {tensor.name!r} has no dims or no data_type.", _REGENERATE)


def _lint_versions(entry: Path, config: ModelConfig) -> Iterator[Defect]:
    """Yield listed versions that are missing or wrong, and folders that nothing lists."""
    listed = {str(version) for version in config.version_policy.specific.versions}
    for version in sorted(listed, key=int):
        file = f"{entry.name}/{version}"
        if not (entry / version).is_dir():
            yield Defect(
                file, f"{CONFIG_FILE} lists version {version}; there is no such folder.", _REGENERATE
            )
            continue
        if config.platform == "ensemble":
            continue
        model = entry / version / config.default_model_filename
        if not model.is_file():
            yield Defect(file, f"The folder holds no {config.default_model_filename}.", _REGENERATE)
        elif config.backend == "onnxruntime":
            yield from lint_network(model, config, f"{file}/{model.name}")
        if model.is_file():
            yield from lint_passport(model, config, f"{file}/{model.name}")
    for path in sorted(entry.iterdir()):
        if path.is_dir() and path.name not in listed and not path.name.startswith("."):
            what = f"{CONFIG_FILE} does not list it" if path.name.isdigit() else "its name is no version"
            yield Defect(
                f"{entry.name}/{path.name}", f"Nothing serves this folder: {what}.", "List it or remove it."
            )


def _lint_labels(entry: Path, config: ModelConfig) -> Iterator[Defect]:
    """Yield labels files that are missing or in another order than the contract's."""
    for output in config.output:
        if not output.label_filename:
            continue
        path, file = entry / output.label_filename, f"{entry.name}/{output.label_filename}"
        if not path.is_file():
            yield Defect(file, f"{CONFIG_FILE} names this labels file; it is missing.", _REGENERATE)
            continue
        labels = path.read_text().splitlines()
        if output.name == PROBABILITIES.name and labels != list(LABELS):
            yield Defect(
                file,
                f"Its labels are {labels}; the classifier's are {list(LABELS)}, in this order.",
                _REGENERATE,
            )
