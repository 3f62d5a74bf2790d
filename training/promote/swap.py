"""Replaces the releases in a model repository, and in the Triton that reads it, while it answers requests.

The new versions load beside the old; then the front doors' configurations change, which name exact
versions; then the old versions go. Each configuration is on disk before Triton is asked to load it,
and a folder goes only after nothing lists it: a server that starts at any moment finds whole releases.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from training.promote.site import Mirror
from training.promote.triton_control import TritonControl
from training.repository.config_pbtxt import is_within, parse
from training.repository.layout import (
    CONFIG_FILE,
    FRONT_DOORS,
    MODEL_FILES,
    STEP_MODELS,
    add_front_door,
    drop_unlisted_versions,
    has_versions,
    listed_versions,
    move_models,
    move_versions,
    remove_models,
    render_configs,
    write_config,
)
from training.repository.served_release import Lineup, ServedRelease


@dataclass(kw_only=True)
class Swap:
    """The way from one lineup to another in one model repository, step by step."""

    source: Path
    """A model repository of the new lineup, beside the live one; its version folders move."""
    folder: Path
    """The live model repository."""
    triton: TritonControl | None
    """The server that reads it, or its mirror; None where none runs."""
    old: Lineup | None
    """The releases that answer now."""
    new: Lineup
    """The releases that are to answer."""
    instances: int
    """Copies of each network that run side by side."""
    may_repair: bool = False
    """The live repository was written from the same registry: a network that differs is damaged."""
    mirror: Mirror | None = None
    """A copy of the live repository from which the server reads."""
    changed: bool = False
    """Whether anything had to be written or loaded."""
    _replaced: set[str] = field(default_factory=set)
    """Models of which a file changed under a version that may be loaded."""

    def __post_init__(self) -> None:
        self._before = self._current_configs()
        self._scratch = self.source.with_name("scratch")

    def prepare(self) -> None:
        """Load the new versions beside the old ones."""
        if self.old is None:
            move_models(self.source, self.folder)
            self.changed = True
        else:
            drop_unlisted_versions(self.folder, keep=[self.old, self.new])
            self._replaced = move_versions(self.source, self.folder, self.new, may_repair=self.may_repair)
        self._push()
        self._apply(STEP_MODELS, render_configs(self.new, beside=self._beside, instances=self.instances))

    def switch(self) -> None:
        """Let the front doors belong to the new releases; close the challenger's where there is none."""
        self._apply(self.new.doors, render_configs(self.new, instances=self.instances))
        self._close_doors(self.new)

    def drop_old(self) -> None:
        """Unload the old versions, and delete them."""
        self._apply(STEP_MODELS, render_configs(self.new, instances=self.instances))
        drop_unlisted_versions(self.folder)
        self._prune()

    def undo(self) -> None:
        """Let the old releases answer, and delete the new versions; without old ones, everything goes."""
        if self.old is None:
            self._remove_all()
        else:
            # The front doors first: the old versions of their steps are still loaded.
            self._apply(self.old.doors, self._before)
            self._close_doors(self.old)
            self._apply(STEP_MODELS, self._before)
            drop_unlisted_versions(self.folder)
        self._prune()

    @property
    def _beside(self) -> list[ServedRelease]:
        """The old releases that are others, and could still be loaded."""
        kept = {release.number for release in self.new.releases}
        return [
            release
            for release in (self.old.releases if self.old else ())
            if release.number not in kept and has_versions(self.folder, release)
        ]

    def _current_configs(self) -> dict[str, bytes]:
        """Return the configurations that stand for the old lineup alone."""
        if self.old is None:
            return {}
        configs = render_configs(self.old, instances=self.instances)
        if self.old == self.new:
            paths = {model: self.folder / model / CONFIG_FILE for model in configs}
            configs |= {model: path.read_bytes() for model, path in paths.items() if path.exists()}
        return configs

    def _apply(self, models: Iterable[str], configs: Mapping[str, bytes]) -> None:
        """Write each configuration and load its model, where either is not as it should be."""
        for model in models:
            rewritten = self._write(model, configs[model])
            self.changed |= rewritten
            if self.triton and (rewritten or model in self._replaced or self._is_stale(model)):
                self._push()
                self.triton.load(model)
                self._replaced.discard(model)
                self.changed = True

    def _write(self, model: str, config: bytes) -> bool:
        """Put a configuration into the repository; return whether it was another."""
        if (self.folder / model / CONFIG_FILE).exists() or model not in FRONT_DOORS:
            return write_config(self.folder, model, config)
        release = (parse(config.decode()).version_policy.specific.versions)[0]
        self._scratch.mkdir(exist_ok=True)
        add_front_door(self.folder, model, release, config, self._scratch)
        return True

    def _is_stale(self, model: str) -> bool:
        """Whether the server runs other versions than the disk lists, or under another configuration."""
        assert self.triton is not None
        listed = listed_versions(self.folder, model)
        if self.triton.loaded_versions().get(model) != set(listed):
            return True
        wanted = parse((self.folder / model / CONFIG_FILE).read_text())
        return not all(is_within(wanted, self.triton.config(model, version)) for version in listed)

    def _close_doors(self, lineup: Lineup) -> None:
        """Unload and delete front doors that a lineup does not have."""
        for door in FRONT_DOORS:
            if door in lineup.doors:
                continue
            if self.triton and door in self.triton.loaded_versions():
                self.triton.unload(door)
                self.changed = True
            if (self.folder / door).exists():
                remove_models(self.folder, self._scratch, [door])
                self.changed = True

    def _remove_all(self) -> None:
        loaded = self.triton.loaded_versions() if self.triton else {}
        for model in reversed(MODEL_FILES):
            if self.triton and model in loaded:
                self.triton.unload(model)
        if self.folder.exists():
            remove_models(self.folder, self._scratch, MODEL_FILES)

    def _push(self) -> None:
        if self.mirror:
            self.mirror.push(self.folder)

    def _prune(self) -> None:
        if self.mirror:
            self.mirror.push(self.folder)
            self.mirror.prune(self.folder)
