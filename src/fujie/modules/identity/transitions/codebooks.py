"""Codebook editions: what an allocation by codebook relies on."""

from msgspec.structs import replace

from fujie.core.context import Context
from fujie.core.errors import Refused
from fujie.core.state import State
from fujie.core.versions import first, succeed
from fujie.modules.identity import events, queries, state_keys
from fujie.modules.identity.operations import RegisterCodebook, WithdrawCodebook
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import CodebookEdition, EditionStatus, Series


def register_codebook(state: State, context: Context, operation: RegisterCodebook) -> events.CodebookRegistered:
    """Register an edition. The first one of a series reserves the scheme of that name to codebook allocation.

    Refuses with CODEBOOK_EDITION_EXISTS.
    """
    key = state_keys.codebook(operation.edition)
    if state.get(key) is not None:
        raise Refused(IdentityReason.CODEBOOK_EDITION_EXISTS)
    # From here nothing may refuse.
    series_key = state_keys.series(operation.series)
    series = state.get(series_key)
    state.put(series_key, Series(operation.series, operation.edition, series.editions + 1 if series else 1))
    state.put(
        key,
        CodebookEdition(
            operation.edition,
            operation.series,
            operation.root,
            operation.size,
            operation.title,
            operation.source,
            EditionStatus.CURRENT,
            first(context),
        ),
    )
    return events.CodebookRegistered(operation.edition, operation.series)


def withdraw_codebook(state: State, context: Context, operation: WithdrawCodebook) -> events.CodebookWithdrawn:
    """Withdraw an edition. Refuses, in order: CODEBOOK_EDITION_UNKNOWN, CODEBOOK_EDITION_WITHDRAWN."""
    edition = current_edition(state, operation.edition)
    # From here nothing may refuse.
    standing = succeed(state, context, edition, state_keys.CODEBOOK)
    state.put(
        state_keys.codebook(operation.edition), replace(edition, status=EditionStatus.WITHDRAWN, standing=standing)
    )
    return events.CodebookWithdrawn(operation.edition)


def current_edition(state: State, name: str) -> CodebookEdition:
    """Return an edition. Refuses, in order: CODEBOOK_EDITION_UNKNOWN, CODEBOOK_EDITION_WITHDRAWN."""
    edition = queries.codebook(state, name)
    if edition is None:
        raise Refused(IdentityReason.CODEBOOK_EDITION_UNKNOWN)
    if edition.status is EditionStatus.WITHDRAWN:
        raise Refused(IdentityReason.CODEBOOK_EDITION_WITHDRAWN)
    return edition
