"""GET /status, /health, /genesis, /blocks, /validators, /trust, /problems: the chain and the node as a whole."""

import asyncio
import time
from importlib.metadata import version
from typing import Final

import msgspec

from fujie.api import media, queries
from fujie.api.pages import ComingRules, Genesis, GenesisLeaf, Live, Mirror, ProblemReason, ProblemType, Ready, Status
from fujie.api.problems import RETRY_AFTER_S, Kind, Problem, advice_for, status_of
from fujie.api.serving import Answer, AnyRequest, Serving, bytes_answer, json_answer, page_answer, wanted
from fujie.core.encoding import encode
from fujie.core.json_form import to_json
from fujie.core.limits import HEARTBEAT_MS
from fujie.core.wording import span
from fujie.engine.base import Served
from fujie.engine.reading import ProvenState, decided_at_ms
from fujie.engine.signers import last_of
from fujie.machine.schedule import coming
from fujie.modules.catalog import REASONS, record_at
from fujie.modules.membership import queries as membership
from fujie.proof.header import NANOSECONDS_PER_MS
from fujie.proof.light_block import LightBlock, decode_light_block, encode_light_block
from fujie.proof.trust import TrustRoot, encode_trust
from fujie.reader.access import sees_all

READY_AGE_MS_MAX: Final = 2 * HEARTBEAT_MS  # a live engine makes a block at every heartbeat; two missed is a fault
VERSION: Final = version("fujie")


async def status(serving: Serving, request: AnyRequest) -> Answer:
    """Say where the chain and the node stand. A hint for programs and people: nothing is proven by it."""
    engine = serving.engine
    head, proven = engine.head, engine.proven
    state = ProvenState(engine)
    lacking = engine.lacking
    rooms = {name: membership.active_version(state, name, head.height + 1) for name in membership.room_names(state)}
    page = Status(
        chain_id=engine.chain_id,
        height=head.height,
        time_ms=head.time_ms,
        decided_ms=decided_at_ms(engine),
        app_hash=head.app_hash.hex(),
        log_size=head.log_size,
        proven_height=decode_light_block(proven.light_block).header.height,
        pending=engine.pending,
        rooms={name: number for name, number in rooms.items() if number},
        coming=[
            ComingRules(room=each.room, version=each.version, from_height=each.from_height, known=each not in lacking)
            for each in coming(state, head.height)
        ],
        version=VERSION,
        mirror=_mirror(serving),
    )
    return page_answer(page)


async def live(serving: Serving, request: AnyRequest) -> Answer:
    """Say that the process answers; whether it should be sent work, :func:`ready` says."""
    return page_answer(Live(status="live"))


async def ready(serving: Serving, request: AnyRequest) -> Answer:
    """Say whether the node serves: its ledger runs, and its newest block was decided on within two heartbeats.

    Problems: NOT_READY.
    """
    engine = serving.engine
    age_ms = block_age_ms(engine)
    if engine.failure is not None:
        raise Problem(Kind.NOT_READY, "The ledger has stopped; its operator finds why in the log.")
    if age_ms > READY_AGE_MS_MAX:
        raise Problem(Kind.NOT_READY, f"The newest block is {span(age_ms)} old.", retry_after_s=RETRY_AFTER_S)
    return page_answer(Ready(status="ready", height=engine.head.height, age_ms=age_ms))


def block_age_ms(engine: Served) -> int:
    """Return how long ago the newest block was decided, in ms; 0 for one from the future."""
    return max(time.time_ns() // NANOSECONDS_PER_MS - decided_at_ms(engine), 0)


async def genesis(serving: Serving, request: AnyRequest) -> Answer:
    """Return what the chain began with. The genesis of a restricted chain holds salts of what not everyone may read.

    Problems, in order: NOT_ACCEPTABLE, CREDENTIAL_UNKNOWN and the others of a credential, GENESIS_RESTRICTED.
    """
    engine = serving.engine
    form = wanted(request, (media.JSON, media.GENESIS))
    reader = serving.reader(request)
    if not sees_all(serving.state, reader):
        raise Problem(Kind.GENESIS_RESTRICTED)
    body = serving.kept.get(form)
    if body is None:  # it may be large, and never changes
        body = serving.kept[form] = await asyncio.to_thread(_encoded_genesis, engine, form)
    file_name = f"{engine.chain_id}.genesis" if form == media.GENESIS else ""
    return bytes_answer(body, form, private=reader.name != "", file_name=file_name)


async def block(serving: Serving, request: AnyRequest) -> Answer:
    """Return header, commit and validators of the block at a height, or of the newest for ``latest``.

    Problems, in order: MALFORMED (no height), NOT_ACCEPTABLE, BLOCK_ABSENT.
    """
    height = str(request.path_params["height"])
    if height != "latest":
        queries.height(height)
    form = wanted(request, (media.JSON, media.LIGHT_BLOCK))
    if height == "latest":
        data = serving.engine.proven.light_block
        found = decode_light_block(data)
    else:
        found = light_block(serving.engine, int(height))
        data = encode_light_block(found)
    return _light_block_answer(found, data, form)


async def validators(serving: Serving, request: AnyRequest) -> Answer:
    """Return header, commit and validators of the last block that a set of validators signed before others did, or of the
    newest one where they still sign. A light client begins there that has pinned nothing but these validators.

    Problems, in order: MALFORMED (no hash), NOT_ACCEPTABLE, VALIDATORS_UNKNOWN.
    """
    validators_hash = queries.validators_hash(str(request.path_params["validators_hash"]))
    form = wanted(request, (media.JSON, media.LIGHT_BLOCK))
    found = last_of(serving.engine, validators_hash)
    if found is None:
        raise Problem(Kind.VALIDATORS_UNKNOWN)
    return _light_block_answer(found, encode_light_block(found), form)


async def trust(serving: Serving, request: AnyRequest) -> Answer:
    """Return the trust root of the chain as this node knows it: its id, the digest of its validators, the tree's depth.

    A program that verifies takes it from a file that was pinned when the chain was founded, and not from here: a server
    that lies about records would lie about this as well. It is for comparing, and for a page that shows what is compared.
    """
    engine = serving.engine
    header = decode_light_block(engine.proven.light_block).header
    root = TrustRoot(
        chain_id=engine.chain_id,
        validators_hash=header.validators_hash.hex(),
        state_tree_depth=membership.parameters(serving.state).state_tree_depth,
    )
    return bytes_answer(encode_trust(root), media.JSON)


async def problems(serving: Serving, request: AnyRequest) -> Answer:
    """List every problem that the interface can answer with."""
    return json_answer(list(problem_pages().values()))


async def problem(serving: Serving, request: AnyRequest) -> Answer:
    """Explain a problem type by its name. Problems: NOT_FOUND."""
    page = problem_pages().get(str(request.path_params["name"]))
    if page is None:
        raise Problem(Kind.NOT_FOUND)
    return page_answer(page)


def _light_block_answer(found: LightBlock, data: bytes, form: str) -> Answer:
    return bytes_answer(data, form) if form == media.LIGHT_BLOCK else json_answer(to_json(found))


def _encoded_genesis(engine: Served, form: str) -> bytes:
    founding = engine.genesis
    if form == media.GENESIS:
        return encode(founding)
    page = Genesis(
        chain_id=engine.chain_id,
        name=founding.name,
        time_ms=founding.time_ms,
        leaves=[
            GenesisLeaf(path=leaf.path, salt=leaf.salt.hex(), record=to_json(record_at(leaf.path, leaf.record)))
            for leaf in founding.leaves
        ],
        archive=[data.hex() for data in founding.archive],
    )
    return msgspec.json.encode(page)


def _mirror(serving: Serving) -> Mirror | None:
    """Return what this node mirrors, and why it stopped if it did; None for a ledger of its own."""
    source, failure = serving.settings.mirror_of, serving.engine.failure
    return Mirror(source=source, stopped=None if failure is None else str(failure)) if source else None


def light_block(engine: Served, height: int) -> LightBlock:
    """Return the light block at ``height``. Raises :class:`Problem` BLOCK_ABSENT.

    A folder that was loaded from a snapshot begins with the block of that.
    """
    found = engine.light_block(height)
    if found is None:
        raise Problem(Kind.BLOCK_ABSENT)
    return found


def problem_pages() -> dict[str, ProblemType]:
    """Return every problem this interface can answer with, by name."""
    pages = {
        kind.name: ProblemType(type=f"/problems/{kind.name}", title=kind.title, status=kind.status, advice=kind.advice)
        for kind in Kind
    }
    for reason in REASONS.values():
        pages[reason.name] = ProblemType(
            type=f"/problems/{reason.name}",
            title=reason.sentence,
            status=status_of(reason),
            advice=advice_for(reason),
            reason=ProblemReason(number=int(reason), sentence=reason.sentence),
        )
    return pages
