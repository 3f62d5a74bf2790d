"""Finds the release that a person names: by its number, or by an alias."""

from hilum.contract import SCREENING
from training.errors import UnknownVersionError
from training.registry import Registry


def resolve_release(registry: Registry, name: str) -> int:
    """Return the number of the release that a number or an alias names now.

    Raises:
        UnknownVersionError: there is no such release, or no such alias.
    """
    if name.isdigit():
        return registry.version(SCREENING, int(name)).number
    aliases = registry.aliases(SCREENING)
    if name not in aliases:
        raise UnknownVersionError(
            f"No release has the alias {name!r}; there are: {', '.join(sorted(aliases)) or 'none'}. Name one "
            "of them, or a release's number (`hilum release list`)."
        )
    return aliases[name]
