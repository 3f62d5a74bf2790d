"""Which networks a paper's tables are of, and what is refused before any is trained."""

from pathlib import Path

import pytest
import yaml

from hilum.contract import CLASSIFIER, FILTER
from hilum.errors import UsageError
from tests.support.studies import TINY_FAMILY, divisible_data, tiny_family
from training.errors import RecipeError
from training.study.paper.plan import check_tables, choose_networks, plan_studies
from training.train.family import RECIPES, load_family
from training.train.published import PublishedConfusion, PublishedMetrics, PublishedThresholds

PUBLISHING = [path.stem for path in sorted(RECIPES.glob("*.yaml")) if load_family(path.stem).published]


@pytest.mark.parametrize("name", PUBLISHING)
def test_the_recipes_can_give_what_their_papers_tables_show(name: str) -> None:
    family = load_family(name)
    networks = choose_networks(family)
    check_tables(family, networks)
    assert {variant for variant, _ in networks} == set(family.recipes)


def test_all_five_papers_have_tables() -> None:
    assert set(PUBLISHING) >= {"apostolopoulos", "civit_masot", "deepcovid", "icapuc", "soares"}


def test_a_table_of_the_filter_asks_for_the_filter() -> None:
    family = load_family("icapuc")
    assert choose_networks(family) == (("", CLASSIFIER), ("", FILTER))
    assert choose_networks(family, models=[FILTER]) == (("", FILTER),)
    with pytest.raises(RecipeError, match="no table is of xray_filter"):
        choose_networks(load_family("deepcovid"), models=[FILTER])


def test_an_unknown_variant_names_those_that_there_are() -> None:
    with pytest.raises(RecipeError, match=r"no variant 'vgg'.*deepcovid/resnet18"):
        choose_networks(load_family("deepcovid"), ["vgg"])


def test_a_recipe_without_tables_names_those_that_have_some(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("source: ours\n")
    with pytest.raises(RecipeError, match=r"'own' holds no published table.*deepcovid"):
        choose_networks(load_family(str(path)))


def test_a_recipe_may_stand_beside_another_familys_tables() -> None:
    scratch = load_family("icapuc_scratch")
    assert scratch.published == load_family("icapuc").published
    assert choose_networks(scratch) == choose_networks(load_family("icapuc"))


@pytest.mark.parametrize(
    ("table", "wrong"),
    [
        (
            PublishedMetrics(table="Table 9", title="t", rows={"plain": {"covid.sensitivity": 1.0}}),
            "covid.sens",
        ),
        (PublishedMetrics(table="Table 9", title="t", rows={"plain": {"sensitivity": 1.0}}), "sensitivity"),
        (
            PublishedThresholds(table="Table 9", title="t", variant="binary", label="no_finding", points=()),
            "no_finding",
        ),
        (
            PublishedConfusion(
                table="Table 9", title="t", variant="plain", labels=("sars", "other"), counts=((1, 0), (0, 1))
            ),
            "sars",
        ),
        (
            PublishedConfusion(
                table="Table 9",
                title="t",
                variant="plain",
                labels=("covid19", "no_finding"),
                counts=((1, 0), (0, 1)),
            ),
            "lung_opacity",
        ),
    ],
)
def test_a_table_that_the_network_cannot_fill_is_refused(
    table: PublishedMetrics | PublishedThresholds | PublishedConfusion, wrong: str
) -> None:
    family = tiny_family().model_copy(update={"published": (table,)})
    with pytest.raises(RecipeError, match=rf"Table 9 \(t\) shows {wrong}.*cannot give; it has"):
        check_tables(family, choose_networks(family))


def test_each_network_gets_a_study_with_the_options_in_force(tmp_path: Path) -> None:
    family = tiny_family()
    studies = plan_studies(
        family,
        choose_networks(family),
        divisible_data(tmp_path),
        folds=3,
        repeats=2,
        epochs=1,
        weights=None,
        seed=3,
        max_minutes=2.0,
        device="cpu",
    )
    assert set(studies) == {("plain", CLASSIFIER), ("binary", CLASSIFIER)}
    for (variant, _), study in studies.items():
        assert study.recipe_name == f"tiny_family/{variant}"
        assert (study.protocol.folds, study.protocol.repeats) == (3, 2)
        assert (study.recipe.budget.epochs, study.seed, study.max_minutes) == (1, 3, 2.0)
    binary = studies["binary", CLASSIFIER]
    assert binary.labels == ("other", "covid19")
    assert binary.data is studies["plain", CLASSIFIER].data, "images would be read once for each variant"


def test_folds_of_a_paper_that_has_none_are_refused(tmp_path: Path) -> None:
    family = load_family("deepcovid")
    with pytest.raises(
        UsageError, match=r"deepcovid tests on hold-out 0\.32 / 0\.08 / 0\.6.*--folds does not"
    ):
        plan_studies(
            family,
            choose_networks(family),
            divisible_data(tmp_path),
            folds=10,
            repeats=None,
            epochs=None,
            weights=None,
            seed=0,
            max_minutes=None,
            device="cpu",
        )


def test_the_tiny_family_has_every_kind_of_table() -> None:
    kinds = {table["kind"] for table in yaml.safe_load(TINY_FAMILY.read_text())["published"]}
    assert kinds == {"metrics", "confusion", "thresholds"}
