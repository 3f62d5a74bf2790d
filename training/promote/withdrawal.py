"""Takes all releases away from a Triton: nothing answers there any more, nor after its next start."""

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
        RolloutError: Triton refuses to unload a model; or another rollout took too long.
        ServiceUnreachableError: Triton does not answer, or has another admin key.
        LedgerError: the ledger cannot be written.
    """
    with repository_lock(site.repository):
        with recorded(site, NOTHING), staging_folder(site.repository) as folder:
            loaded = site.triton.loaded_versions()
            for model in reversed(MODEL_FILES):
                if model in loaded:
                    site.triton.unload(model)
            remove_models(site.repository, folder / "removed", MODEL_FILES)
            if site.mirror:
                site.mirror.prune(site.repository)
        record_outcome(site, NOTHING, "removed")
