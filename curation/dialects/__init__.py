"""Dialects: how a conversation is opened, what a reply asks for, how an observation is worded.

What a trainer's environment parses or emits is followed to the letter; the prompts, which are
data to the trainers, are our own words and lie in `prompts/`.
"""

from curation.dialects.base import Action, Answer, Call, Code, Dialect, Fault, Observed
from curation.dialects.deepeyes import DEEPEYES
from curation.dialects.deepeyes_v2 import DEEPEYES_V2
from curation.dialects.direct import DIRECT

DIALECTS: dict[str, Dialect] = {
    dialect.name: dialect for dialect in (DIRECT, DEEPEYES, DEEPEYES_V2)
}


def get_dialect(name: str) -> Dialect:
    """The dialect of that name; KeyError names the known ones."""
    if name not in DIALECTS:
        raise KeyError(f"no dialect {name!r}: choose one of {', '.join(DIALECTS)}")
    return DIALECTS[name]


__all__ = [
    "DIALECTS",
    "Action",
    "Answer",
    "Call",
    "Code",
    "Dialect",
    "Fault",
    "Observed",
    "get_dialect",
]
