"""Recipes: everything that shapes a network. `family.py` reads them from YAML."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from hilum.contract import CLASSIFIER, FILTER, LABELS
from training.config import Section
from training.data.samples import FILTER_LABELS
from training.data.subset import SubsetConfig
from training.errors import RecipeError
from training.models.backbones import BackboneConfig
from training.models.head import HeadConfig
from training.train.augmentation import AugmentationConfig
from training.train.losses import LossConfig
from training.train.search_space import SearchSpace, Setting


class OptimizerConfig(Section):
    """How weights are moved."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    """torch's optimizer."""
    learning_rate: float = Field(gt=0)
    """Step size at the start."""
    weight_decay: float = Field(default=0.0, ge=0)
    """L2 pull towards zero (decoupled in adamw)."""


class ScheduleConfig(Section):
    """How the learning rate falls."""

    name: Literal["constant", "plateau", "step", "cosine", "inverse_time"] = "constant"
    """`cosine` follows the share of the budget that is used up: of the epochs or of the minutes.
    `inverse_time` divides the rate by 1 + decay x steps, as Keras's `decay` does."""
    factor: float = Field(default=0.5, gt=0, lt=1)
    """Multiplies the learning rate (plateau, step)."""
    patience: int = Field(default=1, ge=0)
    """Epochs without a better validation loss before the factor applies (plateau)."""
    every_epochs: int = Field(default=5, ge=1)
    """Epochs between two applications of the factor (step)."""
    decay: float = Field(default=0.0, ge=0)
    """Decay per step (inverse_time)."""
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


class FirstStageConfig(Section):
    """A training before the training: its backbone is where the second stage starts."""

    classes: dict[str, tuple[str, ...]]
    """As in `NetworkRecipe`."""
    budget: BudgetConfig
    """When it ends."""
    minutes_share: float = Field(default=0.5, gt=0, lt=1)
    """Its share of the minutes, where they are limited."""


class NetworkRecipe(Section):
    """How one network is built and trained."""

    backbone: BackboneConfig
    head: HeadConfig = HeadConfig()
    weights: str = "none"
    """Weights of the backbone at the start: `none`, `imagenet`, or a file."""
    subset: SubsetConfig = SubsetConfig()
    classes: dict[str, tuple[str, ...]] | None = None
    """By class: the findings it holds; null makes a class of each label of the contract."""
    first_stage: FirstStageConfig | None = None
    """A training with other classes that comes first; null starts from `weights`."""
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig
    schedule: ScheduleConfig = ScheduleConfig()
    budget: BudgetConfig
    augmentation: AugmentationConfig = AugmentationConfig()
    batch_size: int = Field(ge=2)
    """Images per step, over all processes that train together."""
    accumulate: int = Field(default=1, ge=1)
    """Equal parts that a step's images go through the network in, one after the other, where they do not
    fit into memory at once. Batch normalisation sees a part at a time; all else is as without."""
    precision: Literal["auto", "32"] = "auto"
    """Arithmetic: `auto` multiplies in bfloat16 where the hardware can, which rounds otherwise than where it
    cannot; `32` is the same everywhere."""
    repeats: dict[str, int] = Field(default_factory=dict)
    """Oversampling: how often each image of a class is shown per epoch (1 where not named)."""
    averaged_weights: float | None = Field(default=None, gt=0, lt=1)
    """Decay of an exponential moving average of the weights, which is then what is validated and kept."""
    select_by: Literal["val_loss", "val_auroc"] = "val_loss"
    """Which validation metric chooses the epoch that is kept."""
    tune: SearchSpace = Field(default_factory=dict)
    """What `hilum tune` may change, by dotted key of this section, as `optimizer.learning_rate`."""

    @model_validator(mode="after")
    def _fits_together(self) -> "NetworkRecipe":
        _check_classes(self.classes)
        _check_classes(self.first_stage.classes if self.first_stage else None)
        if self.batch_size % self.accumulate:
            raise ValueError(f"batch_size {self.batch_size} cannot be cut into {self.accumulate} equal parts")
        if self.budget.small_first and not isinstance(self.backbone.image_size_px, int):
            raise ValueError("small_first needs a square image_size_px")
        if self.select_by == "val_loss" and any(key.startswith("loss.") for key in self.tune):
            raise ValueError("tune: losses that differ cannot be compared by val_loss: select_by val_auroc")
        for key, entry in self.tune.items():
            for value in entry.examples():
                self.with_settings({key: value})
        return self

    def with_settings(self, settings: Mapping[str, Setting]) -> "NetworkRecipe":
        """Return this recipe with other values under dotted keys, and without its search space.

        Raises:
            ValueError: there is no such key, or a value is impossible; the message names it.
        """
        content = self.model_dump(mode="json", exclude={"tune"})
        for key, value in settings.items():
            *path, last = key.split(".")
            section: Any = content
            for part in path:
                section = section.get(part) if isinstance(section, dict) else None
            if not isinstance(section, dict) or key in ("tune", "select_by"):
                raise ValueError(f"tune: {key}: no setting of a network that can be searched")
            section[last] = value
        try:
            return NetworkRecipe.model_validate(content)
        except ValidationError as error:
            wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
            tried = ", ".join(f"{key} {value}" for key, value in settings.items())
            raise ValueError(f"tune: {tried}: {wrong}") from error

    def resolved(self, *, epochs: int | None, weights: str | None) -> "NetworkRecipe":
        """Return this recipe with the given options in place of its own; None keeps its own.

        Weights `none` in place of the recipe's own train every layer: what a recipe keeps frozen of
        pre-trained weights is not worth keeping of random ones. Its search space is left out: it shapes no
        training.
        """

        def bounded(budget: BudgetConfig) -> BudgetConfig:
            return budget.model_copy(update={"epochs": epochs or budget.epochs})

        first = self.first_stage
        if first is not None:
            first = first.model_copy(update={"budget": bounded(first.budget)})
        backbone = self.backbone
        if weights == "none" != self.weights:
            backbone = backbone.model_copy(update={"frozen_through": None, "frozen_except": ()})
        changes = {"budget": bounded(self.budget), "weights": weights or self.weights, "first_stage": first}
        return self.model_copy(update={**changes, "backbone": backbone, "tune": {}})

    def stage_before(self) -> "NetworkRecipe | None":
        """Return the recipe of the first stage, all else being as in the second; None where there is none."""
        first = self.first_stage
        if first is None:
            return None
        repeats = {name: times for name, times in self.repeats.items() if name in first.classes}
        changes = {"classes": first.classes, "budget": first.budget, "repeats": repeats, "first_stage": None}
        return self.model_copy(update=changes)


def _check_classes(classes: dict[str, tuple[str, ...]] | None) -> None:
    """Refuse fewer than two classes, findings that do not exist, and findings that stand in two classes."""
    if classes is None:
        return
    findings = [finding for held in classes.values() for finding in held]
    unknown = sorted(set(findings) - set(LABELS))
    if unknown:
        raise ValueError(f"classes: unknown finding {', '.join(unknown)}; there are {', '.join(LABELS)}")
    if len(classes) < 2 or len(set(findings)) != len(findings) or not all(classes.values()):
        raise ValueError("classes: give two or more, each with a finding, and no finding twice")


class Recipe(Section):
    """The two networks of a system."""

    name: str
    """`family`, or `family/variant`."""
    source: str
    """The paper, or what the recipe departs from."""
    filter: NetworkRecipe | None = None
    classifier: NetworkRecipe | None = None

    @model_validator(mode="after")
    def _repeated_classes_exist(self) -> "Recipe":
        for network, own in ((self.filter, FILTER_LABELS), (self.classifier, LABELS)):
            if network is not None:
                classes = network.classes or own
                unknown = ", ".join(sorted(set(network.repeats) - set(classes)))
                if unknown:
                    raise ValueError(f"repeats: no class {unknown}; there are {', '.join(classes)}")
        return self

    def network(self, model: str) -> NetworkRecipe:
        """Return the recipe of `xray_filter` or `xray_classifier`.

        Raises:
            RecipeError: this recipe says nothing of that network.
        """
        found = {FILTER: self.filter, CLASSIFIER: self.classifier}[model]
        if found is None:
            raise RecipeError(f"Recipe {self.name!r} has no section for {model}.")
        return found
