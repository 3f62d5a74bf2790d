"""Mirroring through the real Triton: the champion answers whatever the challenger does, both on record."""

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tritonclient.grpc import InferenceServerClient

from clients.client import ScreeningClient
from clients.errors import ModelNotReadyError, RadiographRefusedError
from clients.results import Screening
from clients.shadow import ShadowCounts, ShadowPolicy
from hilum.contract import CHALLENGER_SCREENING
from hilum.paired_answers import PairedAnswer, image_digest, read_pairs
from hilum.triton.server import TritonServer
from tests.support.rollout_site import RolloutSite, ToyReleases
from tests.support.servers import RunningToys
from tests.support.signed_answers import FIRST, SECOND

KEY = "a key for tests only"


def picture(seed: int) -> bytes:
    """Return an image file of random gray that one toy filter or both may reject."""
    random = np.random.default_rng(seed)
    cells = random.integers(0, 40 + 20 * (seed % 10), (4, 4), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(cells).resize((256, 256), Image.Resampling.NEAREST).save(content, "PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def duel(
    toy_releases: ToyReleases,
    make_server: Callable[[Path], TritonServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RolloutSite]:
    """A Triton with a champion, and a challenger of other networks and thresholds beside it."""
    site = RolloutSite.make(toy_releases, tmp_path_factory.mktemp("duel"), make_server)
    site.apply(toy_releases.number(FIRST), toy_releases.number(SECOND))
    with site.triton():
        yield site


def policy(folder: Path, share: float = 1.0) -> ShadowPolicy:
    return ShadowPolicy(share=share, record=folder / "pairs.jsonl", key=KEY.encode(), close_wait_s=60)


def same(recorded: PairedAnswer, said: Screening) -> bool:
    fields = ("release", "accepted", "valid_probability", "probabilities", "finding")
    return all(getattr(recorded, name) == getattr(said, name) for name in fields)


def test_the_record_holds_what_each_front_door_answers(duel: RolloutSite, tmp_path: Path) -> None:
    images = [picture(seed) for seed in range(20)]
    with ScreeningClient(duel.address, shadow=policy(tmp_path)) as client:
        champion = [client.screen(image) for image in images]
    assert client.shadow_counts == ShadowCounts(offered=20, recorded=20)
    with ScreeningClient(duel.address, model=CHALLENGER_SCREENING) as second:
        challenger = [second.screen(image) for image in images]
    pairs, torn = read_pairs(tmp_path / "pairs.jsonl")
    assert torn == 0
    by_image = {pair.image: pair for pair in pairs}
    for image, of_champion, of_challenger in zip(images, champion, challenger, strict=True):
        pair = by_image[image_digest(KEY.encode(), image)]
        assert pair.challenger is not None
        assert same(pair.champion, of_champion)
        assert same(pair.challenger, of_challenger)
    assert {found.release for found in champion} == {duel.releases.number(FIRST)}
    assert {found.release for found in challenger} == {duel.releases.number(SECOND)}
    assert any(a.accepted and not b.accepted for a, b in zip(champion, challenger, strict=True))


def test_a_challenger_that_never_answers_holds_nobody_up(
    duel: RolloutSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The challenger's calls block at the network until the client hangs up; the champion's go through."""
    let = threading.Event()
    infer = InferenceServerClient.infer

    def held(client: object, model: str, *arguments: object, **options: object) -> object:
        if model == CHALLENGER_SCREENING:
            let.wait()
        return infer(client, model, *arguments, **options)

    monkeypatch.setattr(InferenceServerClient, "infer", held)
    with ScreeningClient(duel.address, shadow=policy(tmp_path)) as client:
        answers = [client.screen(picture(seed)) for seed in range(5)]
        assert client.shadow_counts == ShadowCounts(offered=5)
        let.set()
    assert {answer.release for answer in answers} == {duel.releases.number(FIRST)}
    assert client.shadow_counts == ShadowCounts(offered=5, recorded=5)


def test_without_a_challenger_the_champion_answers_as_ever(toy_server: RunningToys, tmp_path: Path) -> None:
    with ScreeningClient(toy_server.address, shadow=policy(tmp_path)) as client:
        with pytest.raises(RadiographRefusedError):
            client.screen(b"no image")
        mirrored = client.screen(picture(9))
    with ScreeningClient(toy_server.address) as plain:
        unmirrored = plain.screen(picture(9))
    assert mirrored.release == unmirrored.release
    assert mirrored.probabilities == unmirrored.probabilities
    assert client.shadow_counts == ShadowCounts(offered=1, absent=1)
    assert (tmp_path / "pairs.jsonl").read_bytes() == b""
    with ScreeningClient(toy_server.address, model=CHALLENGER_SCREENING) as challenger:
        with pytest.raises(ModelNotReadyError, match=f"no ready {CHALLENGER_SCREENING} "):
            challenger.screen(picture(9))
        with pytest.raises(ModelNotReadyError, match=CHALLENGER_SCREENING):
            challenger.check_ready()


def test_the_challengers_refusals_carry_the_decoders_sentence(duel: RolloutSite) -> None:
    with (
        ScreeningClient(duel.address, model=CHALLENGER_SCREENING) as challenger,
        pytest.raises(RadiographRefusedError) as caught,
    ):
        challenger.screen(b"%PDF-1.7 no radiograph")
    assert "PDF" in str(caught.value)
    assert not str(caught.value).startswith("in ensemble")


def test_from_predict_to_compare_as_a_user_does_it(duel: RolloutSite, tmp_path: Path) -> None:
    """Ward A has ten images, one of them twice; ward B has labels."""
    ward = tmp_path / "ward"
    ward.mkdir()
    for seed in range(10):
        (ward / f"{seed}.png").write_bytes(picture(seed))
    (ward / "again.png").write_bytes(picture(9))
    (tmp_path / "labels.csv").write_text(
        "path,label\n" + "".join(f"ward/{seed}.png,lung_opacity\n" for seed in range(10))
    )
    environment = os.environ | {"HILUM_HOME": str(tmp_path / "home"), "HILUM_SHADOW_KEY": KEY}

    def hilum(*arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "hilum", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    record = tmp_path / "pairs.jsonl"
    mirror = ("--shadow", 1, "--shadow-record", record)
    screened = hilum("predict", ward, "--json", "--url", duel.address, *mirror)
    assert screened.returncode == 0, screened.stderr
    assert len(screened.stdout.splitlines()) == 11
    assert "Mirrored to the challenger: 11 recorded." in screened.stderr
    assert "ward" not in record.read_text()
    compared = hilum("release", "compare", record, "--labels", tmp_path / "labels.csv", "--json")
    assert compared.returncode == 0, compared.stderr
    found = json.loads(compared.stdout)
    assert (found["champion"], found["challenger"]) == (
        duel.releases.number(FIRST),
        duel.releases.number(SECOND),
    )
    assert (found["n"], found["repeated"], found["labelled"]["n"]) == (10, 1, 10)
    alone = hilum("predict", ward, "--url", duel.address, "--shadow", 0.5)
    assert alone.returncode == 2
    assert "Give --shadow and --shadow-record together" in alone.stderr
