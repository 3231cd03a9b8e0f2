"""Who may read what, and which key answers."""

from typing import Any, Union

import pytest

from fujie.core.encoding import Codec, encode
from fujie.core.query import Audience, Query
from fujie.core.state import Key
from fujie.modules.currency import queries, state_keys
from tests.unit.modules.currency.world import AT_BETA, NOBODY, RICH, reference, wallet_id, world

HEX = wallet_id(RICH).hex()
ANYONE = {Audience.ANYONE}
OWN = {Audience.HOLDER, Audience.AUDITOR}
SERVED = OWN | {Audience.INSTITUTION}
BANKS = {Audience.INSTITUTION, Audience.AUDITOR}

QUERIES: list[tuple[Query, str, set[Audience], str]] = [
    (queries.WalletQuery(wallet_id(RICH)), f"currency/wallet/{HEX}", SERVED, f"wallet/{HEX}"),
    (queries.BalanceQuery(wallet_id(RICH), "CNY"), f"currency/balance/{HEX}/CNY", SERVED, f"wallet/{HEX}"),
    (queries.InstrumentQuery("CNY"), "currency/instrument/CNY", ANYONE, ""),
    (queries.SupplyQuery("CNY"), "currency/supply/CNY", ANYONE, ""),
    (queries.LimitsQuery("CNY", 4), "currency/limits/CNY/04", ANYONE, ""),
    (queries.InstitutionQuery("alpha", "CNY"), "currency/institution/alpha/CNY", OWN, "account/alpha"),
    (queries.VaultQuery("alpha", "CNY"), "currency/vault/alpha/CNY", OWN, "account/alpha"),
    (queries.IssueQuery(reference(1)), f"currency/issue/{1:032x}", BANKS, ""),
    (queries.RedemptionQuery(reference(1)), f"currency/redemption/{1:032x}", BANKS, ""),
]


@pytest.mark.parametrize("row", QUERIES, ids=lambda row: type(row[0]).__name__)
def test_query_leads_to_its_key_and_audience(row: tuple[Query, str, set[Audience], str]):
    query, path, audience, holder = row
    assert query.key().path == path
    assert query.audience == audience
    if Audience.HOLDER in audience:
        assert query.holder() == holder


def test_every_query_decodes_to_itself():
    kinds: Any = Union[tuple(type(row[0]) for row in QUERIES)]  # noqa: UP007 - built from a tuple at run time
    codec: Codec[Any] = Codec(kinds)
    for query, *_ in QUERIES:
        assert codec.decode(encode(query)) == query


def test_every_query_has_a_row():
    declared = {kind for kind in vars(queries).values() if isinstance(kind, type) and issubclass(kind, Query)} - {Query}
    assert declared == {type(row[0]) for row in QUERIES}


def test_institution_of_a_wallet_is_the_one_that_serves_it():
    bench = world().bench
    assert queries.WalletQuery(wallet_id(RICH)).institution(bench) == "alpha"
    assert queries.BalanceQuery(wallet_id(AT_BETA), "CNY").institution(bench) == "beta"
    assert queries.WalletQuery(wallet_id(NOBODY)).institution(bench) is None
    assert queries.IssueQuery(reference(2)).institution(bench) == "beta"
    assert queries.IssueQuery(reference(9)).institution(bench) is None
    assert queries.RedemptionQuery(reference(2)).institution(bench) is None


def test_every_leaf_of_the_room_stands_under_a_known_path():
    bench = world().bench
    for path, record in bench.leaves():
        if path.startswith("currency/"):
            codec = state_keys.PATHS[path[: path.index("/", 9) + 1]]
            assert codec.decode(encode(record)) == record


def test_only_what_is_guessable_and_private_is_salted():
    salted: list[Key[Any]] = [
        state_keys.wallet(bytes(16)),
        state_keys.balance(bytes(16), "CNY"),
        state_keys.vault("alpha", "CNY"),
    ]
    assert all(key.salted for key in salted)
    assert not any(query.key().salted for query, _, audience, _ in QUERIES if audience == ANYONE)
