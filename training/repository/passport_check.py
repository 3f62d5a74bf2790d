"""Compares a network's file with the passport beside it, before a server loads the file.

An ONNX network without a passport passes: the release pins its digest, and everything else is in the file. A
TensorRT plan without one is refused: nothing else says where it loads, and what it was proven to answer.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from tritonclient.grpc.model_config_pb2 import ModelConfig

from training.errors import IntegrityError
from training.export.passport import Passport, read_passport
from training.export.precision import computes_in, count_layers, opset_of
from training.repository.accelerator import precision_mode
from training.repository.defect import Defect

_MEND = "Roll the release out again: `hilum rollout apply` puts file and passport side by side."

_REBUILD = "Build it again, then run `hilum export passport`."


def lint_passport(path: Path, config: ModelConfig, file: str) -> Iterator[Defect]:
    """Yield where the file at `path`, served under `config`, is not what its passport says.

    `file` names it in a defect.
    """
    try:
        passport = read_passport(path)
        if passport is None:
            if config.backend == "tensorrt":
                yield Defect(file, "This TensorRT plan has no passport: nobody has judged it.", _REBUILD)
            return
        passport.check_file(path)
    except IntegrityError as error:
        yield Defect(file, str(error), _MEND)
        return
    kind = "tensorrt" if config.backend == "tensorrt" else "onnx"
    found: Mapping[str, object] = {"model": config.name, "kind": kind}
    if kind == "onnx":
        found = {**found, **_facts_of(path)}
    yield from _differences(passport, found, file)
    mode = precision_mode(config)
    if mode not in (None, passport.precision):
        yield Defect(
            file,
            f"Its answers were proven in {passport.precision}; TensorRT would compute it in {mode}.",
            f"Set HILUM_ACCELERATOR to tensorrt_{passport.precision}, or release a variant in {mode}.",
        )
    if passport.engine is not None:
        yield from _lint_engine(passport, config, path.name, file)


def _facts_of(path: Path) -> Mapping[str, object]:
    """Return what the graph itself says; nothing where it cannot be read, which another check reports."""
    try:
        network = onnx.load(path, load_external_data=False)
    except DecodeError:
        return {}
    return {
        "opset": opset_of(network),
        "ir_version": network.ir_version,
        "layers": count_layers(network),
    }


def _differences(passport: Passport, found: Mapping[str, object], file: str) -> Iterator[Defect]:
    for field, value in found.items():
        claimed = getattr(passport, field)
        if claimed != value:
            yield Defect(
                file, f"Its passport says {field} {claimed!r}; the file's is {value!r}.", "Export it again."
            )
    if passport.precision != "fp32" and not computes_in(passport.layers, passport.precision):
        yield Defect(
            file,
            f"Its passport says {passport.precision}, but too few of its layers compute in it.",
            "Export it again.",
        )


def _lint_engine(passport: Passport, config: ModelConfig, name: str, file: str) -> Iterator[Defect]:
    """Yield where an engine would be loaded on another GPU, or get larger batches, than it was built for."""
    engine = passport.engine
    assert engine is not None
    if config.cc_model_filenames.get(engine.compute_capability) != name:
        yield Defect(
            file,
            f"It was built for compute capability {engine.compute_capability}; the configuration's "
            "cc_model_filenames does not name it for that one, so it could be loaded on another GPU.",
            f'Add cc_model_filenames {{ key: "{engine.compute_capability}" value: "{name}" }}.',
        )
    if config.max_batch_size > engine.max_batch:
        yield Defect(
            file,
            f"It takes batches up to {engine.max_batch}; the configuration allows {config.max_batch_size}.",
            _REBUILD,
        )
