"""The chain in the folder: what it says it is, whether its store opens, and whether its newest block hangs together.

A light look, at the newest rows alone. `fujie check` hashes everything again.
"""

import importlib.util
from collections.abc import Iterable
from typing import Final

from fujie.client.keys import load_key
from fujie.core.errors import FujieError, OperationalError, VerificationError
from fujie.core.hashing import app_hash
from fujie.core.limits import HEARTBEAT_MS
from fujie.core.wording import count, span
from fujie.engine.executor import FOLDER_FORMAT
from fujie.machine import genesis as genesis_form
from fujie.machine.genesis import founding_record
from fujie.machine.schedule import SCHEDULE, UnknownRules, coming, lacking_text
from fujie.modules.membership.state_keys import VALIDATORS_KEY
from fujie.node.cometbft_file import has_cometbft
from fujie.node.control import node_status
from fujie.node.doctor.report import Check, Said, fail, failed, ok, skip, warn
from fujie.node.doctor.scene import Scene, alive, process_name
from fujie.node.founding import trust_root
from fujie.node.keyring import log_key
from fujie.proof.commit import decided_ms, verify_commit
from fujie.proof.trust import CLOCK_DRIFT_MS
from fujie.proof.validators import decode_validator_set
from fujie.proof.vote import decode_commit
from fujie.store.opening import STORE_NAMES

RESTORE: Final = "Run `fujie check` to see all of it; restore the folder from a snapshot, or from another replica."
STALE_MS: Final = 3 * HEARTBEAT_MS  # a running node makes a block at every heartbeat


def _description(scene: Scene) -> Iterable[Said]:
    if not scene.exists:
        return [skip("there is no folder to read")]
    found = scene.folder.require()
    return [ok(f"a chain of kind {found.store}, founded as {found.world} by version {found.created_by}")]


def _trust(scene: Scene) -> Iterable[Said]:
    if scene.description is None:
        return [skip("the folder does not say what it is")]
    try:
        found = scene.folder.trust()
    except VerificationError as error:
        return [
            fail(
                f"{error.detail}.",
                "Restore the file that was written when the chain was founded.",
            )
        ]
    return [ok(f"pins {found.chain_id}")]


def _store(scene: Scene) -> Iterable[Said]:
    description = scene.description
    if description is None:
        return [skip("the folder does not say what it is")]
    others = [
        name for kind, name in STORE_NAMES.items() if kind != description.store and (scene.folder.chain / name).exists()
    ]
    if others:
        return [
            fail(
                f"node.json names a store of kind {description.store}, and chain/{others[0]} is one of the other kind.",
                "Restore node.json, or move the file that does not belong there away.",
            )
        ]
    if description.store == "rocks" and importlib.util.find_spec("rocksdict") is None:
        return [
            fail(
                "The store is of kind rocks, and the package rocksdict is not installed.",
                "Install Fujie again: `make up`.",
            )
        ]
    if not scene.readable_now:
        return [skip("a node has it open, and a store of kind rocks has one reader at a time")]
    try:
        stored = scene.stored
    except OperationalError as error:
        return [fail(error.what, f"{error.do} {RESTORE}")]
    except FujieError as error:
        return [fail(f"The newest rows of the store do not read: {error}", RESTORE)]
    if stored.format != FOLDER_FORMAT:
        return [
            fail(
                "The store has a format that this version of Fujie does not read.",
                "Open it with the version that wrote it.",
            )
        ]
    return [ok(f"opens; height {stored.head.height:,}, {count(stored.head.log_size, 'log entry')}")]


def _genesis(scene: Scene) -> Iterable[Said]:
    if scene.trust is None or not _stored(scene):
        return [skip("trust root or store do not read")]
    try:
        genesis = genesis_form.load(scene.stored.genesis or b"")
    except FujieError as error:
        return [fail(f"The genesis in the store does not read: {error}", RESTORE)]
    found = genesis_form.chain_id(genesis)
    if found != scene.trust.chain_id:
        return [
            fail(
                f"The trust root is of {scene.trust.chain_id}, the chain in the store is {found}.",
                "Restore the trust.json that was written when this chain was founded.",
            )
        ]
    pinned = trust_root(genesis)
    if (pinned.validators_hash, pinned.state_tree_depth) != (scene.trust.validators_hash, scene.trust.state_tree_depth):
        return [
            fail(
                "The trust root names other validators, or another depth of the state tree, than the chain began with.",
                "Restore the trust.json that was written when this chain was founded.",
            )
        ]
    return [ok("the chain in the store is the one that the trust root names")]


def _validator_key(scene: Scene) -> Iterable[Said]:
    if scene.description is None:
        return [skip("the folder does not say what it is")]
    if scene.mirrors:
        return [ok("a mirror signs no blocks and needs none")]
    path = scene.folder.validator_key
    if not path.exists():
        return [
            fail(
                f"There is no {scene.within(path)}; without it no block can be signed.", "Restore it from your backup."
            )
        ]
    key = load_key(path)
    if _stored(scene) and not has_cometbft(scene.folder):
        genesis = genesis_form.load(scene.stored.genesis or b"")
        known = {member.public_key for member in founding_record(genesis, VALIDATORS_KEY).members}
        if key.public_key not in known:
            return [
                fail(
                    f"{scene.within(path)} is not the key that the chain was founded with.",
                    "Restore it from your backup.",
                )
            ]
    if key.protection == "passphrase":
        return [
            warn("The validator key is sealed under a passphrase.", "A node needs it in FUJIE_PASSPHRASE to start.")
        ]
    if has_cometbft(scene.folder):
        return [ok(f"{key.public_key.hex()[:16]}… votes, where it is one of the validators")]
    return [ok(f"{key.public_key.hex()[:16]}… signs the blocks of this chain")]


def _log_key(scene: Scene) -> Iterable[Said]:
    if scene.description is None:
        return [skip("the folder does not say what it is")]
    if not scene.folder.log_key.exists():
        return [ok("none yet; a node makes one when it starts")]
    return [ok(f"{log_key(scene.folder).public_key.hex()[:16]}… signs checkpoints of the log")]


def _newest(scene: Scene) -> Iterable[Said]:
    if scene.trust is None or not _stored(scene):
        return [skip("trust root or store do not read")]
    stored = scene.stored
    head = stored.head
    if app_hash(head.state_root, head.log_root, head.log_size) != head.app_hash:
        return [fail("The head's app hash is not that of its own roots.", RESTORE)]
    if head.log_size and stored.last_entry is None:
        return [fail(f"The newest log entry ({head.log_size - 1}) is missing.", RESTORE)]
    if not head.height:
        return [ok("founded, and never started: there is no block yet")]
    if stored.block is None or stored.header is None:
        return [fail(f"The newest block ({head.height}) is missing.", RESTORE)]
    header = stored.header
    if (header.chain_id, header.height, header.time_ms) != (scene.trust.chain_id, head.height, head.time_ms):
        return [fail("The newest block is of another chain, height or time than the head says.", RESTORE)]
    if stored.validators is None:
        return [fail("The validator set of the newest block is missing.", RESTORE)]
    try:
        verify_commit(
            scene.trust.chain_id, decode_validator_set(stored.validators), header, decode_commit(stored.block.commit)
        )
    except VerificationError as error:
        return [fail(f"The newest block is not signed as it should be: {error}", RESTORE)]
    announces = header.next_validators_hash != header.validators_hash
    if announces and not has_cometbft(scene.folder) and not scene.mirrors:
        return [
            fail(
                f"Block {head.height:,} handed the chain over to other validators, and this folder is no node of theirs yet.",
                "Run `fujie network grow` again, which completes it; then `fujie up`.",
            )
        ]
    return [ok(f"block {head.height:,} is whole and signed; `fujie check` hashes everything again")]


def _clock(scene: Scene) -> Iterable[Said]:
    if not _stored(scene):
        return [skip("the store does not read")]
    head = scene.stored.head
    age_ms = scene.now_ms - head.time_ms
    if age_ms < -CLOCK_DRIFT_MS:
        return [
            fail(
                f"The newest block lies {span(-age_ms)} in the future of this machine's clock; nobody believes such a block.",
                "Set the clock (NTP). If it is right, a block was made while it was wrong: wait until it has caught up.",
            )
        ]
    if age_ms > STALE_MS:
        age_ms = min(age_ms, scene.now_ms - _decided_ms(scene))
    if scene.just_started and age_ms > STALE_MS:
        return [ok(f"the newest block is {span(age_ms)} old, and a node has just begun to make the next")]
    if scene.running and scene.mirrors and age_ms > STALE_MS:
        return [
            warn(
                f"A mirror runs, and its newest block is {span(age_ms)} old: its source makes none, or cannot be reached.",
                "See `fujie log show --level warning`, and the node that it mirrors.",
            )
        ]
    if scene.running and age_ms > STALE_MS:
        return [
            fail(
                f"A node runs, and its newest block is {span(age_ms)} old; it makes one every {HEARTBEAT_MS // 1_000} s.",
                "See `fujie log show --level warning`; check the clock (NTP); start the node again.",
            )
        ]
    if scene.trust is not None and age_ms > scene.trust.trust_period_ms:
        return [
            warn(
                f"The newest block is {span(age_ms)} old, more than the trust root accepts of a current answer.",
                "Start the node, which makes a new one at once.",
            )
        ]
    return [ok(f"the newest block is {span(max(age_ms, 0))} old")]


def _decided_ms(scene: Scene) -> int:
    """Return when the newest block was decided on: one that follows a halt has the time of the halt."""
    stored = scene.stored
    if scene.trust is None or stored.block is None or stored.validators is None:
        return stored.head.time_ms
    validators, commit = decode_validator_set(stored.validators), decode_commit(stored.block.commit)
    try:
        return decided_ms(scene.trust.chain_id, validators, commit)
    except VerificationError:  # another check says so
        return stored.head.time_ms


def _rules(scene: Scene) -> Iterable[Said]:
    if not _stored(scene):
        return [skip("the store does not read")]
    state, height = scene.stored.decided, scene.stored.head.height
    try:
        SCHEDULE.active(state, height + 1)
    except UnknownRules as error:
        return [failed(error)]
    lacking = SCHEDULE.lacking(state, height)
    if lacking:
        return [warn(lacking_text(lacking[0], height), "See `fujie rules show`.")]
    of_node = node_status(scene.folder).lacking if scene.url is not None else ()
    if of_node:
        return [
            warn(
                f"This program knows the rules from block {of_node[0].from_height:,} on, and the node that runs does not: it "
                "was started with an older version.",
                "Start the node again before that block.",
            )
        ]
    decided = coming(state, height)
    if decided:
        first = decided[0]
        what = f"version {first.version} of {first.room} comes into force" if first.version else f"{first.room} stops"
        return [ok(f"known here; {what} in {count(first.from_height - height, 'block')}")]
    return [ok("those in force are known here, and no others are decided")]


def _lock(scene: Scene) -> Iterable[Said]:
    if scene.description is None:
        return [skip("the folder does not say what it is")]
    process = scene.last_user
    if scene.running:
        name = "" if process is None else process_name(process)
        return [ok(f"a node runs: process {process or 'unknown'}{f' ({name})' if name else ''}")]
    if process is None:
        return [ok("no node runs")]
    if alive(process):
        return [ok(f"no node runs; the lock names process {process}, which lives and has let go")]
    return [ok(f"no node runs; the lock names process {process}, which has ended, and needs no cleaning")]


CHECKS: Final = (
    Check("description", "node.json", _description),
    Check("trust root", "trust.json", _trust),
    Check("store", "whether the store opens", _store),
    Check("genesis", "whether trust root and chain belong together", _genesis),
    Check("validator key", "whether the key that signs blocks is there", _validator_key),
    Check("log key", "whether the key that signs checkpoints of the log opens", _log_key),
    Check("newest block", "whether the head hangs together and is signed", _newest),
    Check("clock", "block time against this machine's clock", _clock),
    Check("rules", "whether this program knows the rules that are in force, or decided for later", _rules),
    Check("lock", "who uses the folder", _lock),
)


def _stored(scene: Scene) -> bool:
    """Tell whether the newest rows read."""
    if not scene.readable_now:
        return False
    try:
        return bool(scene.stored)
    except FujieError:
        return False
