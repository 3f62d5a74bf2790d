"""Every recipe that comes with Hilum trains, is evaluated and exported: one epoch on a few small images."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.command_series import Answer, CommandSeries
from training.train.family import RECIPES, load_recipe, recipe_names
from training.train.recipe import NetworkRecipe

SQUARE_PX, CANVAS_PX = 96, [80, 106]
"""Small sizes that every network takes: the Inceptions need 75 pixels."""

BATCH_SIZE = 4

SAME_GRAPH = {
    "apostolopoulos/mobilenetv2_dataset2": "apostolopoulos/mobilenetv2",
    "civit_masot/original": "civit_masot/equalized",
    "icapuc_scratch": "icapuc",
    "soares/vgg16": "civit_masot/equalized",
    "soares/xception": "apostolopoulos/xception",
}
"""Recipes whose backbone is exported with another one's; the heads of both kinds are exported with others."""


@dataclass(frozen=True)
class Case:
    """One network of one recipe."""

    network: str
    """`filter` or `classifier`."""
    recipe: str

    @property
    def config(self) -> NetworkRecipe:
        """The recipe as it comes."""
        return load_recipe(self.recipe).network(f"xray_{self.network}")


CASES = [
    Case(network, name)
    for name in recipe_names()
    for network in ("filter", "classifier")
    if getattr(load_recipe(name), network) is not None
]


@dataclass(frozen=True)
class Bench:
    """Where the recipes are tried."""

    series: CommandSeries
    data: Path
    recipes: Path


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, mlflow_server: str) -> Iterator[Bench]:
    """Recipes with small images, a small data set, and a process that runs one command after another."""
    folder = tmp_path_factory.mktemp("every_recipe")
    recipes = folder / "recipes"
    recipes.mkdir()
    for path in RECIPES.glob("*.yaml"):
        (recipes / path.name).write_text(yaml.safe_dump(shrunk(yaml.safe_load(path.read_text()))))
    with CommandSeries(folder / "home", mlflow_server) as series:
        drawn = series.run("data", "synth", folder / "data", "--patients", "18")
        assert drawn.status == 0, drawn.stderr
        yield Bench(series, folder / "data", recipes)


def shrunk(content: Any) -> Any:
    """Return a recipe's content with small images and batches, and without what only a search reads."""
    if not isinstance(content, dict):
        return content
    small = {key: shrunk(value) for key, value in content.items() if key != "tune"}
    if "image_size_px" in content:
        small["image_size_px"] = SQUARE_PX if isinstance(content["image_size_px"], int) else CANVAS_PX
    changes: dict[str, Any] = {"batch_size": BATCH_SIZE, "small_first": [], "weights": "none"}
    return small | {key: value for key, value in changes.items() if key in content}


def run_through(case: Case, bench: Bench) -> dict[str, Answer]:
    """Train, evaluate and export one network; stop at what fails."""
    family, _, variant = case.recipe.partition("/")
    recipe = f"{bench.recipes / family}.yaml" + (f"/{variant}" if variant else "")
    of = (case.network, "--data", bench.data, "--json")
    done = {"train": bench.series.run("train", *of, "--recipe", recipe, "--epochs", "1")}
    if done["train"].status != 0:
        return done
    run = ("--run", done["train"].record()["run_id"])
    done["evaluate"] = bench.series.run("evaluate", *of, *run, "--bootstrap", "100")
    if case.recipe not in SAME_GRAPH:
        done["export"] = bench.series.run("export", *of, *run)
    return done


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.recipe}-{case.network}")
def test_recipe(case: Case, bench: Bench) -> None:
    done = run_through(case, bench)
    trained = done["train"].record()
    assert trained["model"] == f"xray_{case.network}"
    evaluated = done["evaluate"].record()
    assert evaluated["run_id"] == trained["run_id"]
    assert evaluated["n_images"] > 0
    if case.recipe in SAME_GRAPH:
        same = load_recipe(SAME_GRAPH[case.recipe]).network(f"xray_{case.network}").backbone
        assert (same.name, same.cut_after) == (case.config.backbone.name, case.config.backbone.cut_after)
    elif case.config.classes is not None:
        assert done["export"].status == 2
        assert "It can be evaluated, but not exported" in done["export"].stderr
    else:
        parity = done["export"].record()["parity"]
        assert {row["batch"] for row in parity} == {1, 2, 5}
        assert all(row["max_abs_difference"] <= row["allowed"] for row in parity)
