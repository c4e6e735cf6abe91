"""Which Arrow types may stand for each other when files are read one after the other."""

from __future__ import annotations

import pyarrow as pa

_FAMILIES = (
    lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind),
    lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
    pa.types.is_integer,
    pa.types.is_floating,
)


def same_kind(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether two types hold the same values for us, whatever their width or encoding."""
    one, other = (
        kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (one, other)
    )
    if pa.types.is_null(one) or pa.types.is_null(other):
        return True
    if _is_list(one) and _is_list(other):
        return same_kind(one.value_type, other.value_type)
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        fields = {field.name: field.type for field in other}
        return all(
            field.name not in fields or same_kind(field.type, fields[field.name]) for field in one
        )
    return one == other or any(test(one) and test(other) for test in _FAMILIES)


def _is_list(kind: pa.DataType) -> bool:
    return any(
        test(kind)
        for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    )
