"""How an arm asks its model: prompt, sampling and seeds, and the identity that they give a rollout.

What is measured must be what is trained: a pass rate belongs to a prompt, its layout, the images
and the sampling, so all of them are part of a rollout's id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.dialects import Dialect
from curation.embedded import CHECKPOINT
from curation.errors import RecipeError
from curation.models import Sampling
from curation.models.checkpoint import SERVERS_OWN, template_of
from curation.recipes.models import Model
from curation.recipes.recipe import MAX_IMAGES, MAX_RESPONSE_TOKENS, Arm, Recipe
from curation.rollouts.arms import Treatment, treatment
from curation.rollouts.plans import NOTE_MARK
from curation.rollouts.wording import Wording, wording
from schemas import Message


@dataclass(frozen=True, slots=True)
class Sampler:
    """How an arm asks its model."""

    arm: str
    model: str
    """Identity of the model, as rollouts record it."""
    dialect: Dialect
    temperature: float
    top_p: float
    max_tokens: int
    max_turns: int
    seed: int
    max_images: int = MAX_IMAGES
    max_response_tokens: int = MAX_RESPONSE_TOKENS
    tools: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Settings of the recipe's tools by name: they shape what is observed."""
    treatment: Treatment = field(default_factory=Treatment)
    pixels: tuple[int | None, int | None] = (None, None)
    """Least and most of an image; null where the server's processor has its own."""
    template: str = SERVERS_OWN
    """Hash of the chat template, where the checkpoint is at hand."""
    wording: Wording = field(default_factory=Wording)
    plans: tuple[str, ...] = ()
    """Of guided attempts."""

    @classmethod
    def of(cls, name: str, arm: Arm, model: Model, identity: str, recipe: Recipe) -> Sampler:
        treated = treatment(name, arm)
        dialect = recipe.dialect(arm.dialect)
        if dialect.native:
            _check_native(name, model)
        named = () if arm.dialect == "direct" else recipe.tools
        return cls(
            arm=name,
            model=identity,
            dialect=dialect,
            temperature=model.temperature if arm.temperature is None else arm.temperature,
            top_p=model.top_p if arm.top_p is None else arm.top_p,
            max_tokens=arm.max_tokens or model.max_tokens,
            # Where nothing is executed a first action is the last turn: it asks for an answer that
            # never comes. MED (arXiv 2602.01334) counts only replies without a call to the effect
            # of the schema, so such an attempt is unscored, neither gain nor harm.
            max_turns=1 if treated.bench is None else arm.max_turns,
            max_images=arm.max_images,
            max_response_tokens=arm.max_response_tokens,
            seed=recipe.seed,
            treatment=treated,
            pixels=(model.min_pixels, model.max_pixels),
            template=template_of(_checkpoint(model)),
            tools={tool.name: tool.settings for tool in named},
            wording=wording(model),
            plans=recipe.teach.plans if name == "guided" and recipe.teach else (),
        )

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that shapes a reply: rollouts made by other settings are not mixed."""
        # Tools that a recipe does not name leave no mark: rollouts of earlier runs stay valid.
        tools = {"tools": self.tools} if self.tools else {}
        guided = {"plans": list(self.plans), "note": NOTE_MARK} if self.plans else {}
        return {
            **tools,
            **self._budgets,
            **guided,
            "model": self.model,
            "dialect": self.dialect.name,
            "prompt": self.prompt_mark,
            "template": self.template,
            "images": self.treatment.images,
            "media": "stored bytes",
            "pixels": list(self.pixels),
            "observed": self.treatment.observed,
            "temperature": self.temperature,
            "top_p": self.top_p,
            "max_tokens": self.max_tokens,
            "max_turns": self.max_turns,
            "seed": self.seed,
        }

    @property
    def _budgets(self) -> dict[str, int]:
        """Budgets other than the published ones, which leave no mark either."""
        budgets = {
            "max_images": (self.max_images, MAX_IMAGES),
            "max_response_tokens": (self.max_response_tokens, MAX_RESPONSE_TOKENS),
        }
        return {name: value for name, (value, default) in budgets.items() if value != default}

    def opening(self, question: str, images: int) -> list[Message]:
        """The prompt about a sample, its images where the trainer has them."""
        shown = 0 if self.treatment.images == "none" else images
        return self.wording.told(self.dialect.opening(question, shown))

    @property
    def prompt_mark(self) -> str:
        """Hash of the prompt: roles, wording and the place of an image; pictures of examples."""
        messages = [[m.role, m.content] for m in self.opening("", 1)]
        told = json.dumps(messages) + self.wording.mark
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    @property
    def mark(self) -> str:
        """Hash of the settings; part of a rollout's identity."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]

    def sampling(self, n: int, seed: int) -> Sampling:
        return Sampling(
            n=n,
            temperature=self.temperature,
            top_p=self.top_p,
            max_tokens=self.max_tokens,
            stop=self.dialect.stop,
            seed=seed,
            native=self.dialect.native,
        )

    def check_context(self, context: int | None) -> None:
        """Refuse turns that would fill the model's context alone; null where it is not known.

        Raises:
            RecipeError: naming both numbers.
        """
        if context is not None and self.max_tokens >= context:
            raise RecipeError(
                f"the arm {self.arm} has max_tokens = {self.max_tokens} for a turn, but"
                f" {self.model} is served with {context} tokens for prompt and reply together:"
                " lower max_tokens, or serve it with more (`--max-model-len`)"
            )


def _check_native(arm: str, model: Model) -> None:
    """Refuse a server of ours that would not read native tool calls.

    Raises:
        RecipeError: naming what would do.
    """
    flag = "--enable-auto-tool-choice"
    if model.embedded:
        raise RecipeError(
            f"the arm {arm} makes native tool calls, which the embedded model does not know:"
            ' write dialect = "deepeyes-v2", or name another model'
        )
    if model.serve and flag not in model.serve_arguments:
        raise RecipeError(
            f"the arm {arm} makes native tool calls, which vLLM reads only when told how: add"
            f' serve_arguments = ["{flag}", "--tool-call-parser", "hermes"], or the parser of'
            " your model"
        )


def sample_seed(seed: int, arm: str, sample_id: str) -> int:
    """Seed of a sample's first attempt; attempt i has this seed plus i."""
    digest = hashlib.sha256(f"{seed}/{arm}/{sample_id}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 2


def _checkpoint(model: Model) -> Path | None:
    """The folder of a model that is served from this machine."""
    return CHECKPOINT if model.embedded else Path(model.serve) if model.serve else None
