"""The lists after everything that can happen to what they hold: they are what a walk over the state gives."""

import contextlib
from typing import Any

import pytest

from fujie.core.policy import single
from fujie.core.room import Operation
from fujie.modules.currency.operations import CloseWallet, OpenWallet
from fujie.modules.identity.operations import AllocateMany, BindAlias, NamedItem, ReleaseAlias, Retire, UpdateRecord
from fujie.modules.membership.operations import Propose, Vote, Withdraw
from fujie.modules.membership.records import (
    Account,
    AdmitOrganisation,
    GrantRole,
    Organisation,
    Proposal,
    RecoverAccount,
    RestoreAccount,
    RestoreOrganisation,
    RevokeRole,
    Role,
    SetQuota,
    SuspendAccount,
    SuspendOrganisation,
)
from fujie.reader.projection import history as pages
from fujie.reader.projection import postings, schema
from fujie.reader.projection.lists import Lists
from tests import world
from tests.reader.projection.files import catch_up, content
from tests.reader.projection.histories import History
from tests.reader.projection.walk import assert_lists_are_the_state


class Eventful(History):
    """Also does what is rare: twice over in one block, to and fro, and too late."""

    def next(self) -> list[bytes]:
        often = [super().next] * 3
        rare = [self.rename_twice, self.move_alias, self.open_and_close, self.suspend_and_restore, self.leave_open]
        return self.random.choice([*often, *rare, self.house])()

    def fresh(self, count: int) -> list[str]:
        """Allocate so many identifiers at once; the transaction waits in ``raws``."""
        self.number += 1
        items = tuple(
            NamedItem(f"F{self.number}X{each}", "city", f"Fresh {each} 新城", (), b"", "", None, None)
            for each in range(count)
        )
        names = [f"{world.CITY}.{item.node}" for item in items]
        self.identifiers += names
        self.raws = [self.signing.sign(AllocateMany(world.CITY, items), world.ROOT)]
        return names

    def by_root(self, *operations: Operation) -> None:
        self.raws += [self.signing.sign(operation, world.ROOT) for operation in operations]

    def rename_twice(self) -> list[bytes]:
        """Allocated, renamed and moved twice, and sometimes retired: all in one block, the last name is that of another."""
        [city, other] = self.fresh(2)
        self.by_root(
            UpdateRecord(city, 1, f"Interim 过渡 {self.number}", (), b"", other),
            UpdateRecord(city, 2, f"Final {self.number % 3}", (), b"", self.random.choice(["", other, "ZZ.156"])),
        )
        if self.random.random() < 0.5:
            self.by_root(Retire(city))
        return self.raws

    def move_alias(self) -> list[bytes]:
        """An outside code goes from one identifier to another and back; the first may be retired in between."""
        [first, second] = self.fresh(2)
        code = ("OLD", f"{self.number}")
        self.by_root(BindAlias(first, *code, b""), ReleaseAlias(first, *code), BindAlias(second, *code, b""))
        if self.random.random() < 0.5:
            self.by_root(Retire(first))
        else:
            self.by_root(ReleaseAlias(second, *code), BindAlias(first, *code, b""))
        return self.raws

    def open_and_close(self) -> list[bytes]:
        """A wallet is asked for before it exists, opened twice, and closed; by its holder it was hardly seen."""
        number = self.wallets
        self.wallets += 1
        opened: Any = world.open_wallet(number)
        assert isinstance(opened, OpenWallet)
        return [
            self.signing.pay(0, number, 3),
            self.signing.sign(opened, world.INSTITUTION),
            self.signing.sign(opened, world.INSTITUTION),
            self.signing.sign(CloseWallet(world.wallet_id(number)), world.INSTITUTION),
        ]

    def suspend_and_restore(self) -> list[bytes]:
        """What governors decide about members, some of it undone in the same block."""
        account = self.random.choice(self.accounts) if self.accounts else "institution"
        actions: list[Any] = [
            GrantRole(account, Role.AUDITOR),
            RevokeRole(account, Role.AUDITOR),
            SuspendAccount(account),
            RecoverAccount(account, single(world.signer(f"spare {self.number}").public_key)),
            RestoreAccount(account),
            SetQuota(account, self.random.randint(1, 10**6)),
        ]
        begin = self.random.randrange(len(actions))
        return self.decided(*actions[begin : begin + self.random.randint(1, 4)])

    def house(self) -> list[bytes]:
        """An organisation is admitted, suspended or restored, whichever comes; its account stays as it is."""
        key = single(world.signer("house").public_key)
        admit = AdmitOrganisation("house", "The house 之家", "house-desk", key)
        other: Any = self.random.choice([SuspendOrganisation("house"), RestoreOrganisation("house")])
        return self.decided(admit, other)

    def decided(self, *actions: Any) -> list[bytes]:
        """Return the proposals and votes that carry ``actions``, one after the other."""
        found: list[bytes] = []
        for action in actions:
            self.number += 1
            found += self.signing.decide(action, self.number)
        return found

    def leave_open(self) -> list[bytes]:
        """A proposal that one governor votes for, with a deadline that passes soon, and a vote that comes too late."""
        self.number += 1
        proposal = world.nonce(3_000_000 + self.number)
        deadline_ms = self.engine.head.time_ms + self.random.choice([1, 3, 4, 5, 400_000])
        propose = Propose("root", proposal, GrantRole("institution", Role.REGULATOR), deadline_ms)
        raws = [self.signing.sign(propose, world.ROOT), self.signing.sign(Vote("root", proposal), world.ROOT)]
        if self.random.random() < 0.3:
            raws.append(self.signing.sign(Vote("central-bank", proposal), *world.BANK[:2]))
        elif self.random.random() < 0.3:
            raws.append(self.signing.sign(Withdraw("root", proposal), world.ROOT))
        return raws


@pytest.fixture
def small_segments(monkeypatch):
    """Stretches of 64 log entries, so that a short history fills some."""
    for module in (schema, postings, pages):
        monkeypatch.setattr(module, "SEGMENT", 64)


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("seed", [24, 25, 26])
def test_every_list_is_what_a_walk_over_the_state_gives_at_every_stop(tmp_path, seed):
    path, rebuilt = tmp_path / "projection.sqlite", tmp_path / "rebuilt" / "projection.sqlite"
    rebuilt.parent.mkdir()
    with world.running("memory", tmp_path) as engine, contextlib.closing(Lists.open(path)) as lists:
        history = Eventful(engine, seed)
        states: set[str] = set()
        late = 0
        for _ in range(5):
            history.run(45)
            catch_up(path, engine, at_once=history.random.choice([1, 9, 4_096]))
            found = assert_lists_are_the_state(lists, engine.executor.store)
            for kind in (Organisation, Account, Proposal):
                states |= {f"{kind.__name__} {record.status}" for record in found[kind].values()}
            now_ms = lists.position().time_ms
            late += sum(each.status == "open" and each.deadline_ms <= now_ms for each in found[Proposal].values())
        catch_up(rebuilt, engine)
        with contextlib.closing(Lists.open(rebuilt)) as anew:
            assert_lists_are_the_state(anew, engine.executor.store)
    members = {f"{kind} {state}" for kind in ("Organisation", "Account") for state in ("active", "suspended")}
    assert states == members | {f"Proposal {state}" for state in ("open", "carried", "withdrawn")}
    assert late > 0
    assert content(rebuilt) == content(path)
