"""The `tune` section: what it may say, and how its values get into a recipe."""

from pathlib import Path

import pytest
import yaml
from optuna.trial import FixedTrial

from hilum.contract import CLASSIFIER
from training.errors import RecipeError
from training.train.family import load_recipe
from training.train.recipe import NetworkRecipe
from training.train.search_space import Choices, NumberRange
from training.train.tuning import suggested

NETWORK = {
    "backbone": {"name": "mobilenetv1_100", "channels": 1, "image_size_px": 32},
    "optimizer": {"name": "adam", "learning_rate": 1e-3},
    "budget": {"epochs": 1},
    "batch_size": 16,
    "accumulate": 2,
}


def refusal(tmp_path: Path, **tune: object) -> str:
    """Return what is said of a recipe with this search space."""
    path = tmp_path / "searched.yaml"
    path.write_text(yaml.safe_dump({"source": "tests", "classifier": NETWORK | {"tune": tune}}))
    with pytest.raises(RecipeError) as raised:
        load_recipe(str(path))
    return str(raised.value)


def test_settings_get_into_the_recipe_by_dotted_key() -> None:
    recipe = NetworkRecipe.model_validate(
        NETWORK | {"tune": {"optimizer.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}}
    )
    changed = recipe.with_settings({"optimizer.learning_rate": 5e-3, "batch_size": 8, "repeats.covid19": 3})
    assert changed.optimizer.learning_rate == 5e-3
    assert changed.batch_size == 8
    assert changed.repeats == {"covid19": 3}
    assert changed.tune == {}
    assert recipe.optimizer.learning_rate == 1e-3, "a recipe is never changed in place"


@pytest.mark.parametrize(
    ("key", "entry", "complaint"),
    [
        ("optimizer.lerning_rate", {"low": 1e-4, "high": 1e-2}, "optimizer.lerning_rate: Extra inputs"),
        ("optimiser.learning_rate", {"low": 1e-4, "high": 1e-2}, "optimiser.learning_rate: no setting"),
        ("first_stage.budget.epochs", {"choices": [1, 2]}, "first_stage.budget.epochs: no setting"),
        ("select_by", {"choices": ["val_loss", "val_auroc"]}, "select_by: no setting"),
        ("optimizer.learning_rate", {"low": -1.0, "high": 1.0}, "greater than 0"),
        ("optimizer.learning_rate", {"low": 1e-2, "high": 1e-4}, "low must be below high"),
        ("optimizer.weight_decay", {"low": 0.0, "high": 1.0, "log": True}, "above 0 where log is true"),
        ("batch_size", {"low": 8.0, "high": 32.0}, "valid integer"),
        ("batch_size", {"choices": [16, 7]}, "cannot be cut into 2 equal parts"),
        ("batch_size", {"choices": [16]}, "at least 2"),
        ("loss.label_smoothing", {"low": 0.0, "high": 0.2}, "cannot be compared by val_loss"),
    ],
)
def test_an_impossible_search_space_is_refused_with_the_recipe(
    tmp_path: Path, key: str, entry: object, complaint: str
) -> None:
    assert complaint in refusal(tmp_path, **{key: entry})


def test_a_trial_suggests_within_the_space() -> None:
    trial = FixedTrial({"optimizer.learning_rate": 3e-3, "batch_size": 32})
    assert suggested(trial, "optimizer.learning_rate", NumberRange(low=1e-4, high=1e-2, log=True)) == 3e-3
    assert suggested(trial, "batch_size", Choices(choices=(16, 32))) == 32


def test_the_recipe_for_little_time_can_be_searched() -> None:
    recipe = load_recipe("icapuc_scratch").network(CLASSIFIER)
    assert "optimizer.learning_rate" in recipe.tune
    assert recipe.resolved(epochs=None, weights=None).tune == {}, "a search space shapes no training"
