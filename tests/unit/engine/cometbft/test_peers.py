"""CometBFT is told whom to let in, by the ledger and by what stands in for it while a node begins from a snapshot."""

from typing import Any

from fujie.engine.cometbft import abci
from fujie.engine.cometbft.application import QUERY_NOT_SERVED, Application
from fujie.engine.cometbft.home import config_text, settings
from fujie.engine.cometbft.light_rpc import Turns
from fujie.engine.cometbft.peers import NOT_A_PEER
from fujie.engine.cometbft.state_sync import NOT_YET, Restoration

UNUSED: Any = None  # what a question about a peer does not touch
KNOWN, STRANGER = "ab" * 20, "cd" * 20
QUESTIONS = {
    f"/p2p/filter/id/{KNOWN}": True,
    f"/p2p/filter/id/{STRANGER}": False,
    f"/p2p/filter/id/{KNOWN}0": False,
    f"/p2p/filter/id/{KNOWN.upper()}": False,
    "/p2p/filter/id/": False,
    "/p2p/filter/addr/192.0.2.1:26656": True,
    "/p2p/filter/addr/[2001:db8::1]:26656": True,
}
OTHERS = ("", "/", "/p2p", "/p2p/filter", f"/p2p/filter/ID/{KNOWN}", f"x/p2p/filter/id/{KNOWN}", "/balance")


def answers(handler, paths):
    return [handler.query(abci.RequestQuery(path=path)).code for path in paths]


def restoration(tmp_path, **chosen):
    return Restoration("chain", tmp_path / "sync", believed=UNUSED, turns=Turns(), install=UNUSED, **chosen)


def application(**chosen):
    return Application(UNUSED, UNUSED, initial_height=1, **chosen)


def test_only_known_ids_are_let_in_from_wherever_they_come(tmp_path):
    wanted = [0 if may else NOT_A_PEER for may in QUESTIONS.values()]
    for handler, other in (
        (application(is_peer=KNOWN.__eq__), QUERY_NOT_SERVED),
        (restoration(tmp_path, is_peer=KNOWN.__eq__), NOT_YET),
    ):
        assert answers(handler, QUESTIONS) == wanted
        assert answers(handler, OTHERS) == [other] * len(OTHERS)
        handler.close()


def test_nobody_is_let_in_unless_it_is_said_who_may(tmp_path):
    for handler in (application(), restoration(tmp_path)):
        assert answers(handler, [f"/p2p/filter/id/{KNOWN}"]) == [NOT_A_PEER]
        handler.close()


def test_cometbft_asks_about_its_peers(tmp_path):
    text = config_text(settings(tmp_path / "abci", tmp_path / "rpc", "one", "127.0.0.1:1", [])).decode()
    assert "\nfilter_peers = true\n" in text.partition("\n[")[0]
