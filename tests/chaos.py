"""A whole job under everything that goes wrong: a server that fails most of the time, a process
that is killed at random moments, and a wall clock that jumps.

    outcome = ordeal(folder, kills=8, samples=10, share=0.1, seed=0)
    print(outcome)  # faults injected by kind, requests repeated, rows lost, rows doubled

Replies are a function of the request, so a run that bears all this has the rows of a calm one.

    python -m tests.chaos run RECIPE --run FOLDER   # `toolsight`, under such a clock
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.runs import RECORDS, Run
from curation.sources import RawSample
from tests.curation.scene import recipe_text, reply, sum_sample
from tests.scripted_server import Fault, ScriptedServer, Text, completion

_ROOT = Path(__file__).parents[1]
_JUDGE = """
[graders]
text = "judge"
[judge]
url = "{url}"
attempts = 1
"""
_PATIENT = "timeout = 1.0\nbackoff = 0.02\nretries = 60\n"
"""Eight kinds of faults at 10 % each leave a try one chance in five, and a stage of so small a job
has too few requests to learn that from them."""
TIMES = {"seconds"}
"""Fields that differ from run to run."""


def sums(*, limit: int = 24) -> Iterator[RawSample]:
    """The scene's sums, a third of which only the judge can grade."""
    for number in range(limit):
        yield sum_sample(number, answer_kind="number" if number % 3 else "text")


def write_recipe(folder: Path, url: str, samples: int) -> Path:
    """The scene's recipe with a judge, and models that are asked again soon."""
    text = recipe_text(url, samples).replace("tests.curation.scene:sums", "tests.chaos:sums")
    text += _JUDGE.format(url=url)
    path = folder / "chaos.toml"
    path.write_text(text.replace(f'url = "{url}"\n', f'url = "{url}"\n{_PATIENT}'))
    return path


def answer(request: dict[str, Any]) -> Sequence[Text]:
    """What the models of the scene say, and the judge."""
    if "response_format" not in request:
        said = reply(request)
        assert not isinstance(said, Fault)
        return said
    case = json.loads(request["messages"][1]["content"])
    verdict = "right" if case["response"] in case["accepted"] else "wrong"
    return [json.dumps({"reason": "compared", "verdict": verdict})] * request["n"]


@dataclass(slots=True)
class Ill:
    """Does to a share of the requests each thing that a server can do wrong."""

    share: float
    draw: random.Random
    injected: Counter[str] = field(default_factory=Counter)
    """By kind."""

    def __call__(self, request: dict[str, Any]) -> Sequence[Text] | Fault:
        said = answer(request)
        kinds = self._kinds(said)
        number = int(self.draw.random() / self.share)
        if number >= len(kinds):
            return said
        kind = list(kinds)[number]
        self.injected[kind] += 1
        return kinds[kind]

    def _kinds(self, said: Sequence[Text]) -> dict[str, Sequence[Text] | Fault]:
        body = json.dumps(completion("scripted", said))
        return {
            "rate limit": Fault(status=429, retry_after=0.05),
            "error 500": Fault(status=500),
            "connection cut": Fault(cut=True),
            "stall": Fault(stall=True),
            "truncated JSON": Fault(body=body[: self.draw.randrange(len(body))]),
            "wrong JSON": Fault(body=self.draw.choice(("null", "[]", '{"choices": [{}]}'))),
            "wrong count": [*said, said[0]] if self.draw.random() < 0.5 else said[1:],
            "empty content": [""] * len(said),
        }


@dataclass(slots=True)
class Outcome:
    """What was done to a job, and what it made of it."""

    injected: Counter[str]
    kills: int
    runs: int
    """Finished ones; a run that was done before the last kill is followed by another."""
    repeated: int
    """Requests beyond those of as many calm runs."""
    lost: int = 0
    doubled: int = 0
    """Rows that a calm run has and these have not, and the other way round."""

    def __str__(self) -> str:
        faults = ", ".join(f"{kind} {count}" for kind, count in sorted(self.injected.items()))
        return (
            f"chaos: {self.kills} kills in {self.runs} runs; {self.injected.total()} faults"
            f" injected ({faults}); {self.repeated} requests repeated;"
            f" rows lost {self.lost}, doubled {self.doubled}"
        )


def ordeal(folder: Path, *, kills: int, samples: int, share: float, seed: int) -> Outcome:
    """Runs that are killed `kills` times in all, each compared with a calm one when it is done.

    share: of the requests that each of the eight kinds of fault befalls
    """
    draw = random.Random(seed)
    ill = Ill(share, draw)
    with ScriptedServer(answer, record=False) as server:
        recipe = write_recipe(folder, server.url, samples)
        calm, started = Run(folder / "calm"), time.monotonic()
        assert live(recipe, calm.path, server, None), "nothing kills the calm run"
        longest, paid = time.monotonic() - started, server.count
        outcome = Outcome(ill.injected, 0, 0, 0)
        server.reply = ill
        while outcome.kills < kills or not outcome.runs:
            run = Run(folder / f"run-{outcome.runs}")
            left = outcome.kills < kills
            if live(recipe, run.path, server, draw.uniform(0, longest) if left else None):
                outcome.runs += 1
                compare(calm, run, outcome)
            else:
                outcome.kills += 1
        outcome.repeated = server.count - paid * (outcome.runs + 1)
    return outcome


def live(recipe: Path, run: Path, server: ScriptedServer, seconds: float | None) -> bool:
    """One life of a run, ended by SIGKILL so many seconds after its first word to the server;
    whether it came to its end before."""
    listed = server.listed
    command = [sys.executable, "-m", "tests.chaos", "run", str(recipe), "--run", str(run)]
    with (
        (run.parent / f"{run.name}.log").open("ab") as log,
        subprocess.Popen(command, cwd=_ROOT, stdout=log, stderr=log) as process,
    ):
        while server.listed == listed and process.poll() is None:
            time.sleep(0.005)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        process.kill()  # which does nothing to a process that has ended
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(Path(log.name).read_text()[-2000:])
    return process.returncode == 0


def compare(calm: Run, run: Run, outcome: Outcome) -> None:
    """Count the rows that only one of two runs has."""
    for name in RECORDS:
        expected, found = rows(calm, name), rows(run, name)
        outcome.lost += (expected - found).total()
        outcome.doubled += (found - expected).total()


def rows(run: Run, name: str) -> Counter[str]:
    """A table's rows as text, without times."""
    with run.connect() as db:
        table = db.sql(f"FROM {name}").to_arrow_table().to_pylist()
    return Counter(json.dumps(timeless(row), sort_keys=True) for row in table)


def timeless(value: Any) -> Any:
    """A row without the fields that differ from run to run."""
    if isinstance(value, dict):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def main() -> None:
    """The command line under a wall clock that jumps by hours and days, back and forth."""
    real, draw = time.time, random.Random()
    time.time = lambda: real() + draw.choice((-86_400, -3600, 0, 3600, 30 * 86_400))
    from curation.cli import app

    app()


if __name__ == "__main__":
    main()
