"""Recipes load, say what they are, and refuse what they do not know."""

from pathlib import Path

import pytest

from hilum.contract import CLASSIFIER, FILTER
from training.errors import RecipeError
from training.train.callbacks import cosine_factor, image_size_at
from training.train.family import load_recipe, recipe_names


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_comes_with_hilum_is_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.source


def test_icapuc_has_the_papers_settings() -> None:
    recipe = load_recipe("icapuc")
    filter_, classifier = recipe.network(FILTER), recipe.network(CLASSIFIER)
    assert (filter_.optimizer.learning_rate, filter_.batch_size, filter_.budget.patience) == (1e-3, 128, 15)
    assert (classifier.optimizer.learning_rate, classifier.loss.label_smoothing) == (1e-5, 0.1)
    assert classifier.weights == "imagenet"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(RecipeError, match=r"No recipe 'icapuk'.*icapuc, icapuc_scratch"):
        load_recipe("icapuk")


def test_a_misspelt_key_is_named(tmp_path: Path) -> None:
    text = (Path(__file__).parents[4] / "training/recipes/icapuc.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("batch_size: 16", "batchsize: 16"))
    with pytest.raises(RecipeError, match=r"mine\.yaml: .*classifier\.batch"):
        load_recipe(str(path))


def test_a_recipe_without_the_network_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("source: ours\n")
    with pytest.raises(RecipeError, match="no section for xray_filter"):
        load_recipe(str(path)).network(FILTER)


def test_options_replace_the_recipes_own() -> None:
    recipe = load_recipe("icapuc").network(CLASSIFIER)
    resolved = recipe.resolved(epochs=3, weights="none")
    assert (resolved.budget.epochs, resolved.weights) == (3, "none")
    assert recipe.resolved(epochs=None, weights=None) == recipe


def test_random_weights_in_place_of_trained_ones_leave_no_layer_frozen() -> None:
    recipe = load_recipe("apostolopoulos/xception").network(CLASSIFIER)
    assert recipe.backbone.frozen_through
    assert recipe.backbone.frozen_except
    scratch = recipe.resolved(epochs=None, weights="none").backbone
    assert (scratch.frozen_through, scratch.frozen_except) == (None, ())
    own = recipe.model_copy(update={"weights": "none"})  # whoever writes this into a recipe means it
    assert own.resolved(epochs=None, weights="none").backbone == recipe.backbone
    assert recipe.resolved(epochs=None, weights="own.pt").backbone == recipe.backbone


def test_image_size_grows_with_the_budget() -> None:
    recipe = load_recipe("icapuc_scratch").network(CLASSIFIER)
    sizes = [image_size_at(recipe, used / 100) for used in range(101)]
    assert sizes[-1] is None, "the recipe's own size"
    shrunk = [size for size in sizes if size is not None]
    assert shrunk == sorted(shrunk)
    assert sizes[0] == recipe.budget.small_first[0][1]


def test_cosine_rises_over_the_warmup_and_ends_at_zero() -> None:
    assert cosine_factor(0.0, 0.1) == 0
    assert cosine_factor(0.05, 0.1) == pytest.approx(0.5)
    assert cosine_factor(0.1, 0.1) == 1
    assert cosine_factor(0.55, 0.1) == pytest.approx(0.5)
    assert cosine_factor(1.0, 0.1) == pytest.approx(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("repeats: {covid: 4}", "no class covid; there are no_finding"),
        ("subset: {images_per_finding: {covid: 4}}", "unknown finding covid"),
        ("classes: {a: [covid19]}", "give two or more"),
        ("classes: {a: [covid19], b: [covid19]}", "no finding twice"),
        ("classes: {a: [covid], b: [covid19]}", "unknown finding covid"),
    ],
)
def test_a_class_that_does_not_exist_is_named(change: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    tiny = (Path(__file__).parents[3] / "support/tiny.yaml").read_text()
    path.write_text(f"{tiny.replace('classifier: *network', '')}\nclassifier:\n  <<: *network\n  {change}\n")
    with pytest.raises(RecipeError, match=message):
        load_recipe(str(path))


def test_variants_that_are_no_mapping_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("source: ours\nvariants: {a: text}\n")
    with pytest.raises(RecipeError, match=r"variants\.a: expected a mapping"):
        load_recipe(f"{path}/a")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(b"\xff\xfe\x00source")
    with pytest.raises(RecipeError, match="not a YAML mapping"):
        load_recipe(str(path))


def test_a_family_with_variants_asks_for_one() -> None:
    with pytest.raises(RecipeError, match=r"variants: name one.*deepcovid/resnet18"):
        load_recipe("deepcovid")
