"""The checks of a connection to a node, from the name to the newest header, so that the first broken step is seen."""

import os
import time
import urllib.request
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
import msgspec

from fujie import __version__
from fujie.client.http import PROBLEM_TYPE
from fujie.client.transport import Status
from fujie.client.verifier import VerifiedRecord
from fujie.core.errors import VerificationError
from fujie.core.limits import HEARTBEAT_MS
from fujie.core.wording import count, quoted, span
from fujie.machine.schedule import UPGRADE
from fujie.node.config_keys import is_loopback
from fujie.node.doctor.connection import STREAM_TIMEOUT_S, Answer, Connection
from fujie.node.doctor.report import Check, Said, fail, ok, skip, warn
from fujie.proof.trust import CLOCK_DRIFT_MS

CLOCK_WARN_MS: Final = 2_000
LAG_ENTRIES: Final = 20_000  # two full blocks
PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy")


def _url(scene: Connection) -> Iterable[Said]:
    if scene.holds_secret:
        return [fail("The URL has a user name or password in it, and is not shown.", "Write it without them.")]
    if scene.parsed is None:
        return [fail(f"{quoted(scene.url, 200)} is not a URL of a node.", "Write one such as http://127.0.0.1:8156.")]
    if scene.parsed.scheme == "http" and not is_loopback(scene.parsed.host):
        return [
            warn(
                f"{scene.url} is an open line: proofs keep answers honest there, but not private.",
                "Use https; commands refuse plain HTTP to other machines.",
            )
        ]
    return [ok(scene.url)]


def _proxy(scene: Connection) -> Iterable[Said]:
    if scene.parsed is None:
        return [skip("there is no URL")]
    return [proxy_finding(scene.parsed.host, scene.parsed.scheme, os.environ)]


def proxy_finding(host: str, scheme: str, environment: Mapping[str, str]) -> Said:
    """Return whether a proxy of the environment stands before ``host``, and what that means."""
    named = {name.lower(): value for name, value in environment.items() if name.lower() in PROXIES and value}
    proxy = named.get(f"{scheme}_proxy") or named.get("all_proxy")
    if proxy is None:
        return ok("none")
    shown = proxy.rpartition("@")[2]  # without the password that may stand in it
    excepted = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    bypassed = bool(excepted) and bool(urllib.request.proxy_bypass_environment(host, {"no": excepted}))  # type: ignore[attr-defined]  # undocumented in typeshed
    if bypassed:
        return ok(f"{shown}, but not for {host}")
    if is_loopback(host):
        return warn(
            f"The environment sends requests to {host} through {shown}; fujie does not, other programs do.",
            f"Set NO_PROXY={host} for them.",
        )
    return warn(
        f"Requests to {host} go through the proxy {shown}, which may cut off event streams and long answers.",
        f"Set NO_PROXY={host}, if the node is reached without it.",
    )


def _name(scene: Connection) -> Iterable[Said]:
    if scene.parsed is None:
        return [skip("there is no URL")]
    if not scene.addresses:
        return [fail(f"The name {scene.parsed.host} stands for no address.", "Check how it is written, and the DNS.")]
    return [ok(f"{scene.parsed.host} is {', '.join(scene.addresses[:4])}")]


def _tcp(scene: Connection) -> Iterable[Said]:
    if not scene.addresses:
        return [skip("there is no address")]
    if scene.tcp_error:
        return [
            fail(
                f"{scene.parsed.host if scene.parsed else ''}:{scene.port} does not accept a connection: {scene.tcp_error}.",
                "Start the node (`fujie up`), or check port, firewall and http.host: 127.0.0.1 is reached from its own machine only.",
            )
        ]
    return [ok(f"port {scene.port} accepts connections")]


def _http(scene: Connection) -> Iterable[Said]:
    if not scene.addresses or scene.tcp_error:
        return [skip("nothing accepts a connection")]
    answer = scene.status
    if isinstance(answer, str):
        return [
            fail(f"GET /status gives no answer: {answer}.", "Check that the port is that of a node, and http or https.")
        ]
    if scene.reached:
        return [ok("it is a Fujie node")]
    if 300 <= answer.status < 400:
        return [
            fail(
                f"It sends elsewhere: {quoted(answer.headers.get('location', ''), 200)}.",
                "Use that URL, if you know it.",
            )
        ]
    if answer.type == PROBLEM_TYPE:
        said = answer.json()
        return [
            fail(
                f"It refuses: {str(said.get('title', ''))[:200]} {str(said.get('detail', ''))[:300]}",
                "If it is the name: http.hosts lists the names that the node answers to.",
            )
        ]
    return [
        fail(
            f"This is no Fujie node: GET /status gives status {answer.status} and {answer.type or 'no content type'}.",
            "Check the port and the path; another program listens there, or a proxy answers in the node's place.",
        )
    ]


def _version(scene: Connection) -> Iterable[Said]:
    if not isinstance(scene.status, Answer) or not scene.reached:
        return [skip("no node answers")]
    found = scene.status.json().get("version")
    if found is None:
        return [ok("it does not say")]
    if found != __version__:
        return [
            warn(
                f"The node has version {str(found)[:40]}, this program {__version__}.",
                "Use the same one on both sides where something does not fit.",
            )
        ]
    return [ok(f"{__version__}, as this program")]


def _chain(scene: Connection) -> Iterable[Said]:
    if not isinstance(scene.status, Answer) or not scene.reached:
        return [skip("no node answers")]
    if scene.trust is None:
        return [skip("there is no trust root to compare with; name one with --trust")]
    found = str(scene.status.json()["chain_id"])[:60]
    if found != scene.trust.chain_id:
        return [
            fail(
                f"The node serves {found}, and the trust root is of {scene.trust.chain_id}.",
                "Name the other node with --url, or the trust root of its chain with --trust.",
            )
        ]
    return [ok(found)]


def _rules(scene: Connection) -> Iterable[Said]:
    if not isinstance(scene.status, Answer) or not scene.reached:
        return [skip("no node answers")]
    try:
        said = msgspec.json.decode(scene.status.body, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return [fail(f"GET /status is not as it should be: {error}.", "Compare the versions of both sides.")]
    lacking = next((each for each in said.coming if not each.known), None)
    if lacking is not None:
        return [
            warn(
                f"From block {lacking.from_height:,} on, {count(lacking.from_height - said.height, 'block')} ahead, the chain "
                f"runs version {lacking.version} of the rules of {lacking.room}, which the node does not know.",
                UPGRADE,
            )
        ]
    return [ok("it knows the rules of the blocks to come")]


def _headers(scene: Connection) -> Iterable[Said]:
    if not scene.reached:
        return [skip("no node answers")]
    if scene.trust is None:
        return [skip("there is no trust root to verify with")]
    found = scene.proven
    if isinstance(found, str):
        return [fail(f"POST /read gives no proof: {found}.", "See the node's log.")]
    if isinstance(found, VerificationError):
        do = {
            "freshness": "Check the clocks of both machines, and whether the node still makes blocks (`fujie log show`).",
            "stale-head": "The node was set back, or is not the one asked before: compare with another node.",
            "fork": "Two headers of one height were signed. Stop relying on this chain and tell its operators.",
        }.get(found.step, "The node lies, or serves another chain: do not rely on its answers.")
        return [fail(f"Its newest header does not verify: {found.step}: {found.detail}", do)]
    return [ok(f"block {found.height:,} is signed as the trust root demands")]


def _freshness(scene: Connection) -> Iterable[Said]:
    if not scene.reached or scene.trust is None or not isinstance(scene.proven, VerifiedRecord):
        return [skip("no header verified")]
    age_ms = time.time_ns() // 1_000_000 - scene.proven.time_ms
    if age_ms > 2 * HEARTBEAT_MS:
        return [
            warn(
                f"The newest proven block is {span(age_ms)} old.",
                "A node makes one every minute: see its log, or the clock.",
            )
        ]
    return [ok(f"the newest proven block is {span(max(age_ms, 0))} old")]


def _clock(scene: Connection) -> Iterable[Said]:
    if not isinstance(scene.status, Answer):
        return [skip("no node answers")]
    try:
        node_ms = int(parsedate_to_datetime(scene.status.headers.get("date", "")).timestamp() * 1_000)
    except (ValueError, TypeError, OverflowError):
        return [skip("its answers carry no date")]
    off_ms = max(scene.status.at_ms - node_ms - 1_000, node_ms - scene.status.at_ms, 0)  # a Date has whole seconds
    if off_ms > CLOCK_WARN_MS:
        text = f"The clocks of node and this machine differ by {off_ms / 1_000:.0f} s."
        do = "Set both by NTP; beyond 10 s answers are refused as from the future."
        return [fail(text, do) if off_ms > CLOCK_DRIFT_MS else warn(text, do)]
    return [ok("node and this machine agree")]


def _ready(scene: Connection) -> Iterable[Said]:
    if not scene.reached:
        return [skip("no node answers")]
    answer = scene.ask("GET", "/health/ready")
    if isinstance(answer, str):
        return [fail(f"GET /health/ready gives no answer: {answer}.", "See the node's log.")]
    if answer.status != httpx.codes.OK:
        detail = str(answer.json().get("detail", ""))[:300]
        return [
            fail(
                f"The node is not ready (status {answer.status}). {detail}".strip(),
                "See `fujie log show --level warning` on its machine.",
            )
        ]
    return [ok("ready")]


def _stream(scene: Connection) -> Iterable[Said]:
    if not scene.reached:
        return [skip("no node answers")]
    answer = scene.ask("GET", "/events", accept="text/event-stream")
    if isinstance(answer, str):
        return [
            fail(
                f"GET /events gives nothing: {answer}.", "A proxy may hold the stream back (buffering), or cut it off."
            )
        ]
    if answer.status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return [ok("asks for a credential, as on a restricted chain")]
    if answer.status != httpx.codes.OK or answer.type != "text/event-stream":
        said = answer.json()
        return [
            warn(
                f"GET /events gives status {answer.status}. {str(said.get('detail', ''))[:300]}".strip(),
                "Live pages are still without it.",
            )
        ]
    if not answer.body:
        return [
            warn(
                f"GET /events opens, and said nothing for {STREAM_TIMEOUT_S:.0f} s.",
                "A proxy may hold it back (buffering).",
            )
        ]
    return [ok("events arrive")]


def _projection(scene: Connection) -> Iterable[Said]:
    if not scene.reached:
        return [skip("no node answers")]
    answer = scene.ask("GET", "/statistics")
    if isinstance(answer, str) or answer.status != httpx.codes.OK:
        told = (
            answer
            if isinstance(answer, str)
            else f"status {answer.status}: {str(answer.json().get('detail', ''))[:300]}"
        )
        return [
            warn(
                f"There are no lists and no search ({told}).",
                "See `fujie log show --process projector` on its machine.",
            )
        ]
    said = answer.json().get("projection")
    found = said if isinstance(said, dict) else {}
    behind = found.get("behind")
    if found.get("enabled") is False:
        return [ok("switched off (projection.enabled)")]
    if isinstance(behind, int) and behind > LAG_ENTRIES:
        return [
            warn(
                f"Lists and search are {count(behind, 'log entry')} behind.",
                "They catch up; if not, see `fujie log show --process projector`.",
            )
        ]
    return [ok("lists and search are up to date")]


CHECKS: Final = (
    Check("url", "where the node is said to be", _url),
    Check("proxy", "whether a proxy of the environment stands between", _proxy),
    Check("name", "DNS", _name),
    Check("port", "TCP", _tcp),
    Check("node", "whether a Fujie node answers", _http),
    Check("version", "the node's version", _version),
    Check("chain", "whether it is the chain of the trust root", _chain),
    Check("rules", "whether the node knows the rules that are decided for later", _rules),
    Check("headers", "whether the newest header verifies", _headers),
    Check("freshness", "age of the newest proven block", _freshness),
    Check("clocks", "the node's clock against this one", _clock),
    Check("readiness", "GET /health/ready", _ready),
    Check("events", "GET /events", _stream),
    Check("lists", "how far the projection is", _projection),
)
