"""All checks of rendered objects that no schema makes."""

from collections.abc import Callable, Iterator, Sequence

from tests.support.chart import commands, hardening, names, references, wiring
from tests.support.chart.pods import Values
from tests.support.helm import Object

Check = Callable[[Sequence[Object], Values], Iterator[str]]
"""Takes objects and the values in force; says what is wrong, in sentences."""

CHECKS: tuple[Check, ...] = (
    names.check_names,
    names.check_ports,
    names.check_quantities,
    wiring.check_selectors,
    wiring.check_targets,
    wiring.check_scaling,
    wiring.check_roles,
    references.check_references,
    references.check_volumes,
    hardening.check_hardened,
    hardening.check_images,
    hardening.check_secrets,
    hardening.check_endings,
    commands.check_variables,
    commands.check_service_links,
    commands.check_triton_flags,
    commands.check_hilum_commands,
    commands.check_mlflow_commands,
)
"""Every check."""


def problems(objects: Sequence[Object], values: Values) -> list[str]:
    """Return what all checks find."""
    return [problem for check in CHECKS for problem in check(objects, values)]
