"""The swap on disk, without a server: at every moment a whole release, also after a kill."""

import itertools
import multiprocessing
import os
import shutil
from pathlib import Path

import onnx
import pytest

from hilum.contract import CLASSIFIER, FILTER, MODELS, MONITOR, SCREENING
from tests.support.toy_models import toy_classifier, toy_filter
from tests.support.toy_release import save_onnx, toy_release
from training.errors import RepositoryError
from training.export.passport import passport_path
from training.promote.serving import find_serving
from training.promote.swap import Swap
from training.repository.layout import listed_versions, write_lineup, write_repository
from training.repository.lint import lint_repository
from training.repository.served_release import Lineup, ServedRelease

OLD = toy_release(1, filter_version=1, classifier_version=1, thresholds=(0.4, 0.4))
NEW = toy_release(2, filter_version=2, classifier_version=2, thresholds=(0.6, 0.6))

LEAST_RENAMES = 5
"""A way with fewer has lost its steps."""


def draft_of(release: ServedRelease, folder: Path, network: onnx.ModelProto | None = None) -> Path:
    """Write a repository of `release` to be moved from; each classifier version is another network."""
    classifier = network or toy_classifier(gain=1.0 + release.classifier_version)
    write_repository(
        folder / "draft",
        release,
        filter_onnx=save_onnx(toy_filter(), folder / "networks" / "filter.onnx"),
        classifier_onnx=save_onnx(classifier, folder / "networks" / "classifier.onnx"),
    )
    return folder / "draft"


def swap_to(release: ServedRelease, live: Path, folder: Path) -> Swap:
    return Swap(
        source=draft_of(release, folder),
        folder=live,
        triton=None,
        old=find_serving(live, None),
        new=Lineup(champion=release),
        instances=2,
    )


def write_drafts(folder: Path, *lineups: Lineup) -> list[Path]:
    """Write a repository of each lineup."""
    networks = {}
    for release in (OLD, NEW):
        number = release.classifier_version
        networks[FILTER, release.filter_version] = save_onnx(toy_filter(), folder / f"{number}.filter.onnx")
        networks[CLASSIFIER, number] = save_onnx(toy_classifier(gain=1.0 + number), folder / f"{number}.onnx")
    drafts = [folder / str(index) / "draft" for index, _ in enumerate(lineups)]
    for draft, lineup in zip(drafts, lineups, strict=True):
        write_lineup(draft, lineup, networks=networks)
    return drafts


def lineup_swap(lineup: Lineup, live: Path, draft: Path, folder: Path) -> Swap:
    """Return the way to a lineup, from a copy of its draft in `folder`."""
    return Swap(
        source=shutil.copytree(draft, folder / "draft"),
        folder=live,
        triton=None,
        old=find_serving(live, None),
        new=lineup,
        instances=2,
    )


def contents(live: Path) -> dict[str, bytes]:
    return {str(path.relative_to(live)): path.read_bytes() for path in live.rglob("*") if path.is_file()}


def go(swap: Swap) -> None:
    swap.prepare()
    swap.switch()
    swap.drop_old()


def versions(live: Path) -> dict[str, list[str]]:
    return {
        model: sorted(path.name for path in (live / model).iterdir() if path.is_dir()) for model in MODELS
    }


@pytest.fixture
def live(tmp_path: Path) -> Path:
    live = tmp_path / "live"
    go(swap_to(OLD, live, tmp_path / "first"))
    return live


def test_the_first_release_takes_an_empty_place(live: Path) -> None:
    assert lint_repository(live) == []
    assert find_serving(live, None) == Lineup(champion=OLD)


def test_the_new_release_replaces_the_old(live: Path, tmp_path: Path) -> None:
    go(swap_to(NEW, live, tmp_path / "second"))
    assert lint_repository(live) == []
    assert find_serving(live, None) == Lineup(champion=NEW)
    assert versions(live) == {
        "xray_decode": ["1"],
        FILTER: ["2"],
        CLASSIFIER: ["2"],
        MONITOR: ["2"],
        SCREENING: ["2"],
    }


def test_a_version_that_both_releases_share_stays(live: Path, tmp_path: Path) -> None:
    shared = toy_release(2, filter_version=1, classifier_version=2)
    before = (live / FILTER / "1" / "model.onnx").stat().st_mtime_ns
    go(swap_to(shared, live, tmp_path / "second"))
    assert lint_repository(live) == []
    assert (live / FILTER / "1" / "model.onnx").stat().st_mtime_ns == before


def test_both_releases_are_loaded_while_they_swap(live: Path, tmp_path: Path) -> None:
    swap = swap_to(NEW, live, tmp_path / "second")
    swap.prepare()
    assert listed_versions(live, CLASSIFIER) == [1, 2]
    assert find_serving(live, None) == Lineup(champion=OLD)
    assert lint_repository(live)  # the ensemble's new folder is there, and nothing lists it yet
    assert all("does not list it" in defect.problem for defect in lint_repository(live))


@pytest.mark.parametrize("steps", [1, 2])
def test_undoing_brings_the_old_release_back(live: Path, tmp_path: Path, steps: int) -> None:
    before = versions(live)
    swap = swap_to(NEW, live, tmp_path / "second")
    for step in (swap.prepare, swap.switch)[:steps]:
        step()
    swap.undo()
    assert find_serving(live, None) == Lineup(champion=OLD)
    assert versions(live) == before
    assert lint_repository(live) == []


def test_undoing_a_first_release_leaves_nothing(tmp_path: Path) -> None:
    swap = swap_to(NEW, tmp_path / "live", tmp_path / "first")
    swap.prepare()
    swap.undo()
    assert list((tmp_path / "live").iterdir()) == []


def test_the_same_release_again_changes_nothing(live: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in live.rglob("*")}
    swap = swap_to(OLD, live, tmp_path / "second")
    go(swap)
    assert not swap.changed
    assert {path: path.stat().st_mtime_ns for path in live.rglob("*")} == before


@pytest.mark.parametrize("damage", [None, b"damaged"])
def test_a_passport_that_is_missing_or_damaged_is_renewed_and_no_network_touched(
    live: Path, tmp_path: Path, damage: bytes | None
) -> None:
    network = live / FILTER / "1" / "model.onnx"
    if damage:
        passport_path(network).write_bytes(damage)
    before = network.stat().st_mtime_ns
    swap = swap_to(OLD, live, tmp_path / "second")
    passport_path(swap.source / FILTER / "1" / "model.onnx").write_bytes(b"passport")
    go(swap)
    assert passport_path(network).read_bytes() == b"passport"
    assert network.stat().st_mtime_ns == before


def test_another_count_of_instances_is_rolled_out(live: Path, tmp_path: Path) -> None:
    swap = swap_to(OLD, live, tmp_path / "second")
    swap.instances = 5
    go(swap)
    assert swap.changed
    assert "count: 5" in (live / CLASSIFIER / "config.pbtxt").read_text()


def test_a_repository_of_another_registry_is_refused_and_kept(live: Path, tmp_path: Path) -> None:
    before = versions(live)
    swap = Swap(
        source=draft_of(OLD, tmp_path / "other", toy_classifier(gain=77.0)),
        folder=live,
        triton=None,
        old=find_serving(live, None),
        new=Lineup(champion=OLD),
        instances=2,
    )
    with pytest.raises(RepositoryError, match="another registry"):
        swap.prepare()
    swap.undo()
    assert versions(live) == before
    assert lint_repository(live) == []


@pytest.mark.parametrize("content", [None, "colour: 3", 'name: "xray_screening"'])
def test_a_front_door_that_no_server_could_load_counts_as_none(live: Path, content: str | None) -> None:
    path = live / SCREENING / "config.pbtxt"
    path.unlink() if content is None else path.write_text(content)
    assert find_serving(live, None) is None


@pytest.mark.parametrize("death", range(1, 16))
def test_a_kill_at_any_rename_leaves_a_whole_release(live: Path, tmp_path: Path, death: int) -> None:
    swap = swap_to(NEW, live, tmp_path / "second")
    assert die_at_rename(death, swap) == 9
    serious = [defect for defect in lint_repository(live) if "does not list it" not in defect.problem]
    assert serious == []
    assert find_serving(live, None) in (Lineup(champion=OLD), Lineup(champion=NEW))
    go(swap_to(NEW, live, tmp_path / "third"))
    assert lint_repository(live) == []
    assert find_serving(live, None) == Lineup(champion=NEW)


def test_a_swap_needs_fifteen_renames(live: Path, tmp_path: Path) -> None:
    """The kills above cover all of them."""
    assert die_at_rename(16, swap_to(NEW, live, tmp_path / "second")) == 0


def test_a_kill_at_any_rename_leaves_whole_releases_while_a_challenger_comes_and_goes(tmp_path: Path) -> None:
    """There and back between a champion with a challenger, and that challenger promoted."""
    lineups = [Lineup(champion=OLD, challenger=NEW), Lineup(champion=NEW)]
    drafts = write_drafts(tmp_path, *lineups)
    for start, end in ((0, 1), (1, 0)):
        for death in itertools.count(1):
            folder = tmp_path / f"{start}-{death}"
            live = shutil.copytree(drafts[start], folder / "live")
            if die_at_rename(death, lineup_swap(lineups[end], live, drafts[end], folder / "dying")) == 0:
                break
            serving = find_serving(live, None)
            assert serving is not None
            assert serving.champion in (OLD, NEW)
            assert [d for d in lint_repository(live) if "does not list it" not in d.problem] == []
            go(lineup_swap(lineups[end], live, drafts[end], folder / "next"))
            assert find_serving(live, None) == lineups[end]
            assert lint_repository(live) == []
        assert death > LEAST_RENAMES
        assert find_serving(live, None) == lineups[end]


def test_undoing_brings_a_challenger_back_or_takes_it_away(tmp_path: Path) -> None:
    lineups = [
        Lineup(champion=OLD, challenger=NEW),
        Lineup(champion=NEW),
        Lineup(champion=NEW, challenger=OLD),
    ]
    drafts = write_drafts(tmp_path, *lineups)
    for old, new in itertools.permutations(range(len(lineups)), 2):
        folder = tmp_path / f"{old}-{new}"
        live = shutil.copytree(drafts[old], folder / "live")
        before = contents(live)
        swap = lineup_swap(lineups[new], live, drafts[new], folder / "new")
        swap.prepare()
        swap.switch()
        assert find_serving(live, None) == lineups[new]
        swap.undo()
        assert find_serving(live, None) == lineups[old]
        assert contents(live) == before


@pytest.mark.parametrize("death", range(1, 6))
def test_a_kill_in_a_first_rollout_can_be_mended(tmp_path: Path, death: int) -> None:
    live = tmp_path / "live"
    assert die_at_rename(death, swap_to(OLD, live, tmp_path / "first")) == 9
    serious = [defect.problem for defect in lint_repository(live)] if any(live.iterdir()) else []
    assert serious == []
    go(swap_to(OLD, live, tmp_path / "second"))
    assert lint_repository(live) == []


def die_at_rename(number: int, swap: Swap) -> int | None:
    """Run a swap in a child process that ends without a word at its n-th rename; return its exit status."""
    process = multiprocessing.get_context("fork").Process(target=_swap_and_die, args=(number, swap))
    process.start()
    process.join()
    return process.exitcode


def _swap_and_die(number: int, swap: Swap) -> None:
    replace, calls = os.replace, 0

    def dying_replace(source: str | Path, target: str | Path) -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            os._exit(9)
        replace(source, target)

    os.replace = dying_replace  # type: ignore[assignment]  # this child only
    go(swap)
