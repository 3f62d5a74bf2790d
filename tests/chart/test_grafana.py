"""The chart's Grafana dashboards are what the code writes, and say what they show."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.grafana_dashboards import FOLDER, PAGES, render


def panels(name: str) -> list[dict[str, Any]]:
    dashboard = json.loads((FOLDER / f"{name}.json").read_text())
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


@pytest.mark.parametrize("name", PAGES)
def test_the_committed_dashboard_is_the_generated_one(name: str) -> None:
    committed = (FOLDER / f"{name}.json").read_text()
    assert committed == render(PAGES[name]), "run: make dashboards"


@pytest.mark.parametrize("name", PAGES)
def test_every_panel_has_a_unit_an_own_id_and_queries_that_legends_tell_apart(name: str) -> None:
    found = panels(name)
    assert len({panel["id"] for panel in found}) == len(found)
    for panel in found:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert len(set(legends)) == len(legends) > 0
        assert [target["refId"] for target in panel["targets"]] == list("ABC"[: len(legends)])


@pytest.mark.parametrize("name", PAGES)
def test_panels_fill_rows_of_24_columns_without_lying_over_each_other(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in panels(name):
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_dashboards_lie_in_the_chart() -> None:
    assert sorted(path.stem for path in Path(FOLDER).glob("*.json")) == sorted(PAGES)
