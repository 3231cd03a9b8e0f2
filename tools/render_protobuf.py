"""Write the Python side of the ABCI messages from our own `.proto` files.

    .venv/bin/python -m tools.render_protobuf

`_generated.py` holds the compiled descriptions, `abci.pyi` the types of the classes that `abci.py` makes of them.
"""

import base64
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorSet

from tools.generated import write_or_check

PACKAGE: Final = Path(__file__).resolve().parents[1] / "src" / "fujie" / "engine" / "cometbft"
PROTO: Final = PACKAGE / "proto"
MADE_BY: Final = "Written by tools/render_protobuf.py from the files in proto/; do not edit."

_CHARACTERS_PER_LINE: Final = 100
_INTEGERS: Final = {
    FieldDescriptorProto.TYPE_INT32,
    FieldDescriptorProto.TYPE_INT64,
    FieldDescriptorProto.TYPE_UINT32,
    FieldDescriptorProto.TYPE_UINT64,
    FieldDescriptorProto.TYPE_ENUM,
}


def render() -> dict[Path, str]:
    """Return the generated files."""
    files = compiled()
    return {
        PACKAGE / "_generated.py": _formatted("_generated.py", _descriptions(files)),
        PACKAGE / "abci.pyi": _formatted("abci.pyi", _stub(files)),
    }


def compiled(folder: Path = PROTO) -> FileDescriptorSet:
    """Return the descriptions of all `.proto` files in ``folder`` and of what they import, without comments."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "files"
        compiler = [sys.executable, "-m", "grpc_tools.protoc", f"-I{folder}", "--include_imports"]
        subprocess.run([*compiler, f"--descriptor_set_out={out}", *names], check=True)
        return FileDescriptorSet.FromString(out.read_bytes())


def _descriptions(files: FileDescriptorSet) -> str:
    text = base64.b64encode(files.SerializeToString(deterministic=True)).decode()
    lines = [text[start : start + _CHARACTERS_PER_LINE] for start in range(0, len(text), _CHARACTERS_PER_LINE)]
    return "\n".join(
        [
            f'"""The compiled descriptions of the ABCI messages. {MADE_BY}"""',
            "from base64 import b64decode",
            "from typing import Final",
            "FILE_DESCRIPTOR_SET: Final = b64decode(",
            *(f'"{line}"' for line in lines),
            ")",
        ]
    )


def _stub(files: FileDescriptorSet) -> str:
    lines = [
        f'"""Types of the ABCI messages. {MADE_BY}"""',
        "# ruff: noqa: A002, N802 - the names are those of the messages and of their library",
        "from collections.abc import Iterable",
        "from enum import IntEnum",
        "from typing import Final, Literal",
        "",
        "from google.protobuf.internal.containers import RepeatedCompositeFieldContainer, RepeatedScalarFieldContainer",
        "from google.protobuf.message import Message",
    ]
    for file in files.file:
        for enum in file.enum_type:
            lines += [f"class {enum.name}(IntEnum):", *(f"    {name} = {number}" for name, number in _values(enum))]
        for message in file.message_type:
            lines += _message(message)
    return "\n".join(lines)


def _values(enum: EnumDescriptorProto) -> Iterator[tuple[str, int]]:
    for value in enum.value:
        yield value.name, value.number


def _message(message: DescriptorProto) -> Iterator[str]:
    """Yield the lines of the class of one message."""
    yield f"class {message.name}(Message):"
    for enum in message.enum_type:
        for name, number in _values(enum):
            yield f"    {name}: Final = {number}"
    arguments = []
    for field in message.field:
        item = _item_type(field)
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            made = field.type == FieldDescriptorProto.TYPE_MESSAGE
            container = "RepeatedCompositeFieldContainer" if made else "RepeatedScalarFieldContainer"
            yield from _property(field.name, f"{container}[{item}]")
            arguments.append(f"{field.name}: Iterable[{item}] = ...")
        elif field.type == FieldDescriptorProto.TYPE_MESSAGE:
            yield from _property(field.name, item)
            arguments.append(f"{field.name}: {item} | None = ...")
        else:
            yield f"    {field.name}: {item}"
            arguments.append(f"{field.name}: {item} = ...")
    yield f"    def __init__(self, {'*, ' if arguments else ''}{', '.join(arguments)}) -> None: ..."
    yield from _presence(message)


def _presence(message: DescriptorProto) -> Iterator[str]:
    """Yield how to ask which parts are there, with the names that may be asked for."""
    oneofs = [each.name for each in message.oneof_decl]
    fields = [
        field.name
        for field in message.field
        if field.HasField("oneof_index")
        or (field.type == FieldDescriptorProto.TYPE_MESSAGE and field.label != FieldDescriptorProto.LABEL_REPEATED)
    ]
    if fields:
        names = ", ".join(f'"{name}"' for name in fields + oneofs)
        yield f"    def HasField(self, field_name: Literal[{names}]) -> bool: ..."
    for number, oneof in enumerate(oneofs):
        names = ", ".join(
            f'"{field.name}"'
            for field in message.field
            if field.HasField("oneof_index") and field.oneof_index == number
        )
        yield f'    def WhichOneof(self, oneof_group: Literal["{oneof}"]) -> Literal[{names}] | None: ...'


def _property(name: str, kind: str) -> list[str]:
    return ["    @property", f"    def {name}(self) -> {kind}: ..."]


def _item_type(field: FieldDescriptorProto) -> str:
    if field.type == FieldDescriptorProto.TYPE_MESSAGE:
        return field.type_name.rpartition(".")[2]
    if field.type in _INTEGERS:
        return "int"
    return {
        FieldDescriptorProto.TYPE_BOOL: "bool",
        FieldDescriptorProto.TYPE_BYTES: "bytes",
        FieldDescriptorProto.TYPE_STRING: "str",
    }[field.type]


def _formatted(name: str, text: str) -> str:
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(PACKAGE / name), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True, cwd=root).stdout


if __name__ == "__main__":
    sys.exit(write_or_check(__doc__ or "", render()))
