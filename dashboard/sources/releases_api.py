"""Releases: what the registry and the ledger say of them, and the two decisions a reader may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from dashboard.errors import OutdatedPageError, SourceError, SourceLyingError, SourceUnreachableError
from dashboard.language import mark
from dashboard.sources.patience import waiting_once
from dashboard.sources.registry_api import connected, promised, source_errors
from hilum.contract import SCREENING
from hilum.errors import HilumError, ServiceUnreachableError
from hilum.settings import settings

if TYPE_CHECKING:
    from training.ledger.entry import Entry
    from training.ledger.ledger import Ledger
    from training.promote.difference import Difference
    from training.promote.evidence import Evidence
    from training.promote.plan import NetworkChange, RoleChange
    from training.promote.promotion import Promotion
    from training.promote.release import ReleaseSummary
    from training.promote.verdict import Verdict
    from training.registry import Registry

LEDGER = mark("The ledger")

LEDGER_SETTING = "HILUM_LEDGER_URL"
"""What stands for its address, which may hold a password."""


CONNECT_S = 4
"""Longest wait for the ledger's server to answer, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What making a release champion would do, by what the registry promises now and would promise then."""

    roles: "tuple[RoleChange, ...]"
    """The release of each role, now and then."""
    networks: "tuple[NetworkChange, ...]"
    """Networks that would be loaded, and dropped."""
    difference: "Difference | None"
    """How the release differs from the champion; None where there is no champion."""


@st.cache_data(ttl=10, show_spinner=False)
def releases() -> "tuple[ReleaseSummary, ...]":
    """Return a line for each release, newest first.

    Raises:
        SourceError: MLflow does not answer in time, or not as it should.
    """
    from training.promote.release import list_releases

    with source_errors():
        return tuple(reversed(list_releases(connected())))


@st.cache_data(ttl=10, max_entries=100, show_spinner=False)
def verdict(number: int) -> "Verdict | None":
    """Return the newest verdict of the gate on a release; None where it was not judged.

    Raises:
        SourceError: as for `releases`, or the verdict was changed since it was stored.
    """
    from training.promote.verdict import fetch_verdict

    with source_errors():
        return fetch_verdict(connected(), number)


@st.cache_data(ttl=3600, max_entries=200, show_spinner=False)  # a release never changes
def change(number: int, *, champion: int | None, challenger: int | None) -> Change:
    """Return what making a release champion would do.

    Args:
        number: the release.
        champion: what is champion now; None for none.
        challenger: what is challenger now; one that becomes champion leaves that role.

    Raises:
        SourceError: as for `releases`, or a release was changed since it was stored.
    """
    from training.promote.difference import compare_releases
    from training.promote.plan import changes_between
    from training.promote.wanted import fetch_wanted

    with source_errors():
        registry = connected()
        now = champion and fetch_wanted(registry, {"champion": champion, "challenger": challenger})
        staying = None if challenger == number else challenger
        then = fetch_wanted(registry, {"champion": number, "challenger": staying})
        roles, networks = changes_between(now.lineup if now else None, then)
        return Change(
            roles=roles,
            networks=networks,
            difference=compare_releases(now.by_role["champion"], then.by_role["champion"]) if now else None,
        )


@st.cache_data(ttl=5, show_spinner=False)
def history() -> "tuple[Entry, ...]":
    """Return the ledger's entries, newest first.

    Raises:
        SourceError: the ledger cannot be read.
    """
    with waiting_once(LEDGER, LEDGER_SETTING):
        try:
            with _ledger() as ledger:
                return tuple(reversed(tuple(ledger.entries())))
        except SourceError:
            raise
        except ServiceUnreachableError as error:
            raise SourceUnreachableError(LEDGER, LEDGER_SETTING, type(error).__name__) from error
        except HilumError as error:
            raise SourceLyingError(LEDGER, LEDGER_SETTING, str(error)) from error


@st.cache_data(ttl=5, max_entries=100, show_spinner=False)
def evidence(number: int, *, champion: int | None, who: str) -> "Evidence":
    """Return what speaks for a release, and why `who` may not make it champion, if so.

    Raises:
        SourceError: as for `releases` and `history`.
    """
    from training.promote.evidence import weigh

    history()  # a ledger that cannot be read is told as such, not as MLflow
    with source_errors(), _ledger() as ledger:
        return weigh(connected(), ledger, number, champion=champion, who=who)


def promote(number: int, *, seen: int | None, who: str, reason: str, force: bool = False) -> "Promotion":
    """Make a release the champion, as `hilum promote` does; refused without a passing verdict.

    Args:
        number: the release.
        seen: the champion that the reader saw.
        who: promotes.
        reason: why.
        force: go round the gate, on record.

    Raises:
        OutdatedPageError: there is another champion now.
        HilumError: the promotion is refused; the message says why.
    """
    from training.promote.promotion import promote_release

    with _deciding(seen) as (registry, ledger):
        return promote_release(registry, ledger, number, who=who, reason=reason, force=force)


def roll_back(to: int, *, seen: int | None, who: str, reason: str) -> "Promotion":
    """Make a release that was champion before champion again, as `hilum rollback` does.

    Raises:
        OutdatedPageError: there is another champion now.
        HilumError: it is refused; the message says why.
    """
    from training.promote.promotion import roll_back as roll_back_release

    with _deciding(seen) as (registry, ledger):
        return roll_back_release(registry, ledger, to=to, who=who, reason=reason)


@contextmanager
def _deciding(seen: int | None) -> "Iterator[tuple[Registry, Ledger]]":
    """Open what a decision needs, if the champion is the one that was seen; the ledger sees to a race."""
    registry = connected()
    now = registry.aliases(SCREENING).get("champion")
    try:
        if now != seen:
            raise OutdatedPageError(seen=seen, now=now)
        with _ledger() as ledger:
            yield registry, ledger
    finally:  # what was read before no longer holds, also where the decision was another's
        for cached in (releases, verdict, evidence, history, promised):
            cached.clear()


@contextmanager
def _ledger() -> "Iterator[Ledger]":
    """Open the ledger; where its database cannot be opened at all, that is this dashboard's error."""
    from sqlalchemy.exc import SQLAlchemyError

    from training.ledger.ledger import Ledger

    try:
        with Ledger(settings().ledger_address, connect_s=CONNECT_S) as ledger:
            yield ledger
    except (OSError, SQLAlchemyError) as error:
        raise SourceLyingError(LEDGER, LEDGER_SETTING, type(error).__name__) from error
