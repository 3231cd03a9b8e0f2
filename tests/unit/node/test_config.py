import re
import tomllib
from pathlib import Path

import pytest

from fujie.core.errors import OperationalError
from fujie.engine.live_state import CACHED_LEAVES_DEFAULT
from fujie.node import config_keys
from fujie.node.config import load_config, resolve_config
from fujie.node.config_file import CONFIG_BYTES_MAX
from fujie.node.config_keys import Config, keys, reference, sections
from fujie.node.config_text import default_text, sentence, write_default
from fujie.node.folder import Folder
from fujie.store.state_tree import CACHE_BYTES_DEFAULT


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch):
    for key in keys().values():
        monkeypatch.delenv(key.variable, raising=False)
    monkeypatch.delenv("FUJIE_PORT", raising=False)


def write(folder, text):
    (folder.home / "fujie.toml").write_text(text, "utf-8")


def refusal(folder, text, environment=None):
    write(folder, text)
    with pytest.raises(OperationalError) as caught:
        resolve_config(folder, environment=environment or {})
    return str(caught.value)


def test_a_folder_without_file_has_the_defaults(folder):
    assert load_config(folder) == Config()
    assert {value.source for value in resolve_config(folder, environment={}).values.values()} == {"default"}


def test_the_defaults_are_those_of_what_they_configure():
    assert keys()["ledger.cached_records"].default == CACHED_LEAVES_DEFAULT
    assert keys()["ledger.cached_bucket_mib"].default << 20 == CACHE_BYTES_DEFAULT


def test_the_commented_file_reads_and_changes_nothing(folder):
    path = write_default(folder)
    assert load_config(folder) == Config()
    text = path.read_text("utf-8")
    assert text == default_text()
    assert max(map(len, text.splitlines())) <= 110
    assert list(tomllib.loads(text)) == list(sections())


def test_every_line_of_the_commented_file_works_with_its_comment_taken_away(folder):
    lines = default_text().splitlines()
    names = {key.name.partition(".")[2] for key in keys().values()}
    opened = [line[2:] if line[2:].split(" = ")[0] in names and " = " in line else line for line in lines]
    write(folder, "\n".join(opened))
    resolved = resolve_config(folder, environment={})
    assert resolved.config == Config()
    assert {value.source for value in resolved.values.values()} == {"file"}


def test_writing_the_commented_file_never_overwrites(folder):
    write(folder, "[http]\nport = 9000\n")
    with pytest.raises(OperationalError, match="exists already"):
        write_default(folder)
    assert load_config(folder).http.port == 9000


def test_an_option_goes_before_the_environment_that_before_the_file(folder):
    write(folder, '[http]\nport = 9001\n\n[log]\nlevel = "debug"\n')
    environment = {"FUJIE_HTTP_PORT": "9002"}
    for options, given, port, source in (
        ({"http.port": 9003}, environment, 9003, "option"),
        ({"http.port": None}, environment, 9002, "environment"),
        ({}, {"FUJIE_PORT": "9004"}, 9004, "environment"),
        ({}, {"FUJIE_HTTP_PORT": ""}, 9001, "file"),
    ):
        resolved = resolve_config(folder, options, given)
        assert (resolved.config.http.port, resolved.values["http.port"].source) == (port, source)
        assert resolved.config.log.level == "debug"
    resolved = resolve_config(folder, {}, {})
    assert resolved.values["http.port"].where.endswith("fujie.toml, line 2")
    assert resolved.values["log.level"].where.endswith("line 5")


def test_every_kind_of_value_comes_from_the_environment(folder):
    given = {
        "FUJIE_CONSOLE_ENABLED": "false",
        "FUJIE_HTTP_HOSTS": "ledger.example.org, other.example.org",
        "FUJIE_STREAMS_CONNECTIONS_MAX": "0",
        "FUJIE_METRICS_ACCESS": "key",
        "PATH": "/bin",
        "FUJIE_PASSPHRASE": "x",
    }
    config = resolve_config(folder, environment=given).config
    assert config.console.enabled is False
    assert config.http.hosts == ("ledger.example.org", "other.example.org")
    assert (config.streams.connections_max, config.metrics.access) == (0, "key")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[http]\nprot = 1\n", "line 2: the section [http] has no key 'prot'. Did you mean port?"),
        ("\n[htp]\nport = 1\n", "line 2: there is no section 'htp'. Did you mean [http]?"),
        ("port = 9000\n", "line 1: there is no section 'port'. It belongs into the section [http]."),
        ("http = 3\n", "line 1: http is a section, not a value."),
        ("[http]\n\nport = 70000\n", "line 3: http.port is 70000; it must be a whole number from 1 to 65,535."),
        ('[http]\nport = "9000"\n', 'line 2: http.port is "9000"; it must be a whole number'),
        ("[http]\nport = true\n", "line 2: http.port is true; it must be a whole number"),
        ("[http]\nport = 9000.0\n", "line 2: http.port is 9000.0; it must be a whole number"),
        ("[http]\nport = 2026-09-01\n", "line 2: http.port is 2026-09-01; it must be"),
        ('[log]\nlevel = "infoo"\n', 'line 2: log.level is "infoo"; it must be "debug", "info"'),
        ('[log]\nlevel = "infoo"\n', "Did you mean info?"),
        ("[projection]\nenabled = 1\n", "line 2: projection.enabled is 1; it must be true or false."),
        ('[http]\nhost = "everywhere"\n', 'line 2: http.host is "everywhere"; it is no address:'),
        ('[http]\nhosts = ["http://x"]\n', "is no host name"),
        ('[http]\nhosts = ["Ledger.example.org"]\n', "in small letters"),
        ('[http]\nhosts = "ledger.example.org"\n', "a list of at most 32 host names"),
        ("[http]\nport = 1\nport = 2\n", "is no TOML"),
        ("[http\n", "is no TOML"),
        ("[http]\nport = [[[\n", "is no TOML"),
        ("[http.port]\nx = 1\n", "line 1: http.port is"),
        ("http.prot = 1\n", "line 1: the section [http] has no key 'prot'"),
        ("# one\nhttp = { port = 0 }\n", "line 2: http.port is 0;"),
    ],
)
def test_names_file_line_and_what_was_probably_meant(folder, text, said):
    shown = refusal(folder, text)
    assert said in shown
    assert str(folder.home / "fujie.toml") in shown


def test_tells_everything_that_is_wrong_at_once(folder):
    text = '[htp]\nport = 1\n\n[http]\nprot = 1\nport = 0\nreaders = 2\n\n[log]\nlevel = "infoo"\n'
    shown = refusal(folder, text, {"FUJIE_HTPP_PORT": "1", "FUJIE_CONSOLE_ENABLED": "yes"})
    assert shown.startswith("The configuration has 6 faults:\n")
    for said in (
        "line 1: there is no section 'htp'. Did you mean [http]?",
        "line 5: the section [http] has no key 'prot'. Did you mean port?",
        "line 6: http.port is 0;",
        'line 10: log.level is "infoo";',
        "FUJIE_HTPP_PORT' is none of this program. Did you mean FUJIE_HTTP_PORT?",
        'The variable FUJIE_CONSOLE_ENABLED is "yes"; it must be true or false',
    ):
        assert said in shown
    assert "port = 1" not in shown, "what stands in a section that does not exist is no second fault"


def test_a_file_that_is_no_toml_does_not_hide_what_is_wrong_in_the_environment(folder):
    shown = refusal(folder, "[http\n", {"FUJIE_HTTP_PORT": "soon"})
    assert "is no TOML" in shown
    assert "FUJIE_HTTP_PORT is" in shown


def test_refuses_a_file_that_is_too_long_no_text_or_not_to_be_read(folder):
    write(folder, "#" * (CONFIG_BYTES_MAX + 1))
    with pytest.raises(OperationalError, match="longer than"):
        load_config(folder)
    (folder.home / "fujie.toml").write_bytes(b"[http]\n# \xff\n")
    with pytest.raises(OperationalError, match="line 2: this is not text in UTF-8"):
        load_config(folder)
    (folder.home / "fujie.toml").unlink()
    (folder.home / "fujie.toml").mkdir()
    with pytest.raises(OperationalError, match="cannot be read"):
        load_config(folder)
    (folder.home / "fujie.toml").rmdir()
    (folder.home / "fujie.toml").symlink_to(folder.home / "gone")
    with pytest.raises(OperationalError, match="no file"):
        load_config(folder)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FUJIE_HTTP_PORT": "soon"}, 'The variable FUJIE_HTTP_PORT is "soon"; it must be a whole number'),
        ({"FUJIE_PORT": "0"}, "The variable FUJIE_PORT is 0; it must be a whole number"),
        ({"FUJIE_HTTP_PORT": "9" * 30}, "it must be a whole number"),
        ({"FUJIE_CONSOLE_ENABLED": "yes"}, "it must be true or false"),
        ({"FUJIE_LOG_LEVLE": "debug"}, "is none of this program. Did you mean FUJIE_LOG_LEVEL?"),
        ({"FUJIE_HTPP_PORT": "9000"}, "Did you mean FUJIE_HTTP_PORT?"),
        ({"FUJIE_PORTT": "9000"}, "Did you mean FUJIE_PORT?"),
        ({"FUJIE_PASSPHRAZE": "not shown"}, "Did you mean FUJIE_PASSPHRASE?"),
        ({"FUJIE_": "1"}, "is none of this program"),
        ({"FUJIE_PORT": "1", "FUJIE_HTTP_PORT": "2"}, "they name the same thing"),
    ],
)
def test_refuses_a_variable_that_cannot_be_meant(folder, environment, said):
    assert said in refusal(folder, "", environment)


def test_refuses_an_option_out_of_bounds(folder):
    with pytest.raises(OperationalError, match=r"The option for http\.port is 0"):
        load_config(folder, {"http.port": 0})


@pytest.mark.parametrize(
    ("host", "exposed", "url"),
    [
        ("127.0.0.1", False, "http://127.0.0.1:8156"),
        ("localhost", False, "http://localhost:8156"),
        ("::1", False, "http://[::1]:8156"),
        ("0.0.0.0", True, "http://127.0.0.1:8156"),
        ("::", True, "http://[::1]:8156"),
        ("192.0.2.7", True, "http://192.0.2.7:8156"),
    ],
)
def test_knows_whether_the_network_reaches_the_node(folder, host, exposed, url):
    config = load_config(folder, {"http.host": host})
    assert (config.exposed, config.url) == (exposed, url)


def test_every_key_is_documented_in_sentences():
    for name, form, default, description in reference():
        assert form
        assert default
        assert description.endswith(".")
        assert len(sentence(keys()[name])) > 20


def test_every_key_has_an_effect():
    """Somewhere outside the modules that describe and check the configuration, each key is read."""
    package = Path(config_keys.__file__).parents[1]
    describing = {"config.py", "config_keys.py", "config_file.py", "config_text.py"}
    files = [path for path in package.rglob("*.py") if path.name not in describing and "doctor" not in path.parts]
    source = "\n".join(path.read_text("utf-8") for path in files)
    for key in keys().values():
        section, _, name = key.name.partition(".")
        holder = {"ledger": "memory", "log": "settings"}.get(section, rf"_?config\.{section}")
        assert re.search(rf"\b{holder}\.{name}\b", source), key.name
