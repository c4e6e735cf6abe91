"""A run at work: its recipe, its folder, and the model servers that its stages ask for."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from curation.errors import ServerError
from curation.manifest import Exported
from curation.models import ManagedServer, ModelClient, api_key_from, embedded_model
from curation.progress import Reporter, Silent
from curation.recipes.file import resolved
from curation.recipes.recipe import Model, Recipe
from curation.runs import Run
from curation.stage import Count, Stage, count_owed
from curation.tables import write_text


@dataclass(slots=True)
class Job:
    """What every stage is given."""

    recipe: Recipe
    run: Run
    reporter: Reporter = field(default_factory=Silent)
    probes: dict[str, str] = field(default_factory=dict)
    """What the sandbox found when it tested itself; for the manifest."""
    made: int = 0
    """Rows that this session found owed."""
    counts: dict[str, Count] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    exports: dict[str, Exported] = field(default_factory=dict)
    """What the stages of this session did; for the manifest too."""
    _servers: dict[tuple[object, ...], ManagedServer] = field(default_factory=dict)
    """By what they serve: policy, teacher and judge may be one model, sampled in three ways."""
    _stack: ExitStack = field(default_factory=ExitStack)

    @classmethod
    @contextmanager
    def open(cls, recipe: Recipe, run: Run, reporter: Reporter | None = None) -> Iterator[Job]:
        """Hold the run's lock, write the resolved recipe, and stop all servers at the end.

        Raises:
            RunError: another process is writing to the run.
        """
        with run.writing(), ExitStack() as stack:
            write_text(run.recipe_path, resolved(recipe))
            yield cls(recipe, run, reporter or Silent(), _stack=stack)

    def owed(self, stage: Stage) -> int:
        """How many rows of a stage are still to be made."""
        rows = count_owed(self.run, stage)
        self.made += rows
        return rows

    def client(self, model: Model) -> ModelClient:
        """A client for a model, to be entered; a server of our own is started by the first."""
        if model.endpoints:
            return client_of(model)
        server = self._server(model)
        return ModelClient(
            [server.url],
            model=server.served_name,
            max_in_flight=model.max_in_flight,
            timeout=model.timeout,
            media_root=self.run.images.folder.resolve(),
            extra=model.request_fields,
        )

    def _server(self, model: Model) -> ManagedServer:
        served = (model.embedded, model.serve, model.serve_arguments)
        if served not in self._servers:
            self.run.images.folder.mkdir(exist_ok=True)
            server = ManagedServer(
                embedded_model() if model.embedded else model.serve or "",
                served_name=check_model(model) if model.embedded else None,
                media_root=self.run.images.folder,
                arguments=model.serve_arguments,
                log=self.run.path / "logs" / "server.log",
            )
            self.reporter.say(f"starting vLLM for {server.served_name} (log: {server.log})")
            self._servers[served] = self._stack.enter_context(server)
        return self._servers[served]


def client_of(model: Model) -> ModelClient:
    """A client for servers that already run."""
    return ModelClient(
        model.endpoints,
        model=model.model,
        max_in_flight=model.max_in_flight,
        timeout=model.timeout,
        api_key=api_key_from(model.api_key_env) if model.api_key_env else None,
        extra=model.request_fields,
    )


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
