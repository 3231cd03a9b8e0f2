"""`fujie verify` says how the validators of a file came after those of the trust root, and where that is weak."""

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from fujie.cli.app import app
from fujie.core.encoding import encode
from fujie.core.errors import VerificationError
from fujie.modules.identity.queries import IdentityQuery
from fujie.proof.bundle import BUNDLE, with_path
from fujie.proof.light_block import encode_light_block
from fujie.proof.trust import encode_trust
from tests.light.chain_node import chain_over, root_over
from tests.unit.client.town import ALPHA, open_town

DAY_MS = 86_400_000
FOUR = {1: 10, 2: 10, 3: 10, 4: 10}
FIVE = FOUR | {5: 10}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trust root of four, and files under a fifth validator: by the last block of four, and by an early one."""
    folder = tmp_path_factory.mktemp("files")
    with open_town(folder / "ledger") as town:
        bundle = BUNDLE.decode(town.ledger.transport.read([encode(IdentityQuery(ALPHA))]))
        depth = town.ledger.trust.state_tree_depth
    chain = chain_over(bundle, [FOUR] * 30 + [FIVE] * 3, interval_ms=DAY_MS)
    root = root_over(bundle, FOUR, depth=depth, trust_period_ms=14 * DAY_MS)
    (folder / "trust.json").write_bytes(encode_trust(root))
    last = replace(bundle, light_block=encode_light_block(chain[-1]))
    for name, place in (("near", 29), ("far", 9)):
        made = with_path(last, [chain[place]])
        assert made is not None
        (folder / f"{name}.fujie").write_bytes(encode(made))
    (folder / "same.fujie").write_bytes(encode(replace(bundle, light_block=encode_light_block(chain[3]))))
    return folder


def said(folder: Path, name: str, *options: str) -> str:
    done = CliRunner().invoke(app, ["verify", str(folder / name), "--trust", str(folder / "trust.json"), *options])
    if done.exception is not None:
        raise done.exception
    return " ".join(done.output.split())


def data(folder: Path, name: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["verify", str(folder / name), "--trust", str(folder / "trust.json"), "--json"])
    found: dict[str, Any] = json.loads(done.output)
    return found


def test_says_which_change_was_crossed_and_when(files: Path) -> None:
    told = said(files, "near.fujie", "--strict")
    assert "known to sign from block 33 of 2023-12-16" in told
    assert "Beware" not in told
    assert "others than those of the trust root" not in said(files, "same.fujie", "--strict")


def test_warns_where_nobody_could_have_been_held_to_account_and_refuses_it_where_asked(files: Path) -> None:
    told = said(files, "far.fujie")
    assert "known to sign from block 33" in told
    assert "Beware" in told
    with pytest.raises(VerificationError) as error:
        said(files, "far.fujie", "--strict")
    assert error.value.step == "light-expired"


def test_says_it_to_programs(files: Path) -> None:
    near, far, same = (data(files, f"{name}.fujie") for name in ("near", "far", "same"))
    assert [each["validators"]["within_trust_period"] for each in (near, far, same)] == [True, False, True]
    assert [change["height"] for change in near["validators"]["changes"]] == [33]
    assert same["validators"]["changes"] == []
