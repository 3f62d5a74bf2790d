"""The gate against the real registry, and temporary Tritons of its own."""

import json
import signal
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import psutil
import pytest
import yaml

from hilum.contract import SCREENING
from hilum.files import sha256_bytes
from tests.support.commands import run, start
from tests.support.gate_data import confused_classifier, write_gate_data
from tests.support.toy_registry import register_toy_classifier, register_toy_filter
from training import artifacts
from training.errors import IntegrityError
from training.export.passport import Passport, ValueParity, write_passport
from training.ledger.ledger import Ledger
from training.promote.gate.gate import GateRequest, judge_release, record_verdict
from training.promote.gate.page import render_page
from training.promote.gate.parity import check_export_parity
from training.promote.gate.policy import Policy
from training.promote.release import DIGEST_TAG, RELEASE_FILE, fetch_release
from training.promote.release_creation import create_release
from training.promote.verdict import VERDICT_FOLDER, Check, Verdict, fetch_verdict
from training.registry import Registry

RULES: Mapping[str, object] = {
    # The toy filter takes turned copies for valid ones: it has no specificity to speak of.
    "floors": {"filter": {"valid": {"specificity": None}}},
    "non_inferiority": {
        "classifier": {"sensitivity": 0.1, "specificity": 0.1, "auroc": 0.1},
        "sources": "none",
    },
    "bootstrap": 200,
    "latency": {"ratio": 100, "rounds": 5, "requests": 2},  # a machine that runs tests has no steady times
}
POLICY = Policy.model_validate({"name": "toys", **RULES})


@dataclass(frozen=True)
class Releases:
    """Releases of toys in one registry, and what they are judged on."""

    registry: Registry
    uri: str
    folder: Path
    first: int
    equal: int
    """Answers with other probabilities than the first, and the same decisions."""
    confused: int
    """Takes lung opacity for COVID-19, and the reverse."""

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def request(self, release: int, *, against: int, hostile: Path | None = None) -> GateRequest:
        return GateRequest(
            release=release,
            against=str(against),
            data=self.data,
            policy=POLICY,
            hostile=hostile,
            home=self.folder / "home",
            instances=1,
            who="ada",
        )

    def forge(self, **changes: object) -> int:
        """Store a changed copy of the first release, as only somebody with the registry's password could."""
        stored = fetch_release(self.registry, self.first)
        release = stored.release.model_copy(update=changes)
        return self.registry.create_release(
            {**stored.files, RELEASE_FILE: release.to_json()}, {DIGEST_TAG: release.digest}
        ).number


@pytest.fixture(scope="module")
def releases(mlflow_server: str, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    folder = tmp_path_factory.mktemp("gate")
    registry = Registry(mlflow_server)
    data = write_gate_data(folder / "data", per_label=30, dark=10)
    screen_filter = register_toy_filter(registry, folder)
    networks = (
        register_toy_classifier(registry, folder),
        register_toy_classifier(registry, folder, gain=8.0),
        register_toy_classifier(registry, folder, network=confused_classifier()),
    )
    with Ledger(f"sqlite:///{folder / 'ledger.db'}") as ledger:
        first, equal, confused = (
            create_release(
                registry,
                ledger,
                data,
                who="ada",
                filter_version=screen_filter.number,
                classifier_version=network.number,
            )[0]
            for network in networks
        )
    return Releases(registry, mlflow_server, folder, first, equal, confused)


def by_name(verdict: Verdict) -> dict[str, Check]:
    return {check.name: check for check in verdict.checks}


@pytest.fixture(scope="module")
def equal_verdict(releases: Releases) -> Verdict:
    """The verdict on a release that decides as the one it is compared with."""
    hostile = releases.folder / "hostile"
    hostile.mkdir()
    (hostile / "half.png").write_bytes((releases.data / "test-covid19-0.png").read_bytes()[:300])
    (hostile / "odd but whole.png").write_bytes((releases.data / "test-covid19-0.png").read_bytes())
    return judge_release(
        releases.registry, releases.request(releases.equal, against=releases.first, hostile=hostile)
    )


def test_an_equal_release_passes_every_check(releases: Releases, equal_verdict: Verdict) -> None:
    checks = by_name(equal_verdict)
    assert {check.name: check.sentence for check in checks.values() if check.outcome != "passed"} == {}
    assert equal_verdict.outcome == "passed"
    assert (equal_verdict.against, equal_verdict.n_images) == (releases.first, 3 * 30 + 10 + 3 * 30)
    assert checks["covid19 sensitivity, floor"].numbers["n"] == 30
    assert checks[f"covid19 AUROC, no worse than release {releases.first}"].numbers["release"] == 1
    assert checks["served answers, ONNX Runtime and Triton"].numbers["max_abs_difference"] < 1e-4
    assert checks["hostile files"].numbers["given_answered"] == 1
    assert checks["latency"].numbers["latency_ratio"] > 0


def test_the_temporary_servers_leave_nothing_but_their_logs(
    releases: Releases, equal_verdict: Verdict
) -> None:
    assert equal_verdict.outcome == "passed"
    logs = {path.name for path in (releases.folder / "home" / "logs").iterdir()}
    assert {f"gate-release-{number}.log" for number in (releases.first, releases.equal)} <= logs
    own = psutil.Process().children(recursive=True)
    assert [server for server in tritons_below(f"{tempfile.gettempdir()}/hilum-gate-") if server in own] == []


def test_the_verdict_is_stored_in_mlflow_and_in_the_ledger(
    releases: Releases, equal_verdict: Verdict, tmp_path: Path
) -> None:
    assert fetch_verdict(releases.registry, releases.equal) is None
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        run_id = record_verdict(releases.registry, ledger, equal_verdict, render_page(equal_verdict))
        entry = ledger.newest("judged")
    assert fetch_verdict(releases.registry, releases.equal) == equal_verdict
    assert entry is not None
    assert (entry.who, entry.why) == ("ada", equal_verdict.sentence)
    assert entry.facts == {
        "release": releases.equal,
        "digest": equal_verdict.digest,
        "outcome": "passed",
        "against": releases.first,
        "policy": "toys",
        "run_id": run_id,
        "verdict_sha256": sha256_bytes(equal_verdict.to_json()),
    }
    tags = releases.registry.version(SCREENING, releases.equal).tags
    assert (tags["hilum.verdict"], tags["hilum.verdict_run"]) == ("passed", run_id)
    assert tags["hilum.verdict_against"] == str(releases.first)
    with artifacts.downloaded(run_id, VERDICT_FOLDER) as folder:
        assert equal_verdict.sentence in (folder / "verdict.html").read_text()


def test_a_verdict_that_was_edited_is_refused(
    releases: Releases, equal_verdict: Verdict, tmp_path: Path
) -> None:
    forged = equal_verdict.model_copy(update={"release": releases.confused})
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        run_id = record_verdict(releases.registry, ledger, forged, "")
    better = forged.model_copy(update={"approvals": 5})
    artifacts.log_text(run_id, better.to_json().decode(), f"{VERDICT_FOLDER}/verdict.json")
    with pytest.raises(IntegrityError, match=f"verdict of release {releases.confused} is not the one"):
        fetch_verdict(releases.registry, releases.confused)
    of_another = {"hilum.verdict_run": "", "hilum.verdict_sha256": ""}
    tags = releases.registry.version(SCREENING, releases.equal).tags
    releases.registry.set_version_tags(SCREENING, releases.confused, {tag: tags[tag] for tag in of_another})
    with pytest.raises(IntegrityError, match=f"is about release {releases.equal}"):
        fetch_verdict(releases.registry, releases.confused)


def test_the_command_fails_a_confused_release_and_says_why(releases: Releases, tmp_path: Path) -> None:
    policy, home = tmp_path / "toys.yaml", tmp_path / "home"
    policy.write_text(yaml.safe_dump(dict(RULES)))
    status, stdout, stderr = run(
        "release", "gate", str(releases.confused), "--against", str(releases.first), "--data", releases.data,
        "--policy", policy, "--json", home=home, uri=releases.uri,
    )  # fmt: skip
    assert status == 1, stderr
    printed = json.loads(stdout)
    outcomes = {check["name"]: check["outcome"] for check in printed["checks"]}
    assert outcomes["lung_opacity sensitivity, floor"] == "failed"
    assert outcomes[f"covid19 AUROC, no worse than release {releases.first}"] == "failed"
    assert outcomes["no_finding sensitivity, floor"] == "passed"
    assert "Error: The gate failed release" in stderr
    assert "covid19 sensitivity, floor" in stderr
    page = home / "gates" / f"release-{releases.confused}.html"
    assert "The gate failed release" in page.read_text()
    stored = fetch_verdict(releases.registry, releases.confused)
    assert stored is not None
    assert (stored.outcome, stored.policy) == ("failed", "toys")
    with Ledger(f"sqlite:///{home / 'ledger.db'}") as ledger:
        entry = ledger.newest("judged")
    assert entry is not None
    assert (entry.facts["run_id"], entry.facts["outcome"]) == (printed["run_id"], "failed")


def test_a_release_that_breaks_its_promises_fails(releases: Releases) -> None:
    case, *others = fetch_release(releases.registry, releases.first).release.golden_cases
    broken = case.model_copy(update={"valid_probability": case.valid_probability - 0.1})
    number = releases.forge(golden_cases=(broken, *others))
    verdict = judge_release(releases.registry, releases.request(number, against=number))
    checks = by_name(verdict)
    assert verdict.outcome == "failed"
    assert "valid_probability is" in checks["golden cases"].sentence
    assert checks["hostile files"].outcome == "failed"
    compared = checks["no worse than the champion, and as fast"]
    assert (compared.outcome, compared.sentence) == (
        "skipped",
        f"Not compared: release {number} would meet itself.",
    )


def test_a_release_that_triton_cannot_serve_fails(releases: Releases) -> None:
    number = releases.forge(map_size=(9, 9))
    verdict = judge_release(releases.registry, releases.request(number, against=releases.first))
    assert verdict.outcome == "failed"
    assert verdict.checks[-1].name == "served by a real Triton"
    assert "activation_map" in verdict.checks[-1].sentence


def test_the_proof_of_the_export_is_read_from_its_run(releases: Releases) -> None:
    pinned = fetch_release(releases.registry, releases.first).release.filter
    table = pd.DataFrame(
        {"output": ["valid_probability"], "max_abs_difference": [2e-5], "allowed": [1e-4], "batch": [1]}
    )
    artifacts.log_text(pinned.run_id, table.to_csv(index=False), "parity.csv")
    file = Path("xray_filter-1.onnx")  # without a passport beside it
    check = check_export_parity(releases.registry, "xray_filter", pinned, file)
    assert (check.outcome, check.numbers) == ("passed", {"valid_probability": 2e-5})
    artifacts.log_text(pinned.run_id, table.assign(max_abs_difference=1.0).to_csv(index=False), "parity.csv")
    assert check_export_parity(releases.registry, "xray_filter", pinned, file).outcome == "failed"


def test_the_proof_of_a_variant_is_its_passport(releases: Releases, tmp_path: Path) -> None:
    pinned = fetch_release(releases.registry, releases.first).release.filter
    value = ValueParity(output="valid_probability", max_difference=2e-3, allowed=5e-3, scale="absolute")
    passport = Passport(
        model="xray_filter",
        kind="onnx",
        sha256=pinned.sha256,
        precision="fp16",
        layers={"fp16": 1},
        opset=20,
        ir_version=10,
        onnxruntime="1.17",
        proven_with="ONNX Runtime",
        values=(value,),
        variant_of=7,
    )
    file = tmp_path / "xray_filter-8.onnx"
    write_passport(file, passport)
    check = check_export_parity(releases.registry, "xray_filter", pinned, file)
    assert (check.outcome, check.numbers) == ("passed", {"valid_probability": 2e-3})
    assert "is version 7 in fp16" in check.sentence
    assert "up to valid_probability 2.0e-03 (0.005 allowed)" in check.sentence


def test_a_gate_that_is_ended_takes_its_servers_with_it(
    releases: Releases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # where the servers of this gate work
    process = start(
        "release", "gate", str(releases.first), "--against", str(releases.first), "--data", releases.data,
        home=tmp_path / "home", uri=releases.uri,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not tritons_below(str(tmp_path)):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode == 130, stderr
    assert tritons_below(str(tmp_path)) == []


def tritons_below(place: str) -> list[psutil.Process]:
    """Return the Tritons of this machine that work in a folder whose path begins so."""
    found = []
    for process in psutil.process_iter(["name"]):
        # A process that is ending has no folder; psutil passes on what the system says of that.
        with suppress(psutil.Error, FileNotFoundError):
            if process.info["name"] == "tritonserver" and process.cwd().startswith(place):
                found.append(process)
    return found
