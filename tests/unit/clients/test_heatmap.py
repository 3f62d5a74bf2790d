import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clients.heatmap import HeatmapFolder, write_heatmap
from clients.results import Screening
from hilum.contract import LABELS
from hilum.overlay import OVERLAY_SIZE_PX

GRAY = np.full((256, 256), 90, np.uint8)


def _screening(activation_map: NDArray[np.float32]) -> Screening:
    return Screening(
        release=3,
        accepted=True,
        valid_probability=0.9,
        probabilities=dict(zip(LABELS, (0.1, 0.8, 0.1), strict=True)),
        finding="lung_opacity",
        activation_map=activation_map,
    )


def _jpeg() -> bytes:
    content = io.BytesIO()
    Image.fromarray(GRAY).save(content, "JPEG")
    return content.getvalue()


def _strength(overlay: Image.Image) -> NDArray[np.int_]:
    """Return how far each pixel is from gray."""
    pixels = np.asarray(overlay).astype(int)
    return np.asarray(pixels.max(axis=2) - pixels.min(axis=2))


def test_only_the_reported_findings_map_is_drawn(tmp_path: Path) -> None:
    maps = np.zeros((3, 4, 4), np.float32)
    maps[0], maps[2] = 1, 1  # the labels that are not reported
    write_heatmap(tmp_path / "a.png", _jpeg(), _screening(maps))
    picture = Image.open(tmp_path / "a.png")
    assert _strength(picture.crop((0, 0, OVERLAY_SIZE_PX, OVERLAY_SIZE_PX))).max() == 0


def test_the_notice_is_written_under_the_picture_and_not_over_it(tmp_path: Path) -> None:
    write_heatmap(tmp_path / "a.png", _jpeg(), _screening(np.zeros((3, 4, 4), np.float32)))
    picture = np.asarray(Image.open(tmp_path / "a.png"))
    assert picture.shape[0] > OVERLAY_SIZE_PX
    assert np.all(np.abs(picture[:OVERLAY_SIZE_PX].astype(int) - 90) <= 1)
    strip = picture[OVERLAY_SIZE_PX:]
    assert strip.max() > 200, "there is text"
    assert strip[:, -4:].max() == 0, "no line is cut off at the right"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("scan.dcm", "scan.heatmap.png"),
        ("año 2020/película.png", "película.heatmap.png"),
        ("<script>alert(1)</script>.png", "script_.heatmap.png"),
        ("..\\..\\evil.png", "_.._evil.heatmap.png"),
        ("xray.png%00.exe", "xray.png_00.heatmap.png"),
        ("\u202egnp.yarx.png", "_gnp.yarx.heatmap.png"),
        ("..", "image.heatmap.png"),
        ("x" * 250 + ".png", "x" * 120 + ".heatmap.png"),
    ],
)
def test_names_are_safe_and_stay_inside_the_folder(tmp_path: Path, path: str, name: str) -> None:
    assert HeatmapFolder(tmp_path / "maps").reserve(Path(path)) == tmp_path / "maps" / name


def test_files_of_one_name_get_overlays_of_their_own(tmp_path: Path) -> None:
    folder = HeatmapFolder(tmp_path)
    paths = [folder.reserve(Path(path)) for path in ("a/1.png", "b/1.dcm", "c/1-2.png", "d/1.PNG")]
    assert len({path.name for path in paths}) == len(paths)
