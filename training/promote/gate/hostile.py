"""Files that must not harm a server: each is refused with a sentence, and the server goes on as before."""

from pathlib import Path

from hilum.errors import HilumError
from training.promote.gate.front_door import FrontDoor, FrontDoorError, RefusedImageError
from training.promote.gate.golden_check import golden_problem
from training.promote.gate.hostile_files import hostile_files
from training.promote.release import StoredRelease
from training.promote.verdict import Check

SHOWN = 3
"""Files that a sentence names."""

ROUNDS = 2
"""How often the golden cases are asked afterwards: each process that decodes answers some of them."""


def check_hostile(door: FrontDoor, stored: StoredRelease, folder: Path | None) -> Check:
    """Send files that are no radiograph, then the golden cases again.

    What is made here must be refused. What lies in the folder may also be answered, since odd files can hold
    a picture; but never may the server fail, or answer the golden cases otherwise afterwards.

    Args:
        door: the release's front door.
        stored: the release.
        folder: files of the caller's; None sends only those that are made here.
    """
    made = hostile_files()
    given = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()} if folder else {}
    wrong = [problem for name, content in made.items() if (problem := _refusal_problem(door, name, content))]
    answered = 0
    for name, path in given.items():
        try:
            door.ask(path.read_bytes())
            answered += 1
        except RefusedImageError as error:
            wrong += [f"{name} is refused without a plain sentence"] if not _is_sentence(error) else []
        except FrontDoorError as error:
            wrong.append(f"{name} makes the server fail ({error})")
    for _ in range(ROUNDS):
        problem = golden_problem(door, stored)
        wrong += [f"afterwards the golden cases are not answered as before: {problem}"] if problem else []
    numbers = {"made_here": len(made), "given": len(given), "given_answered": answered}
    if wrong:
        more = f", and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        sentence = f"The server does not stand hostile files: {'; '.join(wrong[:SHOWN])}{more}."
        return Check(name="hostile files", outcome="failed", sentence=sentence, numbers=numbers)
    beside = f" Of {len(given)} files given, {len(given) - answered} were refused too." if given else ""
    return Check(
        name="hostile files",
        outcome="passed",
        sentence=f"{len(made)} files made to do harm were refused with a sentence each.{beside} The golden "
        "cases are answered as before.",
        numbers=numbers,
    )


def _refusal_problem(door: FrontDoor, name: str, content: bytes) -> str | None:
    """Return what is wrong with how a file is received; None where it is refused with a sentence."""
    try:
        door.ask(content)
    except RefusedImageError as error:
        return None if _is_sentence(error) else f"{name} is refused without a plain sentence"
    except FrontDoorError as error:
        return f"{name} makes the server fail ({error})"
    return f"{name} is answered as if it were a radiograph"


def _is_sentence(error: HilumError) -> bool:
    """Whether a refusal reads as one: words that end, and no traceback of the server's."""
    text = str(error)
    return text.endswith(".") and " " in text and "Traceback" not in text
