"""Looks at a release as a rollout would, without a server: what it pins, and whether Triton could serve it.

Everything is downloaded and laid out as a rollout would lay it out, then read again: digests, labels, sizes,
decoder, the networks against their configurations, the golden cases against what ONNX Runtime answers.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx

from hilum.contract import CLASSIFIER, FILTER, LABELS
from hilum.errors import HilumError, UsageError
from hilum.files import sha256_file
from hilum.radiograph import DECODER_DIGEST, decode_radiograph
from training.errors import IntegrityError, RepositoryError
from training.promote.golden import answer
from training.promote.release import RELEASE_FILE, Release, StoredRelease, fetch_release
from training.promote.staging import Networks, fetch_networks
from training.promote.wanted import Wanted
from training.registry import Registry
from training.repository.defect import Defect
from training.repository.layout import MODEL_FILES, write_lineup
from training.repository.lint import lint_repository
from training.repository.onnx_graph import lint_age
from training.repository.triton_releases import OLDEST_SUPPORTED, onnx_limits

_AGAIN = "Create the release again: hilum release create --data DIR"


def lint_release(
    registry: Registry, number: int, *, triton: str = OLDEST_SUPPORTED, repository: Path | None = None
) -> list[Defect]:
    """Return what keeps a release from being served as promised, by file; none where nothing does.

    Args:
        registry: holds the release and its networks.
        number: release number.
        triton: the Triton release that is to serve it, such as `24.10`.
        repository: a model repository that it is to be rolled out into; None for none.

    Raises:
        UnknownVersionError: there is no such release.
        UsageError: that Triton release is not known here.
    """
    limits = onnx_limits(triton)
    try:
        stored = fetch_release(registry, number)
    except IntegrityError as error:
        return [Defect(RELEASE_FILE, str(error), _AGAIN)]
    defects = [*_lint_record(stored.release), *_lint_clashes(stored.release, repository)]
    with TemporaryDirectory(prefix="hilum-lint-") as temporary:
        folder = Path(temporary)
        wanted = Wanted(by_role={"champion": stored})
        try:
            networks = fetch_networks(registry, folder / "none", wanted, folder)
            write_lineup(
                folder / "model_repository",
                wanted.lineup,
                networks=networks,
                references=wanted.references,
            )
        except (IntegrityError, RepositoryError, UsageError) as error:
            return sorted([*defects, Defect(RELEASE_FILE, str(error), _AGAIN)])
        defects += lint_repository(folder / "model_repository")
        for (model, version), path in networks.items():
            file = f"{model}/{version}/{MODEL_FILES[model]}"
            defects += lint_age(onnx.load(path, load_external_data=False), file, limits)
        if not defects:  # a network that the configuration does not fit could not be asked
            defects += _lint_golden_cases(stored, networks)
    return sorted(set(defects))


def _lint_record(release: Release) -> Iterator[Defect]:
    """Yield what is wrong with the record itself."""
    if release.labels != LABELS:
        yield Defect(
            RELEASE_FILE,
            f"Its labels are {list(release.labels)}; served are {list(LABELS)}, in this order.",
            "Train a classifier of these labels and create a release of it.",
        )
    if release.decoder_digest != DECODER_DIGEST:
        yield Defect(
            RELEASE_FILE,
            f"It was made for another decoder ({release.decoder_digest[:12]}) than this installation's "
            f"({DECODER_DIGEST[:12]}): its networks would see other pixels than they learnt from.",
            "Train and export both networks again, or roll out from the installation that made it.",
        )
    try:
        assert release.operating_point
    except UsageError as error:
        yield Defect(RELEASE_FILE, str(error), _AGAIN)
    if not release.golden_cases:
        yield Defect(RELEASE_FILE, "It has no golden case: nothing would prove that it answers.", _AGAIN)


def _lint_clashes(release: Release, repository: Path | None) -> Iterator[Defect]:
    """Yield where a model repository has another network under a version number that the release pins."""
    if repository is None:
        return
    for model, pinned in ((FILTER, release.filter), (CLASSIFIER, release.classifier)):
        file = f"{model}/{pinned.version}/{MODEL_FILES[model]}"
        path = repository / file
        if path.is_file() and sha256_file(path) != pinned.sha256:
            yield Defect(
                file,
                f"{path} is another network (SHA-256 {sha256_file(path)[:12]}) than the release pins under "
                f"this version ({pinned.sha256[:12]}): two registries wrote into one repository.",
                "Stop Triton, move the repository away, and roll out again.",
            )


def _lint_golden_cases(stored: StoredRelease, networks: Networks) -> Iterator[Defect]:
    """Yield where ONNX Runtime answers a golden case otherwise than the release promises."""
    release = stored.release
    cases = release.golden_cases
    try:
        answers, _ = answer(
            [decode_radiograph(stored.golden_files[case.file]) for case in cases],
            filter_onnx=networks[FILTER, release.filter.version],
            classifier_onnx=networks[CLASSIFIER, release.classifier.version],
        )
        for case, found in zip(cases, answers, strict=True):
            problem = case.disagreement(
                found.valid_probability,
                found.probabilities or (np.nan,) * len(LABELS),
                accepted=found.accepted,
                operating_point=release.operating_point,
            )
            if problem:
                yield Defect(RELEASE_FILE, f"It promises what its networks do not answer: {problem}", _AGAIN)
    except HilumError as error:
        yield Defect(RELEASE_FILE, f"Its golden cases cannot be asked: {error}", _AGAIN)
