"""API keys, sessions and codes: what holds, what does not any more, and what lies on disk."""

import contextlib
import stat
import threading
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.reader import credentials
from fujie.reader.credentials import (
    CODE_GUESSES_MAX,
    CODE_MS,
    CODES_MAX,
    DAY_MS,
    GUESSES_PER_MINUTE_MAX,
    SESSION_MS,
    BadCredential,
    Credentials,
    Fault,
    Scope,
)


class Clock:
    now_ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kept(tmp_path: Path, clock: Clock) -> Credentials:
    return Credentials(tmp_path / "access", clock)


def fault(kept: Credentials, token: str) -> Fault:
    with pytest.raises(BadCredential) as caught:
        kept.find(token)
    return caught.value.fault


def code_fault(kept: Credentials, code: str) -> Fault:
    with pytest.raises(BadCredential) as caught:
        kept.redeem(code)
    assert code not in str(caught.value)
    return caught.value.fault


def another(text: str) -> str:
    """The same text with its last character changed."""
    return text[:-1] + ("B" if text[-1] == "A" else "A")


def test_a_key_is_found_by_its_token_until_it_expires(kept, clock):
    issued = kept.new_key("bank", [Scope.READ, Scope.READ], 2)
    found = kept.find(issued.token)
    assert (found.account, found.scopes, found.expires_at_ms) == ("bank", (Scope.READ,), clock.now_ms + 2 * DAY_MS)
    clock.now_ms += 2 * DAY_MS - 1
    assert kept.find(issued.token) == found
    clock.now_ms += 1
    assert fault(kept, issued.token) is Fault.EXPIRED


@pytest.mark.parametrize("change", ["", "fjs", "id", "secret", "cut", "longer", "empty", "unicode"])
def test_another_token_is_unknown_whatever_is_wrong_with_it(kept, change):
    token = kept.new_key("bank", [], 1).token
    kind, identifier, secret = token.split("_")
    wrong = {
        "": f"{kind}_{identifier}_{'0' * 64}",
        "fjs": f"fjs_{identifier}_{secret}",
        "id": f"{kind}_{'0' * 16}_{secret}",
        "secret": f"{kind}_{identifier}_{secret.upper()}x",
        "cut": token[:-1],
        "longer": token + "0",
        "empty": "",
        "unicode": token[:-1] + "\u0661",
    }[change]
    assert fault(kept, wrong) is Fault.UNKNOWN


def test_a_revoked_key_stays_revoked_and_is_told_so_only_to_its_bearer(kept, clock):
    issued = kept.new_key("bank", [Scope.READ], 1)
    revoked = kept.revoke_key(issued.credential.id)
    assert revoked.revoked_ms == clock.now_ms
    clock.now_ms += 5
    assert kept.revoke_key(issued.credential.id) == revoked
    assert fault(kept, issued.token) is Fault.REVOKED
    assert fault(kept, issued.token[:-64] + "0" * 64) is Fault.UNKNOWN
    assert kept.keys() == [revoked]


@pytest.mark.parametrize("identifier", ["0" * 16, "../sessions/x", "", "*", "\x00"])
def test_a_key_that_there_is_not_cannot_be_revoked(kept, identifier):
    assert kept.revoke_key(identifier) is None


@pytest.mark.parametrize("days", [0, -1, 367])
def test_a_key_lasts_a_day_to_a_year(kept, days):
    with pytest.raises(OperationalError, match="days"):
        kept.new_key("bank", [], days)
    assert kept.keys() == []


def test_what_lies_on_disk_is_for_the_owner_alone_and_holds_no_secret(kept, tmp_path):
    issued, code = kept.new_key("bank", [Scope.READ], 1), kept.new_code("bank")
    session = kept.redeem(kept.new_code("bank").code)
    secrets = [issued.token.split("_")[2], session.token.split("_")[2], code.code.replace("-", "")[4:], code.code[5:]]
    paths = list((tmp_path / "access").rglob("*"))
    assert len([path for path in paths if path.suffix == ".json"]) == 3
    for path in [tmp_path / "access", *paths]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
        if path.is_file():
            assert not any(secret in path.read_text("utf-8") for secret in secrets)


def test_a_damaged_file_is_named_and_lets_nobody_in(kept, tmp_path):
    issued = kept.new_key("bank", [], 1)
    path = tmp_path / "access" / "keys" / f"{issued.credential.id}.json"
    for damage in (b"", b"{", b"\xff\xfe", b"[]", path.read_bytes().replace(b"account", b"akkount"), b"0" * 100_000):
        path.write_bytes(damage)
        with pytest.raises(OperationalError, match="json"):
            kept.find(issued.token)


def test_a_code_becomes_one_session(kept, clock):
    made = kept.new_code("auditor")
    session = kept.redeem(made.code)
    assert kept.find(session.token).account == "auditor"
    assert code_fault(kept, made.code) is Fault.CODE_UNKNOWN
    clock.now_ms += SESSION_MS
    assert fault(kept, session.token) is Fault.EXPIRED


def test_a_code_is_read_as_people_type_it(kept):
    made = kept.new_code("auditor")
    assert kept.redeem(f"  {made.code.lower().replace('-', '')} ").credential.account == "auditor"


def test_a_code_lasts_ten_minutes(kept, clock):
    made = kept.new_code("auditor")
    clock.now_ms += CODE_MS
    assert code_fault(kept, made.code) is Fault.CODE_UNKNOWN


def test_a_code_bears_a_few_wrong_guesses_and_then_is_gone(kept):
    made = kept.new_code("auditor")
    for _ in range(CODE_GUESSES_MAX - 1):
        assert code_fault(kept, another(made.code)) is Fault.CODE_UNKNOWN
    assert kept.redeem(made.code)
    made = kept.new_code("auditor")
    for _ in range(CODE_GUESSES_MAX):
        assert code_fault(kept, another(made.code)) is Fault.CODE_UNKNOWN
    assert code_fault(kept, made.code) is Fault.CODE_UNKNOWN


def test_wrong_guesses_at_codes_that_there_are_are_counted_over_all_of_them(kept, clock):
    made = [kept.new_code("auditor") for _ in range(1 + GUESSES_PER_MINUTE_MAX // CODE_GUESSES_MAX)]
    for wrong in made[1:]:
        for _ in range(CODE_GUESSES_MAX):
            assert code_fault(kept, another(wrong.code)) is Fault.CODE_UNKNOWN
    made = made[0]
    assert code_fault(kept, made.code) is Fault.GUESSES_EXHAUSTED
    clock.now_ms += 60_001
    assert kept.redeem(made.code)


def test_guesses_at_no_code_keep_nobody_from_signing_in_and_touch_no_file(kept, tmp_path, monkeypatch):
    made = kept.new_code("auditor")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "access").rglob("*")}
    unknown = f"{another(made.code[:4])}{made.code[4:]}"
    with monkeypatch.context() as patch:
        patch.setattr(credentials, "locked", None)  # whoever is turned away here does not wait for the lock
        for wrong in ("", "nonsense", "x" * 10_000, "../../keys/x", unknown):
            for _ in range(GUESSES_PER_MINUTE_MAX):
                with pytest.raises(BadCredential) as caught:
                    kept.redeem(wrong)
                assert caught.value.fault is Fault.CODE_UNKNOWN
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "access").rglob("*")} == before
    assert kept.redeem(made.code).credential.account == "auditor"


def test_the_chance_of_a_guess_is_what_the_module_says():
    secrets_of_a_code = len(credentials._LETTERS) ** 8
    assert secrets_of_a_code == 2**40
    assert len(credentials._LETTERS) ** 4 * secrets_of_a_code == 2**60
    assert f"{CODE_GUESSES_MAX} in 2^40" in str(credentials.__doc__)
    assert f"{CODES_MAX} x 10^6 in 2^60" in str(credentials.__doc__)


def test_old_codes_and_sessions_go_with_the_next_code(kept, clock, tmp_path):
    session = kept.redeem(kept.new_code("auditor").code)
    first = kept.new_code("auditor")
    for _ in range(CODES_MAX):
        clock.now_ms += 1
        kept.new_code("auditor")
    assert len(list((tmp_path / "access" / "codes").glob("*.json"))) == CODES_MAX
    assert code_fault(kept, first.code) is Fault.CODE_UNKNOWN
    clock.now_ms += SESSION_MS
    kept.new_code("auditor")
    assert len(list((tmp_path / "access" / "codes").glob("*.json"))) == 1
    assert fault(kept, session.token) is Fault.UNKNOWN


def test_of_many_that_redeem_a_code_at_once_one_has_a_session(tmp_path):
    """Each with a folder object of its own, as the processes of a node have."""
    code = Credentials(tmp_path).new_code("auditor").code
    sessions: list[str] = []

    def redeem() -> None:
        with contextlib.suppress(BadCredential):
            sessions.append(Credentials(tmp_path).redeem(code).token)

    threads = [threading.Thread(target=redeem) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sessions) == 1


def test_a_session_can_be_ended_and_a_key_not(kept):
    session, issued = kept.redeem(kept.new_code("auditor").code), kept.new_key("bank", [], 1)
    kept.end_session(session.token)
    assert fault(kept, session.token) is Fault.UNKNOWN
    with pytest.raises(BadCredential):
        kept.end_session(issued.token)
    assert kept.find(issued.token)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OperationalError, match="cannot be"):
        Credentials(tmp_path / "file" / "access").new_key("bank", [], 1)


def test_letters_of_codes_are_32_that_are_not_taken_for_one_another():
    assert len(set(credentials._LETTERS)) == 32
    assert not set("IO01") & set(credentials._LETTERS)
