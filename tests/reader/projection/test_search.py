"""Search: what people type, and what they get first."""

import sqlite3
from contextlib import closing
from itertools import islice

import pytest

from fujie.core.identifier_forms import to_did, to_http, to_urn, with_check
from fujie.modules.identity.operations import AllocateMany, BindAlias, NamedItem, Retire
from fujie.reader.projection import search
from fujie.reader.projection.lists import Lists
from fujie.reader.projection.search import CANDIDATES_MAX, PARTS_ASKED_MAX
from fujie.reader.projection.text import folded, spread_parts
from tests import world
from tests.reader.projection.files import catch_up

NODES = (
    ("13", "province", "河北省", ""),
    ("1301", "city", "石家庄市", "ZZ.156.13"),
    ("1302", "city", "唐山市", "ZZ.156.13"),
    ("31", "city", "上海市", ""),
    ("3199", "market", "上海", ""),
    ("GAS", "department", "Gas works", ""),
    ("GAS2", "department", "Gas works annex", ""),
    ("OLDGAS", "department", "Gas works", ""),
    ("Q", "market", 'The "Quoted" 100% _market_', ""),
    ("L", "market", "家", ""),
    ("S", "market", "Straße  des \u3000 Ostens", ""),
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A function that searches a small registry, and returns (kind, key) of what it finds."""
    folder = tmp_path_factory.mktemp("search")
    with world.running("memory", folder) as engine:
        signing = world.Signing(engine.chain_id)
        items = tuple(NamedItem(node, kind, name, (), b"", "", None, None) for node, kind, name, _ in NODES)
        engine.submit([signing.sign(AllocateMany(world.CITY, items), world.ROOT)]).result()
        binds = [BindAlias("ZZ.156.1301", "GBT2260", "130100", b""), BindAlias("ZZ.156.GAS", "MA", "156.8/gas", b"")]
        binds.append(BindAlias("ZZ.156.L", "OLD", "7", b""))
        retire = Retire("ZZ.156.OLDGAS")
        raws = [signing.sign(operation, world.ROOT) for operation in (*binds, retire)]
        assert {outcome.code for outcome in engine.submit(raws).result()} == {0}
        pay = signing.pay(0, 1)
        [outcome] = engine.submit([pay]).result()
        catch_up(folder / "projection.sqlite", engine)
        lists = Lists.open(folder / "projection.sqlite")

        def search(text, limit=20, **options):
            matches = lists.search(text, limit, **{"index_of": engine.index_of, **options})
            return [(match.kind, match.key) for match in matches]

        search.newest = engine.head  # type: ignore[attr-defined]
        search.payment = outcome.transaction_id.hex()  # type: ignore[attr-defined]
        search.lists = lists  # type: ignore[attr-defined]
        yield search
        lists.close()


CITY = ("identifier", "ZZ.156.1301")


@pytest.mark.parametrize(
    "text",
    [
        "ZZ.156.1301",
        "zz.156.1301",
        "  ZZ.156.1301\n",
        with_check("ZZ.156.1301"),
        with_check("ZZ.156.1301").lower(),
        to_http("https://registry.example", "ZZ.156.1301"),
        "https://registry.example/ids/ZZ.156.1301.fujie",
        "http://127.0.0.1:8156/console/ids/ZZ.156.1301?lang=zh",
        "/ids/ZZ.156.1301",
        to_did("world-0", "ZZ.156.1301"),
        to_urn("world-0", "ZZ.156.1301"),
        "ＺＺ.156.1301",
    ],
)
def test_an_identifier_is_found_in_every_form(found, text):
    assert found(text)[0] == CITY


def test_wrong_check_characters_find_nothing(found):
    right = with_check("ZZ.156.1301")
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    assert found(wrong) == []


def test_the_beginning_of_an_identifier_finds_those_below_it_shorter_first(found):
    keys = [key for _, key in found("ZZ.156.13")]
    assert keys == ["ZZ.156.13", "ZZ.156.1301", "ZZ.156.1302"]
    assert [key for _, key in found("zz.156.gas")] == ["ZZ.156.GAS", "ZZ.156.GAS2"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("石家庄市", ("name", "ZZ.156.1301")),
        ("石家", ("name", "ZZ.156.1301")),
        ("家庄", ("name", "ZZ.156.1301")),
        ("家庄市", ("name", "ZZ.156.1301")),
        ("上海", ("name", "ZZ.156.3199")),
        ("家", ("name", "ZZ.156.L")),
        ("gas works", ("name", "ZZ.156.GAS")),
        ("ORKS", ("name", "ZZ.156.GAS")),
        ("annex", ("name", "ZZ.156.GAS2")),
        ('"quoted"', ("name", "ZZ.156.Q")),
        ("100%", ("name", "ZZ.156.Q")),
        ("_market_", ("name", "ZZ.156.Q")),
        ("STRASSE DES OSTENS", ("name", "ZZ.156.S")),
        ("130100", ("alias", "ZZ.156.1301")),
        ("1301", ("alias", "ZZ.156.1301")),
        ("GBT2260:130100", ("alias", "ZZ.156.1301")),
        ("gbt2260 130100", ("alias", "ZZ.156.1301")),
        ("GB/T 2260:130100", ("alias", "ZZ.156.1301")),
        ("GB/T 2260: 130100", ("alias", "ZZ.156.1301")),
        ("gb/t 2260 130100", ("alias", "ZZ.156.1301")),
        ("GBT 2260：130100", ("alias", "ZZ.156.1301")),
        ("MA:156.8/gas", ("alias", "ZZ.156.GAS")),
        ("156.8/", ("alias", "ZZ.156.GAS")),
        ("institution", ("account", "institution")),
        ("account/institution", ("account", "institution")),
        ("vault/institution", ("account", "institution")),
        ("id/ZZ.156.1301", ("identifier", "ZZ.156.1301")),
        ("world of the tests", ("organisation", "world")),
        ("central", ("account", "central-bank")),
        ("cny", ("instrument", "CNY")),
        ("Yuan", ("instrument", "CNY")),
        ("2", ("block", "2")),
    ],
)
def test_what_people_type_finds_what_they_mean_first(found, text, first):
    assert found(text)[0] == first


def test_exact_comes_before_longer_and_active_before_retired(found):
    assert [key for kind, key in found("gas works") if kind == "name"] == ["ZZ.156.GAS", "ZZ.156.OLDGAS", "ZZ.156.GAS2"]
    assert [key for _, key in found("上海")] == ["ZZ.156.3199", "ZZ.156.31"]


def test_every_part_of_a_chinese_name_finds_it(found):
    for node, _, name, _ in NODES:
        if not name.isascii():
            for start in range(len(name)):
                for end in range(start + 1, len(name) + 1):
                    part = name[start:end]
                    if not folded(part).isascii():
                        assert f"ZZ.156.{node}" in [key for _, key in found(part, 200)], part


def test_a_transaction_is_found_by_its_whole_id_through_the_ledger(found):
    assert found(found.payment)[0] == ("transaction", found.payment)
    assert found(found.payment.upper())[0] == ("transaction", found.payment)
    assert found(found.payment, index_of=None) == []
    assert found("f" * 64) == []


def test_a_height_is_found_as_pages_write_it(tmp_path):
    with world.running("memory", tmp_path) as engine:
        catch_up(tmp_path / "projection.sqlite", engine)
        with closing(sqlite3.connect(tmp_path / "projection.sqlite")) as file, file:
            for height in (1234, 1234567):  # more blocks than a test makes
                file.execute("INSERT INTO blocks VALUES (?, 1, 0, 0, x'', x'', x'')", (height,))
        lists = Lists.open(tmp_path / "projection.sqlite")
        for text, height in (("1,234", 1234), ("1234", 1234), ("1，234", 1234), ("1,234,567", 1234567)):
            assert [match.key for match in lists.search(text, 10)] == [str(height)]
        for text in ("12,34", "1,2345", ",234", "1,234,"):
            assert lists.search(text, 10) == []
        lists.close()


def test_a_wallet_is_found_by_six_digits_and_by_those_who_may(found):
    wallet = world.wallet_id(0).hex()
    for text in (wallet, wallet[:6], wallet[:13].upper(), f"wallet/{wallet}"):
        assert found(text)[0] == ("wallet", wallet)
        assert found(text, wallets=False) == []
        assert found(text, institution="institution")[0] == ("wallet", wallet)
        assert found(text, institution="central-bank") == []
    assert found(wallet[:5]) == [] or wallet[:5].isdigit()


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\0",
        "\0\x01\x02\x1b",
        "\ud800\udfff",
        '"',
        '""""',
        "'; DROP TABLE words; --",
        "*",
        "%",
        "%%%",
        "___",
        "NEAR(a b)",
        "gas AND NOT works OR",
        "folded:gas",
        "^gas",
        "gas*",
        "(((",
        "a" * 100_000,
        "石" * 100_000,
        "9" * 5_000,
        "0" * 65,
        "-1",
        "1e9",
        "ZZ.156." + "A." * 500,
        "ids/" * 300,
        "did:fujie::",
        ":" * 200,
        "ZZ.156.1301-",
        "\u202eZZ.156.1301",
        "\U0010ffff",
    ],
)
def test_nothing_that_is_typed_can_make_it_fail(found, text):
    assert len(found(text)) <= 20
    assert next(key for _, key in found("gas works")) == "ZZ.156.GAS"


def test_the_hash_of_a_block_finds_that_block(found):
    head = found.newest
    block = found.lists.block(head.height)
    for text in (block.block_hash.hex(), block.block_hash.hex().upper()):
        assert found(text) == [("block", str(head.height))]
    assert found("0" * 64) == []


@pytest.mark.parametrize("base", ["http://127.0.0.1:8156/console", "https://node.example", "/console", ""])
@pytest.mark.parametrize("end", ["", "?lang=zh", "#receipt", "/"])
def test_a_link_leads_to_what_it_is_about_and_to_nothing_else(found, base, end):
    for path, first in (
        ("ids/ZZ.156.GAS", ("identifier", "ZZ.156.GAS")),
        ("blocks/2", ("block", "2")),
        (f"transactions/{found.payment}", ("transaction", found.payment)),
        (f"wallets/{world.wallet_id(0).hex()}", ("wallet", world.wallet_id(0).hex())),
        ("accounts/central-bank", ("account", "central-bank")),
        ("money/CNY", ("instrument", "CNY")),
    ):
        assert found(f"{base}/{path}{end}") == [first], path
    assert found(f"{base}/ids/ZZ.156.GAS/history{end}") == [("identifier", "ZZ.156.GAS")]
    assert found(f"{base}/blocks/latest{end}") == []


def test_a_link_to_a_wallet_finds_it_only_for_whom_the_digits_would(found):
    assert found(f"/console/wallets/{world.wallet_id(0).hex()}", wallets=False) == []


@pytest.mark.parametrize(("text", "key"), [("OLD:7", "ZZ.156.L"), ("old 7", "ZZ.156.L"), ("old:7", "ZZ.156.L")])
def test_a_code_of_one_character_is_found_by_its_scheme(found, text, key):
    assert ("alias", key) in found(text)
    assert ("alias", key) not in found("7")


def test_a_text_is_looked_up_by_few_of_its_parts_and_compared_whole():
    for length in range(3, 60):
        text = "".join(chr(0x4E00 + at) for at in range(length))
        parts = spread_parts(text, PARTS_ASKED_MAX)
        assert len(parts) == min(length - 2, PARTS_ASKED_MAX)
        assert (parts[0], parts[-1]) == (text[:3], text[-3:])
        assert all(part in text for part in parts)
    assert spread_parts("aaaaaaaa", 4) == ["aaa"]


def test_no_text_makes_a_search_compare_every_word(tmp_path, monkeypatch):
    """Words of the same parts as the text, in another order, are compared with it: a bounded number of them."""
    with world.running("memory", tmp_path) as engine:
        signing = world.Signing(engine.chain_id)
        names = [f"Lamp post lamp {'post' if number == 150 else 'pole'} {number} lamp post" for number in range(300)]
        items = tuple(
            NamedItem(f"L{number}", "lamp", name, (), b"", "", None, None) for number, name in enumerate(names)
        )
        [outcome] = engine.submit([signing.sign(AllocateMany(world.CITY, items), world.ROOT)]).result()
        assert outcome.code == 0
        catch_up(tmp_path / "projection.sqlite", engine)
        lists = Lists.open(tmp_path / "projection.sqlite")
        rare = "amp post lamp post 150 lamp"
        assert [match.key for match in lists.search(rare, 10)] == ["ZZ.156.L150"]
        compared: list[object] = []

        def counted(rows, most):
            for row in islice(rows, most):
                compared.append(row)
                yield row

        monkeypatch.setattr(search, "COMPARED_MAX", 20)
        monkeypatch.setattr(search, "islice", counted)
        assert lists.search("p post lamp post l" * 11, 10) == []
        assert len(compared) == 20
        lists.close()


def test_many_matches_are_bounded(tmp_path):
    with world.running("memory", tmp_path) as engine:
        signing = world.Signing(engine.chain_id)
        for batch in range(3):
            items = tuple(
                NamedItem(f"L{batch}{number}", "lamp", f"路灯 lamp post {batch}{number}", (), b"", "", None, None)
                for number in range(300)
            )
            [outcome] = engine.submit([signing.sign(AllocateMany(world.CITY, items), world.ROOT)]).result()
            assert outcome.code == 0
        catch_up(tmp_path / "projection.sqlite", engine)
        lists = Lists.open(tmp_path / "projection.sqlite")
        for text in ("路灯", "路", "lamp", "amp post", "ZZ.156", "post"):
            assert len(lists.search(text, 10_000)) == min(200, CANDIDATES_MAX)
        assert lists.search("路灯 lamp post 1123", 3)[0].key == "ZZ.156.L1123"
        lists.close()
