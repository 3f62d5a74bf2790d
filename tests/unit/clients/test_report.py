import csv
import io
import math
from pathlib import Path

from rich.console import Console

from clients.batch import Outcome
from clients.report import print_answers, write_csv
from clients.results import Screening
from hilum.contract import LABELS, NOTICE
from hilum.errors import HilumError

ACCEPTED = Screening(
    release=7,
    accepted=True,
    valid_probability=0.75,
    probabilities=dict(zip(LABELS, (0.125, 0.625, 0.25), strict=True)),
    finding="lung_opacity",
)
REJECTED = Screening(release=7, accepted=False, valid_probability=0.25, probabilities=None, finding=None)


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _draw(outcomes: list[Outcome], width: int = 80) -> str:
    console = Console(width=width, force_terminal=True, color_system=None)
    with console.capture() as capture:
        print_answers(console, outcomes)
    return capture.get()


def test_a_csv_has_a_row_for_each_file_with_its_values(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    write_csv(
        path,
        [
            Outcome(file="a.png", screening=ACCEPTED, heatmap=Path("maps/a.heatmap.png")),
            Outcome(file="b.png", screening=REJECTED),
            Outcome(file="c.png", error=HilumError("It is a PDF.")),
        ],
    )
    accepted, rejected, failed = _read(path)
    assert accepted == {
        "file": "a.png",
        "release": "7",
        "accepted": "True",
        "valid_probability": "0.75",
        "probability_no_finding": "0.125",
        "probability_lung_opacity": "0.625",
        "probability_covid19": "0.25",
        "finding": "lung_opacity",
        "heatmap": "maps/a.heatmap.png",
        "error": "",
    }
    assert rejected["accepted"] == "False"
    assert rejected["probability_covid19"] == rejected["finding"] == ""
    assert {name: value for name, value in failed.items() if value} == {
        "file": "c.png",
        "error": "It is a PDF.",
    }


def test_no_cell_of_a_csv_is_taken_for_a_formula(tmp_path: Path) -> None:
    names = ["=cmd|' /C calc'!A0.png", "+1.png", "-1.png", "@x.png", "\tx.png", "\rx.png"]
    write_csv(tmp_path / "a.csv", [Outcome(file=name, error=HilumError("=1+1")) for name in names])
    for row, name in zip(_read(tmp_path / "a.csv"), names, strict=True):
        assert row["file"] == f"'{name}"
        assert row["error"] == "'=1+1"


def test_the_terminal_shows_every_outcome_and_the_notice() -> None:
    text = _draw(
        [
            Outcome(file="a.png", screening=ACCEPTED),
            Outcome(file="b.png", screening=REJECTED),
            Outcome(file="c.png", error=HilumError("It is a PDF.")),
        ]
    )
    accepted, rejected = (line.split() for line in text.splitlines() if ".png " in line)
    assert accepted == ["a.png", "lung_opacity", "0.12", "0.62", "0.25", "0.75", "7"]
    assert rejected == ["b.png", "rejected", "by", "filter", "-", "-", "-", "0.25", "7"]
    assert "c.png: It is a PDF." in text.splitlines()
    assert NOTICE in " ".join(text.split())


def test_failures_alone_need_neither_table_nor_notice() -> None:
    assert _draw([Outcome(file="c.png", error=HilumError("It is a PDF."))]) == "c.png: It is a PDF.\n"


def test_a_narrow_terminal_folds_names_and_cuts_nothing() -> None:
    name = "a-folder/" * 12 + "scan.dcm"
    cells = [
        line.split()[0]
        for line in _draw([Outcome(file=name, screening=ACCEPTED)]).splitlines()
        if line.strip()
    ]
    assert name in "".join(cells)


def test_no_table_is_cut_where_no_terminal_limits_it() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80)
    name = "a-folder/" * 12 + "scan.dcm"
    print_answers(console, [Outcome(file=name, screening=ACCEPTED)])
    assert f"{name} " in stream.getvalue()


def test_a_name_can_neither_steer_the_terminal_nor_style_the_table() -> None:
    name = "\x1b[2Jevil\u202egnp[red].png"
    for outcome in (Outcome(file=name, screening=REJECTED), Outcome(file=name, error=HilumError(name))):
        text = _draw([outcome], width=120)
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[red].png" in text


def test_a_rejected_image_has_no_probabilities_in_json() -> None:
    record = Outcome(file="b.png", screening=REJECTED).as_json()
    assert record == {
        "file": "b.png",
        "release": 7,
        "accepted": False,
        "valid_probability": 0.25,
        "probabilities": None,
        "finding": None,
    }


def test_an_error_in_json_is_its_sentence_alone() -> None:
    assert Outcome(file="c.png", error=HilumError("It is a PDF.")).as_json() == {
        "file": "c.png",
        "error": "It is a PDF.",
    }


def test_probabilities_in_json_go_by_label() -> None:
    probabilities = Outcome(file="a.png", screening=ACCEPTED).as_json()["probabilities"]
    assert list(probabilities) == list(LABELS)
    assert math.fsum(probabilities.values()) == 1
