"""The identifier grammar, its check characters, and its forms at the edge."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie.core import identifier_forms, identifiers
from fujie.core.identifiers import Fault, IdentifierError
from fujie.core.limits import (
    HTTP_FORM_BYTES_MAX,
    IDENTIFIER_BYTES_MAX,
    IDENTIFIER_NODE_BYTES_MAX,
    IDENTIFIER_NODES_MAX,
)

ALPHABET = string.digits + string.ascii_uppercase
LONGEST_NODE = "A" * IDENTIFIER_NODE_BYTES_MAX

nodes = st.text(ALPHABET, min_size=1, max_size=IDENTIFIER_NODE_BYTES_MAX)
valid = st.builds(
    lambda agency, country, rest: ".".join([agency, country, *rest]),
    st.text(string.ascii_uppercase, min_size=2, max_size=2),
    st.text(string.digits, min_size=3, max_size=3),
    st.lists(nodes, max_size=IDENTIFIER_NODES_MAX - 2),
).filter(lambda text: len(text) <= IDENTIFIER_BYTES_MAX)
chain_ids = st.from_regex(r"\A[a-z0-9]{1,20}(-{1,3}[a-z0-9]{1,8}){0,3}\Z").filter(lambda text: len(text) <= 50)
origins = st.one_of(
    st.from_regex(r"\Ahttps://[a-z][a-z0-9]{0,9}(\.[a-z][a-z0-9-]{0,9}[a-z0-9]){1,3}(:8[0-9]{3})?\Z"),
    st.sampled_from(["http://localhost", "http://localhost:8080", "http://127.0.0.1:9", "https://10.0.0.255"]),
)
forms = st.one_of(
    valid,
    valid.map(identifier_forms.with_check),
    st.builds(identifier_forms.to_did, chain_ids, valid),
    st.builds(identifier_forms.to_urn, chain_ids, valid),
    st.builds(identifier_forms.to_http, origins, valid),
)


def mutate(text: str, position: int, character: str, how: str) -> str:
    position %= len(text) + 1
    if how == "insert":
        return text[:position] + character + text[position:]
    if how == "delete":
        return text[:position] + text[position + 1 :]
    return text[:position] + character + text[position + 1 :]


def outcome(parse, text):
    """Return what parse returns, or its error; any other exception fails the test."""
    try:
        return parse(text)
    except IdentifierError as error:
        return error


mutations = st.builds(
    mutate,
    forms,
    st.integers(0, 400),
    st.one_of(st.characters(), st.sampled_from("aZ0.-:/%?#@ \0\n\u200b\uff11\uff0e\uff21\u0131\u0660\u00b2")),
    st.sampled_from(["insert", "delete", "replace"]),
)


# --- Grammar --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "ZZ.156",
        "ZZ.156.13",
        "ZZ.156.1301.GAS.PIPE.000123",
        f"ZZ.156.{LONGEST_NODE}",
        "ZZ.156" + ".1" * (IDENTIFIER_NODES_MAX - 2),
        "ZZ.156." + ".".join([LONGEST_NODE, LONGEST_NODE, LONGEST_NODE, "A" * 22]),
    ],
)
def test_accepts_canonical_spelling(text):
    assert identifiers.parse(text) == text
    assert len(text) <= IDENTIFIER_BYTES_MAX


def test_the_longest_identifier_has_the_bound():
    longest = "ZZ.156." + ".".join([LONGEST_NODE, LONGEST_NODE, LONGEST_NODE, "A" * 22])
    assert len(longest) == IDENTIFIER_BYTES_MAX
    assert not identifiers.is_identifier(longest + "A")


REFUSALS = [
    ("", Fault.EMPTY, 0),
    ("Z" * 129, Fault.TOO_LONG, 128),
    ("z" * 129, Fault.TOO_LONG, 128),
    ("ZZ.156.13\x00", Fault.CONTROL_CHARACTER, 9),
    ("ZZ.156.13\n", Fault.CONTROL_CHARACTER, 9),
    ("\tZZ.156", Fault.CONTROL_CHARACTER, 0),
    ("ZZ.156.\x7f", Fault.CONTROL_CHARACTER, 7),
    ("ZZ.156.\x85", Fault.CONTROL_CHARACTER, 7),
    ("ZZ.156\u200b.13", Fault.CONTROL_CHARACTER, 6),
    ("ZZ.156.\u202e13", Fault.CONTROL_CHARACTER, 7),
    ("\ufeffZZ.156", Fault.CONTROL_CHARACTER, 0),
    ("ZZ.156.１301", Fault.FULL_WIDTH, 7),
    ("ＺZ.156", Fault.FULL_WIDTH, 0),
    ("ZZ．156", Fault.FULL_WIDTH, 2),
    ("ZZ.156.石家庄", Fault.NOT_ASCII, 7),
    ("ZZ.15٦", Fault.NOT_ASCII, 5),
    ("ZZ.156.1²", Fault.NOT_ASCII, 8),
    ("ZΖ.156", Fault.NOT_ASCII, 1),  # a Greek capital zeta
    ("ZZ.156.\ud800", Fault.NOT_ASCII, 7),
    ("ZZ.156.13 01", Fault.WHITESPACE, 9),
    ("ZZ.156.13\u3000", Fault.WHITESPACE, 9),
    ("zz.156", Fault.LOWER_CASE, 0),
    ("ZZ.156.13a", Fault.LOWER_CASE, 9),
    ("ZZ/156", Fault.FOREIGN_CHARACTER, 2),
    ("ZZ.156.%31", Fault.FOREIGN_CHARACTER, 7),
    ("ZZ.156-X1", Fault.FOREIGN_CHARACTER, 6),
    (".156", Fault.EMPTY_NODE, 0),
    ("ZZ..156", Fault.EMPTY_NODE, 3),
    ("ZZ.156..13", Fault.EMPTY_NODE, 7),
    ("..", Fault.EMPTY_NODE, 0),
    ("ZZ.", Fault.TRAILING_DOT, 2),
    ("ZZ.156.", Fault.TRAILING_DOT, 6),
    ("ZZ.156.1301.", Fault.TRAILING_DOT, 11),
    ("Z.156", Fault.AGENCY, 0),
    ("ZZZ.156", Fault.AGENCY, 0),
    ("Z1.156", Fault.AGENCY, 0),
    ("ZZ", Fault.COUNTRY_MISSING, 2),
    ("ZZ.15", Fault.COUNTRY, 3),
    ("ZZ.1560", Fault.COUNTRY, 3),
    ("ZZ.CN6.13", Fault.COUNTRY, 3),
    (f"ZZ.156.{LONGEST_NODE}A", Fault.NODE_TOO_LONG, 39),
    ("ZZ.156" + ".1" * (IDENTIFIER_NODES_MAX - 1), Fault.TOO_MANY_NODES, 27),
    ("ZZ.156" + ".1" * (IDENTIFIER_NODES_MAX - 2) + ".", Fault.TOO_MANY_NODES, 27),
    ("a..", Fault.LOWER_CASE, 0),  # characters before structure
    ("Z..a", Fault.LOWER_CASE, 3),
]


@pytest.mark.parametrize(("text", "fault", "position"), REFUSALS)
def test_refuses_every_other_spelling_and_says_what_and_where(text, fault, position):
    assert not identifiers.is_identifier(text)
    with pytest.raises(IdentifierError) as caught:
        identifiers.parse(text)
    assert (caught.value.fault, caught.value.position) == (fault, position)
    assert f"position {position}" in str(caught.value)
    assert str(caught.value).isprintable()


def test_every_fault_has_a_row():
    elsewhere = {Fault.FORM, Fault.CHAIN, Fault.HOST, Fault.CHECK_MISSING, Fault.CHECK}
    assert {fault for _, fault, _ in REFUSALS} | elsewhere == set(Fault)


@given(valid)
def test_parsing_returns_the_text_itself(text):
    assert identifiers.parse(text) is text


@given(st.one_of(st.text(), st.text("ZA1.a-", max_size=40), mutations))
def test_parsing_agrees_with_the_predicate_and_raises_only_its_own_error(text):
    found = outcome(identifiers.parse, text)
    assert identifiers.is_identifier(text) == (found == text)
    if isinstance(found, IdentifierError):
        assert 0 <= found.position <= len(text)
    else:
        assert text.isascii()
        assert text == text.upper().strip()


# --- Containment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("identifier", "prefix", "expected"),
    [
        ("ZZ.156.1301.11", "ZZ.156.1301", True),
        ("ZZ.156.1301.11", "ZZ.156", True),
        ("ZZ.156.13011", "ZZ.156.1301", False),
        ("ZZ.156.1301", "ZZ.156.13011", False),
        ("ZZ.156.1301", "ZZ.156.13", False),
        ("ZZ.156.1301", "ZZ.156.1301", False),
        ("ZZ.156", "ZZ.156.1301", False),
        ("ZZ.840.1301", "ZZ.156", False),
        ("ZZ.156.1301", "", False),
    ],
)
def test_containment_goes_by_whole_nodes(identifier, prefix, expected):
    assert identifiers.is_under(identifier, prefix) is expected


@given(valid, valid)
def test_containment_is_that_of_node_lists(one, other):
    a, b = one.split("."), other.split(".")
    assert identifiers.is_under(one, other) is (len(b) < len(a) and a[: len(b)] == b)


@given(valid)
def test_ancestors_are_the_chain_of_parents(identifier):
    chain = []
    above = identifiers.parent(identifier)
    while above is not None:
        assert identifiers.parse(above)
        assert identifiers.is_under(identifier, above)
        chain.append(above)
        above = identifiers.parent(above)
    assert identifiers.ancestors(identifier) == tuple(chain)
    assert identifiers.depth(identifier) == len(chain) + 2 == len(identifier.split("."))


@given(valid)
def test_child_undoes_parent(identifier):
    above = identifiers.parent(identifier)
    if above is not None:
        assert identifiers.child(above, identifiers.node_of(identifier)) == identifier


@pytest.mark.parametrize(
    ("parent", "node", "fault", "position"),
    [
        ("ZZ.156", "", Fault.EMPTY_NODE, 7),
        ("ZZ.156", "13.01", Fault.FOREIGN_CHARACTER, 9),
        ("ZZ.156", ".", Fault.FOREIGN_CHARACTER, 7),
        ("ZZ.156", "1a", Fault.LOWER_CASE, 8),
        ("ZZ.156", "A" * 33, Fault.NODE_TOO_LONG, 39),
        ("ZZ", "156", Fault.COUNTRY_MISSING, 2),
        ("", "156", Fault.EMPTY, 0),
        ("ZZ.156" + ".1" * 10, "1", Fault.TOO_MANY_NODES, 27),
    ],
)
def test_refuses_a_child_that_is_no_direct_child(parent, node, fault, position):
    with pytest.raises(IdentifierError) as caught:
        identifiers.child(parent, node)
    assert (caught.value.fault, caught.value.position) == (fault, position)


# --- Check characters -----------------------------------------------------------------------------------------------

SAMPLE = ["ZZ.156", "ZZ.156.13", "ZZ.156.1301", "ZZ.156.11.0101", "ZZ.156.1301.GAS.PIPE.000123", "AB.000.Z0Z0Z0"]


def holds(text: str) -> bool:
    """Whether text with its check characters is 1 modulo 1271: the definition, computed another way."""
    return int(text, 36) % 1271 == 1


def test_check_characters_of_the_standard_example():
    assert identifier_forms.mod_1271_36("ISO79") == "3W"


def test_check_characters_of_a_city():
    assert identifier_forms.with_check("ZZ.156.1301") == "ZZ.156.1301-X1"


@given(st.text(ALPHABET, max_size=130))
def test_check_characters_fulfil_the_definition(text):
    assert holds(text + identifier_forms.mod_1271_36(text))


@pytest.mark.parametrize("identifier", SAMPLE)
def test_check_characters_find_every_substitution(identifier):
    whole = identifier.replace(".", "") + identifier_forms.check_characters(identifier)
    for position, right in enumerate(whole):
        for wrong in ALPHABET:
            if wrong != right:
                assert not holds(whole[:position] + wrong + whole[position + 1 :])


@pytest.mark.parametrize("identifier", SAMPLE)
def test_check_characters_find_every_swap_of_neighbours(identifier):
    whole = identifier.replace(".", "") + identifier_forms.check_characters(identifier)
    for position in range(len(whole) - 1):
        left, right = whole[position], whole[position + 1]
        if left != right:
            assert not holds(whole[:position] + right + left + whole[position + 2 :])


def test_check_characters_find_every_two_character_mistake_there_can_be():
    # A substitution changes the sum by d × 36^k with 0 < |d| < 36, a swap by d × 35 × 36^k: never 0 modulo 1271.
    for power in range(IDENTIFIER_BYTES_MAX + 2):
        for difference in range(1, 36):
            assert difference * 36**power % 1271
            assert difference * 35 * 36**power % 1271


@given(valid, st.integers(0, 200), st.sampled_from(ALPHABET))
def test_people_form_refuses_every_substitution(identifier, position, wrong):
    text = identifier_forms.with_check(identifier)
    position %= len(text)
    if text[position] in (".", "-", wrong):
        return
    with pytest.raises(IdentifierError):
        identifier_forms.parse_people_form(text[:position] + wrong + text[position + 1 :])


@given(valid, st.integers(0, 200))
def test_people_form_refuses_every_swap_of_neighbours(identifier, position):
    text = identifier_forms.with_check(identifier)
    position %= len(text) - 1
    left, right = text[position], text[position + 1]
    # A moved dot is the known gap: the check characters are computed without dots.
    if left == right or "." in (left, right):
        return
    with pytest.raises(IdentifierError):
        identifier_forms.parse_people_form(text[:position] + right + left + text[position + 2 :])


def test_check_characters_do_not_see_dots():
    assert identifier_forms.check_characters("ZZ.156.13.01") == identifier_forms.check_characters("ZZ.156.1301")


@pytest.mark.parametrize(
    ("text", "fault", "position"),
    [
        ("ZZ.156.1301", Fault.CHECK_MISSING, 11),
        ("ZZ.156.1301-", Fault.CHECK_MISSING, 11),
        ("ZZ.156.1301-X", Fault.CHECK_MISSING, 11),
        ("ZZ.156.1301-X1X", Fault.CHECK_MISSING, 11),
        ("ZZ.156.1301-X1" + " " * 1000, Fault.CHECK_MISSING, 11),
        ("ZZ.156.1301-x1", Fault.CHECK, 12),
        ("ZZ.156.1301-1X", Fault.CHECK, 12),
        ("ZZ.156.1302-X1", Fault.CHECK, 12),
        ("zz.156.1301-X1", Fault.LOWER_CASE, 0),
        ("ZZ.156.1301－X1", Fault.FULL_WIDTH, 11),
        ("-X1", Fault.EMPTY, 0),
    ],
)
def test_refuses_bad_people_forms(text, fault, position):
    with pytest.raises(IdentifierError) as caught:
        identifier_forms.parse_people_form(text)
    assert (caught.value.fault, caught.value.position) == (fault, position)
    assert "X1" not in str(caught.value)


# --- Forms ----------------------------------------------------------------------------------------------------------


@given(valid)
def test_people_form_round_trips(identifier):
    assert identifier_forms.parse_people_form(identifier_forms.with_check(identifier)) == identifier


@pytest.mark.parametrize(
    "text",
    [
        "ZZ.156.1301",
        "zz.156.1301",
        " ZZ.156. 1301\n",
        "ZZ.156.1301-X1",
        "zz.156.1301-x1",
        "zz.156.1301 - x1",
        "ZZ . 156 . 1301",
    ],
)
def test_what_a_person_means_is_understood(text):
    assert identifier_forms.as_meant(text) == "ZZ.156.1301"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("ZZ.156.1301-X2", Fault.CHECK),
        ("zz.156.1310-x1", Fault.CHECK),
        ("zz.156.1301-", Fault.CHECK_MISSING),
        ("zz.156.1301-X", Fault.CHECK_MISSING),
        ("zz.156.130!", Fault.FOREIGN_CHARACTER),
        ("ZZ.156.\u0131", Fault.NOT_ASCII),
        ("ZZ.156.ß", Fault.NOT_ASCII),
        ("", Fault.EMPTY),
        ("ZZ." + "1" * 10_000, Fault.TOO_LONG),
        ("ZZ.156" + " " * 10_000 + "1301", Fault.TOO_LONG),
    ],
)
def test_what_nobody_can_mean_is_refused(text, fault):
    with pytest.raises(IdentifierError) as caught:
        identifier_forms.as_meant(text)
    assert caught.value.fault is fault


@given(chain_ids, valid)
def test_did_and_urn_round_trip(chain_id, identifier):
    assert identifier_forms.parse_did(identifier_forms.to_did(chain_id, identifier)) == (chain_id, identifier)
    assert identifier_forms.parse_urn(identifier_forms.to_urn(chain_id, identifier)) == (chain_id, identifier)


@given(origins, valid)
def test_http_form_round_trips(origin, identifier):
    assert identifier_forms.parse_http(identifier_forms.to_http(origin, identifier)) == (origin, identifier)


@given(mutations)
def test_whatever_a_form_parser_accepts_is_the_one_spelling(text):
    for parse, build in [
        (identifier_forms.parse_did, lambda parts: identifier_forms.to_did(*parts)),
        (identifier_forms.parse_urn, lambda parts: identifier_forms.to_urn(*parts)),
        (identifier_forms.parse_http, lambda parts: identifier_forms.to_http(*parts)),
        (identifier_forms.parse_people_form, identifier_forms.with_check),
    ]:
        found = outcome(parse, text)
        if isinstance(found, IdentifierError):
            assert 0 <= found.position <= len(text)
        else:
            assert build(found) == text


@pytest.mark.parametrize(
    ("text", "fault", "position"),
    [
        ("", Fault.FORM, 0),
        ("DID:fujie:main:ZZ.156", Fault.FORM, 0),
        ("did:web:main:ZZ.156", Fault.FORM, 0),
        ("did:fujie:", Fault.CHAIN, 10),
        ("did:fujie:ZZ.156", Fault.CHAIN, 10),
        ("did:fujie::ZZ.156", Fault.CHAIN, 10),
        ("did:fujie:Main:ZZ.156", Fault.CHAIN, 10),
        ("did:fujie:-main:ZZ.156", Fault.CHAIN, 10),
        ("did:fujie:main-:ZZ.156", Fault.CHAIN, 10),
        ("did:fujie:main\n:ZZ.156", Fault.CHAIN, 10),
        ("did:fujie:" + "a" * 51 + ":ZZ.156", Fault.CHAIN, 10),
        ("did:fujie:main:", Fault.EMPTY, 15),
        ("did:fujie:main:zz.156", Fault.LOWER_CASE, 15),
        ("did:fujie:main:ZZ.156:13", Fault.FOREIGN_CHARACTER, 21),
        ("did:fujie:main:ZZ.156/path", Fault.FOREIGN_CHARACTER, 21),
        ("did:fujie:main:ZZ.156?versionId=1", Fault.FOREIGN_CHARACTER, 21),
        ("did:fujie:main:ZZ.156#key", Fault.FOREIGN_CHARACTER, 21),
        ("did:fujie:main:ZZ.156%2E13", Fault.FOREIGN_CHARACTER, 21),
    ],
)
def test_refuses_bad_dids_and_urns(text, fault, position):
    pairs = [(identifier_forms.parse_did, text), (identifier_forms.parse_urn, text.replace("did:fujie", "urn:fujie"))]
    for parse, form in pairs:
        with pytest.raises(IdentifierError) as caught:
            parse(form)
        assert (caught.value.fault, caught.value.position) == (fault, position)


@pytest.mark.parametrize(
    ("text", "fault", "position"),
    [
        ("", Fault.FORM, 0),
        ("https://host", Fault.FORM, 0),
        ("https://host/", Fault.FORM, 0),
        ("https://host/IDS/ZZ.156", Fault.FORM, 0),
        ("https://host/x/ids/ZZ.156", Fault.FORM, 0),
        ("https://host//ids/ZZ.156", Fault.FORM, 0),
        ("HTTPS://host/ids/ZZ.156", Fault.FORM, 0),
        ("ftp://host/ids/ZZ.156", Fault.FORM, 0),
        ("//host/ids/ZZ.156", Fault.FORM, 0),
        ("https:///ids/ZZ.156", Fault.HOST, 8),
        ("http://host/ids/ZZ.156", Fault.HOST, 7),
        ("http://localhost.example/ids/ZZ.156", Fault.HOST, 7),
        ("https://Host/ids/ZZ.156", Fault.HOST, 8),
        ("https://user@host/ids/ZZ.156", Fault.HOST, 8),
        ("https://user:1@host/ids/ZZ.156", Fault.HOST, 13),
        ("https://host.\u4e2d\u56fd/ids/ZZ.156", Fault.HOST, 8),
        ("https://host./ids/ZZ.156", Fault.HOST, 8),
        ("https://-host/ids/ZZ.156", Fault.HOST, 8),
        ("https://ho_st/ids/ZZ.156", Fault.HOST, 8),
        ("https://127.1/ids/ZZ.156", Fault.HOST, 8),
        ("https://010.0.0.1/ids/ZZ.156", Fault.HOST, 8),
        ("https://256.0.0.1/ids/ZZ.156", Fault.HOST, 8),
        ("https://0x7f000001/ids/ZZ.156", Fault.HOST, 8),
        ("https://[::1]/ids/ZZ.156", Fault.HOST, 8),
        ("https://host\\@evil/ids/ZZ.156", Fault.HOST, 8),
        ("https://host?/ids/ZZ.156", Fault.HOST, 8),
        ("https://" + "a" * 64 + "/ids/ZZ.156", Fault.HOST, 8),
        ("https://" + "a." * 127 + "/ids/ZZ.156", Fault.HOST, 8),
        ("https://host:/ids/ZZ.156", Fault.HOST, 13),
        ("https://host:443/ids/ZZ.156", Fault.HOST, 13),
        ("https://host:0443/ids/ZZ.156", Fault.HOST, 13),
        ("https://host:65536/ids/ZZ.156", Fault.HOST, 13),
        ("https://host:٨/ids/ZZ.156", Fault.HOST, 13),
        ("http://localhost:80/ids/ZZ.156", Fault.HOST, 17),
        ("https://host/ids/", Fault.EMPTY, 17),
        ("https://host/ids/ZZ.156/", Fault.FOREIGN_CHARACTER, 23),
        ("https://host/ids/../ids/ZZ.156", Fault.FOREIGN_CHARACTER, 19),
        ("https://host/ids/ZZ.156?x=1", Fault.FOREIGN_CHARACTER, 23),
        ("https://host/ids/ZZ.156#x", Fault.FOREIGN_CHARACTER, 23),
        ("https://host/ids/ZZ%2E156", Fault.FOREIGN_CHARACTER, 19),
        ("https://host/ids/zz.156", Fault.LOWER_CASE, 17),
        ("https://" + "a" * 500, Fault.TOO_LONG, HTTP_FORM_BYTES_MAX),
    ],
)
def test_refuses_bad_http_forms(text, fault, position):
    with pytest.raises(IdentifierError) as caught:
        identifier_forms.parse_http(text)
    assert (caught.value.fault, caught.value.position) == (fault, position)


def test_the_longest_http_form_fits_its_bound():
    host = ".".join(["a" * 63] * 3 + ["a" * 61])
    identifier = "ZZ.156." + ".".join([LONGEST_NODE, LONGEST_NODE, LONGEST_NODE, "A" * 22])
    form = identifier_forms.to_http(f"https://{host}:65535", identifier)
    assert len(form) == HTTP_FORM_BYTES_MAX
    assert identifier_forms.parse_http(form) == (f"https://{host}:65535", identifier)


@pytest.mark.parametrize("origin", ["https://host/", "https://host/ids", "host", "https://HOST", "http://host", ""])
def test_builds_no_http_form_on_a_bad_origin(origin):
    with pytest.raises(IdentifierError):
        identifier_forms.to_http(origin, "ZZ.156")


@pytest.mark.parametrize("build", [identifier_forms.to_did, identifier_forms.to_urn])
def test_builds_no_form_of_a_bad_chain_id_or_identifier(build):
    for chain_id, identifier in [("", "ZZ.156"), ("a:b", "ZZ.156"), ("A", "ZZ.156"), ("a" * 51, "ZZ.156"), ("a", "zz")]:
        with pytest.raises(IdentifierError):
            build(chain_id, identifier)
