"""The Python client, from signatures and docstrings."""

import inspect
import re
from collections.abc import Callable, Iterable
from typing import Any

from fujie.client.client import Client, named, numbered
from fujie.client.currency import CurrencyVerbs
from fujie.client.http import HttpTransport
from fujie.client.identity import IdentityVerbs
from fujie.client.keys import KeyFile, create_key, load_key
from fujie.client.membership import MembershipVerbs
from fujie.client.outcomes import Outcome, RefusedTransaction
from fujie.client.session import Session
from fujie.client.verifier import VerifiedReceipt, VerifiedRecord, verify_file, verify_file_at
from fujie.core.errors import OperationalError, Refused, VerificationError
from fujie.core.policy import single, threshold
from fujie.core.signing import Signer
from fujie.node.ledger import open_ledger
from fujie.proof.trust import decode_trust
from tools.reference.markdown import doc, page

VERBS = ((Session, "Building, submitting, reading"), (IdentityVerbs, ""), (CurrencyVerbs, ""), (MembershipVerbs, ""))


def render() -> str:
    """Return the page."""
    return page(
        "Python",
        "Import a name from the module that stands behind its heading. Times are milliseconds since 1970 UTC, amounts minor "
        "units, ids bytes.",
        "## Opening",
        _function(open_ledger, "fujie.open"),
        _class(Client),
        _class(HttpTransport),
        *(part for cls, title in VERBS for part in _verbs(cls, title)),
        "## Items of an allocation",
        *(_function(each) for each in (named, numbered)),
        "## Results",
        *(_class(each) for each in (Outcome, VerifiedRecord, VerifiedReceipt)),
        "## Verifying files",
        *(_function(each) for each in (verify_file, verify_file_at, decode_trust)),
        "## Keys and policies",
        *(_class(each) for each in (Signer, KeyFile)),
        *(_function(each) for each in (create_key, load_key, single, threshold)),
        "## Errors",
        *(_class(each) for each in (Refused, RefusedTransaction, VerificationError, OperationalError)),
    )


def _verbs(cls: type[Any], title: str) -> Iterable[str]:
    yield f"## {title or doc(cls).split(':')[0]}"
    yield doc(cls)
    for name, value in vars(cls).items():
        if not name.startswith("_") and callable(value):
            yield _function(value)


def _class(cls: type[Any]) -> str:
    parts = [f"### {cls.__name__}", f"Of `{cls.__module__}`."]
    if "__init__" in vars(cls):
        parts.append(_signature(cls.__init__, cls.__name__))
    parts.append(doc(cls))
    for name, value in vars(cls).items():
        if isinstance(value, property) and not name.startswith("_"):
            parts.append(f"* `{name}`: {' '.join(doc(value).split())}")
    return "\n\n".join(parts)


def _function(function: Callable[..., Any], name: str = "") -> str:
    name = name or function.__name__
    method = "." in function.__qualname__
    origin = "" if method else f"Of `{function.__module__}`.\n\n"
    return f"### {name}\n\n{origin}{_signature(function, name)}\n\n{doc(function)}"


def _signature(function: Callable[..., Any], name: str) -> str:
    """Return a signature as a block of Python, one parameter a line where it is long."""
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name != "self"]
    shown = [_plain(str(each)) for each in signature.replace(parameters=parameters).parameters.values()]
    stars = [place for place, each in enumerate(parameters) if each.kind is each.KEYWORD_ONLY]
    if stars:
        shown.insert(stars[0], "*")
    returned = signature.return_annotation
    answers = "" if returned in (inspect.Signature.empty, None) else f" -> {_plain(_annotation(returned))}"
    line = f"{name}({', '.join(shown)}){answers}"
    if len(line) > 100:
        inner = "".join(f"    {each},\n" for each in shown)
        line = f"{name}(\n{inner}){answers}"
    return f"```py\n{line}\n```"


def _annotation(value: Any) -> str:
    return value.__name__ if isinstance(value, type) and not hasattr(value, "__args__") else str(value)


def _plain(text: str) -> str:
    """Return a signature's text without the modules of its types."""
    text = re.sub(r"\b(?:[a-z_]\w*\.)+([A-Z]\w*)", r"\1", text)
    return re.sub(r"Annotated\[(\w+), [^\]]*\]", r"\1", text)
