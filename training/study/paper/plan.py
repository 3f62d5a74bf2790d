"""Which networks a paper's tables are of, and whether the recipes can give what the tables show."""

from collections.abc import Iterable, Iterator

from hilum.contract import CLASSIFIER
from hilum.errors import UsageError
from training.data.metadata import DataSet
from training.data.subset import draw_subset
from training.errors import RecipeError
from training.study.measures import measure_names
from training.study.study import Study, class_names, described, with_options
from training.train.family import RECIPES, Family, load_family
from training.train.published import Published

OTHER = "other"
"""In a published confusion matrix: all classes that it does not name."""

Network = tuple[str, str]
"""Variant and model, `xray_filter` or `xray_classifier`."""


def choose_networks(
    family: Family, variants: Iterable[str] = (), models: Iterable[str] = ()
) -> tuple[Network, ...]:
    """Return the networks to train: those that a table shows, of the variants and models asked for.

    A variant that no table shows gets its classifier trained and measured all the same.

    Args:
        family: the paper.
        variants: names of variants; none for all.
        models: `xray_filter`, `xray_classifier`, or none for both.

    Raises:
        RecipeError: there is no such variant, the paper prints no table, or nothing is left.
    """
    if not family.published:
        raise RecipeError(
            f"Recipe {family.name!r} holds no published table to stand beside. These do: {_with_tables()}."
        )
    chosen = tuple(variants) or tuple(family.recipes)
    for variant in chosen:
        family.recipe(variant)
    shown = {network for table in family.published for network in networks_of(table)}
    networks = []
    for variant in chosen:
        own = [model for shown_variant, model in sorted(shown) if shown_variant == variant]
        networks += [(variant, model) for model in own or [CLASSIFIER]]
    asked = tuple(models)
    networks = [network for network in networks if not asked or network[1] in asked]
    if not networks:
        raise RecipeError(f"{family.name}: no table is of {' or '.join(asked)} of {', '.join(chosen)}.")
    return tuple(networks)


def networks_of(table: Published) -> Iterator[Network]:
    """Yield the networks that a table shows."""
    for variant in table.rows if table.kind == "metrics" else (table.variant,):
        yield variant, table.model


def check_tables(family: Family, networks: Iterable[Network]) -> None:
    """Refuse, before anything is trained, tables of classes or metrics that the networks do not have.

    Raises:
        RecipeError: the message names table, network and what it has.
    """
    for variant, model in networks:
        labels = class_names(model, family.recipe(variant).network(model))
        for table in family.published:
            if (variant, model) in networks_of(table):
                for name, known in _needs(table, variant, labels):
                    if name not in known:
                        raise RecipeError(
                            f"{family.name}: {table.table} ({table.title}) shows {name}, which the network "
                            f"{variant or model} cannot give; it has {', '.join(known)}."
                        )


def _needs(table: Published, variant: str, labels: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield each name that a table uses of a network, and the names that there are."""
    if table.kind == "metrics":
        for name in table.rows[variant]:
            yield name, measure_names(labels)
    elif table.kind == "thresholds":
        yield table.label, labels
    else:
        for label in table.labels:
            yield label, (*labels, OTHER)
        if OTHER not in table.labels:
            for label in labels:
                yield label, table.labels


def _with_tables() -> str:
    families = (load_family(path.stem) for path in sorted(RECIPES.glob("*.yaml")))
    return ", ".join(family.name for family in families if family.published)


def plan_studies(
    family: Family,
    networks: Iterable[Network],
    data: DataSet,
    *,
    folds: int | None,
    repeats: int | None,
    epochs: int | None,
    weights: str | None,
    seed: int,
    max_minutes: float | None,
    device: str,
) -> dict[Network, Study]:
    """Return the study of each network, by the paper's protocol; None keeps the recipe's own.

    Raises:
        UsageError: folds are asked for where the paper has none.
        DataSetError: the data lack a column that a recipe selects images by, or hold none of them.
    """
    if folds and family.protocol.name != "crossval":
        raise UsageError(
            f"{family.name} tests on {described(family.protocol)}: --folds does not apply. Leave it out, or "
            "use `hilum crossval`."
        )
    backbones = {family.recipe(variant).network(model).backbone.name for variant, model in networks}
    if weights not in (None, "none", "imagenet") and len(backbones) > 1:
        raise UsageError(
            f"--weights {weights} is of one network, but {len(backbones)} are to be trained: "
            f"{', '.join(sorted(backbones))}. Choose one by --network and --variant."
        )
    protocol = with_options(family.protocol, folds=folds, repeats=repeats)
    drawn: dict[str, DataSet] = {}  # variants that share a subset share the reading of its images
    studies = {}
    for variant, model in networks:
        recipe = family.recipe(variant)
        resolved = recipe.network(model).resolved(epochs=epochs, weights=weights)
        subset = resolved.subset.model_dump_json()
        if subset not in drawn:
            drawn[subset] = draw_subset(data, resolved.subset)
        studies[variant, model] = Study(
            model=model,
            recipe_name=recipe.name,
            recipe=resolved,
            protocol=protocol,
            data=drawn[subset],
            seed=seed,
            max_minutes=max_minutes,
            device=device,
        )
    return studies
