"""Every key of a node's configuration, what it means, its bounds and its default, in one place.

The structs below are that place. From them come the check of ``<home>/fujie.toml`` (``node.config``), `fujie config`, the
commented file that `fujie config init` writes, and the table in the documentation. A key that changes nothing must not
stand here.
"""

import ipaddress
import re
from collections.abc import Callable
from functools import cache
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from fujie.core.wording import quoted
from fujie.node.folder import HOME_VARIABLE, PORT_DEFAULT, PORT_VARIABLE

LOCALHOST: Final = "localhost"
VARIABLE_PREFIX: Final = "FUJIE_"
SHORT_NAMES: Final = {PORT_VARIABLE: "http.port"}  # variables that are older than the rule, and shorter

PROGRAM_VARIABLES: Final = {
    HOME_VARIABLE: "data folder, as `--home`",
    PORT_VARIABLE: "port of the node on this machine; short for `FUJIE_HTTP_PORT`",
    "FUJIE_WITNESSES": "URLs of other nodes, with spaces between, as `--witness`",
    "FUJIE_PASSPHRASE": "passphrase of sealed keys, where no terminal can ask for it",
    "FUJIE_DEBUG": "shows where an unexpected error came from",
}
"""Every variable that sets no key under its own name, and what it is. The documentation takes them from here."""

TEST_VARIABLES: Final = frozenset({"FUJIE_HYPOTHESIS_PROFILE"})  # of the program's own tests

_HOST_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")


class Said(NamedTuple):
    """What is said of a key. ``form``: what it takes, where its type does not say enough; ``check`` returns what is wrong
    with a value of the right type, or nothing.
    """

    description: str
    unit: str = ""
    reason: str = ""
    form: str = ""
    check: Callable[[Any], str] = lambda _value: ""


def is_loopback(host: str) -> bool:
    """Tell whether only programs of this machine reach what listens at ``host``."""
    return host == LOCALHOST or (_address(host) is not None and ipaddress.ip_address(host).is_loopback)


def _address(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _no_address(host: str) -> str:
    known = host == LOCALHOST or _address(host) is not None
    return "" if known else "it is no address: write 127.0.0.1, ::1, 0.0.0.0 (all of this machine) or localhost"


def _no_names(names: tuple[str, ...]) -> str:
    wrong = [name for name in names if _HOST_NAME.fullmatch(name) is None]
    return (
        f"{quoted(wrong[0])} is no host name; write ledger.example.org, in small letters, without port" if wrong else ""
    )


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The form of every section."""


class Http(_Section, frozen=True):
    """Where the node listens, and how many processes answer."""

    host: Annotated[
        str,
        Meta(min_length=1, max_length=45),
        Said(
            "Address to listen on",
            form="an address of this machine, in digits, or localhost",
            reason="Any other than the loopback one offers the node to the network, without TLS: put a proxy with TLS "
            "before it, or keep to a network that is protected otherwise.",
            check=_no_address,
        ),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65_535), Said("TCP port to listen on")] = PORT_DEFAULT
    hosts: Annotated[
        tuple[str, ...],
        Meta(max_length=32),
        Said(
            "Names by which others may call the node (the Host of a request)",
            form="a list of at most 32 host names",
            reason="An address in digits and localhost are always accepted. Any other name must stand here, so that no "
            "page of a stranger can reach the node through a name that he controls.",
            check=_no_names,
        ),
    ] = ()
    readers: Annotated[
        int,
        Meta(ge=1, le=16),
        Said(
            "Processes that answer requests",
            "processes",
            "Each needs a processor core and 150 MiB; more than cores help nobody.",
        ),
    ] = 1


class Console(_Section, frozen=True):
    """The pages for people under /console."""

    enabled: Annotated[bool, Said("Whether the node serves the console")] = True
    language: Annotated[
        Literal["auto", "en", "zh"],
        Said("Language of a page before its reader chooses one; auto follows the browser"),
    ] = "auto"


class Processes(_Section, frozen=True):
    """The processes beside the ledger's, which it watches."""

    silent_s: Annotated[
        int,
        Meta(ge=5, le=86_400),
        Said(
            "How long a process may give no sign of life before it is killed and started again",
            "seconds",
            "It is asked every two seconds. A busy one answers within seconds; time in which the whole machine sleeps does not count.",
        ),
    ] = 30


class Projection(_Section, frozen=True):
    """The tables for lists, search and history."""

    enabled: Annotated[
        bool,
        Said(
            "Whether a process of the node keeps the tables",
            reason="Without them the node answers single records with proof, and no lists, search or history.",
        ),
    ] = True


class Log(_Section, frozen=True):
    """What the node writes to log/."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Said("Least severity that is written; `fujie log level` changes it while the node runs"),
    ] = "info"
    format: Annotated[Literal["text", "json"], Said("Lines for people, or one JSON object a line")] = "text"


class Ledger(_Section, frozen=True):
    """How much memory the ledger process keeps hot."""

    cached_records: Annotated[
        int,
        Meta(ge=10_000, le=100_000_000),
        Said("Records kept decoded", "records", "2,000,000 are about 850 MB when all are in use: a million wallets."),
    ] = 2_000_000
    cached_bucket_mib: Annotated[
        int,
        Meta(ge=16, le=1_048_576),
        Said("Memory for the state tree's buckets", "MiB", "1,024 hold the buckets of about ten million records."),
    ] = 1_024


class Streams(_Section, frozen=True):
    """Event streams (GET /events)."""

    connections_max: Annotated[
        int,
        Meta(ge=0, le=10_000),
        Said("Streams that one reader process keeps open", "connections", "Each is an open file; 0 refuses all."),
    ] = 1_000


class Metrics(_Section, frozen=True):
    """Measurements for Prometheus (GET /metrics)."""

    access: Annotated[
        Literal["auto", "anyone", "key"],
        Said(
            "Who may read them: anyone, or an API key with the scope metrics",
            reason="auto: anyone on a public chain, whose contents anyone may read; on a restricted chain a key.",
        ),
    ] = "auto"


class Snapshots(_Section, frozen=True):
    """Snapshots for nodes that come later, of a node among several validators."""

    every_s: Annotated[
        int,
        Meta(ge=0, le=604_800),
        Said(
            "How often one is taken: at the first block of every so many seconds of block time; 0 takes none, and removes what there is",
            "seconds",
            "The newest two are kept, each about as large as the store. A node that begins from one fetches only the "
            "blocks after it. With the same value everywhere all nodes have the same ones.",
        ),
    ] = 3_600


class Config(_Section, frozen=True):
    """All keys of a node, by section."""

    http: Http = Http()
    console: Console = Console()
    processes: Processes = Processes()
    projection: Projection = Projection()
    log: Log = Log()
    ledger: Ledger = Ledger()
    streams: Streams = Streams()
    metrics: Metrics = Metrics()
    snapshots: Snapshots = Snapshots()

    @property
    def exposed(self) -> bool:
        """Whether the network reaches the node."""
        return not is_loopback(self.http.host)

    @property
    def url(self) -> str:
        """Where a program on this machine asks the node."""
        host = self.http.host
        if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound: all addresses, of which one is ours
            host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104 - as above
        return f"http://[{host}]:{self.http.port}" if ":" in host else f"http://{host}:{self.http.port}"


class Key(NamedTuple):
    """A key as it is told to people. ``form`` says in words what it takes, ``variable`` which one of the environment sets it."""

    name: str
    kind: Any
    form: str
    default: Any
    said: Said

    @property
    def section(self) -> str:
        """The section of the file that it stands in."""
        return self.name.partition(".")[0]

    @property
    def variable(self) -> str:
        """The variable of the environment that sets it."""
        return VARIABLE_PREFIX + self.name.replace(".", "_").upper()


@cache
def keys() -> dict[str, Key]:
    """Return every key by its full name, in the order of the structs."""
    found = {}
    for section, struct in sections().items():
        for name, hint in get_type_hints(struct, include_extras=True).items():
            kind, *notes = get_args(hint)
            [said] = [note for note in notes if isinstance(note, Said)]
            meta = next((note for note in notes if isinstance(note, Meta)), Meta())
            plain: Any = Annotated[kind, meta]
            full = f"{section}.{name}"
            form = said.form or _form(kind, meta, said.unit)
            found[full] = Key(full, plain, form, getattr(struct(), name), said)
    return found


@cache
def sections() -> dict[str, type[_Section]]:
    """Return the struct of every section."""
    return dict(get_type_hints(Config))


def reference() -> list[tuple[str, str, str, str]]:
    """Return (key, what it takes, default, description) of every key, for the documentation."""
    return [
        (
            key.name,
            key.form,
            toml_text(key.default),
            " ".join(filter(None, (key.said.description + ".", key.said.reason))),
        )
        for key in keys().values()
    ]


def toml_text(value: Any) -> str:
    """Return a value as it is written in the file."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(toml_text(each) for each in value)}]"
    return msgspec.json.encode(value).decode()


def _form(kind: Any, meta: Meta, unit: str) -> str:
    """Return in words what a key takes."""
    if kind is bool:
        return "true or false"
    if kind is int:
        return f"a whole number from {meta.ge:,} to {meta.le:,}{' ' if unit else ''}{unit}"
    if get_origin(kind) is Literal:
        *others, last = (f'"{choice}"' for choice in get_args(kind))
        return f"{', '.join(others)} or {last}"
    raise AssertionError("a key of this type says in words what it takes")
