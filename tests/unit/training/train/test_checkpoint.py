"""A trained network on disk comes back the same, or not at all."""

import json
from pathlib import Path

import pytest
import torch

from training.errors import WeightsError
from training.models.backbones import BackboneConfig
from training.models.network import RadiographNetwork
from training.train.checkpoint import (
    DESCRIPTION,
    WEIGHTS,
    WholeCheckpoints,
    check_resumable,
    load_network,
    save_network,
)

CONFIG = BackboneConfig(name="mobilenetv1_100", channels=1, image_size_px=64)
IMAGES = torch.randint(0, 256, (2, 1, 256, 256), dtype=torch.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_network(RadiographNetwork(CONFIG, ("a", "b")), tmp_path)
    return tmp_path


def test_a_saved_network_answers_the_same(tmp_path: Path) -> None:
    network = RadiographNetwork(CONFIG, ("a", "b")).eval()
    save_network(network, tmp_path)
    loaded = load_network(tmp_path)
    assert loaded.labels == ("a", "b")
    assert torch.equal(loaded(IMAGES).logits, network(IMAGES).logits)


def test_weights_of_another_architecture_are_refused(folder: Path) -> None:
    description = json.loads((folder / DESCRIPTION).read_text())
    description["backbone"]["name"] = "mobilenetv2_100"
    (folder / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(WeightsError, match="another architecture than mobilenetv2_100 with 2 classes"):
        load_network(folder)


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
def test_a_file_cut_short_is_refused(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="holds no network that Hilum saved"):
        load_network(folder)


def test_code_in_a_checkpoint_is_not_run(folder: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",))

    torch.save(Evil(), folder / WEIGHTS)
    with pytest.raises(WeightsError):
        load_network(folder)
    assert not (tmp_path / "ran").exists()


def test_a_checkpoint_goes_on_with_its_own_job_only(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    WholeCheckpoints("this job").save_checkpoint({"epoch": 3}, path)
    check_resumable(path, "this job")
    with pytest.raises(WeightsError, match=f"{path} is a checkpoint of another training.*delete the folder"):
        check_resumable(path, "that job")


@pytest.mark.parametrize("content", [b"", b"rubbish", b"PK\x03\x04half"])
def test_a_damaged_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "last.ckpt"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="is no readable checkpoint"):
        check_resumable(path, "job")


def test_a_checkpoint_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "last.ckpt"
    torch.save({"state_dict": {}}, path)
    with pytest.raises(WeightsError, match="checkpoint of another training"):
        check_resumable(path, "job")
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="is no readable checkpoint"):
        check_resumable(path, "job")
