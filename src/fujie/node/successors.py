"""Who goes on with an embedded chain: whether their requests fit it, and the votes that put them into its state.

The validators in the state of an embedded chain sign nothing: its one key does, to the end. They are those that its last
block names. So everything here can be done, repeated and undone by vote, before the chain is handed over.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from fujie.client.client import Client
from fujie.core.errors import OperationalError, VerificationError
from fujie.core.json_form import to_json, type_name
from fujie.core.policy import single
from fujie.core.signing import Signer
from fujie.core.wording import count
from fujie.machine.schedule import SCHEDULE
from fujie.modules.membership import queries as membership
from fujie.modules.membership.queries import Readable
from fujie.modules.membership.records import Action, AdmitOrganisation, SetValidator
from fujie.node.ceremony import POWER, check_distinct
from fujie.node.join_request import JoinRequest, check_request
from fujie.node.keyring import Keyring

FEW: Final = 4  # validators: with fewer, the chain stands still as soon as one is away
VOTE_MS: Final = 3_600_000  # how long the proposals may be voted for that are voted for at once


class Voter(NamedTuple):
    """A governor whose keys are here."""

    account: str
    signers: list[Signer]


def check_successors(state: Readable, chain_id: str, requests: Sequence[JoinRequest], *, few: bool) -> None:
    """Raise unless ``requests`` are of organisations that can go on with the chain whose ``state`` is given.

    :class:`VerificationError`, besides those of a request: ``join-merge`` (two have something in common that must be each
    one's own), ``grow-network`` (for another chain), ``grow-account`` (the ledger knows other keys of that account),
    ``grow-rules`` (a program lacks rules that are in force). :class:`OperationalError`: too few, unless ``few``.
    """
    for request in requests:
        check_request(request, f"the request of {request.organisation}")
    check_distinct(requests)
    if not requests:
        raise OperationalError(
            "It is not said who goes on with the chain.",
            "Name the join requests of all who do: fujie network grow *.join. To try it on this machine: --validators 4.",
        )
    if len(requests) < FEW and not few:
        raise OperationalError(
            f"{count(len(requests), 'validator')}: that is too few, for below {FEW} none may be away without the chain standing still.",
            "Name the requests of more organisations, or say that you know: --few.",
        )
    name = chain_id.rpartition("-")[0]
    for request in requests:
        who = f"the request of {request.organisation}"
        if request.network != name:
            raise VerificationError("grow-network", f"{who} is for '{request.network}', this chain is {chain_id}")
        account = membership.account(state, request.organisation)
        if account is None and membership.organisation(state, request.organisation) is not None:
            raise VerificationError("grow-account", f"{who} names an organisation that has no account of that name")
        if account is not None and bytes.fromhex(request.account_key) not in account.policy.keys:
            raise VerificationError("grow-account", f"{who} has another key than the ledger has for that account")
        for room in SCHEDULE.rooms:
            rules = membership.rules(state, room)
            needed = 0 if rules is None else max(each.version for each in rules.versions)
            if request.rules.get(room, 0) < needed:
                raise VerificationError("grow-rules", f"{who}: its program lacks version {needed} of {room}")


def lacking(state: Readable, requests: Sequence[JoinRequest]) -> tuple[Action, ...]:
    """Return what has to be voted until the validators in ``state`` are those of ``requests`` and no others.

    Nothing where they are already, whatever power the votes gave each. Otherwise all get the same power.
    """
    members = membership.validators(state).members
    wanted = {bytes.fromhex(request.validator_key): request for request in requests}
    if {member.public_key for member in members} == wanted.keys():
        return ()
    actions: list[Action] = []
    names: dict[bytes, str] = {}
    for key, request in wanted.items():
        account = membership.account(state, request.organisation)
        if account is None:
            policy = single(bytes.fromhex(request.account_key))
            actions.append(AdmitOrganisation(request.organisation, request.title, request.organisation, policy))
        names[key] = request.organisation if account is None else account.organisation
    standing = {(member.public_key, member.power, member.organisation) for member in members}
    present = {member.public_key for member in members}
    actions += [  # those that are there come first: with the last one, the set is complete
        SetValidator(key, POWER, names[key])
        for key in sorted(wanted, key=lambda key: (key not in present, key))
        if (key, POWER, names[key]) not in standing
    ]
    actions += [
        SetValidator(each.public_key, 0, each.organisation) for each in members if each.public_key not in wanted
    ]
    return tuple(actions)


def voters(state: Readable, keyring: Keyring, actions: Sequence[Action]) -> list[Voter]:
    """Return as many governors as carry a proposal, of those whose keys are in ``keyring``.

    Raises :class:`OperationalError` that lists the ``actions`` when too few are: then they have to vote themselves.
    """
    threshold = membership.parameters(state).governance_threshold
    found: list[Voter] = []
    for name in membership.governors(state).accounts:
        account = membership.account(state, name)
        if account is None or not membership.may_act(state, account) or len(found) == threshold:
            continue
        try:
            found.append(Voter(name, keyring.for_policy(account.policy, name)))
        except OperationalError:
            continue  # its keys are elsewhere
    if len(found) < threshold:
        texts = "".join(f"\n  {text}" for text in action_texts(actions))
        raise OperationalError(
            f"The validators in the state are not yet those who are to go on, and {threshold} governors must vote for that; "
            f"the keys of {len(found)} are here.",
            f"Have the governors propose and vote (`fujie proposal new`), then run this again:{texts}",
        )
    return found


def action_texts(actions: Iterable[Action]) -> list[str]:
    """Return actions as `fujie proposal new` reads them."""
    return [msgspec.json.encode({"type": type_name(type(action)), **to_json(action)}).decode() for action in actions]


def vote(client: Client, actions: Sequence[Action], electorate: Sequence[Voter]) -> None:
    """Have each action proposed and carried. Raises ``Refused`` when the ledger refuses one."""
    for action in actions:
        first = electorate[0]
        deadline_ms = max(time.time_ns() // 1_000_000, client.status().time_ms) + VOTE_MS
        identifier = client.propose(first.account, action, deadline_ms, signers=first.signers)
        for voter in electorate:
            client.vote(voter.account, identifier, signers=voter.signers)
