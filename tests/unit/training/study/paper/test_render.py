"""A paper's report in a terminal, as Markdown, as JSON and as pictures."""

import json
from io import BytesIO

import pytest
from PIL import Image
from rich.console import Console

from hilum.contract import CLASSIFIER
from tests.support.predictions import CLASSES, synthetic_predictions
from tests.support.studies import divisible_data, fold_parts, tiny_family, tiny_study
from training.study.paper.grids import grid_of
from training.study.paper.render import grid_table, report_files
from training.study.paper.report import PaperReport, build_report
from training.study.pooled import summarize
from training.study.run import FinishedStudy


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> PaperReport:
    data = divisible_data(tmp_path_factory.mktemp("data"))
    studies = {}
    for variant, labels in (("plain", CLASSES), ("binary", ("other", "covid19"))):
        parts = fold_parts(synthetic_predictions(labels), 2)
        summary = summarize(parts, n_bootstrap=100)
        study = tiny_study(data, variant)
        reused = variant == "binary"
        studies[variant, CLASSIFIER] = FinishedStudy(f"run-{variant}", study, parts, summary, reused=reused)
    command = "hilum paper tiny_family --data DIR --epochs 2"
    return build_report(tiny_family(), studies, command=command, data="mine", data_digest="0123456789abcdef")


def test_every_table_is_there_in_the_papers_order(report: PaperReport) -> None:
    tables = [comparison.table for comparison in report.comparisons]
    assert tables == ["Table 1", "Table 2", "Table 3", "Table 4"]


def test_the_banner_says_what_ours_rests_on(report: PaperReport) -> None:
    first, plain, binary = report.banner[:3]
    assert "Trained and tested on mine (digest 0123456789ab), not on the paper's images" in first
    assert "cannot be expected to match" in first
    assert "plain: 2 folds by patient, 2 network(s) of at most 2 epoch(s) from weights `none`" in plain
    assert ", every layer trained, tested on" in plain
    assert "120 images" in plain
    assert "of 60 patients; class decided by argmax; run run-plain." in plain
    assert binary.endswith("run run-binary, complete before.")


def test_the_banner_repeats_what_the_evaluations_warn_of_and_where_the_paper_contradicts_itself(
    report: PaperReport,
) -> None:
    warnings = report.banner[3:]
    assert any(line.startswith("binary: The source nearly gives the class away") for line in warnings)
    sentence = "Table 1 prints accuracy 0.9 of plain, the counts of Table 2 make 0.873."  # 131 of 150
    assert any(line.endswith(sentence) for line in warnings)


def test_markdown_holds_both_numbers_and_the_pictures(report: PaperReport) -> None:
    files = report_files(report)
    assert set(files) == {
        "tiny_family.md",
        "tiny_family.json",
        *(f"figures/tiny_family-0{index}.png" for index in range(1, 5)),
    }
    text = files["tiny_family.md"].decode()
    assert "Made by `hilum paper tiny_family --data DIR --epochs 2`." in text
    assert "| plain: accuracy | 0.900 (0.842-0.938), n 150 | " in text
    assert "| plain: covid19.sensitivity | 0.800 ± 0.050 | " in text
    assert "| 50 (83.3%) | 5 (8.3%) | 5 (8.3%) | " in text
    for path in files:
        if path.endswith(".png"):
            assert f"]({path})" in text
            assert Image.open(BytesIO(files[path])).size > (300, 300)
    widths = {line.count("|") for line in text.splitlines() if line.startswith("| plain: ")}
    assert widths == {6}, "a row has another number of columns than its heading"


def test_json_tells_the_kinds_apart(report: PaperReport) -> None:
    record = json.loads(report_files(report)["tiny_family.json"])
    assert [table["kind"] for table in record["comparisons"]] == [
        "metrics",
        "confusion",
        "confusion",
        "thresholds",
    ]
    number = record["comparisons"][0]["numbers"][0]
    assert number["published"]["value"] == 0.9
    assert number["difference"] == pytest.approx(number["ours"]["value"] - 0.9)
    assert record["networks"][1]["reused"] is True


def test_tables_fit_a_terminal_of_80_columns(report: PaperReport) -> None:
    console = Console(width=80, highlight=False)
    for comparison in report.comparisons:
        with console.capture() as capture:
            console.print(grid_table(grid_of(comparison)))
        text = capture.get()
        assert "…" not in text, text
        assert max(map(len, text.splitlines())) <= 80
