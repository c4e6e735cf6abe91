"""The audit itself: every check over every row, counted, with examples."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from curation.audit.conversations import Conversation, read_conversations
from curation.audit.rollout import as_case
from curation.dialects import Dialect, get_dialect
from curation.dialects.base import IMAGE
from curation.errors import SourceError
from curation.rollouts.actions import Workbench
from curation.sandbox import Limits, Sandbox
from curation.sources.base import BadRow
from curation.tools import toolbox
from curation.verification import FLAGS, Case, Finding, error_free, examine, replay

READABLE = "readable"
"""The row is a conversation at all."""
REPLAY = "replay"


@dataclass(slots=True)
class Audit:
    """What was found in a file."""

    examples: int = 3
    """Rows shown a check."""
    rows: int = 0
    sound: int = 0
    """Rows that no check speaks against."""
    counts: dict[str, Counter[bool | None]] = field(default_factory=dict)
    shown: dict[str, list[str]] = field(default_factory=dict)
    """By check: the first rows that failed, and what was seen."""
    _seen: set[bytes] = field(default_factory=set)

    def add(self, position: str, found: dict[str, Finding]) -> None:
        """Count the findings of one row."""
        self.rows += 1
        self.sound += all(
            name in FLAGS or finding.passed is not False for name, finding in found.items()
        )
        for name, finding in found.items():
            self.counts.setdefault(name, Counter())[finding.passed] += 1
            if finding.passed is False:
                examples = self.shown.setdefault(name, [])
                if len(examples) < self.examples:
                    examples.append(f"{position}: {finding.evidence}")

    def duplicate(self, case: Case) -> Finding:
        """Whether an earlier row says the same word for word about the same images."""
        said = "\n".join((*case.image_ids, case.question, *case.texts))
        digest = hashlib.blake2b(said.encode(), digest_size=16).digest()
        if digest in self._seen:
            return Finding(False, "an earlier row says the same")
        self._seen.add(digest)
        return Finding(True, "no earlier row says the same")

    def cells(self) -> list[tuple[str, ...]]:
        """Header and one line a check, those that fail most first."""
        lines = sorted(self.counts.items(), key=lambda item: -item[1][False])
        return [
            ("check", "failed", "share", "passed", "not applicable"),
            *(
                (name, _count(by[False]), f"{by[False] / self.rows:.1%}", *_rest(by))
                for name, by in lines
            ),
        ]


def _rest(by: Counter[bool | None]) -> tuple[str, str]:
    return _count(by[True]), _count(by[None])


def _count(number: int) -> str:
    return f"{number:,}" if number else ""


def audit_dialect(name: str) -> Dialect:
    """The grammar of foreign trajectories.

    Raises:
        SourceError: there is none of that name.
    """
    if name == "openai":
        raise SourceError(
            "--dialect: the tools of native calls are not told by a file of conversations: write"
            " deepeyes, which reads the same <tool_call> and takes any name"
        )
    try:
        return get_dialect(name)
    except KeyError as error:
        raise SourceError(f"--dialect: {error.args[0]}") from None


async def audit(
    file: Path,
    dialect: Dialect,
    *,
    images: Path | None = None,
    run_again: bool = False,
    examples: int = 3,
) -> Audit:
    """Check every row of a file; `run_again` also runs its code in the sandbox.

    Raises:
        SourceError: the file holds no conversations, or cannot be read.
    """
    found = Audit(examples=examples)
    rows = read_conversations(file, images)
    if not run_again:
        for row in rows:
            _add(found, row, dialect)
        return found
    async with Sandbox(Limits()) as sandbox:
        workbench = Workbench(sandbox, toolbox(dialect.name))
        for row in rows:
            await _add_replayed(found, row, dialect, workbench)
    return found


def _add(found: Audit, row: Conversation | BadRow, dialect: Dialect) -> None:
    position, findings, _ = _findings(found, row, dialect)
    found.add(position, findings)


async def _add_replayed(
    found: Audit, row: Conversation | BadRow, dialect: Dialect, workbench: Workbench
) -> None:
    position, findings, case = _findings(found, row, dialect)
    if case is not None:
        with tempfile.TemporaryDirectory() as folder:
            paths = list(_written(case, Path(folder)))
            async with workbench.bench(paths, seed=0) as bench:
                findings[REPLAY] = await replay(case, bench)
    found.add(position, findings)


def _written(case: Case, folder: Path) -> Iterator[Path]:
    """The question's images as files, as a session wants them."""
    for number, image_id in enumerate(case.image_ids):
        path = folder / str(number)
        path.write_bytes(case.gallery.read(image_id))
        yield path


def _findings(
    found: Audit, row: Conversation | BadRow, dialect: Dialect
) -> tuple[str, dict[str, Finding], Case | None]:
    if isinstance(row, BadRow):
        return row.origin_id, {READABLE: Finding(False, row.message)}, None
    case = as_case(row, dialect)
    findings = {
        READABLE: Finding(True, "a conversation"),
        "error_free": error_free(case),
        **examine(case),
        "duplicate": found.duplicate(case),
    }
    if fault := _image_fault(row):
        findings["placeholders"] = Finding(False, fault)
    return row.position, findings, case


def _image_fault(row: Conversation) -> str | None:
    """Images that are missing, or out of step with their placeholders."""
    if row.image_fault:
        return row.image_fault
    wanted = sum(each.content.count(IMAGE) for each in row.messages if each.role == "user")
    if wanted != len(row.images):
        return f"{wanted} placeholders for {len(row.images)} images"
    return None
