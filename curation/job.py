"""A run at work: its recipe, its folder, and the model servers that its stages ask for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import duckdb

from curation.budget import SPENT, Budget
from curation.errors import RunError, ServerError, StaleSettingsError, ToolsightError
from curation.manifest import SessionLog, note_stop
from curation.models import ManagedServer, ModelClient, api_key_from, embedded_model
from curation.progress import Reporter, Silent
from curation.recipes.file import resolved
from curation.recipes.models import Model, Teacher
from curation.recipes.recipe import Recipe
from curation.runs import Run
from curation.sandbox import CodeSandbox, ForkServer, open_sandbox
from curation.stage import Count, Stage, count_mark, count_owed, count_stage
from curation.tables import is_full, write_text
from curation.task_runner import TaskRunner, open_task_runner
from curation.telemetry import FILE, Recorder


@dataclass(slots=True)
class Job:
    """What every stage is given."""

    recipe: Recipe
    run: Run
    reporter: Reporter = field(default_factory=Silent)
    log: SessionLog = field(default_factory=SessionLog)
    budget: Budget = field(init=False)
    telemetry: Recorder = field(init=False)
    """What is asked of models, stage by stage."""
    _identities: dict[Model, str] = field(default_factory=dict)
    _servers: dict[tuple[object, ...], ManagedServer] = field(default_factory=dict)
    """By what they serve: policy, teacher and judge may be one model, sampled in three ways."""
    _stack: ExitStack = field(default_factory=ExitStack)
    _fork_server: ForkServer = field(init=False)
    _task_runner: TaskRunner | None = None
    _counted: dict[str, Stage] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._fork_server = ForkServer(self.recipe.sandbox)
        self._stack.callback(self._fork_server.stop)
        caps = {
            name: model.budget if isinstance(model, Teacher) else None
            for name, model in self.recipe.models.items()
        }
        self.budget = Budget.open(self.recipe.budget, caps, self.run.path / SPENT)
        self.telemetry = Recorder(self.run.path / FILE)
        self.reporter.follow(self.telemetry.lines)

    @classmethod
    @contextmanager
    def open(cls, recipe: Recipe, run: Run, reporter: Reporter | None = None) -> Iterator[Job]:
        """Hold the run's lock, write the resolved recipe, and stop all servers at the end. What
        ends the session early is written to the manifest.

        Raises:
            RunError: another process is writing to the run, another version wrote it, or the disk
                is full.
        """
        with _room(run), run.writing(), ExitStack() as stack:
            job = cls(recipe, run, reporter or Silent(), _stack=stack)
            stack.callback(job.budget.keep)
            with _noted(job), _room(run), _kept_beside(run, recipe):
                yield job

    def tell(self, sentence: str) -> None:
        """Say something now, and remember it for the manifest."""
        self.reporter.say(sentence)
        self.log.notes.append(sentence)

    def owed(self, stage: Stage) -> int:
        """How many rows of a stage are still to be made."""
        rows = count_owed(self.run, stage)
        self.log.made += rows
        return rows

    def count(self, stage: Stage) -> Count:
        """What went into a stage and what became of it."""
        self._counted[stage.name] = stage
        return count_stage(self.run, stage)

    def count_again(self) -> None:
        """Count stages anew whose tables later ones have changed since, so that the next session
        knows their counts by what they were made from, instead of counting every row."""
        for name, stage in self._counted.items():
            known = self.log.counts.get(name)
            if known and known.made_from not in ("", count_mark(self.run, stage)):
                self.log.counts[name] = count_stage(self.run, stage)

    def identity(self, model: Model) -> str:
        """Who answers, as rollouts record it; asked once a session, so that a server that is away
        between two stages is waited for like one that goes away in the middle of a stage.

        Raises:
            ServerError: see `check_model`.
        """
        if model not in self._identities:
            self._identities[model] = check_model(model)
        return self._identities[model]

    def sandbox(self) -> CodeSandbox:
        """Where code runs, to be entered; a fork server on this machine is started by the first."""
        return open_sandbox(self.recipe.sandbox, self._fork_server)

    def task_runner(self) -> TaskRunner:
        """Where stages compute that ask nobody; opened for the first that has something to do.

        Raises:
            RunError: the recipe's cluster cannot be reached.
        """
        if self._task_runner is None:
            opened = open_task_runner(self.recipe.task_runner)
            self._task_runner = self._stack.enter_context(opened)
        return self._task_runner

    def client(self, model: Model) -> ModelClient:
        """A client for a model, to be entered; a server of our own is started by the first.

        What it asks is charged to the model's account.
        """
        client = self._running(model) if model.endpoints else self._own(model)
        name = next(name for name, each in self.recipe.models.items() if each == model)
        permit = self.budget.permit(name, model, client.usage)
        client.permit = self.run.store.guard(permit) if self.run.store else permit
        return client

    def _running(self, model: Model) -> ModelClient:
        """For servers that run already."""
        named = replace(model, model=self._identities.get(model, model.model))
        return client_of(named, tell=self.tell, follow=partial(self.telemetry.follow, model=model))

    def _own(self, model: Model) -> ModelClient:
        server = self._server(model)
        return ModelClient(
            [server.url],
            model=server.served_name,
            media_root=self.run.images.folder.resolve(),
            tell=self.tell,
            follow=partial(self.telemetry.follow, model=model),
            **_behaviour(model),
        )

    def _server(self, model: Model) -> ManagedServer:
        served = (model.embedded, model.serve, model.serve_arguments)
        if served not in self._servers:
            self.run.images.folder.mkdir(exist_ok=True)
            server = ManagedServer(
                embedded_model() if model.embedded else model.serve or "",
                served_name=self.identity(model) if model.embedded else None,
                media_root=self.run.images.folder,
                arguments=model.serve_arguments,
                log=self.run.path / "logs" / "server.log",
            )
            self.reporter.say(f"starting vLLM for {server.served_name} (log: {server.log})")
            self._servers[served] = self._stack.enter_context(server)
        return self._servers[served]


@contextmanager
def _kept_beside(run: Run, recipe: Recipe) -> Iterator[None]:
    """The resolved recipe beside the rows; when the rows refuse it, the one before comes back."""
    before = run.recipe_path.read_text(encoding="utf-8") if run.recipe_path.exists() else None
    write_text(run.recipe_path, resolved(recipe))
    try:
        yield
    except StaleSettingsError:
        if before is not None:
            write_text(run.recipe_path, before)
        raise


def client_of(model: Model, **observers: Any) -> ModelClient:
    """A client for servers that already run; `observers` are ModelClient's `tell` and `follow`."""
    return ModelClient(
        model.endpoints,
        model=model.model,
        api_key=api_key_from(model.api_key_env) if model.api_key_env else None,
        **observers,
        **_behaviour(model),
    )


def _behaviour(model: Model) -> dict[str, Any]:
    """The settings that a recipe has for clients."""
    return {
        "max_in_flight": model.max_in_flight,
        "timeout": model.timeout,
        "retries": model.retries,
        "backoff": model.backoff,
        "patience": model.patience,
        "extra": model.request_fields,
    }


@contextmanager
def _noted(job: Job) -> Iterator[None]:
    """Write down why a session ends early, as far as there is room."""
    try:
        yield
    except ToolsightError as error:
        with suppress(OSError):
            note_stop(job.run, str(error), job.log.notes)
        raise


@contextmanager
def _room(run: Run) -> Iterator[None]:
    """A full disk is no bug: RunError says what to do."""
    try:
        yield
    except (OSError, duckdb.Error) as error:
        if not is_full(error):
            raise
        raise RunError(
            f"the disk of {run.path} is full: make room, then run again; what is done is kept"
        ) from error


def check_model(model: Model) -> str:
    """Who answers, as rollouts record it; nothing is started for that.

    Raises:
        ServerError: a server does not answer, serves another model, or a checkpoint is damaged.
    """
    if model.embedded:
        weights = (embedded_model() / "model.safetensors").read_bytes()
        return f"embedded-{hashlib.sha256(weights).hexdigest()[:12]}"
    return model.serve or asyncio.run(_served(model))


async def _served(model: Model) -> str:
    async with client_of(model) as client:
        names = await client.served_models()
    if model.model is not None and model.model not in names:
        raise ServerError(
            f"{', '.join(model.endpoints)} serves {', '.join(names)}, and the recipe asks for"
            f" {model.model!r}: correct `model`, or leave it out"
        )
    return model.model or names[0]
