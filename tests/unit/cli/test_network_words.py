"""What the commands about networks say when something is wrong: which file it is, what a code looks like, what to do."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fujie.cli import output
from fujie.cli.app import app
from fujie.cli.settings import Settings
from fujie.core.encoding import encode
from fujie.core.errors import OperationalError, VerificationError
from fujie.engine.cometbft.home import genesis_text
from fujie.node import known_files
from fujie.node.ceremony import make_request
from fujie.node.cometbft_file import CometFile, write_comet_file
from fujie.node.folder import Folder
from fujie.node.founding import found_from, trust_root
from fujie.node.join_request import encode_request
from fujie.node.known_files import kind_of
from fujie.node.network import create
from fujie.proof.trust import encode_trust
from tests.conftest import ROOT
from tests.e2e.cli_network import free_ports
from tests.world import funded


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FUJIE_PORT", raising=False)
    monkeypatch.setenv("FUJIE_HOME", str(tmp_path / "home"))
    return tmp_path


def ask(place: Path, name: str = "east") -> Path:
    """A join request in a file."""
    made = make_request(Folder(place / name), "town", name, name, f"{name}.example:26656")
    (place / f"{name}.join").write_bytes(encode_request(made))
    return place / f"{name}.join"


def test_a_code_of_money_is_described_in_words(work: Path) -> None:
    requests = [str(ask(work, name)) for name in ("east", "west")]
    for option, value, said in (
        ("--instrument", "euro", "three capital letters, such as XTS"),
        ("--central-bank", "The Bank", "small letters, digits and inner hyphens"),
        ("--threshold", "101", "at most 100"),
    ):
        done = CliRunner().invoke(app, ["network", "genesis", *requests, option, value])
        assert done.exit_code == output.EXIT_USAGE
        assert f"Invalid value for {option}: " in done.output.replace("'", "")
        assert said in done.output
        assert "regex" not in done.output


def test_a_chain_of_one_is_founded_only_when_that_is_meant(work: Path) -> None:
    request = str(ask(work))
    done = CliRunner().invoke(app, ["network", "genesis", request])
    error = done.exception
    assert isinstance(error, OperationalError)
    assert "say --yes" in error.do
    assert not (work / "town.network").exists()
    assert CliRunner().invoke(app, ["network", "genesis", request, "--yes"]).exit_code == 0
    assert (work / "town.network").exists()
    both = [request, str(ask(work, "west"))]
    assert CliRunner().invoke(app, ["network", "genesis", *both, "--file", "two.network"]).exit_code == 0


def test_a_node_does_not_wait_for_its_peers_where_it_answers_requests(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUJIE_PORT", "26701")
    wanted = ["network", "request", "town", "--organisation", "east", "--address"]
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "[::]", "[::1]", "127.0.0.9"):
        error = CliRunner().invoke(app, [*wanted, f"{host}:26701"]).exception
        assert isinstance(error, OperationalError), host
        assert "has the port 26701 of this node's HTTP interface" in error.what
    assert not (work / "home").exists()
    assert CliRunner().invoke(app, [*wanted, "127.0.0.1:26702"]).exit_code == 0


@pytest.mark.parametrize("host", ["203.0.113.7", "[2001:db8::7]", "bank.example"])
def test_an_address_of_a_router_may_have_the_port_at_which_the_node_answers_requests(
    host: str, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUJIE_PORT", "26701")
    words = ["network", "request", "town", "--organisation", "east", "--address", f"{host}:26701"]
    assert CliRunner().invoke(app, words).exit_code == 0
    CliRunner().invoke(app, ["network", "genesis", "east.join", "--yes"])
    error = CliRunner().invoke(app, ["network", "join", "town.network"]).exception
    assert isinstance(error, OperationalError)
    assert "--listen 0.0.0.0:26656" in error.do, "where it waits behind the router is another matter"
    assert CliRunner().invoke(app, ["network", "join", "town.network", "--listen", "0.0.0.0:26702"]).exit_code == 0


def test_a_file_of_another_kind_is_called_by_its_name(work: Path) -> None:
    request = ask(work)
    receipt = work / "paid.fujie"
    cases = json.loads((ROOT / "vectors" / "receipts.json").read_text("utf-8"))["cases"]
    receipt.write_bytes(bytes.fromhex(next(one["bundle"] for one in cases if one["expect"] == "valid")))
    genesis = work / "town.genesis"
    genesis.write_bytes(encode(funded()))
    trust = work / "trust.json"
    trust.write_bytes(encode_trust(trust_root(funded())))
    Folder(work / "home").home.mkdir()
    (work / "home" / "trust.json").write_bytes(trust.read_bytes())
    rows = [
        (["network", "join", str(request)], "is a join request", "neither a network file nor a genesis"),
        (["network", "join", str(receipt)], "is a proof or receipt", "neither a network file nor a genesis"),
        (["network", "join", str(trust)], "is a trust root", "neither a network file nor a genesis"),
        (["network", "show", str(receipt)], "is a proof or receipt", "no join request"),
        (["network", "show", str(genesis)], "is a genesis", "no join request"),
        (["network", "report-evidence", str(receipt)], "is a proof or receipt", "no evidence"),
        (["network", "report-evidence", str(request)], "is a join request", "no evidence"),
    ]
    for words, is_what, is_not in rows:
        error = CliRunner().invoke(app, words).exception
        assert isinstance(error, VerificationError), words
        assert is_what in error.detail
        assert is_not in error.detail


def test_every_format_has_a_name() -> None:
    texts = [path.read_text("utf-8") for path in (ROOT / "src" / "fujie").rglob("*.py")]
    formats = {found for text in texts for found in re.findall(r'(?:tag=|FORMAT: Final = )"(fujie-[a-z-]+-1)"', text)}
    assert len(formats) > 8
    assert formats <= set(known_files.FORMATS)
    assert str(kind_of(b"")) == "an empty file"
    assert str(kind_of(b"{")) == "no file that Fujie knows, or a damaged one"
    assert str(kind_of(b"\x93abc")) == "no file that Fujie knows"
    assert kind_of(genesis_text("town", "2026-01-01T00:00:00Z", 1, b"", [])).name.startswith(
        "the genesis file of CometBFT"
    )


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("grow-network", "request with the name of this chain"),
        ("grow-rules", "install a newer Fujie"),
        ("join-merge", "The founders settle"),
        ("evidence-blame", "organisations of the chain"),
        ("handover-validators", "Copy the folder handover/ again"),
    ],
)
def test_what_an_agreement_refuses_is_no_bad_proof(capsys: pytest.CaptureFixture[str], step: str, said: str) -> None:
    output.report_error(VerificationError(step, "it does not fit"))
    shown = capsys.readouterr().err
    assert said in shown
    assert "Do not rely on this answer" not in shown


def test_a_folder_that_has_joined_is_told_how_to_begin_anew(work: Path) -> None:
    folder = Folder(work / "home")
    found_from(folder, "sqlite", "plain", funded())
    write_comet_file(folder, CometFile(initial_height=1, moniker="east", listen="127.0.0.1:31999"))
    (work / "town.genesis").write_bytes(encode(funded()))
    done = CliRunner().invoke(app, ["network", "join", str(work / "town.genesis"), "--replica"])
    error = done.exception
    assert isinstance(error, OperationalError)
    assert f"has joined {folder.trust().chain_id} already" in error.what
    assert f"fujie --home {folder.home} network recover --above HEIGHT [--state-sync" in error.do


def test_a_further_command_is_said_with_the_data_folder_that_was_typed(work: Path) -> None:
    said = CliRunner().invoke(app, ["--home", "my town", "init"])
    assert said.output.splitlines()[-1].split("next")[1].strip() == "fujie --home 'my town' up"
    said = CliRunner().invoke(app, ["init"])  # in FUJIE_HOME, which stays what it is
    assert said.output.splitlines()[-1].split("next")[1].strip() == "fujie up"


def test_a_further_command_asks_the_node_that_was_asked() -> None:
    typed = Settings(Path("town"), "http://127.0.0.1:8161", typed_home=True)
    assert (
        typed.command("proposal list", asks_node=True) == "fujie --home town --url http://127.0.0.1:8161 proposal list"
    )
    assert typed.command("up") == "fujie --home town up"


def test_a_network_that_never_ran_has_no_logs_and_is_told_how_to_start(work: Path) -> None:
    create(work / "home", "town", 1, free_ports(), "sqlite")
    error = CliRunner().invoke(app, ["network", "logs", "town"]).exception
    assert isinstance(error, OperationalError)
    assert (error.what, error.do) == (
        "No node of the network town has written a log yet.",
        "Start them: fujie network start town.",
    )
