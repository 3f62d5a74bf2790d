"""A passport is for one file, and says so."""

from pathlib import Path

import pandas as pd
import pytest

from hilum.files import sha256_file
from tests.support.toy_conv import conv_classifier
from tests.support.toy_release import save_onnx
from training.errors import IntegrityError
from training.export.onnx_passport import describe_onnx, value_parity
from training.export.passport import ValueParity, passport_path, read_passport, write_passport

PARITY = ValueParity(output="probabilities", max_difference=1e-6, allowed=1e-4, scale="absolute")


def test_a_passport_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = save_onnx(conv_classifier(), tmp_path / "model.onnx")
    passport = describe_onnx(path, "xray_classifier", "fp32", values=[PARITY])
    assert write_passport(path, passport) == tmp_path / "model.onnx.passport.json"
    assert read_passport(path) == passport
    passport.check_file(path)
    assert (passport.sha256, passport.layers) == (sha256_file(path), {"fp32": 2})
    assert (passport.opset, passport.ir_version, passport.onnxruntime) == (20, 10, "1.18")


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = save_onnx(conv_classifier(), tmp_path / "model.onnx")
    passport = describe_onnx(path, "xray_classifier", "fp32", values=[])
    save_onnx(conv_classifier(seed=1), path)
    with pytest.raises(IntegrityError, match="is not the file that its passport was written for"):
        passport.check_file(path)


def test_no_passport_is_no_error(tmp_path: Path) -> None:
    assert read_passport(tmp_path / "model.onnx") is None


@pytest.mark.parametrize("content", ["", "{}", '{"format": 2}', "[1"])
def test_what_is_no_passport_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "model.onnx"
    passport_path(path).write_text(content)
    with pytest.raises(IntegrityError, match=r"model\.onnx\.passport\.json is no passport"):
        read_passport(path)


def test_the_worst_batch_of_each_output_stands_for_parity_with_torch() -> None:
    table = pd.DataFrame(
        {
            "batch": [1, 2, 1, 2, 1],
            "output": ["embedding", "embedding", "probabilities", "probabilities", "accepted"],
            "max_abs_difference": [1e-6, 4e-6, 3e-7, 2e-7, 0.0],
            "allowed": [1e-3, 1e-3, 1e-4, 1e-4, 0.0],
        }
    )
    assert value_parity(table) == (
        ValueParity(output="embedding", max_difference=4e-6, allowed=1e-3, scale="absolute"),
        ValueParity(output="probabilities", max_difference=3e-7, allowed=1e-4, scale="absolute"),
    )
