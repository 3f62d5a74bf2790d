"""Judges what `build.sh` left: the engine gets a passport only if layers, answers and decisions hold."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np

from hilum.contract import MODELS
from hilum.errors import HilumError, UsageError
from hilum.files import sha256_file
from training.errors import IntegrityError, ParityError
from training.export.passport import Engine, Passport, write_passport
from training.export.precision import computes_in
from training.export.tensorrt.layers import read_layers
from training.export.tensorrt.plan import (
    CASES_FOLDER,
    ENGINE_FILE,
    FACTS_FILE,
    LAYERS_FILE,
    ONNX_FILE,
    OUTPUTS_FILE,
    TIMING_CACHE,
    BuildFacts,
    BuildPlan,
    read_facts,
    read_plan,
)
from training.export.tensorrt.prepare import ACCEPTED_KEY, DIGESTS_KEY, EXPECTED_FILE
from training.export.tensorrt.script import SCRIPT_FILE, TRTEXEC
from training.export.variant.agreement import (
    Outputs,
    check_blank_rows,
    check_policy,
    compare_decisions,
    compare_values,
)
from training.export.variant.policy import POLICIES


def has_tensorrt() -> bool:
    """Whether this machine can build: `trtexec` is here."""
    return shutil.which("trtexec") is not None or Path(TRTEXEC).is_file()


def run_build(folder: Path) -> None:
    """Run `build.sh` on this machine.

    Raises:
        HilumError: it ended with an error, which it has printed.
    """
    status = subprocess.run(["bash", SCRIPT_FILE], cwd=folder, check=False).returncode
    if status:
        raise HilumError(
            f"{folder / SCRIPT_FILE} ended with status {status}: see above, and {folder / 'build.log'}."
        )


def check_engine(folder: Path) -> Passport:
    """Judge the engine in a build's folder; write its passport beside it and return it.

    Raises:
        UsageError: the folder holds no plan, or the build has not been run.
        IntegrityError: the engine was built from another graph, TensorRT or GPU than planned, or a file is
            damaged.
        ParityError: its layers are not of the precision asked, or it answers or decides otherwise.
    """
    plan = read_plan(folder)
    for name in (ENGINE_FILE, FACTS_FILE, LAYERS_FILE):
        if not (folder / name).is_file() or not (folder / name).stat().st_size:
            raise UsageError(
                f"{folder} holds no {name}: run {SCRIPT_FILE} in {plan.image} first, to its end."
            )
    facts = read_facts(folder)
    _check_origin(plan, facts, folder)
    layers = read_layers(folder)
    if not computes_in(layers, plan.precision):
        found = ", ".join(f"{count} {name}" for name, count in layers.items()) or "none with weights"
        raise ParityError(
            f"Too few layers of {folder / ENGINE_FILE} compute in {plan.precision}, which was asked: the "
            f"inspector lists {found}. The engine gets no passport."
        )
    passport = Passport(
        model=plan.model,
        kind="tensorrt",
        sha256=sha256_file(folder / ENGINE_FILE),
        precision=plan.precision,
        layers=layers,
        opset=plan.opset,
        ir_version=plan.ir_version,
        onnxruntime="",
        proven_with=f"TensorRT {facts.tensorrt} on {facts.device}",
        variant_of=plan.version,
        reference_sha256=plan.reference_sha256,
        engine=Engine(
            tensorrt=facts.tensorrt,
            compute_capability=facts.compute_capability,
            device=facts.device,
            image=plan.image,
            max_batch=plan.profile.max,
            timing_cache_sha256=_digest(folder / TIMING_CACHE),
            source_sha256=plan.onnx_sha256,
        ),
    )
    passport = passport.model_copy(update=_compare(plan, folder))
    write_passport(folder / ENGINE_FILE, passport)
    return passport


def read_outputs(path: Path, model: str) -> Outputs:
    """Return the outputs that `trtexec` exported, by name; it writes NaN as `nan`, which is no JSON.

    Raises:
        UsageError: the file is missing or is no such export.
    """
    if not path.is_file():
        raise UsageError(
            f"There is no {path}: the engine was not asked this batch. Run {SCRIPT_FILE} to its end."
        )
    text = re.sub(r"(?<![\w\"])-?nan\b", "NaN", path.read_text(), flags=re.I)
    try:
        tensors = {tensor["name"]: tensor for tensor in json.loads(text)}
        return {
            output.name: np.array(tensors[output.name]["values"])
            .reshape([int(size) for size in tensors[output.name]["dimensions"].split("x")])
            .astype(np.bool_ if output.dtype == "BOOL" else np.float32)
            for output in MODELS[model].outputs
        }
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} is no export of trtexec's outputs: {error!r}.") from error


def _compare(plan: BuildPlan, folder: Path) -> dict[str, Any]:
    """Return both parities of the engine, once they keep to the policy."""
    with np.load(folder / CASES_FOLDER / EXPECTED_FILE) as stored:
        expected = {name: stored[name] for name in stored.files}
    accepted, digests = expected.pop(ACCEPTED_KEY), expected.pop(DIGESTS_KEY)
    batches = sorted(
        (folder / CASES_FOLDER).glob(f"*/{OUTPUTS_FILE}"), key=lambda path: int(path.parent.name)
    )
    asked = len([path for path in (folder / CASES_FOLDER).iterdir() if path.is_dir()])
    if len(batches) != asked:
        raise UsageError(
            f"The engine was asked {len(batches)} of {asked} batches. Run {SCRIPT_FILE} to its end."
        )
    parts = [read_outputs(path, plan.model) for path in batches]
    found = {name: np.concatenate([part[name] for part in parts]) for name in expected}
    check_blank_rows(found, accepted)
    kept = accepted[:, 0]
    reference = {name: value[kept] for name, value in expected.items()}
    answers = {name: value[kept] for name, value in found.items()}
    policy = POLICIES[plan.precision]
    values = compare_values(reference, answers, policy)
    decisions = compare_decisions(
        plan.model, plan.decision, reference, answers, digests[kept].tolist(), policy
    )
    check_policy(f"The engine of {plan.model} version {plan.version}", values, decisions, policy)
    return {"values": values, "decisions": decisions}


def _check_origin(plan: BuildPlan, facts: BuildFacts, folder: Path) -> None:
    """Refuse an engine that comes from another graph, TensorRT or GPU than the plan's."""
    wanted = plan.compute_capability or facts.compute_capability
    for what, expected, found in (
        (f"SHA-256 of {ONNX_FILE}", plan.onnx_sha256, _digest(folder / ONNX_FILE)),
        ("major version of TensorRT", str(plan.tensorrt), facts.tensorrt.split(".")[0]),
        ("compute capability", wanted, facts.compute_capability),
    ):
        if expected != found:
            raise IntegrityError(
                f"The engine in {folder} was not built as planned: the {what} is {found}, planned was "
                f"{expected}. Build it again, or make a new plan with `hilum export tensorrt`."
            )


def _digest(path: Path) -> str:
    return sha256_file(path) if path.is_file() else ""
