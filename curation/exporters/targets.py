"""The export targets by name."""

from __future__ import annotations

from curation.errors import ExportError
from curation.exporters import (
    deepeyes,
    deepeyes_v2,
    hub,
    llamafactory,
    llamafactory_dpo,
    ms_swift,
    ms_swift_dpo,
    trl,
    trl_dpo,
    verl,
    verl_sft,
)
from curation.exporters.base import Target

TARGETS: dict[str, Target] = {
    target.NAME: target
    for target in (
        deepeyes,
        deepeyes_v2,
        verl,
        verl_sft,
        llamafactory,
        ms_swift,
        trl,
        llamafactory_dpo,
        ms_swift_dpo,
        trl_dpo,
        hub,
    )
}


def get_target(name: str) -> Target:
    """The target of that name.

    Raises:
        ExportError: there is none; names those there are.
    """
    if name not in TARGETS:
        raise ExportError(f"no export target {name!r}: choose one of {', '.join(TARGETS)}")
    return TARGETS[name]
