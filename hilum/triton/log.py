"""Finds the few lines of Triton's log that say why a server did not start."""

import re

MAX_CAUSES = 5
"""Lines shown at most: the first failures are the causes of the later ones."""

_MODEL_ERROR = re.compile(
    r"^E\d{4} [\d:.]+ +\d+ (?:model_lifecycle|model_repository_manager|main)\.cc:\d+\] "
    r'"?(?P<message>.*?)"?$'
)
"""What Triton says, at severity E, about a model or a service; other sources repeat these."""

_CONFIG_ERROR = re.compile(r"^\[libprotobuf ERROR .*?\] (?P<message>.*)$")
"""Where in a config.pbtxt the parser stopped; the line after it names the file."""

_LOADER_ERROR = re.compile(r"^(?P<message>.*error while loading shared libraries: .*)$")
"""What the dynamic loader prints."""

_OWN_ERROR = re.compile(r"^Error: (?P<message>(?!Failed to initialize NVML).*)$")
"""What Hilum prints when it refuses to start a server; without a GPU Triton prints the exception."""

_LAST_WORDS = re.compile(r"^error: (?P<message>.*)$")
"""What Triton prints when it gives up; it names no cause."""


def find_causes(log: str) -> list[str]:
    """Return the lines that tell why Triton gave up, each cut before its traceback; few, or none."""
    patterns = (_MODEL_ERROR, _CONFIG_ERROR, _LOADER_ERROR, _OWN_ERROR)
    return (_messages(log, patterns) or _messages(log, (_LAST_WORDS,)))[:MAX_CAUSES]


def _messages(log: str, patterns: tuple[re.Pattern[str], ...]) -> list[str]:
    """Return the different messages of the lines that match, in order."""
    matches = (pattern.match(line) for line in log.splitlines() for pattern in patterns)
    # A Python model's failure carries its traceback behind an escaped line break.
    return list(dict.fromkeys(match["message"].split("\\n")[0].strip() for match in matches if match))
