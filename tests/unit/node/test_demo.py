from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from fujie.codebook import Codebook, Level
from fujie.core.errors import OperationalError
from fujie.modules.currency import state_keys as currency
from fujie.modules.identity import queries
from fujie.node.check import check_folder
from fujie.node.demo import fill, found_demo
from fujie.node.demo_world import ISSUES, MEMBERS, ROOT, WALLETS, DemoKeys, DemoWorld
from fujie.node.folder import Folder
from fujie.node.founding import is_founded, open_engine
from fujie.node.keyring import Keyring, load_demo_keys, validator_signer

BOOK = Codebook.load()


class Interrupted(Exception):
    pass


class Counting:
    """A progress that stops the filling after so many batches, as a crash would."""

    def __init__(self, batches_max: int = 10**9) -> None:
        self.total = 0
        self.groups: Counter[str] = Counter()
        self._left = batches_max

    def start(self, total):
        self.total = total

    def advance(self, group, count):
        self.groups[group] += count
        self._left -= 1
        if not self._left:
            raise Interrupted


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A filled demonstration, its engine running."""
    folder = Folder(tmp_path_factory.mktemp("demo"))
    found_demo(folder)
    keys = load_demo_keys(folder)
    assert keys is not None
    engine = open_engine(folder, validator_signer(folder))
    shown = Counting()
    filled = fill(engine, DemoWorld(keys), shown)
    yield SimpleNamespace(
        folder=folder, keys=keys, engine=engine, filled=filled, shown=shown, state=engine.executor.live
    )
    engine.close()


def test_allocates_every_division_of_the_codebook(demo):
    assert (demo.filled.identifiers, demo.shown.total) == (3_214, 3_214)
    assert demo.shown.groups == {
        "codebook": 0,
        "provinces and cities": 367,
        "counties": 2_847,
        "money": 0,
        "wallets": 0,
    }
    records: list[Any] = [queries.identity(demo.state, BOOK.identifier(ROOT, entry.code)) for entry in BOOK]
    assert None not in records
    kinds = Counter(record.kind for record in records)
    assert kinds == {"province": 34, "city": 333, "county": 2_847}


def test_gives_every_province_and_city_a_registrar_of_its_own(demo):
    registrars = set()
    for entry in BOOK:
        if entry.level is not Level.COUNTY:
            prefix = BOOK.identifier(ROOT, entry.code)
            namespace: Any = queries.namespace(demo.state, prefix)
            keys = namespace.terms.controllers.keys
            assert keys == (demo.keys.registrar(prefix).public_key,)
            registrars.add(keys[0])
    assert len(registrars) == 367


def test_counties_are_allocated_by_their_citys_registrar(demo):
    """Their transactions carry one signature, and it is that of the city, or of the province where there is no city."""
    signed_by: Counter[int] = Counter()
    for step in demo_steps(demo):
        if step.group == "counties":
            prefix = step.operations[0].namespace
            assert [signer.public_key for signer in step.signers] == [demo.keys.registrar(prefix).public_key]
            signed_by[prefix.count(".")] += step.identifiers
    assert signed_by[2] == 2_847  # all directly under a city or province
    assert queries.usage(demo.state, "ZZ.156.11").allocated == 16
    assert queries.usage(demo.state, "ZZ.156.1301").allocated == len(BOOK.children("130100"))


def test_money_is_issued_and_distributed(demo):
    supply = demo.state.get(currency.supply("CNY"))
    assert supply.issued_minor == sum(amount for _, amount in ISSUES)
    for wallet in WALLETS:
        balance = demo.state.get(currency.balance(demo.keys.wallet_id(wallet.name), "CNY"))
        assert balance.amount_minor == wallet.amount_minor


def test_filling_again_submits_nothing(demo):
    height = demo.engine.head.height
    assert fill(demo.engine, DemoWorld(demo.keys))[:2] == (0, 0)
    assert demo.engine.head.height == height


def test_keeps_every_invariant(demo):
    assert check_folder(demo.folder).findings == []


def test_writes_key_files_of_the_main_actors(demo):
    names = {file.path.stem for file in Keyring(demo.folder).files()}
    assert {name for member in MEMBERS for name in member.keys} | {wallet.name for wallet in WALLETS} < names
    assert len(names) < 20
    assert all(path.stat().st_mode & 0o077 == 0 for path in (demo.folder.demo_seed, *demo.folder.key_files()))


@pytest.mark.parametrize("batches", [1, 2, 5, 24])
def test_goes_on_where_it_was_interrupted(tmp_path, batches):
    folder = Folder(tmp_path)
    found_demo(folder)
    keys = load_demo_keys(folder)
    assert keys is not None
    engine = open_engine(folder, validator_signer(folder))
    with pytest.raises(Interrupted):
        fill(engine, DemoWorld(keys), Counting(batches))
    engine.close()
    engine = open_engine(folder, validator_signer(folder))
    before = engine.executor.log.size
    filled = fill(engine, DemoWorld(keys))
    assert 0 < before < engine.executor.log.size
    assert before + filled.transactions == len(demo_steps(SimpleNamespace(keys=keys)))
    engine.close()


def test_founding_again_after_a_crash_keeps_the_keys(tmp_path, monkeypatch):
    folder = Folder(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr("fujie.node.founding.found", lambda *_: (_ for _ in ()).throw(Interrupted))
        with pytest.raises(Interrupted):
            found_demo(folder)
    assert not is_founded(folder)
    seed = folder.demo_seed.read_bytes()
    found_demo(folder)
    assert is_founded(folder)
    assert folder.demo_seed.read_bytes() == seed
    open_engine(folder, validator_signer(folder)).close()


def test_says_so_when_the_chain_was_founded_with_other_keys(tmp_path):
    folder = Folder(tmp_path)
    found_demo(folder)
    engine = open_engine(folder, validator_signer(folder))
    with pytest.raises(OperationalError, match="POLICY_NOT_SATISFIED"):
        fill(engine, DemoWorld(DemoKeys(b"x" * 32)))
    engine.close()


def demo_steps(demo):
    return list(DemoWorld(demo.keys).steps())
