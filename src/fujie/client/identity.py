"""What a client does with identifiers. Thin: each verb is one operation or one query."""

from collections.abc import Sequence
from typing import Final

from fujie.client.session import Outcome, Session, Signers
from fujie.client.verifier import VerifiedRecord
from fujie.core.errors import Refused
from fujie.core.policy import KeyPolicy
from fujie.modules.identity import operations, queries
from fujie.modules.identity.events import Allocated
from fujie.modules.identity.operations import CodebookRange, NamedItem, NumberedItem
from fujie.modules.identity.reasons import IdentityReason
from fujie.modules.identity.records import (
    Alias,
    CodebookEdition,
    Delegation,
    Identity,
    Namespace,
    Usage,
)

NO_CONTENT: Final = b""


class IdentityVerbs(Session):
    """Identifiers: resolve, allocate, delegate, and the life of a record."""

    # -- reading: open to anyone

    def resolve(self, identifier: str, *, at_ms: int | None = None) -> VerifiedRecord[Identity]:
        """Return what ``identifier`` provably stands for, now or at ``at_ms``; ``record`` None is a proven absence."""
        return self.read(queries.IdentityQuery(identifier), at_ms=at_ms)

    def resolve_alias(self, scheme: str, code: str, *, at_ms: int | None = None) -> VerifiedRecord[Alias]:
        """Return what an outside code (``GBT2260``, ``130100``) is provably bound to, now or at ``at_ms``."""
        return self.read(queries.AliasQuery(scheme, code), at_ms=at_ms)

    def namespace(self, prefix: str, *, at_ms: int | None = None) -> VerifiedRecord[Namespace]:
        """Return the terms on which a prefix is delegated."""
        return self.read(queries.NamespaceQuery(prefix), at_ms=at_ms)

    def usage(self, prefix: str) -> VerifiedRecord[Usage]:
        """Return how much was allocated under a prefix."""
        return self.read(queries.UsageQuery(prefix))

    def codebook(self, edition: str) -> VerifiedRecord[CodebookEdition]:
        """Return a registered edition of a codebook."""
        return self.read(queries.CodebookQuery(edition))

    # -- allocating: the registrar of the namespace signs

    def allocate(
        self,
        namespace: str,
        item: NamedItem | NumberedItem,
        *,
        signers: Signers | None = None,
    ) -> str:
        """Give out one identifier directly under ``namespace`` and return it. See :func:`named` and :func:`numbered`."""
        return self.allocate_many(namespace, [item], signers=signers)[0]

    def allocate_many(
        self, namespace: str, items: Sequence[NamedItem | NumberedItem], *, signers: Signers | None = None
    ) -> tuple[str, ...]:
        """Give out up to ``BULK_ITEMS_MAX`` identifiers under ``namespace``, all or none; return them in order."""
        operation: operations.Allocate | operations.AllocateMany
        if len(items) == 1:
            operation = operations.Allocate(namespace, items[0])
        else:
            operation = operations.AllocateMany(namespace, tuple(items))
        return _allocated(self.submit(operation, signers=signers))

    def allocate_from_codebook(
        self, namespace: str, edition: str, ranges: Sequence[CodebookRange], *, signers: Signers | None = None
    ) -> tuple[str, ...]:
        """Give out what an edition of the codebook demands under ``namespace``; return the identifiers in order."""
        operation = operations.AllocateFromCodebook(namespace, edition, tuple(ranges))
        return _allocated(self.submit(operation, signers=signers))

    def register_codebook(
        self,
        edition: str,
        series: str,
        root: bytes,
        size: int,
        *,
        title: str = "",
        source: str = "",
        signers: Signers | None = None,
    ) -> Outcome:
        """Make an edition of a codebook known. The root authority signs."""
        return self.submit(operations.RegisterCodebook(edition, series, root, size, title, source), signers=signers)

    # -- authority

    def delegate(self, identifier: str, delegation: Delegation, *, signers: Signers | None = None) -> Outcome:
        """Turn an identifier into a namespace on these terms. The registrar of the level above signs."""
        return self.submit(operations.Delegate(identifier, delegation), signers=signers)

    def amend_delegation(self, identifier: str, delegation: Delegation, *, signers: Signers | None = None) -> Outcome:
        """Replace the terms of a namespace. The registrar of the level above signs."""
        return self.submit(operations.AmendDelegation(identifier, delegation), signers=signers)

    def rotate_registrar(
        self, prefix: str, controllers: KeyPolicy | None, *, signers: Signers | None = None
    ) -> Outcome:
        """Name who allocates under a prefix; None gives that back to whoever controls the identifier, who signs."""
        return self.submit(operations.RotateRegistrar(prefix, controllers), signers=signers)

    def rotate_controllers(
        self, identifier: str, controllers: KeyPolicy | None, *, signers: Signers | None = None
    ) -> Outcome:
        """Name who controls an identifier; None gives it back to its allocator. Whoever controls it now signs."""
        return self.submit(operations.RotateControllers(identifier, controllers), signers=signers)

    # -- life

    def update(
        self,
        identifier: str,
        *,
        name: str | None = None,
        attributes: Sequence[tuple[str, str]] | None = None,
        content: bytes | None = None,
        within: str | None = None,
        signers: Signers | None = None,
    ) -> Outcome:
        """Replace parts of a record; None leaves a part as it provably stands. Whoever controls the identifier signs.

        Refused with ``VERSION_NUMBER_DIFFERS`` when somebody else changed the record in between.
        """
        known = self.resolve(identifier).record
        if known is None:
            raise Refused(IdentityReason.IDENTIFIER_UNKNOWN)  # proven absent; the ledger would say the same
        operation = operations.UpdateRecord(
            identifier,
            known.standing.number,
            known.name if name is None else name,
            known.attributes if attributes is None else tuple(sorted(attributes)),
            known.content if content is None else content,
            known.within if within is None else within,
        )
        return self.submit(operation, signers=signers)

    def retire(self, identifier: str, *, signers: Signers | None = None) -> Outcome:
        """Retire an identifier for ever. Whoever controls it signs."""
        return self.submit(operations.Retire(identifier), signers=signers)

    def suspend(self, identifier: str, *, signers: Signers | None = None) -> Outcome:
        """Keep an identifier from acting. The registrar of the level above signs."""
        return self.submit(operations.Suspend(identifier), signers=signers)

    def restore(self, identifier: str, *, signers: Signers | None = None) -> Outcome:
        """Let a suspended identifier act again. The registrar of the level above signs."""
        return self.submit(operations.Restore(identifier), signers=signers)

    def bind_alias(
        self, identifier: str, scheme: str, code: str, *, document: bytes = b"", signers: Signers | None = None
    ) -> Outcome:
        """Bind an outside code to an identifier. Its registrar signs. ``document``: digest of the evidence, or nothing."""
        return self.submit(operations.BindAlias(identifier, scheme, code, document), signers=signers)

    def release_alias(self, identifier: str, scheme: str, code: str, *, signers: Signers | None = None) -> Outcome:
        """End the binding of an outside code. Its registrar signs."""
        return self.submit(operations.ReleaseAlias(identifier, scheme, code), signers=signers)


def named(
    node: str,
    kind: str,
    name: str,
    *,
    attributes: Sequence[tuple[str, str]] = (),
    content: bytes = NO_CONTENT,
    within: str = "",
    controllers: KeyPolicy | None = None,
    delegation: Delegation | None = None,
) -> NamedItem:
    """Return an allocation whose ``node`` the registrar chooses (rule ``free``, or ``named`` beside another rule)."""
    return NamedItem(node, kind, name, tuple(sorted(attributes)), content, within, controllers, delegation)


def numbered(
    kind: str,
    name: str,
    *,
    attributes: Sequence[tuple[str, str]] = (),
    content: bytes = NO_CONTENT,
    within: str = "",
    controllers: KeyPolicy | None = None,
    delegation: Delegation | None = None,
) -> NumberedItem:
    """Return an allocation whose node is the next number of the prefix (rule ``sequence``)."""
    return NumberedItem(kind, name, tuple(sorted(attributes)), content, within, controllers, delegation)


def _allocated(outcome: Outcome) -> tuple[str, ...]:
    event = outcome.event
    assert isinstance(event, Allocated), "every allocation that succeeds answers with what it gave out"
    return event.identifiers
