"""Recipes: YAML files that fix everything that shapes a network."""

from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError, model_validator

from hilum.contract import CLASSIFIER, FILTER
from training.config import Section
from training.errors import RecipeError
from training.models.backbones import BackboneConfig
from training.train.augmentation import AugmentationConfig
from training.train.losses import LossConfig

RECIPES = Path(__file__).parents[1] / "recipes"
"""Where the recipes that come with Hilum live."""


class OptimizerConfig(Section):
    """How weights are moved."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    """torch's optimizer."""
    learning_rate: float = Field(gt=0)
    """Step size at the start."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 pull towards zero (decoupled in adamw)."""
    head_only: bool = False
    """Train only the head; the backbone keeps its weights."""


class ScheduleConfig(Section):
    """How the learning rate falls."""

    name: Literal["constant", "plateau", "step", "cosine"] = "constant"
    """`cosine` follows the share of the budget that is used up: of the epochs or of the minutes."""
    factor: float = Field(default=0.5, gt=0, lt=1)
    """Multiplies the learning rate (plateau, step)."""
    patience: int = Field(default=1, ge=0)
    """Epochs without a better validation loss before the factor applies (plateau)."""
    every_epochs: int = Field(default=5, ge=1)
    """Epochs between two applications of the factor (step)."""
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the budget over which the learning rate rises from zero (cosine)."""


class BudgetConfig(Section):
    """When training ends."""

    epochs: int = Field(ge=1)
    """Most passes over the training split."""
    patience: int | None = Field(default=None, ge=1)
    """Epochs without a better validation loss before training ends; null trains the whole budget."""
    small_first: tuple[tuple[float, int], ...] = ()
    """Pairs (share of the budget, image side in px): until that share, images are shrunk to that side."""

    @model_validator(mode="after")
    def _shares_rise(self) -> "BudgetConfig":
        shares = [share for share, _ in self.small_first]
        if shares != sorted(shares) or any(not 0 < share < 1 for share in shares):
            raise ValueError(f"small_first: shares must rise within (0, 1), got {shares}")
        return self


class NetworkRecipe(Section):
    """How one network is built and trained."""

    backbone: BackboneConfig
    weights: str = "none"
    """Weights at the start: `none`, `imagenet`, or a file."""
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = ScheduleConfig()
    budget: BudgetConfig
    augmentation: AugmentationConfig = AugmentationConfig()
    batch_size: int = Field(ge=2)
    """Images per step."""
    repeats: dict[str, int] = Field(default_factory=dict)
    """Oversampling: how often each image of a class is shown per epoch (1 where not named)."""
    averaged_weights: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, which is then what is validated and kept."""
    select_by: Literal["val_loss", "val_auroc"] = "val_loss"
    """Which validation metric chooses the epoch that is kept."""

    def resolved(self, *, epochs: int | None, weights: str | None) -> "NetworkRecipe":
        """Return this recipe with the given options in place of its own; None keeps its own."""
        budget = self.budget.model_copy(update={"epochs": epochs or self.budget.epochs})
        return self.model_copy(update={"budget": budget, "weights": weights or self.weights})


class Recipe(Section):
    """A recipe family: the two networks of a system, and where they come from."""

    name: str
    source: str
    """The paper, or what the recipe departs from."""
    filter: NetworkRecipe | None = None
    classifier: NetworkRecipe | None = None

    def network(self, model: str) -> NetworkRecipe:
        """Return the recipe of `xray_filter` or `xray_classifier`.

        Raises:
            RecipeError: this recipe says nothing of that network.
        """
        found = {FILTER: self.filter, CLASSIFIER: self.classifier}[model]
        if found is None:
            raise RecipeError(f"Recipe {self.name!r} has no section for {model}.")
        return found


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with Hilum."""
    return sorted(path.stem for path in RECIPES.glob("*.yaml"))


def load_recipe(name_or_path: str) -> Recipe:
    """Load and validate a recipe by its name, or from a YAML file.

    Raises:
        RecipeError: there is no such recipe, or a key or value in it is wrong; the message names each.
    """
    path = Path(name_or_path)
    if path.suffix not in {".yaml", ".yml"}:
        path = RECIPES / f"{name_or_path}.yaml"
    if not path.is_file():
        raise RecipeError(
            f"No recipe {name_or_path!r}. There are {', '.join(recipe_names())}; or pass a .yaml file."
        )
    try:
        return Recipe.model_validate({"name": path.stem, **yaml.safe_load(path.read_text())})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{path.name}: {wrong}.") from error
    except (yaml.YAMLError, TypeError) as error:
        raise RecipeError(f"{path.name} is not a YAML mapping: {error}.") from error
