"""Replaces the release in a model repository, and in the Triton that reads it, while it answers requests.

The new versions load beside the old; then the front door's configuration changes, which names exact
versions; then the old versions go. Each configuration is on disk before Triton is asked to load it,
and a folder goes only after nothing lists it: a server that starts at any moment finds one whole release.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hilum.contract import SCREENING
from training.errors import RepositoryError
from training.promote.triton_control import TritonControl
from training.repository.config_pbtxt import ServedRelease, parse, read_served_release
from training.repository.layout import (
    CONFIG_FILE,
    MODEL_FILES,
    drop_unlisted_versions,
    has_versions,
    listed_versions,
    move_models,
    move_versions,
    remove_models,
    render_configs,
    write_config,
)

STEP_MODELS = tuple(model for model in MODEL_FILES if model != SCREENING)


@dataclass(kw_only=True)
class Swap:
    """The way from one release to another in one model repository, step by step."""

    source: Path
    """A model repository of the new release, beside the live one; its version folders move."""
    folder: Path
    """The live model repository."""
    triton: TritonControl | None
    """The server that reads it; None where none runs."""
    old: ServedRelease | None
    """The release that answers now."""
    new: ServedRelease
    """The release that is to answer."""
    instances: int
    """Copies of each network that run side by side."""
    _replaced: set[str] = field(default_factory=set)
    """Models of which a file changed under a version that may be loaded."""
    changed: bool = False
    """Whether anything had to be written or loaded."""

    def __post_init__(self) -> None:
        self._before = self._current_configs()

    def prepare(self) -> None:
        """Load the new versions beside the old ones."""
        if self.old is None:
            move_models(self.source, self.folder)
            self.changed = True
        else:
            drop_unlisted_versions(self.folder, keep=[self.old, self.new])
            self._replaced = move_versions(self.source, self.folder, self.new)
        self._apply(STEP_MODELS, render_configs(self.new, beside=self._beside, instances=self.instances))

    def switch(self) -> None:
        """Let the front door belong to the new release."""
        self._apply([SCREENING], render_configs(self.new, instances=self.instances))

    def drop_old(self) -> None:
        """Unload the old versions, and delete them."""
        self._apply(STEP_MODELS, render_configs(self.new, instances=self.instances))
        drop_unlisted_versions(self.folder)

    def undo(self) -> None:
        """Let the old release answer, and delete the new versions; without an old one, everything goes."""
        if self.old is None:
            self._remove_all()
            return
        # The front door first: the old versions of its steps are still loaded.
        self._apply([SCREENING, *STEP_MODELS], self._before)
        drop_unlisted_versions(self.folder)

    @property
    def _beside(self) -> ServedRelease | None:
        """The old release, where it is another one and could still be loaded."""
        if self.old and self.old.number != self.new.number and has_versions(self.folder, self.old):
            return self.old
        return None

    def _current_configs(self) -> dict[str, bytes]:
        """Return the configurations that stand for the old release alone."""
        if self.old is None:
            return {}
        configs = render_configs(self.old, instances=self.instances)
        if self.old.number == self.new.number:
            paths = {model: self.folder / model / CONFIG_FILE for model in MODEL_FILES}
            configs |= {model: path.read_bytes() for model, path in paths.items() if path.exists()}
        return configs

    def _apply(self, models: Iterable[str], configs: Mapping[str, bytes]) -> None:
        """Write each configuration and load its model, where either is not as it should be."""
        loaded = self.triton.loaded_versions() if self.triton else {}
        for model in models:
            rewritten = write_config(self.folder, model, configs[model])
            self.changed |= rewritten
            stale = (
                rewritten
                or model in self._replaced
                or loaded.get(model) != set(listed_versions(self.folder, model))
            )
            if self.triton and stale:
                self.triton.load(model)
                self._replaced.discard(model)
                self.changed = True

    def _remove_all(self) -> None:
        loaded = self.triton.loaded_versions() if self.triton else {}
        for model in reversed(MODEL_FILES):
            if self.triton and model in loaded:
                self.triton.unload(model)
        if self.folder.exists():
            remove_models(self.folder, self.source.with_name("undone"))


def find_serving(folder: Path, triton: TritonControl | None) -> ServedRelease | None:
    """Return the release that answers: the server's word first, the disk's where no server has one."""
    if triton and SCREENING in triton.loaded_versions():
        return read_served_release(triton.config(SCREENING))
    try:
        return read_served_release(parse((folder / SCREENING / CONFIG_FILE).read_text()))
    except (FileNotFoundError, RepositoryError):
        return None  # no server could load it: there is nothing to keep
