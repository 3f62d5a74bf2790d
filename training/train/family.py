"""Reads recipes from YAML: one file per paper, with its networks, its protocol and its printed numbers."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError, model_validator

from training.config import Section
from training.errors import RecipeError
from training.train.protocol import ProtocolConfig
from training.train.published import Published
from training.train.recipe import Recipe

RECIPES = Path(__file__).parents[1] / "recipes"
"""Where the recipes that come with Hilum live."""

SUFFIXES = {".yaml", ".yml"}


class Family(Section):
    """All systems of one paper."""

    name: str
    """The file's name without its suffix."""
    source: str
    """The paper, or what the recipe departs from."""
    protocol: ProtocolConfig = ProtocolConfig()
    """How the paper divides its data."""
    published: tuple[Published, ...] = ()
    """The tables that the paper prints; in a file also the name of another family, to stand beside its."""
    recipes: dict[str, Recipe]
    """By variant; `""` is the only one where the family has no variants."""

    @model_validator(mode="before")
    @classmethod
    def _merge_variants(cls, content: dict[str, Any]) -> dict[str, Any]:
        """Make a whole recipe of each variant: what is common to all, and over it what is its own."""
        content = dict(content)
        common: dict[str, Any] = {key: content.pop(key) for key in ("filter", "classifier") if key in content}
        variants = content.pop("variants", {"": {}})
        if not isinstance(variants, dict):
            raise ValueError("variants: expected a mapping of names to what differs")
        recipes = {}
        for variant, own in variants.items():
            if not isinstance(own, dict | None):
                raise ValueError(f"variants.{variant}: expected a mapping of what differs, got {own!r}")
            name = f"{content['name']}/{variant}" if variant else content["name"]
            recipes[variant] = {"name": name, "source": content.get("source"), **_merged(common, own or {})}
        return {**content, "recipes": recipes}

    @model_validator(mode="after")
    def _published_variants_exist(self) -> "Family":
        for table in self.published:
            named = table.rows if table.kind == "metrics" else [table.variant]
            unknown = sorted(set(named) - set(self.recipes))
            if unknown:
                raise ValueError(f"published {table.table}: no variant {', '.join(unknown)}")
        return self

    def recipe(self, variant: str) -> Recipe:
        """Return one variant's recipe.

        Raises:
            RecipeError: there is no such variant; the message lists them.
        """
        if variant not in self.recipes:
            names = ", ".join(self.variant_names()) or "none"
            asked = f"no variant {variant!r}" if variant else "variants: name one"
            raise RecipeError(f"Recipe {self.name!r} has {asked}. There are: {names}.")
        return self.recipes[variant]

    def variant_names(self) -> list[str]:
        """Return how each variant is called on the command line."""
        return [f"{self.name}/{variant}" for variant in self.recipes if variant]


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with Hilum, variants included."""
    families = [load_family(path.stem) for path in sorted(RECIPES.glob("*.yaml"))]
    return [name for family in families for name in family.variant_names() or [family.name]]


def load_recipe(name_or_path: str) -> Recipe:
    """Load one recipe: `family`, `family/variant`, `FILE.yaml` or `FILE.yaml/variant`.

    Raises:
        RecipeError: there is no such recipe, or a key or value in it is wrong; the message names each.
    """
    return load_recipe_of_family(name_or_path)[1]


def load_recipe_of_family(name_or_path: str) -> tuple[Family, Recipe]:
    """Load one recipe, as `load_recipe`, and the family that it is of.

    Raises:
        RecipeError: as `load_recipe`.
    """
    path = Path(name_or_path)
    if path.suffix in SUFFIXES or "/" not in name_or_path:
        family, variant = load_family(name_or_path), ""
    else:
        name, _, variant = name_or_path.rpartition("/")
        family = load_family(name)
    return family, family.recipe(variant)


def load_family(name_or_path: str) -> Family:
    """Load and validate all recipes of a paper, by its name, or from a YAML file.

    Raises:
        RecipeError: as `load_recipe`.
    """
    path = Path(name_or_path)
    if path.suffix not in SUFFIXES:
        path = RECIPES / f"{name_or_path}.yaml"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in RECIPES.glob("*.yaml")))
        raise RecipeError(f"No recipe {name_or_path!r}. There are {names}; or pass a .yaml file.")
    try:
        content = yaml.safe_load(path.read_text())
        if not isinstance(content, dict):
            raise TypeError("the file holds no keys")
        if isinstance(content.get("published"), str):
            content["published"] = load_family(content["published"]).published
        return Family.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise RecipeError(f"{path.name}: {wrong}.") from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        raise RecipeError(f"{path.name} is not a YAML mapping: {error}.") from error


def _merged(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return `common` with `own` over it, mapping by mapping; lists and values are replaced whole."""
    merged = dict(common)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
