"""Whose keys an operation needs: asked of the ledger, with proof, and found among the key files here."""

from pathlib import Path
from typing import TYPE_CHECKING

from fujie.core.errors import Refused

if TYPE_CHECKING:
    from fujie.cli.settings import Settings
    from fujie.cli.words import HeldWallet
    from fujie.client.client import Client
    from fujie.core.policy import KeyPolicy
    from fujie.core.signing import Signer


def registrar_signers(settings: "Settings", client: "Client", prefix: str, keys: list[str] | None) -> "list[Signer]":
    """Return keys that satisfy whoever allocates under ``prefix``; those called ``keys`` where some are named."""
    if keys:
        return named_signers(settings, keys)
    return settings.keyring.for_policy(*registrar_policy(client, prefix))


def controller_signers(
    settings: "Settings", client: "Client", identifier: str, keys: list[str] | None
) -> "list[Signer]":
    """Return keys that satisfy whoever controls ``identifier``; those called ``keys`` where some are named."""
    if keys:
        return named_signers(settings, keys)
    return settings.keyring.for_policy(*_controller_policy(client, identifier))


def account_signers(settings: "Settings", client: "Client", account: str, keys: list[str] | None) -> "list[Signer]":
    """Return keys that satisfy an account; those called ``keys`` where some are named."""
    if keys:
        return named_signers(settings, keys)
    return settings.keyring.for_policy(_account_policy(client, account), f"The account {account}")


def holder_signers(settings: "Settings", held: "HeldWallet", keys: list[str] | None) -> "list[Signer]":
    """Return the key of a wallet that is held here; those called ``keys`` where some are named."""
    if keys:
        return named_signers(settings, keys)
    return [settings.keyring.at(held.path.parent / held.file.key_file)]


def named_signers(settings: "Settings", keys: list[str]) -> "list[Signer]":
    """Return the keys in files that are named or pathed."""
    keyring = settings.keyring
    return [keyring.at(Path(key)) if "/" in key or key.endswith(".key") else keyring.named(key) for key in keys]


def registrar_policy(client: "Client", prefix: str) -> "tuple[KeyPolicy, str, str]":
    """Return the policy of whoever allocates under ``prefix``, who that is, and the prefix that holds the policy.

    As ``modules.identity.queries.registrar``, by proven answers. Raises ``Refused`` as that does.
    """
    from fujie.modules.identity.reasons import IdentityReason

    namespace = client.namespace(prefix).record
    if namespace is None:
        raise Refused(IdentityReason.NAMESPACE_UNKNOWN)
    if namespace.terms.controllers is not None:
        return namespace.terms.controllers, f"The registrar of {prefix}", prefix
    return _controller_policy(client, prefix)


def above(identifier: str) -> str:
    """Return the prefix that ``identifier`` stands directly under: its parent, or the agency for a country."""
    from fujie.modules.identity import queries

    return queries.above(identifier)


def _controller_policy(client: "Client", identifier: str) -> "tuple[KeyPolicy, str, str]":
    from fujie.modules.identity.queries import AGENCY_CHARACTERS, AgencyQuery
    from fujie.modules.identity.reasons import IdentityReason

    if len(identifier) == AGENCY_CHARACTERS:
        agency = client.read(AgencyQuery()).record
        if agency is None or agency.agency != identifier:
            raise Refused(IdentityReason.NAMESPACE_UNKNOWN)
        return _account_policy(client, agency.account), "The root authority", ""
    found = client.resolve(identifier).record
    if found is None:
        raise Refused(IdentityReason.IDENTIFIER_UNKNOWN)
    if found.controllers is not None:
        return found.controllers, f"Whoever controls {identifier}", identifier
    return registrar_policy(client, above(identifier))


def _account_policy(client: "Client", name: str) -> "KeyPolicy":
    from fujie.modules.membership.reasons import MembershipReason

    found = client.account(name).record
    if found is None:
        raise Refused(MembershipReason.ACCOUNT_NOT_FOUND)
    return found.policy
