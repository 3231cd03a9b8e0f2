"""Vectors of identifiers and of the codebook that decides some of them."""

from typing import Any, Final

from fujie.codebook import Codebook
from fujie.core import identifier_forms
from fujie.core.codebook import CodebookEntry, expected_identifier, leaf_digest
from fujie.core.encoding import encode
from tools.vector_sets.common import VALID, Case, VectorSet, case, flip, vector_set

_GOOD: Final = (
    "ZZ.156",
    "ZZ.156.13",
    "ZZ.156.1301",
    "ZZ.156.1301.11",
    "ZZ.156.11.0101",
    "MA.156.8800.AB12",
    "AA.000.0",
)
_BAD: Final = {
    "empty": "",
    "too-long": "ZZ.156" + ".12345678901234567890123" * 6,
    "control-character": "ZZ.156\n",
    "full-width": "ZZ.15６",
    "not-ascii": "ZZ.156.石家庄",
    "whitespace": "ZZ.156. 13",
    "lower-case": "zz.156",
    "foreign-character": "ZZ.156-13",
    "empty-node": "ZZ..156",
    "trailing-dot": "ZZ.156.",
    "agency": "Z1.156",
    "country-missing": "ZZ",
    "country": "ZZ.15A",
    "node-too-long": "ZZ.156." + "1" * 33,
    "too-many-nodes": "ZZ.156" + ".1" * 11,
}


def build_identifiers() -> VectorSet:
    """Return vectors/identifiers.json."""
    cases: list[Case] = [
        case(text, VALID, form="identifier", text=text, people=identifier_forms.with_check(text)) for text in _GOOD
    ]
    cases.append(case("128 bytes", VALID, form="identifier", **_long()))
    cases += [case(f"refused: {fault}", fault, form="identifier", text=text) for fault, text in _BAD.items()]
    good = identifier_forms.with_check("ZZ.156.1301")
    cases += [
        case("form for people", VALID, form="people", text=good, identifier="ZZ.156.1301"),
        case("one digit mistaken", "check", form="people", text=good.replace("1301", "1302")),
        case("two digits swapped", "check", form="people", text=good.replace("1301", "1310")),
        case("check characters missing", "check-missing", form="people", text="ZZ.156.1301"),
        case("one check character", "check-missing", form="people", text=good[:-1]),
    ]
    return vector_set(
        "Identifiers and their form for people. Steps are the faults of docs/spec/05-identifiers.md.",
        cases,
        "Made by tools/make_vectors.py. The standard's own example: MOD 1271-36 of 'ISO79' is '3W' (ISO 7064).",
    )


def _long() -> dict[str, str]:
    text = ("ZZ.156" + "." + "A" * 32 + "." + "B" * 32 + "." + "C" * 32 + "." + "9" * 22)[:128]
    return {"text": text, "people": identifier_forms.with_check(text)}


def build_codebook() -> VectorSet:
    """Return vectors/codebook.json."""
    book = Codebook.load()
    cases: list[Case] = []

    def add(name: str, step: str, first: int, entries: list[CodebookEntry], path: bytes, **changes: Any) -> None:
        shown = [encode(entry).hex() for entry in entries]
        inputs = {"root": book.root, "size": book.size, "first": first, "entries": shown, "path": path} | changes
        cases.append(case(name, step, **inputs))

    for code in ("110000", "130100", "130102", "659012"):
        if code in book:
            index = book.index(code)
            entry = book.entry(code)
            add(
                f"{code} {entry.name}",
                VALID,
                index,
                [entry],
                book.path(code),
                leaf=leaf_digest(entry),
                identifier=expected_identifier("ZZ.156", entry),
            )
    index = book.index("130100")
    several = list(book.entries[index : index + 9])
    path = book.range_path(index, 9)
    add("nine neighbours", VALID, index, several, path)
    add("last entry", VALID, book.size - 1, [book.entries[-1]], book.range_path(book.size - 1, 1))
    add("all entries announced, none given", "codebook-position", 0, [], b"")
    add("entries beyond the end", "codebook-position", book.size - 1, several[:2], path)
    add("path within a digest", "codebook-path", index, several, path[:-1])
    add("path too short", "codebook-path", index, several, path[:-32])
    add("path too long", "codebook-path", index, several, path + path[:32])
    add("name altered", "codebook-root", index, [_renamed(several[0]), *several[1:]], path)
    add("entries in another order", "codebook-root", index, [several[1], several[0], *several[2:]], path)
    add("path altered", "codebook-root", index, several, flip(path, 3))
    add("root of another edition", "codebook-root", index, several, path, root=flip(book.root, 0))
    return vector_set(
        "Entries of the codebook edition gbt2260-2026-09-16 and their paths (docs/spec/06-codebook.md).",
        cases,
        "Entries: src/fujie/data/codebook (its README.md names the sources); proofs made by tools/make_vectors.py.",
    )


def _renamed(entry: CodebookEntry) -> CodebookEntry:
    return CodebookEntry(entry.code, entry.level, entry.parent, entry.name + "甲")
