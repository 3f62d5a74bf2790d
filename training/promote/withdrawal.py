"""Takes all releases away from a Triton: nothing answers there any more, nor after its next start."""

from collections.abc import Iterator
from contextlib import contextmanager

from hilum.errors import HilumError
from training.errors import HalfDoneError
from training.promote.lock import repository_lock
from training.promote.rollout_record import record_outcome, recorded
from training.promote.site import Site
from training.promote.staging import staging_folder
from training.promote.wanted import Wanted
from training.repository.layout import MODEL_FILES, remove_models

NOTHING = Wanted(by_role={})
"""No release is to serve."""


def withdraw(site: Site) -> None:
    """Unload every model, front doors first, and remove them from the live repository and its mirror.

    It is recorded in the ledger as a rollout of no release. What was cut short is ended by calling it again,
    or undone by a rollout.

    Raises:
        HalfDoneError: Triton refuses to unload a model, or a model cannot be removed.
        RolloutError: another rollout took too long.
        ServiceUnreachableError: Triton does not answer, or has another admin key; nothing was touched.
        LedgerError: the ledger cannot be written.
    """
    with repository_lock(site.repository):
        with staging_folder(site.repository) as folder, recorded(site, NOTHING):
            loaded = site.triton.loaded_versions()
            with _half_done_on_failure():
                for model in reversed(MODEL_FILES):
                    if model in loaded:
                        site.triton.unload(model)
                remove_models(site.repository, folder / "removed", MODEL_FILES)
                if site.mirror:
                    site.mirror.prune(site.repository)
        record_outcome(site, NOTHING, "removed")


@contextmanager
def _half_done_on_failure() -> Iterator[None]:
    """Say of whatever ends the block early, an interrupt included, that nothing was put back."""
    try:
        yield
    except BaseException as error:
        half_done = HalfDoneError(
            f"Not every model was taken away, and none was put back: {error} Delete the deployment again "
            "once the cause is mended, or undo it with `hilum rollout apply`."
        )
        if isinstance(error, HilumError | OSError):
            raise half_done from error
        raise error from half_done
