"""Variants, engines and their passports with the real registry and the real Triton."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from click.testing import CliRunner

from hilum.contract import CLASSIFIER
from hilum.errors import HilumError, UsageError
from hilum.settings import settings
from hilum.triton.errors import ServerFailedError
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.fake_trtexec import install_fakes
from tests.support.front_door import ask_directly, ask_front_door
from tests.support.toy_conv import conv_classifier
from tests.support.toy_data import write_toy_data
from tests.support.toy_models import toy_filter
from tests.support.toy_registry import register_toy_classifier, register_toy_filter
from tests.support.toy_release import save_onnx, toy_release
from training.commands.export import export
from training.errors import IntegrityError, ParityError
from training.export.passport import passport_path, read_passport
from training.export.variant.policy import POLICIES, VariantPolicy
from training.ledger.ledger import Ledger
from training.promote.release_creation import create_release
from training.registry import RegisteredVersion, Registry
from training.repository.layout import write_repository
from training.repository.lint import lint_repository


@pytest.fixture
def registry(mlflow_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    monkeypatch.setenv("HILUM_MLFLOW_URI", mlflow_server)
    monkeypatch.setenv("HILUM_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HILUM_ACTOR", "Ada")
    settings.cache_clear()
    yield Registry(mlflow_server)
    settings.cache_clear()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_toy_data(tmp_path / "data")


@pytest.fixture
def original(registry: Registry, tmp_path: Path) -> RegisteredVersion:
    return register_toy_classifier(registry, tmp_path, network=conv_classifier())


def run(*arguments: str) -> dict[str, Any]:
    result = CliRunner().invoke(export, [*arguments, "--json"], catch_exceptions=False)
    (line,) = result.stdout.splitlines()
    answer = json.loads(line)
    assert isinstance(answer, dict)
    return answer


def make_variant(precision: str, data: Path, version: RegisteredVersion) -> dict[str, Any]:
    return run(
        "variant",
        "classifier",
        "--precision",
        precision,
        "--data",
        str(data),
        "--version",
        str(version.number),
    )


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_a_variant_is_a_version_that_a_release_can_pin(
    registry: Registry, original: RegisteredVersion, data: Path, tmp_path: Path, precision: str
) -> None:
    made = make_variant(precision, data, original)
    version = registry.version(CLASSIFIER, made["version"])
    assert version.number == original.number + 1
    assert version.tags["hilum.variant_of"] == str(original.number)
    assert version.tags["hilum.precision"] == precision
    for tag in ("hilum.operating_point", "hilum.map_size", "hilum.decoder_digest", "hilum.run_id"):
        assert version.tags[tag] == original.tags[tag]

    path = registry.download_onnx(version, tmp_path / "downloads")
    passport = read_passport(path)
    assert passport is not None
    passport.check_file(path)
    assert passport.sha256 == version.tags["hilum.sha256"]
    assert passport.reference_sha256 == original.tags["hilum.sha256"]
    assert passport.model_dump(mode="json") == made["passport"]
    assert passport.layers[precision] >= 1
    assert passport.decisions is not None
    assert (passport.decisions.images, passport.decisions.agreed) == (3, 3)
    assert (passport.calibration is not None) == (precision == "int8")
    if passport.calibration is not None:
        assert passport.calibration.split == "train"
        assert len(set(passport.calibration.digests)) == 3

    screen_filter = register_toy_filter(registry, tmp_path)
    with Ledger(settings().ledger_address) as ledger:
        newest = ledger.newest("registered")
        assert newest is not None
        assert (newest.who, newest.facts["version"]) == ("Ada", version.number)
        _, release, _ = create_release(
            registry,
            ledger,
            data,
            who="Ada",
            filter_version=screen_filter.number,
            classifier_version=version.number,
        )
    assert release.classifier.sha256 == passport.sha256


def test_a_variant_beyond_the_policy_is_not_registered(
    registry: Registry, original: RegisteredVersion, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = VariantPolicy(probability=1e-9, of_largest=1.0, borderline=0.0, agreement=1.0)
    monkeypatch.setattr("training.export.variant.build.POLICIES", {**POLICIES, "int8": strict})
    with pytest.raises(ParityError, match=r"int8 variant of xray_classifier .* `probabilities` differs"):
        make_variant("int8", data, original)
    assert registry.version(CLASSIFIER).number == original.number


def test_what_has_no_variant_is_named(registry: Registry, data: Path, tmp_path: Path) -> None:
    weightless = register_toy_classifier(registry, tmp_path)
    with pytest.raises(
        HilumError, match=r"Too few layers of xray_classifier .* written in fp16: .* none with"
    ):
        make_variant("fp16", data, weightless)
    variant = register_toy_classifier(
        registry, tmp_path, tags={"hilum.variant_of": "1", "hilum.precision": "fp16"}
    )
    with pytest.raises(UsageError, match="is itself the fp16 variant of version 1"):
        make_variant("int8", data, variant)


def test_a_tampered_passport_is_refused(
    registry: Registry, original: RegisteredVersion, data: Path, tmp_path: Path
) -> None:
    made = make_variant("fp16", data, original)
    version = registry.version(CLASSIFIER, made["version"])
    name = f"passports/{version.tags['hilum.passport']}.json"
    mlflow.MlflowClient().log_text(version.run_id, json.dumps(made["passport"]), name)
    with pytest.raises(IntegrityError, match=r"The passport of xray_classifier .* is not the one"):
        registry.download_onnx(version, tmp_path / "downloads")


def test_an_engine_is_prepared_here_and_built_where_tensorrt_is(
    original: RegisteredVersion, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["tensorrt", "classifier", "--version", str(original.number), "--precision", "fp16"]
    arguments += ["--data", str(data)]
    prepared = run(*arguments, "--output", str(tmp_path / "prepared"))
    assert prepared["built"] is False
    assert sorted(path.name for path in (tmp_path / "prepared").iterdir()) == [
        "build.sh",
        "cases",
        "job.yaml",
        "model.onnx",
        "plan.json",
    ]
    monkeypatch.setenv("PATH", install_fakes(tmp_path / "bin")["PATH"])
    monkeypatch.setenv("FAKE_TENSORRT", "110000")
    built = run(*arguments, "--tensorrt", "11", "--output", str(tmp_path / "built"))
    assert built["passport"]["engine"]["tensorrt"] == "11.0.0"
    assert built["passport"]["variant_of"] == original.number
    assert built["passport"]["decisions"]["agreed"] == 3
    assert read_passport(tmp_path / "built" / "model.plan") is not None


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--image", "triton; id", "is no name of a container image"),
        ("--compute-capability", "9", "is no compute capability"),
    ],
)
def test_a_container_or_gpu_that_is_none_is_refused_before_any_work(
    registry: Registry, data: Path, tmp_path: Path, option: str, value: str, message: str
) -> None:
    arguments = ["tensorrt", "classifier", "--data", str(data), "--output", str(tmp_path / "engine")]
    with pytest.raises(UsageError, match=message):
        run(*arguments, option, value)
    assert not (tmp_path / "engine").exists()


def test_triton_serves_a_variant_and_refuses_one_that_its_passport_is_not_for(
    registry: Registry,
    original: RegisteredVersion,
    data: Path,
    tmp_path: Path,
    make_server: Callable[[Path], TritonServer],
) -> None:
    made = make_variant("int8", data, original)
    network = registry.download_onnx(registry.version(CLASSIFIER, made["version"]), tmp_path / "downloads")
    live = tmp_path / "live"
    screen_filter = save_onnx(toy_filter(), tmp_path / "filter.onnx")
    write_repository(live, toy_release(1), filter_onnx=screen_filter, classifier_onnx=network)
    served = live / CLASSIFIER / "1" / "model.onnx"
    assert passport_path(served).is_file()
    assert lint_repository(live) == []
    images = [path.read_bytes() for path in sorted(data.glob("test-*.png"))[:4]]
    server = make_server(live)
    with running(server, server.home / "triton.log"):
        answer = ask_front_door(server.addresses.grpc, images)
    expected = ask_directly(live, images)
    np.testing.assert_allclose(answer["probabilities"], expected["probabilities"], atol=1e-6)
    assert np.isfinite(answer["probabilities"]).all(axis=1).any()

    save_onnx(conv_classifier(seed=1), served)
    with (
        pytest.raises(ServerFailedError, match=r"is not the network that its passport was written for"),
        running(server, server.home / "second.log"),
    ):
        pass
