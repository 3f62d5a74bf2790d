"""Checks that what is served is what was trained: torch, ONNX Runtime and Triton, link by link."""

from math import isnan
from pathlib import Path

import numpy as np
import pandas as pd

from hilum.contract import CLASSIFIER, FILTER, LABELS
from hilum.radiograph import decode_radiograph
from training import artifacts, tracking
from training.export.passport import Passport, read_passport
from training.promote.gate.answers import CLASSIFIER_ANSWERS, REJECTED, ServedAnswers
from training.promote.gate.cases import GateCases
from training.promote.gate.policy import ParityRules
from training.promote.golden import answer
from training.promote.release import PinnedNetwork, StoredRelease
from training.promote.verdict import Check
from training.registry import PARITY_TAG, Registry

PARITY_FILE = "parity.csv"
"""In the training run: what the export measured between torch and ONNX Runtime."""


def check_export_parity(registry: Registry, model: str, pinned: PinnedNetwork, network: Path) -> Check:
    """Check the proof that an export left: torch is not run again.

    Args:
        registry: holds the network.
        model: its name there.
        pinned: which version of it.
        network: its file; the passport beside it holds the proof of a variant, whose original was proven.
    """
    name = f"{model}, torch and ONNX Runtime"
    version = registry.version(model, pinned.version)
    if version.tags.get(PARITY_TAG) != "passed":
        sentence = (
            f"{model} version {pinned.version} has no proof that it answers as the trained network does. "
            "Export it again with `hilum export`."
        )
        return Check(name=name, outcome="failed", sentence=sentence)
    passport = read_passport(network)
    if passport is not None and passport.variant_of is not None:
        return _variant_parity(name, pinned, passport)
    proved = f"The export of {model} version {pinned.version} proved that it answers as PyTorch does"
    if not tracking.run_exists(pinned.run_id) or not artifacts.has_artifact(pinned.run_id, PARITY_FILE):
        sentence = f"{proved}; the table of the differences is not in its run."
        return Check(name=name, outcome="passed", sentence=sentence)
    with artifacts.downloaded(pinned.run_id, PARITY_FILE) as path:
        table = pd.read_csv(path)
    differences = table.groupby("output")["max_abs_difference"].max()
    held = bool((table["max_abs_difference"] <= table["allowed"]).all())
    return Check(
        name=name,
        outcome="passed" if held else "failed",
        sentence=f"{proved}: differences up to {differences.max():.1e}."
        if held
        else f"{proved}, but the table in its run holds differences up to {differences.max():.1e}, more than "
        "allowed: the run was exported again, or changed. Export and release it anew.",
        numbers={str(output): float(difference) for output, difference in differences.items()},
    )


def _variant_parity(name: str, pinned: PinnedNetwork, passport: Passport) -> Check:
    """Repeat what a variant's registration proved beside the version that it was made of."""
    decisions = passport.decisions
    alike = f"; {decisions.agreed} of {decisions.images} images decided alike" if decisions else ""
    furthest = ", ".join(
        f"{value.output} {value.max_difference:.1e} ({value.allowed:g} allowed)" for value in passport.values
    )
    return Check(
        name=name,
        outcome="passed",
        sentence=f"Version {pinned.version} is version {passport.variant_of} in {passport.precision}; that "
        f"one was proven beside PyTorch. By its passport they differ by up to {furthest}{alike}.",
        numbers={value.output: value.max_difference for value in passport.values},
    )


def check_served_parity(
    served: ServedAnswers,
    cases: GateCases,
    stored: StoredRelease,
    networks: dict[str, Path],
    rules: ParityRules,
) -> Check:
    """Compare served answers with those of the same networks in this process, on images over the whole split.

    The files are decoded here too, so that the decoder is compared as well.
    """
    name = "served answers, ONNX Runtime and Triton"
    chosen = np.unique(np.linspace(0, len(cases) - 1, min(rules.images, len(cases))).astype(int))
    radiographs = [decode_radiograph(cases.file(int(index))) for index in chosen]
    expected, _ = answer(radiographs, filter_onnx=networks[FILTER], classifier_onnx=networks[CLASSIFIER])
    worst, problem = 0.0, ""
    for index, case in zip(map(int, chosen), expected, strict=True):
        promised = case.probabilities or (float("nan"),) * len(LABELS)
        found = (served.valid_probability[index], *served.probabilities[index])
        differences = [
            0.0 if isnan(here) and isnan(there) else abs(here - there)
            for here, there in zip((case.valid_probability, *promised), found, strict=True)
        ]
        largest = max(differences, key=lambda difference: (isnan(difference), difference))
        decided = stored.release.operating_point.finding(promised) or REJECTED
        reported = CLASSIFIER_ANSWERS[served.decided[index]]
        if isnan(largest) or case.accepted != served.accepted[index] or decided != reported:
            problem = f"{cases.name(index)} is {reported} where it is served, and {decided} here"
            break
        worst = max(worst, largest)
        if worst > rules.tolerance:
            problem = (
                f"a probability of {cases.name(index)} differs by {largest:.1e} ({rules.tolerance} allowed)"
            )
            break
    if problem:
        sentence = (
            f"Triton and ONNX Runtime disagree: {problem}. Compare the versions of ONNX Runtime in both "
            "environments, and numpy's: the server needs a version below 2."
        )
        return Check(name=name, outcome="failed", sentence=sentence)
    return Check(
        name=name,
        outcome="passed",
        sentence=f"On {len(chosen)} images Triton decides as ONNX Runtime does; probabilities differ by up "
        f"to {worst:.1e} ({rules.tolerance} allowed).",
        numbers={"images": len(chosen), "max_abs_difference": worst, "allowed": rules.tolerance},
    )
