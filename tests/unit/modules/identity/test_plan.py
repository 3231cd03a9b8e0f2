"""What stands on paper about the room agrees with its code: keys, codecs, queries."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core.encoding import Codec, encode
from fujie.core.errors import DecodeError
from fujie.core.query import Audience, Query
from fujie.core.room import Operation
from fujie.modules.identity import operations, queries, records, state_keys
from fujie.modules.identity.genesis import IdentityGenesis
from fujie.modules.identity.transitions import ROOM_V1
from tests.unit.modules.identity.registry import CITY, SHIJIAZHUANG, book, from_codebook, genesis, run, town
from tests.unit.modules.identity.test_invariants import lived_in
from tests.unit.modules.identity.test_reasons import ROWS

QUERIES: list[tuple[Query, str]] = [
    (queries.IdentityQuery(SHIJIAZHUANG), "identity/id/ZZ.156.1301"),
    (queries.NamespaceQuery("ZZ"), "identity/namespace/ZZ"),
    (queries.UsageQuery(SHIJIAZHUANG), "identity/usage/ZZ.156.1301"),
    (queries.AliasQuery("MA", "MA.156.1301/10.01"), "identity/alias/MA/MA.156.1301/10.01"),
    (queries.CodebookQuery("gbt2260-2026"), "identity/codebook/gbt2260-2026"),
    (queries.SeriesQuery("GBT2260"), "identity/series/GBT2260"),
    (queries.AgencyQuery(), "identity/agency"),
]
BAD_IDENTIFIERS = ["", "ZZ", "zz.156", "ZZ.156.", "ZZ.156.a", "ZZ.156\n", "ZZ.15", "ZZ.156..A", f"ZZ.156.{'A' * 33}", "ZZ.156" + ".A" * 11]  # fmt: skip


@pytest.mark.parametrize(("query", "path"), QUERIES, ids=[path for _, path in QUERIES])
def test_a_query_leads_to_one_public_key(query, path):
    assert query.key().path == path
    assert not query.key().salted
    assert query.audience == frozenset({Audience.ANYONE})
    assert Codec(type(query)).decode(encode(query)) == query


def test_every_leaf_of_a_chain_has_a_path_of_the_room_and_its_codec():
    for path, record in lived_in().leaves():
        if path.startswith("identity/"):
            codecs = [codec for prefix, codec in state_keys.PATHS.items() if path.startswith(prefix)]
            assert len(codecs) == 1
            assert codecs[0].decode(encode(record)) == record


def test_no_path_of_the_room_begins_another():
    paths = sorted(state_keys.PATHS)
    assert not any(b.startswith(a) for a in paths for b in paths if a != b)


def test_genesis_part_round_trips():
    assert Codec(IdentityGenesis).decode(encode(genesis())) == genesis()


@pytest.mark.parametrize("text", BAD_IDENTIFIERS)
def test_an_identifier_in_another_spelling_does_not_decode(text):
    with pytest.raises(DecodeError):
        Codec(operations.Retire).decode(encode(operations.Retire(text)))


@pytest.mark.parametrize("text", ["z", "Z1", "ZZ.", "ZZZ", "ZZ.156.a", "ZZ\n"])
def test_a_prefix_in_another_spelling_does_not_decode(text):
    with pytest.raises(DecodeError):
        Codec(operations.RotateRegistrar).decode(encode(operations.RotateRegistrar(text, None)))


@pytest.mark.parametrize("code", ["", "a b", "码", "a\n", "a" * 101])
def test_an_alias_code_that_cannot_be_seen_does_not_decode(code):
    with pytest.raises(DecodeError):
        Codec(queries.AliasQuery).decode(encode(queries.AliasQuery("MA", code)))


@given(st.sampled_from([row.prepare for row in ROWS[:12]]), st.data())
def test_a_mutated_operation_decodes_to_itself_or_not_at_all(prepare, data):
    operation = prepare(town())
    raw = bytearray(encode(operation))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    codec: Codec[Operation] = Codec(type(operation))
    with suppress(DecodeError):
        assert encode(codec.decode(bytes(raw))) == raw


def test_handlers_touch_what_they_read_first():
    operation = from_codebook(SHIJIAZHUANG, "130102")
    paths = {key.path for key in ROOM_V1.handlers[type(operation)].touches(operation)}
    assert paths == {
        "identity/id/ZZ.156.1301",
        "identity/namespace/ZZ.156.1301",
        "identity/usage/ZZ.156.1301",
        f"identity/codebook/{book().edition}",
    }
    for row in ROWS:
        asked = row.prepare(town())
        assert all(key.path.startswith("identity/") for key in ROOM_V1.handlers[type(asked)].touches(asked))


def test_records_stay_small():
    bench = town()
    run(bench, from_codebook(SHIJIAZHUANG, "130102"), by=CITY)
    identity = queries.identity(bench, f"{SHIJIAZHUANG}.02")
    assert identity is not None
    assert len(encode(identity)) < 200
    assert records.ATTRIBUTES_MAX * (records.ATTRIBUTE_VALUE_CHARACTERS_MAX + 32) < 4_096
