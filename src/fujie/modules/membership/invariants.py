"""What must hold in every state of membership (README.md, "Invariants"), checked in one pass over all leaves.

The room is small: accounts are organisations' officers and machines, not the public. So a checker may keep a line for
each account and organisation.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from fujie.core.encoding import Record
from fujie.core.finding import Finding
from fujie.core.meter import Meter
from fujie.core.signing import is_sound_public_key
from fujie.core.versions import Standing, skip_target
from fujie.modules.membership import state_keys
from fujie.modules.membership.records import (
    MISBEHAVIOUR_KEPT_MAX,
    Account,
    Founding,
    Governors,
    MisbehaviourRecord,
    Organisation,
    Parameters,
    Proposal,
    ProposalStatus,
    Role,
    Rooms,
    Rules,
    Status,
    Validators,
    active_version,
)
from fujie.proof.validators import validator_address

ROOM_PREFIX: Final = "membership/"
FOUNDED: Final = (
    state_keys.GOVERNORS_KEY.path,
    state_keys.PARAMETERS_KEY.path,
    state_keys.ROOMS_KEY.path,
    state_keys.VALIDATORS_KEY.path,
    state_keys.rules("membership").path,
)


class Checker:
    """Implements ``core.finding.InvariantChecker`` for membership."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []
        self._seen: dict[str, Record] = {}  # the leaves of FOUNDED
        self._organisations: dict[str, Organisation] = {}
        self._accounts: dict[str, Account] = {}
        self._rules: dict[str, Rules] = {}
        self._foundings: list[Founding] = []
        self._meters: list[str] = []

    def see(self, path: str, record: Record) -> None:
        """See :class:`InvariantChecker`."""
        if not path.startswith(ROOM_PREFIX):
            return
        if path in FOUNDED:
            self._seen[path] = record
        if path != _path_of(path, record):
            self._find("leaf-at-its-path", path, f"a {type(record).__name__} of another path stands here")
            return
        if isinstance(record, Account):
            self._accounts[record.name] = record
            self._see_account(path, record)
        elif isinstance(record, Organisation):
            self._organisations[record.name] = record
        elif isinstance(record, Meter):
            self._meters.append(path.removeprefix(state_keys.METER_PREFIX))
        elif isinstance(record, Rules | Founding):
            self._see_rules(path, record)
        elif isinstance(record, Proposal):
            self._see_proposal(path, record)
        elif isinstance(record, MisbehaviourRecord):
            self._see_misbehaviour(path, record)
        if isinstance(record, Account | Organisation | Parameters | Validators):
            self._see_standing(path, record.standing)

    def findings(self) -> Iterator[Finding]:
        """See :class:`InvariantChecker`."""
        yield from self._findings
        for path in FOUNDED:
            if path not in self._seen:
                yield Finding("founded-leaves-stand", path, "the leaf is missing")
        yield from self._membership_runs()
        yield from self._organisations_count()
        yield from self._governors_agree()
        yield from self._validators_stand()
        yield from self._rooms_agree()
        for name in self._meters:
            if name not in self._accounts:
                yield Finding("meter-of-an-account", state_keys.meter(name).path, "no such account exists")

    # Single leaves.

    def _see_account(self, path: str, account: Account) -> None:
        if not account.policy.is_sound():
            self._find("key-policies-sound", path, "the keys are out of order, unsound or too few for the threshold")
        if not _ascends(account.roles):
            self._find("roles-in-order", path, "the roles do not ascend or one is there twice")

    def _see_rules(self, path: str, record: Rules | Founding) -> None:
        if isinstance(record, Founding):
            self._foundings.append(record)
            return
        self._rules[record.room] = record
        if not _ascends([entry.from_height for entry in record.versions]):
            self._find("rules-in-order", path, "the heights of the rule versions do not ascend")

    def _see_proposal(self, path: str, proposal: Proposal) -> None:
        if not _ascends(proposal.votes):
            self._find("votes-in-order", path, "the votes do not ascend or one is there twice")
        if proposal.status is ProposalStatus.CARRIED and not proposal.votes:
            self._find("carried-by-votes", path, "the proposal was carried without a vote")

    def _see_misbehaviour(self, path: str, record: MisbehaviourRecord) -> None:
        if record.validator is not None and validator_address(record.validator.public_key) != record.address:
            self._find("misbehaviour-of-its-validator", path, "the key of the validator gives another address")
        if any(act.address != record.address for act in (record.first, *record.newest)):
            self._find("misbehaviour-of-its-validator", path, "an act of another validator stands here")
        kept = min(record.count, MISBEHAVIOUR_KEPT_MAX)
        if len(record.newest) != kept or (record.count == kept and record.first != record.newest[0]):
            self._find("misbehaviour-counted", path, f"{record.count} acts are counted, {len(record.newest)} are kept")

    def _see_standing(self, path: str, standing: Standing) -> None:
        linked = bool(standing.previous) == (standing.number > 1) and bool(standing.skip) == (
            standing.number > 1 and skip_target(standing.number) > 0
        )
        dated = standing.created_height <= standing.since_height and standing.created_ms <= standing.since_ms
        if standing.number < 1 or not linked or not dated:
            self._find("standing-consistent", path, f"version {standing.number} has impossible links or dates")

    def _find(self, invariant: str, path: str, detail: str) -> None:
        self._findings.append(Finding(invariant, path, detail))

    # The whole room.

    def _membership_runs(self) -> Iterator[Finding]:
        path = state_keys.rules("membership").path
        found = self._seen.get(path)
        if isinstance(found, Rules) and not (found.versions and all(entry.version for entry in found.versions)):
            yield Finding("membership-runs", path, "the room membership has no rule version or is stopped")

    def _organisations_count(self) -> Iterator[Finding]:
        counted: dict[str, int] = {}
        for name, account in self._accounts.items():
            counted[account.organisation] = counted.get(account.organisation, 0) + 1
            if account.organisation not in self._organisations:
                detail = f"its organisation {account.organisation} does not exist"
                yield Finding("account-of-an-organisation", state_keys.account(name).path, detail)
        for name, organisation in self._organisations.items():
            if organisation.accounts != counted.get(name, 0):
                detail = f"{organisation.accounts} accounts are recorded, {counted.get(name, 0)} exist"
                yield Finding("accounts-counted", state_keys.organisation(name).path, detail)

    def _governors_agree(self) -> Iterator[Finding]:
        path = state_keys.GOVERNORS_KEY.path
        listed = self._seen.get(path)
        holders = tuple(sorted(name for name, account in self._accounts.items() if Role.GOVERNOR in account.roles))
        if isinstance(listed, Governors) and listed.accounts != holders:
            yield Finding("governors-listed", path, f"{len(listed.accounts)} are listed, {len(holders)} hold the role")
        parameters = self._seen.get(state_keys.PARAMETERS_KEY.path)
        able = sum(self._may_act(self._accounts[name]) for name in holders)
        if isinstance(parameters, Parameters) and able < parameters.governance_threshold:
            detail = f"{able} governors can vote, {parameters.governance_threshold} are needed"
            yield Finding("chain-governable", path, detail)

    def _rooms_agree(self) -> Iterator[Finding]:
        path = state_keys.ROOMS_KEY.path
        listed = self._seen.get(path)
        ruled = tuple(sorted(self._rules))
        if isinstance(listed, Rooms) and listed.names != ruled:
            yield Finding("rooms-listed", path, f"{len(listed.names)} are listed, {len(ruled)} have rules")
        for founding in self._foundings:
            if (
                active_version(self._rules.get(founding.room), founding.height) != founding.version
                or not founding.version
            ):
                detail = f"version {founding.version} of its rules was not in force in block {founding.height}"
                yield Finding("founded-under-its-rules", state_keys.founding(founding.room).path, detail)

    def _validators_stand(self) -> Iterator[Finding]:
        path = state_keys.VALIDATORS_KEY.path
        found = self._seen.get(path)
        if not isinstance(found, Validators):
            return
        if not _ascends([member.public_key for member in found.members]):
            yield Finding("validators-in-order", path, "the keys do not ascend or one is there twice")
        for member in found.members:
            name = member.public_key.hex()
            if member.power == 0 or not is_sound_public_key(member.public_key):
                yield Finding("validators-sound", path, f"validator {name} has no power or an unsound key")
            if member.organisation not in self._organisations:
                yield Finding("validators-sound", path, f"the organisation of validator {name} does not exist")

    def _may_act(self, account: Account) -> bool:
        organisation = self._organisations.get(account.organisation)
        return account.status is Status.ACTIVE and organisation is not None and organisation.status is Status.ACTIVE


def _path_of(path: str, record: Record) -> str:
    """Return the path at which ``record`` belongs; a meter does not know whose it is, so any name will do for it."""
    if isinstance(record, Meter):
        return state_keys.METER_PREFIX + path.removeprefix(state_keys.METER_PREFIX)
    if isinstance(record, Account):
        return state_keys.account(record.name).path
    if isinstance(record, Organisation):
        return state_keys.organisation(record.name).path
    if isinstance(record, Rules):
        return state_keys.rules(record.room).path
    if isinstance(record, Founding):
        return state_keys.founding(record.room).path
    if isinstance(record, Proposal):
        return state_keys.proposal(record.id).path
    if isinstance(record, MisbehaviourRecord):
        return state_keys.misbehaviour(record.address).path
    singles: dict[type[Record], str] = {
        Governors: state_keys.GOVERNORS_KEY.path,
        Parameters: state_keys.PARAMETERS_KEY.path,
        Rooms: state_keys.ROOMS_KEY.path,
        Validators: state_keys.VALIDATORS_KEY.path,
    }
    return singles.get(type(record), "")


def _ascends(items: Any) -> bool:
    """Tell whether each item of a sequence is greater than the one before it."""
    return all(a < b for a, b in pairwise(items))
