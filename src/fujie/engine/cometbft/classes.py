"""Classes of protobuf messages, made from compiled descriptions."""

from enum import IntEnum
from typing import cast

from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass


def classes_in(file_descriptor_set: bytes) -> dict[str, type[Message] | type[IntEnum]]:
    """Return name -> class of every message and enumeration that a file of the set defines at its top.

    The pool of these classes is theirs alone: the one of the process takes each name once, and other libraries know
    messages of the same names.
    """
    files = FileDescriptorSet.FromString(file_descriptor_set).file
    pool = DescriptorPool()
    classes: dict[str, type[Message] | type[IntEnum]] = {}
    for file in files:
        pool.AddSerializedFile(file.SerializeToString())
        package = f"{file.package}."
        for enum in file.enum_type:
            values = {value.name: value.number for value in enum.value}
            classes[enum.name] = cast("type[IntEnum]", IntEnum(enum.name, values))
        for message in file.message_type:
            assert message.name not in classes, "two packages define one name"
            classes[message.name] = GetMessageClass(pool.FindMessageTypeByName(package + message.name))
    return classes
