"""Budgets: what models may cost, for each teacher and for the whole run, and what they have cost.

Requests are counted when they are sent, tokens by the usage numbers of replies. Before every
request the account is looked at; once a cap is reached no further one is sent, and those in flight
are the most that is paid beyond it. What they bring is kept.

Spending is remembered in `spent.json` of the run folder, at most a second late, so that a cap
holds over all sessions of a run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from curation.errors import CapReached, ServerError
from curation.tables import write_text

if TYPE_CHECKING:
    from curation.models.usage import Usage
    from curation.recipes.models import Model

SPENT = "spent.json"
"""Name of the file in a run folder."""
_KEPT_EVERY = 1.0
"""Seconds between two writes of what was spent."""
_UNITS = {
    "tokens": " tokens",
    "requests": " requests",
    "gpu_seconds": " GPU-seconds",
    "money": " in money",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """The most that may be spent, of prompts and replies together; null is no cap."""

    tokens: int | None = None
    """Of prompts and replies."""
    requests: int | None = None
    """Sent ones, repeated ones included."""
    gpu_seconds: float | None = None
    """Seconds with requests in flight, times the `gpus` of the model."""
    money: float | None = None
    """At the prices of the models."""

    def __post_init__(self) -> None:
        for name in _UNITS:
            if (cap := getattr(self, name)) is not None and cap <= 0:
                raise ValueError(f"{name} is {cap}: a cap is more than 0")

    @property
    def limited(self) -> bool:
        """Whether there is a cap at all."""
        return any(getattr(self, name) is not None for name in _UNITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCaps(Caps):
    """The most that all models of a run may cost together."""

    renew: bool = False
    """Give every session the whole budget, and the teachers theirs, as a schedule wants it; else
    caps are for all sessions of a run folder together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What was paid."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    gpu_seconds: float = 0.0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Spent) -> Spent:
        names = [figure.name for figure in fields(self)]
        return Spent(**{name: getattr(self, name) + getattr(other, name) for name in names})


def cost(used: Usage, model: Model) -> Spent:
    """What a client's requests cost at the model's prices; a missing price counts as 0."""
    prompt = used.prompt_tokens * (model.prompt_price or 0.0)
    completion = used.completion_tokens * (model.completion_price or 0.0)
    return Spent(
        requests=used.sent,
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        gpu_seconds=used.busy_seconds * model.gpus,
        money=(prompt + completion) / 1e6,
    )


@dataclass(slots=True)
class Account:
    """What one model has cost, and may."""

    name: str
    caps: Caps
    before: Spent = field(default_factory=Spent)
    """By earlier sessions."""
    clients: list[Callable[[], Spent]] = field(default_factory=list)
    """What each client of this session has spent."""

    @property
    def session(self) -> Spent:
        return sum((spent() for spent in self.clients), Spent())

    @property
    def total(self) -> Spent:
        """By all sessions."""
        return self.before + self.session


@dataclass(slots=True)
class Budget:
    """The accounts of a run."""

    caps: RunCaps
    accounts: Mapping[str, Account]
    path: Path
    _kept: float = field(default_factory=time.monotonic)

    @classmethod
    def open(cls, caps: RunCaps, models: Mapping[str, Caps | None], path: Path) -> Self:
        """The accounts as earlier sessions left them.

        Args:
            models: everybody who may be asked by name, with caps of their own.
            path: where spending is remembered.
        """
        known = _read(path)
        names = {**dict.fromkeys(known), **models}
        accounts = {
            name: Account(name, own or Caps(), known.get(name, Spent()))
            for name, own in names.items()
        }
        return cls(caps, accounts, path)

    def permit(self, name: str, model: Model, used: Usage) -> Callable[[], None]:
        """Open an account for a client; the function is to be called before every request.

        It raises CapReached when nothing more may be asked, and ServerError when tokens are capped
        and the server's replies tell none.
        """
        self.accounts[name].clients.append(partial(cost, used, model))

        def check() -> None:
            self._check_told(name, used)
            self.check(name)
            if time.monotonic() - self._kept > _KEPT_EVERY:
                self.keep()

        return check

    def check(self, name: str) -> None:
        """Raise CapReached when the model, or the whole run, has reached a cap."""
        own = self.accounts[name]
        reached = own.caps.limited and _reached(own.caps, self._counted(own), name)
        if not reached and self.caps.limited:
            total = sum(map(self._counted, self.accounts.values()), Spent())
            reached = _reached(self.caps, total, "the run")
        if reached:
            again = "run again" if self.caps.renew else "run again with a larger cap"
            raise CapReached(
                f"stopped at the cap of {reached}; what is done is kept: {again} to go on"
            )

    def allows(self, name: str) -> bool:
        """Whether `check` passes."""
        try:
            self.check(name)
        except CapReached:
            return False
        return True

    def _counted(self, account: Account) -> Spent:
        return account.session if self.caps.renew else account.total

    def _check_told(self, name: str, used: Usage) -> None:
        both = (self.caps, self.accounts[name].caps)
        capped = any(caps.tokens is not None or caps.money is not None for caps in both)
        if capped and used.requests and not used.prompt_tokens:
            raise ServerError(
                f"the server of {name} does not tell how many tokens it used, so a cap on tokens or"
                " money cannot be kept: cap requests or gpu_seconds instead"
            )

    def keep(self) -> None:
        """Remember what was spent."""
        spent = {name: account.total for name, account in self.accounts.items()}
        told = {name: asdict(each) for name, each in spent.items() if each.requests}
        if told:
            write_text(self.path, json.dumps(told, indent=2) + "\n")
        self._kept = time.monotonic()


def _read(path: Path) -> dict[str, Spent]:
    if not path.exists():
        return {}
    told = json.loads(path.read_text(encoding="utf-8"))
    return {name: Spent(**figures) for name, figures in told.items()}


def _reached(caps: Caps, spent: Spent, whose: str) -> str | None:
    """The first cap that is reached, in words."""
    for name, unit in _UNITS.items():
        cap, value = getattr(caps, name), getattr(spent, name)
        if cap is not None and value >= cap:
            return f"{cap:,}{unit} of {whose} ({value:,.6g} spent)"
    return None
