"""The set-up on the wire: settings as they are everywhere, their names in camelCase, nothing unknown among them."""

from __future__ import annotations

import re
from functools import cache, reduce
from operator import or_
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct

from booking.db.configuration import TABLES, Kind, Settings

UNDERSCORE = re.compile(r"_([a-z])")


@cache
def on_the_wire(type_: Any) -> Any:  # noqa: ANN401 - types are values here
    """Return a type with its structs named in camelCase, unknown fields refused, all the way down."""
    if isinstance(type_, type) and issubclass(type_, Struct):
        fields = msgspec.structs.fields(type_)
        same = all(on_the_wire(one.type) == one.type and "_" not in one.encode_name for one in fields)
        if same and not issubclass(type_, Settings):
            return type_
        wire = msgspec.defstruct(
            type_.__name__,
            [
                (one.name, on_the_wire(one.type), msgspec.field(default=one.default))
                if one.default_factory is msgspec.NODEFAULT
                else (one.name, on_the_wire(one.type), msgspec.field(default_factory=one.default_factory))
                for one in fields
            ],
            rename="camel",
            forbid_unknown_fields=True,
            frozen=True,
            kw_only=True,
        )
        wire.__doc__ = type_.__doc__
        return wire
    if get_origin(type_) is Annotated:
        bare, *bounds = get_args(type_)
        return Annotated[(on_the_wire(bare), *bounds)]
    if get_origin(type_) in (list, tuple, UnionType, Union):
        parts = tuple(on_the_wire(part) for part in get_args(type_))
        return reduce(or_, parts) if get_origin(type_) in (UnionType, Union) else get_origin(type_)[parts]
    return type_


WIRE: dict[Kind, Any] = {kind: on_the_wire(table.settings) for kind, table in TABLES.items()}


def received(kind: Kind, sent: Struct) -> Settings:
    """Return settings as they came over the wire."""
    return msgspec.convert(sent, TABLES[kind].settings, from_attributes=True)


def in_camel_case(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a value as plain JSON, every name in camelCase."""
    if isinstance(value, Struct):
        return in_camel_case(msgspec.to_builtins(value))
    if isinstance(value, dict):
        return {path_in_camel_case(name): in_camel_case(one) for name, one in value.items()}
    return [in_camel_case(one) for one in value] if isinstance(value, list) else value


def path_in_camel_case(path: str) -> str:
    """Return a field's path as the wire names it: `bufferBefore`, `steps[0].duration`."""
    return UNDERSCORE.sub(lambda found: found[1].upper(), path)
