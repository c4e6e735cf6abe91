"""What each arm shows to the model: the image, and what comes back from its tools."""

from __future__ import annotations

from dataclasses import dataclass

from curation.recipes.recipe import Arm, Placebo
from curation.rollouts.actions import Bench
from curation.rollouts.placebo import KINDS


@dataclass(frozen=True, slots=True)
class Treatment:
    """How an arm differs from the others; part of the identity of its rollouts."""

    images: str = "originals"
    """originals, evidence (one crop a box, and nothing else) or none."""
    observed: str = "nothing"
    """nothing (no action is executed), what the tools give, or a kind of placebo."""

    @property
    def bench(self) -> type[Bench] | None:
        """Executes actions; null where none are."""
        return {"nothing": None, "tools": Bench, **KINDS}[self.observed]


def treatment(name: str, arm: Arm) -> Treatment:
    """The treatment of an arm; `name` is one of `schemas.rollout.ARMS`."""
    match name:
        case "text_only":
            return Treatment(images="none")
        case "oracle_crop":
            return Treatment(images="evidence")
        case "tools" | "confirm_tools" | "teacher" | "guided":
            return Treatment(observed="tools")
        case "placebo" if isinstance(arm, Placebo):
            return Treatment(observed=arm.kind)
    # direct, confirm_direct, and schema_only: the prompt offers tools, none is executed.
    return Treatment()
