"""Recipes as TOML files, read strictly.

Unknown keys, names and settings, values of a wrong type or out of range are a `RecipeError` that
names the key, where it stands and what would do, before anything runs.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import filters
from curation.errors import ExportError, RecipeError
from curation.exporters import TARGETS, ExportSettings
from curation.exporters.contract import contract_rules
from curation.graders import GRADERS, JUDGE
from curation.graders.assigned import Graders
from curation.recipes.arms import read_arms, written_arms
from curation.recipes.models import JudgeModel, Model
from curation.recipes.presets import PRESETS, Preset
from curation.recipes.recipe import Arms, Export, Filter, Recipe, Source, Teach
from curation.recipes.settings import bind, bind_settings, check_names, resolve, unknown
from curation.recipes.teachers import check_guided, check_judged, read_budget, read_teachers
from curation.sandbox import SandboxSettings
from curation.task_runner import THREADS, check_installed, check_task_runner
from curation.tools import DEEPEYES_TOOLS, Tool
from schemas.sample import ANSWER_KINDS

SOURCES = {
    "easy_vqa": "curation.sources.easy_vqa:easy_vqa",
    "charts": "curation.sources.charts:charts",
    "documents": "curation.sources.documents:documents",
    "parquet": "curation.sources.tabular:parquet",
    "jsonl": "curation.sources.tabular:jsonl",
    "hub": "curation.sources.hub:hub",
}
TOOLS = {
    "zoom": "curation.tools.image:zoom",
    "rotate": "curation.tools.image:rotate",
    "python": "curation.tools.python:python",
    "search": "curation.tools.search:search",
    "image_search": "curation.tools.search:image_search",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """The top level of the TOML file."""

    sources: tuple[Mapping[str, Any], ...]
    """Where samples come from; at least one."""
    policy: Mapping[str, Any]
    """The model for which difficulty and benefit are measured."""
    decide: Mapping[str, Any]
    """Which samples are kept, and for what: a preset and its bounds."""
    seed: int = 0
    """Every attempt's own seed is derived from it."""
    drop_duplicates: bool = True
    """Drop samples that ask the same about the same picture, however it was encoded."""
    max_failed_share: float = 0.5
    """A stage of whose rows a larger share fails is given up."""
    task_runner: str = THREADS
    """Where images are measured and answers graded: `threads` here, or the machines of a cluster,
    `dask:tcp://HOST:8786` or `ray:auto`; `dask` and `ray` alone start one on this machine."""
    filters: tuple[Mapping[str, Any], ...] = ()
    """What a sample must pass before a model is asked about it."""
    teacher: Mapping[str, Any] | None = None
    """Who writes the trajectories; by default the policy."""
    teachers: tuple[Mapping[str, Any], ...] = ()
    """Several who share the attempts; in place of `teacher`."""
    budget: Mapping[str, Any] = field(default_factory=dict)
    """The most that all models of the run may cost together."""
    judge: Mapping[str, Any] | None = None
    """Who is asked where the rules of a grader cannot decide; by default nobody."""
    graders: Mapping[str, Any] = field(default_factory=dict)
    """The grader of a kind of answer; by default the kind's own."""
    arms: Mapping[str, Any] = field(default_factory=dict)
    """The ways in which samples are attempted; an arm without a table is not run, but `direct`."""
    teach: Mapping[str, Any] | None = None
    """How trajectories are made and chosen; without the table there are none."""
    tools: tuple[Mapping[str, Any], ...] = ()
    """What models may call beside what their dialect has by itself."""
    sandbox: Mapping[str, Any] = field(default_factory=dict)
    """Where code that a model wrote runs, and the limits of a session."""
    exports: tuple[Mapping[str, Any], ...] = ()
    """The trainers for whom shards are written."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources is empty: add a [[sources]] table")
        if not 0 <= self.max_failed_share <= 1:
            raise ValueError(f"max_failed_share is {self.max_failed_share}: write 0 to 1")
        check_task_runner(self.task_runner)


def load_recipe(path: Path, **instead: Any) -> Recipe:
    """Read and check a recipe file.

    Args:
        path: of a TOML file.
        instead: keys of the top level that hold in place of the file's; None leaves the file's.

    Raises:
        RecipeError: the file is missing, is no TOML, or says something that cannot be run.
    """
    return parse_recipe(_text(path), path.stem, **instead)


def load_rules(path: Path) -> tuple[Arms, Preset]:
    """The arms and the preset of a recipe file, which need no code of its sources and filters: a
    finished run is compared on machines that lack it.

    Raises:
        RecipeError: as `load_recipe`.
    """
    file = _parsed(_text(path), path.stem)
    arms = read_arms(file.arms)
    return arms, _preset(file.decide, arms)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read: {error.strerror}") from None


def _parsed(text: str, name: str, **instead: Any) -> File:
    try:
        top = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"the recipe {name} is no valid TOML: {error}") from None
    said = {key: value for key, value in instead.items() if value is not None}
    return bind(File, top | said, name)


def parse_recipe(text: str, name: str, **instead: Any) -> Recipe:
    """A recipe from TOML text; see `load_recipe`."""
    file = _parsed(text, name, **instead)
    check_installed(file.task_runner)
    policy = bind(Model, file.policy, "policy")
    arms = read_arms(file.arms)
    teach = bind(Teach, file.teach, "teach") if file.teach is not None else None
    recipe = Recipe(
        name=name,
        seed=file.seed,
        drop_duplicates=file.drop_duplicates,
        max_failed_share=file.max_failed_share,
        task_runner=file.task_runner,
        sources=_sources(file.sources),
        filters=tuple(_filter(t, f"filters[{i}]") for i, t in enumerate(file.filters)),
        policy=policy,
        teachers=read_teachers(file.teacher, file.teachers, policy),
        arms=arms,
        preset=_preset(file.decide, arms),
        teach=teach,
        tools=_tools(file.tools),
        sandbox=bind(SandboxSettings, file.sandbox, "sandbox"),
        exports=_exports(file.exports, pairs=bool(teach and teach.pairs)),
        judge=bind(JudgeModel, file.judge, "judge") if file.judge is not None else None,
        graders=_graders(file.graders, judged=file.judge is not None),
    )
    check_guided(recipe)
    check_judged(recipe)
    return replace(recipe, budget=read_budget(file.budget, recipe.models))


def _taken(
    table: Mapping[str, Any], key: str, where: str, default: str | None = None
) -> tuple[str, dict[str, Any]]:
    """A text key of a table, and the rest of the table."""
    rest = dict(table)
    value = rest.pop(key, default)
    if not isinstance(value, str) or not value:
        raise RecipeError(f'{where}: {key} is missing or no text: add `{key} = "..."`')
    return value, rest


def _sources(tables: Sequence[Mapping[str, Any]]) -> tuple[Source, ...]:
    sources = tuple(_source(table, f"sources[{i}]") for i, table in enumerate(tables))
    check_names("sources", [source.name for source in sources])
    return sources


def _source(table: Mapping[str, Any], where: str) -> Source:
    use, rest = _taken(table, "use", where)
    name, settings = _taken(rest, "name", where, default=use)
    limit = settings.pop("limit", None)
    if limit is not None and (type(limit) is not int or limit < 1):
        raise RecipeError(f"{where}.limit: {limit!r} is no positive whole number")
    function = resolve(use, SOURCES, "source", where)
    bind_settings(function, settings, f"{where} ({name})")
    return Source(name, use, function, settings, limit)


def _filter(table: Mapping[str, Any], where: str) -> Filter:
    use, rest = _taken(table, "use", where)
    name, settings = _taken(rest, "name", where, default=use.rpartition(":")[2])
    try:
        return Filter(name, use, filters.bind(use, settings))
    except ValueError as error:
        raise RecipeError(f"{where}: {error}") from None


def _graders(table: Mapping[str, Any], *, judged: bool) -> Graders:
    for kind, name in table.items():
        if kind not in ANSWER_KINDS:
            raise unknown("answer kind", kind, ANSWER_KINDS, "graders")
        check_grader(str(name), f"graders.{kind}", judged=judged)
    return Graders(dict(table))


def check_grader(name: str, where: str, *, judged: bool) -> None:
    """RecipeError unless a grader has that name; `judged`: the recipe has a judge."""
    if name not in (*GRADERS, JUDGE):
        raise unknown("grader", name, (*GRADERS, JUDGE), where)
    if name == JUDGE and not judged:
        raise RecipeError(f"{where}: nobody judges: add a [judge] table with its url or serve")


def _preset(table: Mapping[str, Any], arms: Arms) -> Preset:
    name, settings = _taken(table, "preset", "decide")
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS, "decide.preset")
    preset = bind(PRESETS[name], settings, "decide")
    for arm in preset.needs():
        if getattr(arms, arm) is None:
            table_name = "confirm" if arm.startswith("confirm") else arm
            raise RecipeError(
                f"decide: the preset {name} needs the arm {table_name}: add [arms.{table_name}]"
            )
    try:
        preset.conditions(arms.planned())
    except ValueError as error:
        raise RecipeError(f"decide: {error}") from None
    return preset


def _tools(tables: Sequence[Mapping[str, Any]]) -> tuple[Tool, ...]:
    tools = tuple(_tool(table, f"tools[{i}]") for i, table in enumerate(tables))
    check_names("tools", [tool.name for tool in (*DEEPEYES_TOOLS, *tools)])
    return tools


def _tool(table: Mapping[str, Any], where: str) -> Tool:
    use, rest = _taken(table, "use", where)
    name, settings = _taken(rest, "name", where, default=use.rpartition(":")[2])
    tool = Tool(name, resolve(use, TOOLS, "tool", where), settings)
    bind_settings(tool.function, settings, f"{where} ({name})")
    try:
        tool.schema  # noqa: B018
    except TypeError as error:
        raise RecipeError(f"{where}: {error}") from None
    return tool


def _exports(tables: Sequence[Mapping[str, Any]], *, pairs: bool) -> tuple[Export, ...]:
    exports = []
    for index, table in enumerate(tables):
        where = f"exports[{index}]"
        target, rest = _taken(table, "target", where)
        if target not in TARGETS:
            raise unknown("export target", target, TARGETS, f"{where}.target")
        if TARGETS[target].KIND == "dpo" and not pairs:
            raise RecipeError(
                f"{where}: {target} is written from pairs, and none are made: add `pairs = 2` to"
                " [teach]"
            )
        settings = bind(ExportSettings, rest, where)
        try:
            contract_rules(TARGETS[target], settings)
        except ExportError as error:
            raise RecipeError(f"{where}: {error}") from None
        exports.append(Export(target, settings))
    return tuple(exports)


def resolved(recipe: Recipe) -> str:
    """The recipe as TOML with every default written out."""
    lines = [
        _line(name, getattr(recipe, name))
        for name in ("seed", "drop_duplicates", "max_failed_share", "task_runner")
    ]
    for source in recipe.sources:
        named = {"name": source.name, "use": source.use, "limit": source.limit}
        lines += _table("[[sources]]", {**named, **source.settings})
    for item in recipe.filters:
        lines += _table("[[filters]]", {"name": item.name, "use": item.use, **item.keep.settings})
    lines += _table("[policy]", asdict(recipe.policy))
    for teacher in recipe.teachers:
        lines += _table("[[teachers]]", asdict(teacher))
    lines += _table("[budget]", asdict(recipe.budget))
    if recipe.judge:
        lines += _table("[judge]", asdict(recipe.judge))
    if recipe.graders.assigned:
        lines += _table("[graders]", recipe.graders.assigned)
    for name, table in written_arms(recipe.arms).items():
        lines += _table(f"[arms.{name}]", table)
    preset = next(name for name, kind in PRESETS.items() if type(recipe.preset) is kind)
    lines += _table("[decide]", {"preset": preset, **asdict(recipe.preset)})
    if recipe.teach:
        lines += _table("[teach]", asdict(recipe.teach))
    for tool in recipe.tools:
        lines += _table("[[tools]]", {"name": tool.name, "use": tool.use, **tool.settings})
    lines += _table("[sandbox]", asdict(recipe.sandbox))
    for export in recipe.exports:
        lines += _table("[[exports]]", {"target": export.target, **asdict(export.settings)})
    return "\n".join(lines) + "\n"


def _table(header: str, values: Mapping[str, Any]) -> list[str]:
    return ["", header, *(_line(key, value) for key, value in values.items() if value is not None)]


def _line(key: str, value: Any) -> str:
    return f"{key} = {toml_value(value)}"


def toml_value(value: Any) -> str:
    """A value as TOML writes it; JSON's text and numbers are TOML's."""
    if isinstance(value, Mapping):
        said = (f"{toml_value(k)} = {toml_value(v)}" for k, v in value.items() if v is not None)
        return "{ " + ", ".join(said) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
