"""Every kind of reader of the HTTP interface, with the header that each shows, on a chain with all rooms."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from fujie.core.grant import Grant, sign_grant
from fujie.core.policy import single
from fujie.core.signing import Signer
from fujie.modules.currency.operations import Pay
from fujie.modules.identity.operations import Allocate
from fujie.modules.membership.operations import OpenAccount, Propose, Vote
from fujie.modules.membership.records import SuspendAccount, Visibility
from fujie.proof.checkpoint import CheckpointSigner
from fujie.reader.access import Access, encode_grant
from fujie.reader.credentials import Credentials, Scope
from tests.e2e.http_node import (
    ANNA,
    AUDITOR,
    BANK,
    BEN,
    INSTITUTION,
    INSTRUMENT,
    REGISTRAR,
    SECONDS_MAX,
    WALLETS,
    Node,
    city,
    key,
    open_chain,
    project,
    serving,
)

YEAR_MS: Final = 366 * 86_400_000
HOLDER, OTHER_HOLDER = f"wallet/{WALLETS['anna'].hex()}", f"wallet/{WALLETS['ben'].hex()}"


SUSPENDED: Final = "suspended"


class Asker(NamedTuple):
    """A reader: the name that he reads in, what he shows, and which problem meets a credential that does not hold."""

    kind: str
    name: str = ""
    authorization: str | None = None
    refused: tuple[int, str] | None = None
    scopes: frozenset[str] = frozenset({"read"})

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.authorization is None else {"authorization": self.authorization}


class World(NamedTuple):
    """A running node and everybody who asks it something."""

    node: Node
    access: Access
    askers: dict[str, Asker]
    visibility: Visibility
    folder: Path  # of keys and sessions


def grant_of(node: Node, reader: str, signer: Signer, lasts_ms: int = 60_000, chain_id: str = "") -> str:
    expires_at_ms = node.engine.head.time_ms + lasts_ms
    grant = Grant(chain_id or node.engine.chain_id, reader, expires_at_ms, bytes(16), (signer.public_key,))
    return encode_grant(sign_grant(grant, [signer]))


def askers_of(node: Node, access: Access, folder: Path) -> dict[str, Asker]:
    """Everybody, by kind. Times of the node are set back for the key that has expired."""
    kept = access.credentials
    assert kept is not None
    long_ago = Credentials(folder, lambda: time.time_ns() // 1_000_000 - YEAR_MS)

    def bearer(account: str, *scopes: Scope) -> str:
        return "Bearer " + kept.new_key(account, scopes, 10).token

    revoked = kept.new_key("auditor", [Scope.READ], 10)
    kept.revoke_key(revoked.credential.id)
    session = kept.redeem(kept.new_code("auditor").code)
    both = frozenset({"read", "metrics"})
    found = [
        Asker("stranger", scopes=frozenset()),
        Asker("holder", HOLDER, grant_of(node, HOLDER, ANNA)),
        Asker("other holder", OTHER_HOLDER, grant_of(node, OTHER_HOLDER, BEN)),
        Asker("institution by key", "account/institution", bearer("institution", Scope.READ)),
        Asker("institution by grant", "account/institution", grant_of(node, "account/institution", INSTITUTION)),
        Asker("other institution", "account/other", bearer("other", Scope.READ)),
        Asker("auditor by key", "account/auditor", bearer("auditor", Scope.READ, Scope.METRICS), scopes=both),
        Asker("auditor by grant", "account/auditor", grant_of(node, "account/auditor", AUDITOR)),
        Asker("auditor by session", "account/auditor", "Bearer " + session.token),
        Asker(
            "key for metrics alone",
            "account/auditor",
            bearer("auditor", Scope.METRICS),
            scopes=frozenset({"metrics"}),
        ),
        Asker(
            "expired key",
            authorization="Bearer " + long_ago.new_key("auditor", [Scope.READ, Scope.METRICS], 10).token,
            refused=(401, "CREDENTIAL_EXPIRED"),
        ),
        Asker("revoked key", authorization="Bearer " + revoked.token, refused=(401, "CREDENTIAL_REVOKED")),
        Asker(
            "unknown key",
            authorization=f"Bearer fjk_{'0' * 16}_{'0' * 64}",
            refused=(401, "CREDENTIAL_UNKNOWN"),
        ),
        Asker("nonsense", authorization="Basic Zm9vOmJhcg==", refused=(401, "CREDENTIAL_UNKNOWN")),
        Asker(
            "key of a suspended account",
            authorization=bearer(SUSPENDED, Scope.READ, Scope.METRICS),
            refused=(403, "READER_SUSPENDED"),
        ),
        Asker(
            "grant of a suspended account",
            authorization=grant_of(node, f"account/{SUSPENDED}", key("suspended")),
            refused=(403, "READER_SUSPENDED"),
        ),
        Asker("expired grant", authorization=grant_of(node, HOLDER, ANNA, 0), refused=(403, "GRANT_EXPIRED")),
        Asker(
            "grant of a stranger",
            authorization=grant_of(node, HOLDER, key("thief")),
            refused=(403, "READER_POLICY_NOT_SATISFIED"),
        ),
        Asker(
            "grant of another chain",
            authorization=grant_of(node, "account/auditor", AUDITOR, chain_id="town-" + "0" * 32),
            refused=(403, "GRANT_CHAIN_ID_DIFFERS"),
        ),
        Asker(
            "grant that lasts too long",
            authorization=grant_of(node, "account/auditor", AUDITOR, YEAR_MS),
            refused=(403, "GRANT_EXPIRY_TOO_FAR"),
        ),
    ]
    return {asker.kind: asker for asker in found}


@contextmanager
def world(folder: Path, visibility: Visibility) -> Iterator[World]:
    """A chain on which Anna has paid Ben, served with lists, keys and checkpoints, and everybody who asks."""
    engine = open_chain(folder / "chain", visibility)
    access = Access(folder / "access")
    signer = CheckpointSigner(engine.chain_id, key("log"))
    try:
        deadline_ms = time.time_ns() // 1_000_000 + 3_600_000
        for operation, by in (
            (OpenAccount("central-bank", SUSPENDED, single(key("suspended").public_key)), BANK),
            (Propose("central-bank", bytes(16), SuspendAccount(SUSPENDED), deadline_ms), BANK),
            (Vote("central-bank", bytes(16)), BANK),
            (Pay(WALLETS["anna"], WALLETS["ben"], INSTRUMENT, 1_250), ANNA),
            (Allocate("ZZ.156", city("1302", "Tangshan")), REGISTRAR),
            (Pay(WALLETS["ben"], WALLETS["anna"], INSTRUMENT, 10**9), BEN),
        ):
            outcome = engine.submit([Node("", engine).sign([operation], by)]).result(SECONDS_MAX)[0]
            assert outcome.receipt is not None, outcome
        lists = project(engine, folder / "projection.sqlite")
        with serving(engine, lists=lists, access=access, checkpoints=signer) as node:
            yield World(node, access, askers_of(node, access, folder / "access"), visibility, folder / "access")
        lists.close()
    finally:
        engine.close()


def client(made: World) -> httpx.Client:
    return httpx.Client(base_url=made.node.url, timeout=SECONDS_MAX)
