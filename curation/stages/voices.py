"""Voices: who makes the attempts of an arm, and which of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from curation.images import ImageStore
from curation.job import check_model
from curation.recipes.models import Model, Teacher
from curation.recipes.recipe import Arm, Recipe
from curation.rollouts.sampler import Sampler
from schemas import Author
from schemas.rollout import TEACHING


@dataclass(frozen=True, slots=True)
class Voice:
    """A model that makes attempts of an arm, and how it is asked."""

    model: Model
    sampler: Sampler

    @property
    def name(self) -> str:
        """What budgets call it."""
        return self.model.name if isinstance(self.model, Teacher) else "policy"

    @property
    def part(self) -> str:
        """The stage that its rollouts are written under, with settings of its own."""
        arm = self.sampler.arm
        return arm if self.name in ("policy", "teacher") else f"{arm}_{self.name}"

    @property
    def author(self) -> Author | None:
        """Null for the policy, whose rollouts measure."""
        if not isinstance(self.model, Teacher):
            return None
        model = self.model
        return Author(model.name, self.sampler.model, model.endpoint, model.terms)

    @property
    def share(self) -> float:
        return self.model.share if isinstance(self.model, Teacher) else 1.0

    def kept(self, store: ImageStore) -> Voice:
        """The same with the pictures of its examples in the run's store."""
        wording = self.sampler.wording.kept(store)
        return replace(self, sampler=replace(self.sampler, wording=wording))


def voices_of(
    recipe: Recipe, name: str, identity: Callable[[Model], str] = check_model
) -> list[Voice]:
    """Who makes the attempts of an arm: the policy, or the teachers.

    identity: who answers for a model, see `Job.identity`

    Raises:
        ServerError: a server does not answer, or serves another model.
        RecipeError: a file of a teacher's prompt cannot be read.
    """
    arm = arm_of(recipe, name)
    models: Sequence[Model] = recipe.teachers if name in TEACHING else [recipe.policy]
    return [Voice(m, Sampler.of(name, _own(arm, m), m, identity(m), recipe)) for m in models]


def _own(arm: Arm, model: Model) -> Arm:
    """The arm in the dialect that a teacher writes."""
    own = model.dialect if isinstance(model, Teacher) else None
    return replace(arm, dialect=own) if own else arm


def arm_of(recipe: Recipe, name: str) -> Arm:
    """An arm of the recipe."""
    if name in TEACHING:
        assert recipe.teach is not None, "the pipeline teaches only where the recipe says so"
        return recipe.teach.arm(name)
    arm: Arm | None = getattr(recipe.arms, name)
    assert arm is not None, "the pipeline runs only the arms of the recipe"
    return arm


def attempts_sql(voices: Sequence[Voice], samples: str, n: int) -> str:
    """SQL: n attempts at every sample, each with its rollout id.

    A hash of sample and attempt draws the speaker, so that another run asks the same one; when
    shares change, only as many attempts as must change hands do. Each id holds the settings of who
    made it: what a teacher has written stays, whoever would be asked today.
    """
    return f"""
        SELECT sample_id, attempt, {rollout_sql(voices)} AS rollout_id
        FROM ({samples}) CROSS JOIN range({n}) AS attempts(attempt)
    """


def rollout_sql(voices: Sequence[Voice]) -> str:
    """SQL over `sample_id` and `attempt`: the rollout id."""
    arm, marks = voices[0].sampler.arm, [voice.sampler.mark for voice in voices]
    return f"sha256(concat_ws('/', sample_id, '{arm}', {_case(voices, marks)}, attempt))"


def speaker_sql(voices: Sequence[Voice]) -> str:
    """SQL over `sample_id` and `attempt`: who makes it."""
    return _case(voices, [voice.name for voice in voices])


_DRAW = """('0x' || sha256(concat_ws('/', 'speaker', sample_id, attempt))[:8])::UBIGINT
           / 4294967296.0"""


def _case(voices: Sequence[Voice], values: Sequence[str]) -> str:
    """SQL: each voice's value over its share of what is drawn."""
    *some, last = values
    bounds = accumulate(voice.share for voice in voices)
    cases = zip(bounds, some, strict=False)  # the last voice has the rest
    whens = [f"WHEN {_DRAW} < {bound!r} THEN '{value}'" for bound, value in cases]
    return f"CASE {' '.join(whens)} ELSE '{last}' END" if whens else f"'{last}'"
