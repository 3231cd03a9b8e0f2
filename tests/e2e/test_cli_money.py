"""Which money a command is about on chains with one kind, with several and with none; on real nodes."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from fujie.modules.currency.genesis import CurrencyGenesis
from fujie.node.folder import Folder
from fujie.node.founding import found_chain
from fujie.node.keyring import ensure_key
from fujie.node.ledger import OWNER, owner_genesis
from tests.e2e.cli_node import CliNode

pytestmark = pytest.mark.slow


@contextlib.contextmanager
def chain_of(place: Path, *codes: str) -> Iterator[CliNode]:
    """A node on a chain of one account, founded with money of these codes."""
    node = CliNode(place)
    folder = Folder(node.home)
    validator = ensure_key(folder.validator_key, "validator")
    owner = ensure_key(folder.key_folders[0] / f"{OWNER}.key", OWNER)
    *others, (_, currency) = owner_genesis(owner.public_key, validator.public_key)
    assert isinstance(currency, CurrencyGenesis)
    found_chain(
        folder, "sqlite", "plain", "town", [*others, *([("currency", _with(currency, codes))] if codes else [])]
    )
    node.start()
    try:
        yield node
    finally:
        node.stop()


def _with(currency: CurrencyGenesis, codes: tuple[str, ...]) -> CurrencyGenesis:
    def for_each(records):
        return tuple(replace(record, instrument=code) for code in codes for record in records)

    return CurrencyGenesis(*(for_each(getattr(currency, field)) for field in ("instruments", "institutions", "limits")))


def test_the_only_money_of_a_chain_need_not_be_named(tmp_path):
    with chain_of(tmp_path, "XTS") as node:
        assert "Supply of XTS" in node.run("money", "supply")
        assert "Issued 5.00 XTS to owner" in node.run("money", "issue", "owner", "5")
        node.run("wallet", "new", "till", "--institution", "owner", "--class", "1", "--unprotected")
        assert "Distributed 2.00 XTS" in node.run("money", "distribute", "owner", "till", "2")
        wallet = node.json("wallet", "list")["wallets"][0]["wallet"]
        assert node.json("wallet", "balance", wallet, "--as", "owner")["instrument"] == "XTS"
        assert "signed by    1 key\n" in node.run("money", "redeem", "owner", "1")
        unknown = node.run("money", "supply", "--instrument", "CNY", code=1)
        assert "The chain has no instrument CNY.\nIt has XTS." in unknown
        assert "write capital letters" in node.run("money", "supply", "--instrument", "xts", code=2)
        assert "There is no proposal; make one with `fujie proposal new" in node.run("proposal", "list")
        assert "No proposal is open; make one" in node.run("proposal", "list", "--open")


def test_of_several_kinds_of_money_one_has_to_be_chosen(tmp_path):
    with chain_of(tmp_path, "EUR", "XTS") as node:
        for command in (("supply",), ("issue", "owner", "5"), ("redeem", "owner", "5")):
            assert "choose with --instrument EUR or XTS" in node.run("money", *command, code=2)
        opening = ("wallet", "new", "till", "--institution", "owner", "--class", "1", "--unprotected")
        assert "choose with --instrument EUR or XTS" in node.run(*opening, code=2)
        node.run(*opening, "--instrument", "EUR")
        node.run("money", "issue", "owner", "5", "--instrument", "EUR")
        assert "Distributed 2.00 EUR" in node.run("money", "distribute", "owner", "till", "2"), "as its file says"
        assert node.json("wallet", "balance", "till")["instrument"] == "EUR"


def test_a_chain_without_money_says_how_one_gets_it(tmp_path):
    with chain_of(tmp_path) as node:
        shown = node.run("money", "supply", code=1)
        assert "The chain has no money." in shown
        assert "`fujie init --genesis FILE`" in shown
        assert "It has no money at all." in node.run("money", "supply", "--instrument", "CNY", code=1)


def test_a_node_without_lists_asks_for_the_code(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "fujie.toml").write_text("[projection]\nenabled = false\n")
    with chain_of(tmp_path, "XTS") as node:
        assert "Name it: --instrument CODE." in node.run("money", "supply", code=1)
        assert "Supply of XTS" in node.run("money", "supply", "--instrument", "XTS")
        assert "no identifier" in node.run("resolve", "town", code=2), "no suggestion, and the error is the same"
