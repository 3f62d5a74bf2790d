"""The lines are Triton 2.51's own."""

import pytest

from hilum.triton.log import MAX_CAUSES, find_causes

NOISE = """\
W1120 19:18:04.217911 20293 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory"
E1120 19:18:04.218024 20293 server.cc:241] "CudaDriverHelper has not been initialized."
E1120 19:14:02.580973 17005 ensemble_scheduler.cc:1468] "unable to create stream for xray_screening"
| xray_filter | 1       | UNAVAILABLE: Internal: ModuleNotFoundError: No module named 'numpy'          |
Error: Failed to initialize NVML
I1120 18:46:51.015106 5557 model_lifecycle.cc:777] "failed to load 'm'"
"""

GAVE_UP = "error: creating server: Internal - failed to load all models\n"

MODEL = (
    r"""E1120 18:46:51.015088 5557 model_lifecycle.cc:642] "failed to load 'm' version 1: Internal: """
    r"""ModuleNotFoundError: No module named 'numpy'\n\nAt:\n  /a/model.py(1): <module>\n"
"""
)
ENSEMBLE = (
    """E1120 19:13:32.086499 15791 model_repository_manager.cc:703] "Invalid argument: ensemble 'e' """
    """depends on 'm' which has no loaded version."
"""
)
CONFIG = (
    "[libprotobuf ERROR /tmp/tritonbuild/text_format.cc:337] Error parsing text-format "
    "inference.ModelConfig: 3:17: Expected integer, got: zero\n"
)
SOCKET = (
    """E1120 19:18:06.744180 20372 main.cc:245] "failed to start GRPC service: Unavailable - """
    """Socket '127.0.0.1:18001' already in use "
"""
)
LOADER = "tritonserver: error while loading shared libraries: libx.so: cannot open shared object file\n"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        (MODEL, "failed to load 'm' version 1: Internal: ModuleNotFoundError: No module named 'numpy'"),
        (ENSEMBLE, "Invalid argument: ensemble 'e' depends on 'm' which has no loaded version."),
        (CONFIG, "Error parsing text-format inference.ModelConfig: 3:17: Expected integer, got: zero"),
        (SOCKET, "failed to start GRPC service: Unavailable - Socket '127.0.0.1:18001' already in use"),
        (LOADER, LOADER.strip()),
        ("Error: Triton needs port 8000.\n", "Triton needs port 8000."),
    ],
)
def test_the_telling_line_alone_is_found(line: str, cause: str) -> None:
    assert find_causes(NOISE + line + NOISE + GAVE_UP) == [cause]


def test_causes_keep_their_order_and_are_not_repeated() -> None:
    causes = find_causes(MODEL + ENSEMBLE + MODEL)
    assert [cause[:14] for cause in causes] == ["failed to load", "Invalid argume"]


def test_only_the_first_causes_are_shown() -> None:
    lines = [MODEL.replace("'m'", f"'m{number}'") for number in range(9)]
    causes = find_causes("".join(lines))
    assert len(causes) == MAX_CAUSES
    assert "'m0'" in causes[0]


def test_last_words_stand_in_for_a_cause() -> None:
    assert find_causes(NOISE + GAVE_UP) == ["creating server: Internal - failed to load all models"]


def test_a_log_without_any() -> None:
    assert find_causes(NOISE) == []
    assert find_causes("") == []
