"""The codebook that ships: its counts, its tree, its mapping to identifiers, its history."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fujie import codebook
from fujie.codebook import ChangeKind, Codebook, CodebookEntry, Level, UnknownCode, verify_entries, verify_entry
from fujie.core import identifiers
from fujie.core.codebook import CODEBOOK_PATH_BYTES_MAX, ENTRY_CODEC, check_entry, expected_identifier, node_for
from fujie.core.encoding import encode
from fujie.core.errors import DecodeError, OperationalError, VerificationError

ROOT = "782f834c1596cb954365cac1210063ef8d252006f79cf16b702ace65c3c24276"
CHINA = "ZZ.156"


@pytest.fixture(scope="module")
def book():
    return Codebook.load()


def counties(count):
    """Return a book of one province, one prefecture and ``count`` entries in all."""
    entries = [
        CodebookEntry("110000", Level.PROVINCE, "", "省"),
        CodebookEntry("110100", Level.PREFECTURE, "110000", "市"),
    ]
    entries += [CodebookEntry(f"1101{n:02}", Level.COUNTY, "110100", f"县{n}") for n in range(1, count - 1)]
    return Codebook("test", entries[:count])


# --- Data -----------------------------------------------------------------------------------------------------------


def test_the_edition_has_its_published_root_and_counts(book):
    assert book.edition == codebook.LATEST_EDITION
    assert book.root.hex() == ROOT
    by_level = [sum(entry.level is level for entry in book) for level in Level]
    assert by_level == [34, 333, 2847]
    assert book.size == len(book) == 3214


def test_entries_ascend_and_agree_with_themselves(book):
    codes = [entry.code for entry in book]
    assert codes == sorted(set(codes))
    for entry in book:
        check_entry(entry)
        assert entry.parent == "" or entry.parent in book


def test_a_division_and_what_it_governs_are_neighbours(book):
    for entry in book:
        if entry.level is not Level.COUNTY:
            under = [book.index(e.code) for e in book if e.code == entry.code or e.parent == entry.code]
            if entry.level is Level.PREFECTURE:
                assert under == list(range(under[0], under[0] + len(under)))


def test_lookups(book):
    assert book.entry("130111").name == "栾城区"
    assert [entry.code for entry in book.children("460400")] == []
    assert len(book.children("")) == 34
    assert len(book.children("110000")) == 16
    assert len(book.named("鼓楼区")) > 1
    assert "130124" not in book
    for lookup in (book.entry, book.index, book.path, book.proof, book.children):
        with pytest.raises(UnknownCode, match="130124"):
            lookup("130124")
    with pytest.raises(UnknownCode):
        book.identifier(CHINA, "")


def test_refuses_an_edition_that_does_not_ship():
    with pytest.raises(OperationalError, match="no codebook edition"):
        Codebook.load("gbt2260-1980")


def test_events_tell_the_move_of_luancheng():
    events = codebook.load_events()
    assert len(events) == 5276
    told = [event for event in events if event.mentions("130124") and event.mentions("130111")]
    assert [(e.year, e.kind, e.old_name, e.new_name) for e in told] == [
        (2014, ChangeKind.COUNTY_TO_DISTRICT, "栾城县", "栾城区")
    ]
    assert sum(event.kind is ChangeKind.RECODED and event.year >= 1985 for event in events) == 1606
    assert {event.kind for event in events} == set(ChangeKind)
    assert any("\n" in event.detail for event in events)


def test_events_of_1993_swap_two_codes():
    swapped = [e for e in codebook.load_events() if e.year == 1993 and (e.mentions("130123") or e.mentions("130124"))]
    assert [(e.old_code, e.old_name, e.new_name) for e in swapped] == [
        ("130123", "栾城县", "正定县"),
        ("130124", "正定县", "栾城县"),
    ]


def test_events_lead_to_the_names_of_the_edition_with_one_known_mistake(book):
    last = {event.new_code: event.new_name for event in codebook.load_events() if event.new_code}
    differing = [code for code, name in last.items() if code in book and book.entry(code).name != name]
    assert differing == ["330110"]  # README: the event means 330113


@pytest.mark.parametrize(
    "text",
    [
        "",
        "code\tlevel\tparent\tname",
        "code\tlevel\tparent\n",
        codebook.ENTRIES_HEADER + "\n110000\tprovince\t\t北京市",
        codebook.ENTRIES_HEADER + "\n110000\tprovince\t北京市\n",
        codebook.ENTRIES_HEADER + "\n110000\tPROVINCE\t\t北京市\n",
        codebook.ENTRIES_HEADER + "\n11000\tprovince\t\t北京市\n",
        codebook.ENTRIES_HEADER + "\n１１００００\tprovince\t\t北京市\n",
        codebook.ENTRIES_HEADER + "\n110101\tcounty\t11\t东城区\n",
        codebook.ENTRIES_HEADER + "\n110000\tprovince\t\t\n",
        codebook.ENTRIES_HEADER + "\n110000\tprovince\t\t北京市\r\n",
        codebook.ENTRIES_HEADER + "\n110000\tprovince\t\t" + "京" * 65 + "\n",
    ],
)
def test_refuses_a_damaged_table(text):
    with pytest.raises(VerificationError, match="codebook-file"):
        codebook.parse_entries(text)


@pytest.mark.parametrize("row", ["x", "2014\trecoded\tcounty" + "\t" * 10, "20１4\trecoded\tcounty" + "\t" * 11])
def test_refuses_a_damaged_event(row):
    with pytest.raises(VerificationError, match="codebook-file"):
        codebook.parse_events(f"{codebook.EVENTS_HEADER}\n{row}\n")


PROVINCE = CodebookEntry("130000", Level.PROVINCE, "", "河北省")
PREFECTURE = CodebookEntry("130100", Level.PREFECTURE, "130000", "石家庄市")
COUNTY = CodebookEntry("130111", Level.COUNTY, "130100", "栾城区")


@pytest.mark.parametrize(
    ("entries", "step"),
    [
        ([], "codebook-size"),
        ([CodebookEntry("130000", Level.COUNTY, "", "河北省")], "codebook-entry"),
        ([PROVINCE, COUNTY, PREFECTURE], "codebook-order"),
        ([PROVINCE, PROVINCE], "codebook-order"),
        ([PROVINCE, COUNTY], "codebook-parent"),
    ],
)
def test_refuses_a_book_that_is_no_book(entries, step):
    with pytest.raises(VerificationError) as caught:
        Codebook("test", entries)
    assert caught.value.step == step


# --- Tree -----------------------------------------------------------------------------------------------------------


def rfc_6962_root(leaves):
    """The definition of RFC 6962, section 2.1, with our tags: written apart from the code under test."""
    if len(leaves) == 1:
        return sha256(b"\x35" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x36" + rfc_6962_root(leaves[:split]) + rfc_6962_root(leaves[split:])).digest()


@pytest.mark.parametrize("size", range(1, 70))
def test_the_tree_is_that_of_rfc_6962_and_every_entry_verifies(size):
    book = counties(size)
    assert book.root == rfc_6962_root([encode(entry) for entry in book])
    for entry in book:
        proof = book.proof(entry.code)
        verify_entry(book.root, proof.size, proof.index, proof.entry, proof.path)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 13, 16, 17])
def test_every_range_verifies_in_every_small_tree(size):
    book = counties(size)
    for first in range(size):
        for count in range(1, size - first + 1):
            path = book.range_path(first, count)
            entries = book.entries[first : first + count]
            verify_entries(book.root, size, first, entries, path)
            with pytest.raises(VerificationError, match="codebook-path"):
                verify_entries(book.root, size, first, entries, path + bytes(32))
            if path:
                with pytest.raises(VerificationError, match="codebook-path"):
                    verify_entries(book.root, size, first, entries, path[:-32])


def test_every_entry_of_the_edition_verifies(book):
    for entry in book:
        proof = book.proof(entry.code)
        assert len(proof.path) <= 12 * 32
        verify_entry(book.root, proof.size, proof.index, proof.entry, proof.path)


def test_a_whole_province_needs_one_short_path(book):
    first = book.index("130000")
    count = sum(entry.code.startswith("13") for entry in book)
    path = book.range_path(first, count)
    assert count > 150
    assert len(path) <= 24 * 32 <= CODEBOOK_PATH_BYTES_MAX
    verify_entries(book.root, book.size, first, book.entries[first : first + count], path)


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 0), (0, 3215), (3214, 1), (5, -2)])
def test_refuses_a_range_outside_the_edition(book, first, count):
    with pytest.raises(OperationalError):
        book.range_path(first, count)


def test_refuses_numbers_out_of_bounds_before_all_else(book):
    proof = book.proof("130111")
    for size, index in [(0, 0), (-1, 0), (3214, -1), (3214, 3214), (1 << 17 | 1, 0)]:
        with pytest.raises(VerificationError, match="codebook-position"):
            verify_entry(bytes(32), size, index, proof.entry, b"x")
    with pytest.raises(VerificationError, match="codebook-position"):
        verify_entries(book.root, book.size, 0, (), b"")


def test_refuses_a_path_of_another_length(book):
    proof = book.proof("130111")
    for path in (b"", proof.path[:-1], proof.path[:-32], proof.path + bytes(32), proof.path * 100):
        with pytest.raises(VerificationError, match="codebook-path"):
            verify_entry(book.root, proof.size, proof.index, proof.entry, path)


@given(data=st.data())
def test_refuses_any_other_entry_place_path_or_root(book, data):
    entry = data.draw(st.sampled_from(book.entries))
    proof = book.proof(entry.code)
    flipped = bytearray(proof.path)
    flipped[data.draw(st.integers(0, len(flipped) - 1))] ^= data.draw(st.integers(1, 255))
    renamed = CodebookEntry(entry.code, entry.level, entry.parent, entry.name + "市")
    moved = data.draw(st.integers(0, book.size - 1).filter(lambda index: index != proof.index))
    for root, index, claimed, path in [
        (book.root, proof.index, entry, bytes(flipped)),
        (book.root, proof.index, renamed, proof.path),
        (book.root, moved, entry, proof.path),
        (bytes(32), proof.index, entry, proof.path),
    ]:
        with pytest.raises(VerificationError):
            verify_entry(root, book.size, index, claimed, path)


def test_an_inner_node_is_no_entry(book):
    # A path cut above the leaf proves an inner node; no entry hashes to one, because their tags differ.
    proof = book.proof("110000")
    with pytest.raises(VerificationError):
        verify_entry(book.root, (book.size + 1) // 2, 0, proof.entry, proof.path[32:])


def test_entries_have_one_encoding(book):
    for entry in book:
        assert ENTRY_CODEC.decode(encode(entry)) == entry


@pytest.mark.parametrize(
    "entry",
    [
        CodebookEntry("13011", Level.COUNTY, "130100", "栾城区"),
        CodebookEntry("13011A", Level.COUNTY, "130100", "栾城区"),
        CodebookEntry("13011１", Level.COUNTY, "130100", "栾城区"),
        CodebookEntry("130111", Level.COUNTY, "13010", "栾城区"),
        CodebookEntry("130111", Level.COUNTY, "130100\n", "栾城区"),
        CodebookEntry("130111", Level.COUNTY, "130100", ""),
        CodebookEntry("130111", Level.COUNTY, "130100", "栾" * 65),
        CodebookEntry("130111", 4, "130100", "栾城区"),  # type: ignore[arg-type] # what a decoder must refuse
    ],
)
def test_refuses_to_decode_an_entry_out_of_bounds(entry):
    with pytest.raises(DecodeError):
        ENTRY_CODEC.decode(encode(entry))


# --- Mapping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        ("130000", "河北省", "ZZ.156.13"),
        ("130100", "石家庄市", "ZZ.156.1301"),
        ("130111", "栾城区", "ZZ.156.1301.11"),
        # Municipalities: no prefecture between.
        ("110000", "北京市", "ZZ.156.11"),
        ("110101", "东城区", "ZZ.156.11.0101"),
        ("310115", "浦东新区", "ZZ.156.31.0115"),
        ("500101", "万州区", "ZZ.156.50.0101"),
        ("500229", "城口县", "ZZ.156.50.0229"),
        # Counties that the province runs itself: Henan, Hubei, Hainan, Xinjiang.
        ("419001", "济源市", "ZZ.156.41.9001"),
        ("429004", "仙桃市", "ZZ.156.42.9004"),
        ("429021", "神农架林区", "ZZ.156.42.9021"),
        ("469001", "五指山市", "ZZ.156.46.9001"),
        ("469021", "定安县", "ZZ.156.46.9021"),
        ("659001", "石河子市", "ZZ.156.65.9001"),
        ("659013", "草湖市", "ZZ.156.65.9013"),
        # Prefecture cities without counties.
        ("441900", "东莞市", "ZZ.156.4419"),
        ("442000", "中山市", "ZZ.156.4420"),
        ("460400", "儋州市", "ZZ.156.4604"),
        ("620200", "嘉峪关市", "ZZ.156.6202"),
        # Prefectures that are not cities, and a county city that keeps its code in a prefecture.
        ("222400", "延边朝鲜族自治州", "ZZ.156.2224"),
        ("232700", "大兴安岭地区", "ZZ.156.2327"),
        ("340181", "巢湖市", "ZZ.156.3401.81"),
        ("460302", "西沙区", "ZZ.156.4603.02"),
        # Provinces with nothing below them in this edition.
        ("710000", "台湾省", "ZZ.156.71"),
        ("810000", "香港特别行政区", "ZZ.156.81"),
        ("820000", "澳门特别行政区", "ZZ.156.82"),
    ],
)
def test_maps_a_code_to_its_identifier(book, code, name, expected):
    assert book.entry(code).name == name
    assert book.identifier(CHINA, code) == expected
    assert identifiers.node_of(expected) == node_for(book.entry(code))


def test_the_mapping_is_injective_and_complete(book):
    found = {book.identifier(CHINA, entry.code) for entry in book}
    assert len(found) == 34 + 333 + 2847 == 3214
    # Without dots they differ as well, so check characters tell all of them apart by more than their dots.
    assert len({identifier.replace(".", "") for identifier in found}) == 3214


def test_a_county_stands_under_its_parent_and_nothing_else(book):
    by_identifier = {book.identifier(CHINA, entry.code): entry for entry in book}
    for identifier, entry in by_identifier.items():
        above = identifiers.parent(identifier)
        if entry.level is Level.COUNTY:
            assert above is not None
            assert by_identifier[above].code == entry.parent
        else:
            assert above == CHINA


def test_empty_prefectures_and_provinces_are_the_known_ones(book):
    governed = {entry.parent for entry in book}
    leaves = [e.code for e in book if e.level is not Level.COUNTY and e.code not in governed]
    assert leaves == ["441900", "442000", "460400", "620200", "710000", "810000", "820000"]


def test_counties_without_a_prefecture_are_the_known_ones(book):
    direct = [e.code for e in book if e.level is Level.COUNTY and e.parent.endswith("0000")]
    assert {code[:2] for code in direct} == {"11", "12", "31", "41", "42", "46", "50", "65"}
    assert {code[:4] for code in direct if code[:2] not in ("11", "12", "31", "50")} == {"4190", "4290", "4690", "6590"}
    assert len(direct) == 16 + 16 + 16 + 37 + 1 + 4 + 15 + 13


@pytest.mark.parametrize(
    ("code", "level", "parent"),
    [
        ("000000", Level.PROVINCE, ""),
        ("130100", Level.PROVINCE, ""),
        ("130000", Level.PROVINCE, "130000"),
        ("130000", Level.PREFECTURE, "130000"),
        ("130111", Level.PREFECTURE, "130000"),
        ("130100", Level.PREFECTURE, ""),
        ("130100", Level.PREFECTURE, "140000"),
        ("130100", Level.COUNTY, "130000"),
        ("130001", Level.COUNTY, "130000"),
        ("130111", Level.COUNTY, ""),
        ("130111", Level.COUNTY, "130200"),
        ("130111", Level.COUNTY, "140000"),
        ("130111", Level.COUNTY, "130111"),
    ],
)
def test_refuses_an_entry_that_contradicts_itself(code, level, parent):
    entry = CodebookEntry(code, level, parent, "某地")
    for judge in (check_entry, node_for, lambda e: expected_identifier(CHINA, e)):
        with pytest.raises(VerificationError) as caught:
            judge(entry)
        assert caught.value.step == "codebook-entry"


def test_refuses_a_prefix_that_is_no_identifier(book):
    for prefix in ("", "ZZ", "zz.156", "ZZ.156."):
        with pytest.raises(identifiers.IdentifierError):
            expected_identifier(prefix, book.entry("130111"))
