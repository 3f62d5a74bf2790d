"""Each paper's hyper-parameters, protocol and printed tables, as its text states them.

The numbers below are read from the papers a second time. Where a paper contradicts itself, the test says so
and holds both numbers.
"""

import math
from typing import Any

import pytest

from training.train.family import Family, load_family, load_recipe, recipe_names
from training.train.published import PublishedConfusion, PublishedMetrics, PublishedThresholds
from training.train.recipe import NetworkRecipe

APOSTOLOPOULOS = ("vgg19", "mobilenetv2", "inception", "xception", "inception_resnet_v2")


def classifier(name: str) -> NetworkRecipe:
    recipe = load_recipe(name).classifier
    assert recipe is not None
    return recipe


def metrics(family: Family, table: str, variant: str) -> dict[str, Any]:
    """Return the printed numbers of one network; of the last table of that name, where there are two."""
    found = [t for t in family.published if isinstance(t, PublishedMetrics) and t.table == table]
    return found[-1].rows[variant]


def confusion(family: Family, table: str, variant: str = "") -> dict[str, dict[str, int]]:
    """Return counts by true and decided class."""
    found = [
        t
        for t in family.published
        if isinstance(t, PublishedConfusion) and (t.table, t.variant) == (table, variant)
    ]
    assert len(found) == 1
    labels = found[0].labels
    return {
        true: dict(zip(labels, row, strict=True)) for true, row in zip(labels, found[0].counts, strict=True)
    }


def sensitivity(counts: dict[str, dict[str, int]], label: str) -> float:
    return counts[label][label] / sum(counts[label].values())


def specificity(counts: dict[str, dict[str, int]], label: str) -> float:
    others = [row for true, row in counts.items() if true != label]
    return 1 - sum(row[label] for row in others) / sum(sum(row.values()) for row in others)


def accuracy(counts: dict[str, dict[str, int]]) -> float:
    return sum(counts[label][label] for label in counts) / sum(sum(row.values()) for row in counts.values())


def test_the_families_are_all_there() -> None:
    families = {name.split("/")[0] for name in recipe_names()}
    assert families >= {"icapuc", "deepcovid", "apostolopoulos", "soares", "civit_masot"}


# --- ICA-PUC: arXiv 2009.01657


def test_icapuc_filter() -> None:
    filter_ = load_recipe("icapuc").filter
    assert filter_ is not None
    assert (filter_.backbone.image_size_px, filter_.backbone.channels) == (224, 1)  # section 4.1
    assert (filter_.backbone.mean, filter_.backbone.std) == (0, 1)  # section 4.1
    assert filter_.augmentation.rotation_deg == 5  # section 4.1
    assert filter_.augmentation.crop_area[0] == pytest.approx(1 / 1.1**2, abs=0.005)  # section 4.1: zoom 10 %
    assert (filter_.batch_size, filter_.budget.epochs, filter_.budget.patience) == (128, 100, 15)  # table 3
    assert (filter_.optimizer.name, filter_.optimizer.learning_rate) == ("adam", 1e-3)  # table 3
    schedule = filter_.schedule
    assert (schedule.name, schedule.factor, schedule.every_epochs) == ("step", 0.5, 5)  # table 3


def test_icapuc_classifier() -> None:
    recipe = classifier("icapuc")
    assert recipe.backbone.name == "densenet121"  # section 2.2
    assert recipe.backbone.cut_after == "features.transition3.norm"  # figure 2: three dense blocks
    assert recipe.weights == "imagenet"  # section 2.2
    assert recipe.backbone.image_size_px == 224  # section 4.2
    assert recipe.loss.label_smoothing == 0.1  # section 4.2
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 1e-5)  # section 4.2
    assert (recipe.schedule.name, recipe.schedule.factor) == ("plateau", 0.5)  # section 4.2
    assert recipe.budget.patience == 5  # section 4.2
    assert recipe.repeats["covid19"] > 1  # section 4.2
    first = recipe.stage_before()
    assert first is not None
    assert first.classes == {
        "no_finding": ("no_finding",),
        "lung_opacity": ("lung_opacity", "covid19"),
    }  # section 2.2


def test_icapuc_protocol() -> None:
    protocol = load_family("icapuc").protocol
    assert (protocol.name, protocol.shares, protocol.repeats) == (
        "holdout",
        (0.8, 0.1, 0.1),
        50,
    )  # section 4.2


def test_icapuc_tables() -> None:
    family = load_family("icapuc")
    counts, table_5 = confusion(family, "Table 4"), metrics(family, "Table 5", "")
    assert [sum(row.values()) for row in counts.values()] == [58_136, 51_116, 3_068]
    for label in counts:
        assert specificity(counts, label) == pytest.approx(table_5[f"{label}.specificity"][0], abs=1e-3)
    for label in ("no_finding", "lung_opacity"):
        assert sensitivity(counts, label) == pytest.approx(table_5[f"{label}.sensitivity"][0], abs=1e-3)
    assert sensitivity(counts, "covid19") == pytest.approx(0.884, abs=1e-3)
    assert table_5["covid19.sensitivity"] == (0.844, 0.032), (
        "the paper prints 84.4 where its counts give 88.4"
    )
    (filter_table,) = [table for table in family.published if table.model == "xray_filter"]
    assert isinstance(filter_table, PublishedMetrics)
    assert filter_table.rows[""]["accuracy"] == 0.993
    assert filter_table.images == {"valid": 300, "non_valid": 100 + 100 + 100}  # table 1


# --- Deep-COVID: arXiv 2004.09363


@pytest.mark.parametrize(
    ("variant", "network"),
    [
        ("resnet18", "resnet18"),
        ("resnet50", "resnet50"),
        ("squeezenet", "squeezenet1_0"),
        ("densenet121", "densenet121"),
    ],
)
def test_deepcovid(variant: str, network: str) -> None:
    recipe = classifier(f"deepcovid/{variant}")
    assert recipe.backbone.name == network
    assert (recipe.backbone.frozen_through, recipe.head.hidden) == ("all", ())  # section 3.1
    assert recipe.weights == "imagenet"  # section 3.1
    assert recipe.backbone.image_size_px == 224  # section 4.1
    assert recipe.classes == {"other": ("no_finding", "lung_opacity"), "covid19": ("covid19",)}  # section 2
    assert recipe.loss.name == "cross_entropy"  # equation 1
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 1e-4)  # section 4.1
    assert recipe.optimizer.weight_decay == 0  # section 3.5
    assert (recipe.budget.epochs, recipe.budget.patience, recipe.batch_size) == (100, None, 20)  # section 4.1
    assert recipe.repeats == {"covid19": 420 // 84}  # table 1
    changes = recipe.augmentation
    assert min(changes.horizontal_flip, changes.rotation_deg, changes.distortion) > 0  # section 1
    assert recipe.subset.images_per_finding["covid19"] == 84 + 100  # table 1
    drawn = recipe.subset.images_per_finding
    assert drawn["no_finding"] == 700 + 1700  # section 2
    assert drawn["no_finding"] + drawn["lung_opacity"] == 2000 + 3000  # table 1


def test_deepcovid_protocol() -> None:
    protocol = load_family("deepcovid").protocol
    assert (protocol.name, protocol.repeats, protocol.decision) == ("holdout", 1, "operating_point")
    assert protocol.shares is not None
    assert protocol.shares[2] == pytest.approx(3100 / (2084 + 3100), abs=0.005)  # table 1


def test_deepcovid_tables() -> None:
    family = load_family("deepcovid")
    tables = {table.variant: table for table in family.published if isinstance(table, PublishedThresholds)}
    assert [table.table for table in tables.values()] == ["Table 2", "Table 3", "Table 4", "Table 5"]
    assert [len(table.points) for table in tables.values()] == [5, 5, 5, 4]
    half_widths = {"resnet18": 1.1, "resnet50": 1.1, "squeezenet": 0.9, "densenet121": 1.5}  # table 6
    for variant, table in tables.items():
        thresholds, sensitivities, specificities = zip(*table.points, strict=True)
        assert list(thresholds) == sorted(thresholds)
        assert list(sensitivities) == sorted(sensitivities, reverse=True)
        assert list(specificities) == sorted(specificities)
        row = metrics(family, "Table 6", variant)
        assert row["covid19.sensitivity"] == 0.98
        assert dict(zip(sensitivities, specificities, strict=True))[0.98] == row["covid19.specificity"]
        assert round(100 * half_width(0.98, table.images["covid19"]), 1) == 2.7
        computed = 100 * half_width(row["covid19.specificity"], table.images["other"])
        assert computed == pytest.approx(half_widths[variant], abs=0.07), "ResNet18: 1.04, printed as 1.1"


def half_width(share: float, n: int) -> float:
    """Equation 3 of the paper."""
    return 1.96 * math.sqrt(share * (1 - share) / n)


# --- Apostolopoulos and Mpesiana 2020


@pytest.mark.parametrize(
    ("variant", "network", "hidden"),
    [
        ("vgg19", "vgg19", (1024,)),
        ("mobilenetv2", "mobilenetv2_100", (1000, 750)),
        ("inception", "inception_v3", (1000,)),
        ("xception", "legacy_xception", (1000, 750)),
        ("inception_resnet_v2", "inception_resnet_v2", ()),
        ("mobilenetv2_dataset2", "mobilenetv2_100", (1000, 750)),
    ],
)
def test_apostolopoulos(variant: str, network: str, hidden: tuple[int, ...]) -> None:
    recipe = classifier(f"apostolopoulos/{variant}")
    assert recipe.backbone.name == network
    assert recipe.head.hidden == hidden  # table 1
    assert (recipe.head.dropout > 0) == (len(hidden) == 2)  # "State-of-the-art CNNs for transfer learning"
    assert recipe.backbone.frozen_through not in (None, "all")  # table 1; which layer: models/test_cutoffs.py
    assert recipe.backbone.canvas_px == (200, 266)  # "Dataset of the study"
    assert recipe.weights == "imagenet"
    assert (recipe.optimizer.name, recipe.budget.epochs, recipe.batch_size) == ("adam", 10, 64)
    second = variant == "mobilenetv2_dataset2"
    assert recipe.subset.images_per_finding == {
        "covid19": 224,
        "lung_opacity": 400 + 314 if second else 700,
        "no_finding": 504,
    }
    excluded = {} if second else {"lung_opacity": {"pathogen": ("virus", "fungus")}}
    assert recipe.subset.exclude == excluded, "dataset 1 has bacterial pneumonia alone"


def test_apostolopoulos_protocol() -> None:
    protocol = load_family("apostolopoulos").protocol
    assert (protocol.name, protocol.folds, protocol.decision) == ("crossval", 10, "argmax")  # "Results"


def test_apostolopoulos_tables_2_and_4_agree_where_they_can() -> None:
    family = load_family("apostolopoulos")
    first = family.published[0]
    assert isinstance(first, PublishedMetrics)
    assert set(first.rows) == set(APOSTOLOPOULOS)
    for variant in ("vgg19", "mobilenetv2"):
        counts, row = confusion(family, "Table 4", variant), metrics(family, "Table 2", variant)
        assert sum(counts["covid19"].values()) == 224
        assert sum(counts["other"].values()) == 700 + 504
        assert sensitivity(counts, "covid19") == pytest.approx(row["covid19.sensitivity"], abs=1.1e-4)
        assert specificity(counts, "covid19") == pytest.approx(row["covid19.specificity"], abs=1.1e-4)
    mobilenet = confusion(family, "Table 4", "mobilenetv2")
    assert accuracy(mobilenet) == pytest.approx(0.9740, abs=1.5e-4)
    vgg19 = confusion(family, "Table 4", "vgg19")
    assert accuracy(vgg19) == pytest.approx(0.9783, abs=1e-4)
    assert metrics(family, "Table 2", "vgg19")["accuracy_2_class"] == 0.9875, "printed: its specificity"


def test_apostolopoulos_table_3_as_printed() -> None:
    family = load_family("apostolopoulos")
    mobilenet, vgg19 = (confusion(family, "Table 3", variant) for variant in ("mobilenetv2", "vgg19"))
    for counts in (mobilenet, vgg19):
        assert sum(counts["lung_opacity"].values()) == 504, "dataset 1 has 700 of pneumonia and 504 normal"
        assert sum(counts["no_finding"].values()) == 700, "the paper's columns seem to be exchanged"
    assert sum(mobilenet["covid19"].values()) == 224
    assert sum(vgg19["covid19"].values()) == 238, "table 4 has 208 for the 222 that stand here"
    assert confusion(family, "Table 4", "vgg19")["covid19"]["covid19"] == 208
    false_alarms = mobilenet["lung_opacity"]["covid19"] + mobilenet["no_finding"]["covid19"]
    assert false_alarms == confusion(family, "Table 4", "mobilenetv2")["other"]["covid19"] == 35
    assert vgg19["lung_opacity"]["covid19"] + vgg19["no_finding"]["covid19"] == 15  # as table 4
    right = 208 + vgg19["lung_opacity"]["lung_opacity"] + vgg19["no_finding"]["no_finding"]
    assert right / 1428 == pytest.approx(metrics(family, "Table 2", "vgg19")["accuracy"], abs=1.1e-4)
    assert accuracy(mobilenet) == pytest.approx(0.9545, abs=1e-4)
    same = {metrics(family, "Table 2", variant)["accuracy"] for variant in APOSTOLOPOULOS[1:]}
    assert same == {0.9285}, "printed for four networks alike"


def test_apostolopoulos_table_6_gives_table_5() -> None:
    family = load_family("apostolopoulos")
    counts = confusion(family, "Table 6", "mobilenetv2_dataset2")
    row = metrics(family, "Table 5", "mobilenetv2_dataset2")
    assert [sum(line.values()) for line in counts.values()] == [224, 504, 714]  # exchanged as in table 3
    assert accuracy(counts) == pytest.approx(row["accuracy"], abs=1.1e-4)
    assert sensitivity(counts, "covid19") == pytest.approx(row["covid19.sensitivity"], abs=1e-4)
    assert specificity(counts, "covid19") == pytest.approx(row["covid19.specificity"], abs=1.1e-4)
    two_classes = (221 + 472 + 13 + 17 + 673) / 1442
    assert two_classes == pytest.approx(row["accuracy_2_class"], abs=4e-4), "96.81 %, printed as 96.78"


# --- Soares and Soares: arXiv 2007.05494


@pytest.mark.parametrize(
    ("variant", "network"), [("vgg16", "vgg16"), ("xception", "legacy_xception"), ("resnet", "resnetv2_50")]
)
def test_soares(variant: str, network: str) -> None:
    recipe = classifier(f"soares/{variant}")
    assert recipe.backbone.name == network
    assert recipe.backbone.frozen_through == "all"  # section 3
    assert (recipe.backbone.image_size_px, recipe.backbone.channels) == (237, 3)  # section 3
    assert recipe.weights == "imagenet"  # section 3
    assert (recipe.budget.epochs, recipe.batch_size) == (80, 15)  # section 3
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 1e-3)  # section 3
    assert (recipe.loss.name, recipe.loss.label_smoothing) == ("cross_entropy", 0)  # section 3
    assert recipe.subset.images_per_finding == {"covid19": 175, "no_finding": 100, "lung_opacity": 100}


def test_soares_protocol_and_tables() -> None:
    family = load_family("soares")
    assert family.protocol.shares == (0.8, 0.1, 0.1)  # section 3
    counts = confusion(family, "Figure 2", "vgg16")
    assert sum(sum(row.values()) for row in counts.values()) == 75, "section 4: a fifth of 375, not a tenth"
    row = metrics(family, "section 4", "vgg16")
    assert accuracy(counts) == pytest.approx(73 / 75)
    assert accuracy(counts) == pytest.approx(row["accuracy"], abs=5e-4)
    for label in counts:
        assert sensitivity(counts, label) == pytest.approx(row[f"{label}.sensitivity"], abs=5e-4)
    first = family.published[0]
    assert isinstance(first, PublishedMetrics)
    assert {name: row["accuracy"] for name, row in first.rows.items()} == {
        "vgg16": 0.973,
        "xception": 0.959,
        "resnet": 0.946,
    }


# --- Civit-Masot et al. 2020


@pytest.mark.parametrize(("variant", "equalized"), [("original", False), ("equalized", True)])
def test_civit_masot(variant: str, equalized: bool) -> None:  # noqa: FBT001  a parameter of the test
    recipe = classifier(f"civit_masot/{variant}")
    assert recipe.backbone.name == "vgg16"  # section 2.2
    assert recipe.backbone.equalize_histogram is equalized  # section 2.2
    assert (recipe.budget.epochs, recipe.batch_size) == (40, 32)  # section 3
    assert (recipe.optimizer.name, recipe.optimizer.learning_rate) == ("adam", 1e-3)  # section 3
    assert recipe.schedule.name == "inverse_time"  # section 3: decay = rate / epochs, Keras's per step
    assert recipe.schedule.decay == pytest.approx(1e-3 / 40)
    assert set(recipe.subset.images_per_finding.values()) == {132}  # table 1


def test_civit_masot_protocol() -> None:
    shares = load_family("civit_masot").protocol.shares
    assert shares is not None
    assert shares[0] + shares[1] == pytest.approx(0.8)  # section 2.1
    assert shares[2] == 0.2  # section 2.1


@pytest.mark.parametrize(("variant", "table"), [("original", "Table 3"), ("equalized", "Table 4")])
def test_civit_masot_tables_follow_from_each_other(variant: str, table: str) -> None:
    family = load_family("civit_masot")
    row, macro = metrics(family, table, variant), metrics(family, "Table 2", variant)
    images = {"covid19": 27, "no_finding": 27, "lung_opacity": 26}  # table 1
    right = {label: row[f"{label}.sensitivity"] * n for label, n in images.items()}
    for label, n in images.items():
        precision, recall = row[f"{label}.precision"], row[f"{label}.sensitivity"]
        assert recall == pytest.approx(round(right[label]) / n, abs=0.006), "a whole number of images"
        assert row[f"{label}.f1"] == pytest.approx(2 * precision * recall / (precision + recall), abs=0.011)
    assert sum(map(round, right.values())) / 80 == pytest.approx(macro["accuracy"], abs=0.006)
    for name in ("precision", "sensitivity", "f1"):
        mean = sum(row[f"{label}.{name}"] for label in images) / 3
        assert macro[f"macro_{name}"] == pytest.approx(mean, abs=0.011)
