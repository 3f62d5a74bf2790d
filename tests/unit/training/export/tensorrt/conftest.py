"""A build's folder of a toy classifier, as `prepare_build` leaves it."""

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.files import sha256_file
from tests.support.fake_trtexec import install_fakes
from tests.support.toy_conv import conv_classifier
from tests.support.toy_release import save_onnx
from training.export.row_mask import mask_rows
from training.export.tensorrt.plan import CASES_FOLDER, ONNX_FILE, PLAN_FILE, BuildPlan, Profile
from training.export.tensorrt.prepare import write_cases
from training.export.tensorrt.script import SCRIPT_FILE, build_script
from training.export.variant.agreement import onnx_answers
from training.export.variant.half import to_fp16
from training.export.variant.sample import ImageSample


def make_plan(**changes: Any) -> BuildPlan:
    """Return a plan of the toy classifier, with `changes`."""
    fields: dict[str, Any] = {
        "model": "xray_classifier",
        "version": 3,
        "precision": "fp16",
        "onnx_sha256": "0" * 64,
        "reference_sha256": "1" * 64,
        "opset": 20,
        "ir_version": 10,
        "tensorrt": 10,
        "image": "nvcr.io/nvidia/tritonserver:24.10-py3",
        "compute_capability": "9.0",
        "profile": Profile(max=8),
        "decision": {"hilum.operating_point": json.dumps({"lung_opacity": 0.4, "covid19": 0.4})},
    }
    return BuildPlan(**fields | changes)


def write_build(folder: Path, **changes: Any) -> Path:
    """Write a build's folder: graph, plan, script and 19 cases in three batches."""
    reference = save_onnx(conv_classifier(), folder.with_suffix(".onnx"))
    path = save_onnx(to_fp16(mask_rows(conv_classifier())), folder / ONNX_FILE)
    plan = make_plan(**{"onnx_sha256": sha256_file(path), **changes})
    radiographs = np.random.default_rng(0).integers(0, 256, (19, 1, 256, 256), dtype=np.uint8)
    sample = ImageSample(split="val", digests=tuple(map(str, range(19))), radiographs=radiographs)
    sizes = write_cases(folder / CASES_FOLDER, plan.model, onnx_answers(reference), sample, plan.profile.max)
    assert sizes == [8, 8, 3]
    (folder / PLAN_FILE).write_text(plan.model_dump_json())
    (folder / SCRIPT_FILE).write_text(build_script(plan, sizes))
    return folder


@pytest.fixture(scope="session")
def finished_build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder after its build by the stand-in for trtexec; tests copy it."""
    home = tmp_path_factory.mktemp("engine")
    folder = write_build(home / "build")
    environment = install_fakes(home / "bin")
    subprocess.run(["bash", str(folder / SCRIPT_FILE)], env=environment, capture_output=True, check=True)
    return folder
