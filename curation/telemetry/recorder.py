"""Follows the clients of a session and keeps their figures."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from curation.budget import cost
from curation.telemetry.engine import Engine
from curation.telemetry.journal import append, read_traffic
from curation.telemetry.traffic import Traffic, total

if TYPE_CHECKING:
    from curation.models import ModelClient
    from curation.recipes.models import Model

_EVERY = 15.0
"""Seconds between two looks at servers, and between two lines of the journal."""


@dataclass(slots=True)
class Account:
    """An open client, the stage that asks through it, and what is already in the journal."""

    stage: str
    client: ModelClient
    model: Model
    engine: Engine = field(default_factory=Engine)
    written: Traffic = field(default_factory=Traffic)
    since: float = field(default_factory=time.perf_counter)

    async def look(self) -> None:
        """See what the servers tell."""
        self.engine.take(await self.client.metrics())

    @property
    def traffic(self) -> Traffic:
        """All that went through the client so far."""
        used = self.client.usage
        spent = cost(used, self.model)
        return Traffic(
            sent=used.sent,
            requests=used.requests,
            retries=used.retries,
            failures=used.failures,
            faults=dict(used.faults),
            prompt_tokens=used.prompt_tokens,
            completion_tokens=used.completion_tokens,
            request_seconds=used.seconds,
            encoding_seconds=used.encoding,
            open_seconds=time.perf_counter() - self.since,
            busy_seconds=used.busy_seconds,
            gpu_seconds=spent.gpu_seconds,
            money=spent.money,
            engine=dict(self.engine.sums),
        )

    @property
    def line(self) -> str:
        """How it goes, for a person."""
        now, used = self.traffic, self.client.usage
        parts = [f"{now.requests:,} requests", f"{used.in_flight} in flight"]
        parts += [f"{now.retries:,} repeated"] if now.retries else []
        parts += [f"{now.tokens_a_second:,.0f} tokens/s", f"idle {now.idle_seconds:.0f} s"]
        if self.engine.sums:
            parts += [
                f"server: {self.engine.running:.0f} running, {self.engine.waiting:.0f} waiting"
            ]
        return f"{self.client.model}: {', '.join(parts)}"


@dataclass(slots=True)
class Recorder:
    """The accounts of a session; `stage` is who asks now."""

    path: Path
    """The run's journal."""
    stage: str = ""
    _open: list[Account] = field(default_factory=list)
    _written: Traffic = field(init=False)

    def __post_init__(self) -> None:
        known = read_traffic(self.path)
        self._written = total(each for models in known.values() for each in models.values())

    @asynccontextmanager
    async def follow(self, client: ModelClient, model: Model) -> AsyncIterator[None]:
        """Keep the figures of a client for as long as it is open."""
        account = Account(self.stage, client, model)
        await account.look()
        self._open.append(account)
        keeping = asyncio.create_task(self._keep_on(account))
        try:
            yield
        finally:
            keeping.cancel()
            self._open.remove(account)
            await account.look()
            self._keep(account)

    async def _keep_on(self, account: Account) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            await account.look()
            self._keep(account)

    def _keep(self, account: Account) -> None:
        """Write what is new."""
        now = account.traffic
        new = now - account.written
        append(self.path, account.stage, account.client.model or "", new)
        account.written = now
        self._written += new

    def lines(self) -> list[str]:
        """How it goes: a line an open client, and what all sessions have cost."""
        spent = self._written + total(each.traffic - each.written for each in self._open)
        lines = [account.line for account in self._open]
        if spent.sent:
            money = f", {spent.money:,.2f} in money" if spent.money else ""
            tokens = spent.prompt_tokens + spent.completion_tokens
            lines.append(f"so far: {tokens:,} tokens, {spent.gpu_seconds:,.0f} GPU-seconds{money}")
        return lines
