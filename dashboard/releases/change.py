"""What promoting a release would do, as a diff: roles, networks, and all that the two pin differently."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from dashboard.language import tr
from dashboard.look import label_name
from dashboard.releases.ledger_words import role_word
from dashboard.sources import releases_api

if TYPE_CHECKING:
    from training.promote.difference import Difference, GoldenChange
    from training.promote.plan import NetworkChange, RoleChange

DIGEST_LENGTH = 64
"""Hexadecimal digits of a SHA-256, of which a reader is shown the first twelve."""


def draw(number: int, aliases: Mapping[str, int]) -> None:
    """Draw what changes where a release becomes champion.

    Args:
        number: the release.
        aliases: what the registry promises now.

    Raises:
        SourceError: MLflow does not answer, or a release was changed since it was stored.
    """
    champion, challenger = aliases.get("champion"), aliases.get("challenger")
    if champion == number:
        st.write(tr("This release is the champion."))
        return
    change = releases_api.change(number, champion=champion, challenger=challenger)
    lines = [*map(_role_line, change.roles), *_network_lines(change.networks)]
    st.markdown("\n".join(f"- {line}" for line in lines if line))
    if change.difference is None:
        st.write(tr("There is no champion to compare with."))
    else:
        _draw_difference(change.difference)


def _role_line(change: "RoleChange") -> str:
    role = role_word(change.role)
    if change.before == change.after:
        return "" if change.after is None else tr("{role}: release {n} stays", role=role, n=change.after)
    if change.before is None:
        return tr("{role}: release {n} begins to answer", role=role, n=change.after)
    if change.after is None:
        return tr("{role}: release {n} goes", role=role, n=change.before)
    return tr(
        "{role}: **release {before} → release {after}**", role=role, before=change.before, after=change.after
    )


def _network_lines(networks: "Sequence[NetworkChange]") -> list[str]:
    """Return a line for each model: swapped where one version goes and another comes."""
    if not networks:
        return [tr("No network is loaded or dropped.")]
    lines = []
    for model in dict.fromkeys(network.model for network in networks):
        loaded = [n for n in networks if n.model == model and n.action == "load"]
        dropped = [n for n in networks if n.model == model and n.action == "drop"]
        if len(loaded) == len(dropped) == 1:
            lines.append(
                tr(
                    ":material/swap_horiz: swap `{model}` version {before} → {after} ({sha256})",
                    model=model,
                    before=dropped[0].version,
                    after=loaded[0].version,
                    sha256=_shown(loaded[0].sha256),
                )
            )
            continue
        lines += [
            tr(
                ":material/add: load `{model}` version {n} ({sha256})",
                model=model,
                n=each.version,
                sha256=_shown(each.sha256),
            )
            for each in loaded
        ]
        lines += [
            tr(":material/remove: drop `{model}` version {n}", model=model, n=each.version)
            for each in dropped
        ]
    return lines


def _draw_difference(difference: "Difference") -> None:
    if difference.is_empty:
        st.write(tr("Nothing: the two are the same in all that they promise."))
        return
    st.markdown(
        "\n".join(
            f"- {_thing(change.what)}: `{_shown(change.before)}` → `{_shown(change.after)}`"
            for change in difference.changes
        )
    )
    deciding = [change for change in difference.golden_changes if change.changes_decision]
    st.caption(
        tr(
            "{changed} of the golden cases are answered differently, {deciding} with another decision.",
            changed=len(difference.golden_changes),
            deciding=len(deciding),
        )
    )
    if difference.golden_changes:
        with st.expander(tr("Golden cases that are answered differently")):
            _draw_golden(difference.golden_changes)


def _draw_golden(changes: "Sequence[GoldenChange]") -> None:
    st.dataframe(
        [
            {
                tr("image (SHA-256)"): _shown(change.image),
                tr("now"): _finding(change.before),
                tr("then"): _finding(change.after),
                tr("largest difference of a probability"): change.largest_difference,
            }
            for change in changes
        ],
        hide_index=True,
        width="stretch",
    )


def _finding(finding: str | None) -> str:
    if finding is None:
        return tr("not among its cases")
    return tr("rejected") if finding == "rejected" else label_name(finding)


def _thing(what: str) -> str:
    """Return in the reader's language what `Change.what` names: a network's, or the release's own."""
    of = {"filter": tr("filter"), "classifier": tr("classifier")}
    things = {
        "version": tr("version"),
        "recipe": tr("recipe"),
        "training run": tr("training run"),
        "training data": tr("training data"),
        "code revision": tr("code revision"),
        "temperature": tr("temperature"),
        "threshold": tr("threshold"),
        "labels": tr("labels"),
        "decoder": tr("decoder"),
        "activation map": tr("activation map"),
        "embedding length": tr("embedding length"),
        "reference sample": tr("reference sample"),
    }
    network, _, thing = what.partition(" ")
    if network in of:
        return f"{of[network]}, {things.get(thing, thing)}"
    if what.startswith("threshold of "):
        return tr("threshold of {finding}", finding=label_name(what.removeprefix("threshold of ")))
    return things.get(what, what)


def _shown(value: Any) -> str:
    """Return a value for a reader: digests shortened, numbers rounded."""
    match value:
        case None:
            return "-"
        case float():
            return f"{value:.4g}"
        case list() | tuple():
            return ", ".join(map(str, value))
        case str() if len(value) == DIGEST_LENGTH:
            return f"{value[:12]}…"
    return str(value)
