"""`hilum predict` as a user runs it, against the real server."""

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from hilum.contract import LABELS, NOTICE
from hilum.triton.process import running
from hilum.triton.server import TritonServer
from tests.support.data import shared_data
from tests.support.ports import free_ports
from tests.support.servers import RunningToys

HILUM = (sys.executable, "-m", "hilum", "predict")


@pytest.fixture
def predict(toy_server: RunningToys) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `hilum predict` on the toy server and returns what it printed."""

    def run(*arguments: object, url: str = toy_server.address) -> subprocess.CompletedProcess[str]:
        command = [*HILUM, *map(str, arguments), "--url", url]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    """Ten files: accepted, rejected and broken ones, in folders, beside files that are no images."""
    folder = tmp_path / "ward"
    (folder / "older").mkdir(parents=True)
    for number in range(6):
        write_picture(folder / f"{number}.jpg", number)
    write_picture(folder / "older" / "0.png", 60)
    Image.new("L", (200, 240)).save(folder / "older" / "dark.png")
    (folder / "older" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    (folder / "=1+1.png").write_bytes(b"no image")
    (folder / "metadata.csv").write_text("path,finding\n")
    return folder


def write_picture(path: Path, seed: int) -> None:
    cells = np.random.default_rng(seed).integers(60, 255, (4, 4), dtype=np.uint8)
    Image.fromarray(cells).resize((300, 340), Image.Resampling.BILINEAR).save(path)


def names(folder: Path) -> list[str]:
    """Return the ward's images in the order in which a folder is searched."""
    inside = ["0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg", "5.jpg", "=1+1.png"]
    return [
        *(str(folder / name) for name in inside),
        *(str(folder / "older" / name) for name in ("0.png", "broken.png", "dark.png")),
    ]


def test_json_is_one_object_per_file_in_order(
    predict: Callable[..., subprocess.CompletedProcess[str]], ward: Path
) -> None:
    done = predict(ward, "--json")
    assert done.returncode == 3, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["file"] for record in records] == names(ward)
    failed = [record for record in records if "error" in record]
    assert [Path(record["file"]).name for record in failed] == ["=1+1.png", "broken.png"]
    for record in failed:
        assert set(record) == {"file", "error"}
    for record in (record for record in records if "error" not in record):
        assert list(record) == [
            "file",
            "release",
            "accepted",
            "valid_probability",
            "probabilities",
            "finding",
        ]
        assert record["release"] == 1
        assert record["accepted"] == (record["probabilities"] is not None) == (record["finding"] is not None)
    dark = records[-1]
    assert (dark["accepted"], dark["probabilities"], dark["finding"]) == (False, None, None)
    assert NOTICE in done.stderr
    assert "2 of 10 files failed" in done.stderr
    assert NOTICE not in done.stdout


def test_csv_has_the_same_answers_as_json(
    predict: Callable[..., subprocess.CompletedProcess[str]], ward: Path, tmp_path: Path
) -> None:
    path = tmp_path / "answers.csv"
    done = predict(ward, "--csv", path)
    assert done.returncode == 3, done.stderr
    assert NOTICE in done.stderr
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    records = [json.loads(line) for line in predict(ward, "--json").stdout.splitlines()]
    for row, record in zip(rows, records, strict=True):
        assert row["file"] == record["file"]
        assert row["error"] == record.get("error", "")
        assert row["finding"] == (record.get("finding") or "")
        for label in LABELS:
            value = (record.get("probabilities") or {}).get(label, "")
            assert row[f"probability_{label}"] == str(value)
    assert list(tmp_path.glob(".answers*")) == [], "no half file is left"


def test_the_table_shows_answers_errors_and_the_notice(
    predict: Callable[..., subprocess.CompletedProcess[str]], ward: Path
) -> None:
    done = predict(ward)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    for name in names(ward):
        assert sum(line.strip().startswith(name) for line in lines) == 1, name
    assert any(line.startswith(f"{ward}/=1+1.png: Expected") for line in lines)
    assert any("rejected by filter" in line for line in lines)
    assert NOTICE in done.stdout


def test_heat_maps_are_written_for_accepted_images_under_names_of_their_own(
    predict: Callable[..., subprocess.CompletedProcess[str]], ward: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "overlays"
    done = predict(ward, "--json", "--heatmaps", folder)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    accepted = [record for record in records if record.get("accepted")]
    written = [Path(record["heatmap"]) for record in accepted]
    assert len(set(written)) == len(accepted) == 7
    assert sorted(folder.iterdir()) == sorted(written), "and nothing else"
    assert {path.name for path in written} >= {"0.heatmap.png", "0-2.heatmap.png"}
    for path in written:
        with Image.open(path) as overlay:
            overlay.load()
            assert overlay.width == 512
    assert not any("heatmap" in record for record in records if not record.get("accepted"))


def test_hostile_files_are_refused_one_by_one_and_the_server_stays_well(
    predict: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    data = shared_data()
    if data is None:
        pytest.skip("the hostile files are not on this machine (set HILUM_DATA)")
    hostile = data / "hostile"
    with (hostile / "index.csv").open(newline="") as stream:
        index = {row["file"]: row for row in csv.DictReader(stream) if row["file"] == row["body"]}
    files = [hostile / name for name in index]
    done = predict(*files, "--json", "--heatmaps", tmp_path / "overlays", "--in-flight", 8)
    assert done.returncode == 3, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["file"] for record in records] == [str(path) for path in files]
    for path, record in zip(files, records, strict=True):
        outcome = "reject" if "error" in record else "accept"
        allowed = {index[path.name]["expected"], index[path.name]["also_ok"]}
        assert outcome in allowed, (path.name, record)
    assert "HOSTILE-PHI-MARKER" not in done.stdout + done.stderr
    assert "does not answer" not in done.stdout
    assert predict(hostile / "control_gray.jpg").returncode == 0


def test_hostile_names_write_nothing_outside_the_folder(
    predict: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    odd = [
        "..\\..\\evil.png",
        "xray.png%00.png",
        "<script>alert(1)</script>.png",
        "\u202egnp.yarx.png",
        "\x1b[2J.png",
    ]
    files = [folder / name for name in (*odd, os.fsdecode(b"\xff\xfe.png"))]
    for path in files:
        path.parent.mkdir(exist_ok=True)  # one of them has a slash
        write_picture(path, 1)
    done = predict(*files, "--heatmaps", tmp_path / "out" / "maps")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout
    assert len(list((tmp_path / "out" / "maps").iterdir())) == len(files)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out"]
    lines = predict(*files, "--json").stdout.splitlines()
    assert [json.loads(line)["accepted"] for line in lines] == [True] * len(files)


def test_a_dead_server_ends_the_command_at_once(
    predict: Callable[..., subprocess.CompletedProcess[str]], ward: Path
) -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    start = time.monotonic()
    done = predict(ward, "--json", url=address)
    assert time.monotonic() - start < 10
    assert done.returncode == 4
    assert done.stdout == ""
    assert f"Triton does not answer at {address}. Start it with `hilum up`" in done.stderr


def test_a_server_that_dies_on_the_way_leaves_every_file_with_a_record(
    toy_repository: Callable[[], Path],
    make_server: Callable[[Path], TritonServer],
    ward: Path,
) -> None:
    server = make_server(toy_repository())
    arguments = [*[str(ward / "0.jpg")] * 3000, "--json", "--url", server.addresses.grpc]
    with (
        running(server, server.home / "triton.log") as process,
        subprocess.Popen([*HILUM, *arguments], stdout=subprocess.PIPE, text=True) as command,
    ):
        assert command.stdout is not None
        records = [json.loads(command.stdout.readline())]
        os.killpg(process.pid, signal.SIGKILL)
        records += [json.loads(line) for line in command.stdout]
    assert command.returncode == 4
    assert len(records) == 3000
    failed = ["error" in record for record in records]
    assert not failed[0]
    assert failed[-1]
    assert "does not answer" in records[-1]["error"]


def test_ctrl_c_shows_what_is_done_and_leaves_no_half_file(
    toy_server: RunningToys, ward: Path, tmp_path: Path
) -> None:
    overlays, table = tmp_path / "overlays", tmp_path / "answers.csv"
    arguments = [*[str(ward / "0.jpg")] * 3000, "--heatmaps", str(overlays), "--csv", str(table)]
    command = subprocess.Popen(
        [*HILUM, *arguments, "--url", toy_server.address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (overlays.is_dir() and len(list(overlays.glob("*.png"))) > 20):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    command.send_signal(signal.SIGINT)
    start = time.monotonic()
    output, errors = command.communicate(timeout=60)
    assert time.monotonic() - start < 10
    assert command.returncode == 130, errors
    assert "Interrupted" in errors
    done = sum(line.strip().startswith(str(ward)) for line in output.splitlines())
    assert 0 < done < 3000
    assert NOTICE in output
    assert not table.exists(), "a part of the answers must not pass for all of them"
    assert [path for path in overlays.iterdir() if not path.name.endswith(".heatmap.png")] == []
    for path in overlays.iterdir():
        with Image.open(path) as overlay:
            overlay.load()


@pytest.mark.parametrize(("option", "blocks"), [("--csv", 1), ("--heatmaps", 8)])
def test_a_full_disk_shows_what_is_done_and_leaves_no_half_file(
    toy_server: RunningToys, ward: Path, tmp_path: Path, option: str, blocks: int
) -> None:
    limited = ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh"]  # no file may grow beyond so many blocks
    target = tmp_path / "full" / "out"
    done = subprocess.run(
        [*limited, *HILUM, str(ward / "0.jpg"), str(ward), option, str(target), "--url", toy_server.address],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1, done.stderr
    assert "File too large" in done.stderr
    assert [path for path in target.parent.rglob("*") if path.is_file()] == []
    if option == "--csv":
        assert sum(line.strip().startswith(str(ward)) for line in done.stdout.splitlines()) == 11


def test_answers_on_a_pipe_stay_whole_while_a_terminal_shows_progress(
    toy_server: RunningToys, ward: Path
) -> None:
    ours, theirs = pty.openpty()
    command = subprocess.Popen(
        [*HILUM, *[str(ward / "0.jpg")] * 30, "--json", "--url", toy_server.address],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    output, _ = command.communicate(timeout=60)
    screen = os.read(ours, 2**16).decode()
    os.close(ours)
    assert command.returncode == 0
    assert len([json.loads(line) for line in output.splitlines()]) == 30
    assert "Screening" in screen


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{ward}", "--json", "--csv", "{ward}/a.csv"], "not both"),
        (["{ward}/missing.png"], "does not exist"),
        (["{empty}"], "No image was found"),
        (["{ward}", "--in-flight", "0"], "1<=x<=256"),
        (["{ward}", "--timeout", "0"], "x>0"),
        (["{ward}", "--csv", "{ward}"], "is a directory"),
        ([], "Missing argument"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_sent(
    predict: Callable[..., subprocess.CompletedProcess[str]],
    ward: Path,
    tmp_path: Path,
    arguments: list[str],
    words: str,
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = predict(*(argument.format(ward=ward, empty=empty) for argument in arguments))
    assert done.returncode == 2, done.stdout
    assert words in done.stderr
    assert done.stdout == ""
