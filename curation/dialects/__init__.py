"""Dialects: how a conversation is opened, what a reply asks for, how an observation is worded.

What a trainer's environment parses or emits is followed to the letter; the prompts, which are
data to the trainers, are our own words and lie in `prompts/`.
"""

from collections.abc import Iterable

from curation.dialects.base import Action, Answer, Call, Code, Dialect, Fault, Observed
from curation.dialects.deepeyes import DeepEyes
from curation.dialects.deepeyes_v2 import DeepEyesV2
from curation.dialects.direct import Direct
from curation.dialects.openai import OpenAI

DIALECTS = ("direct", "deepeyes", "deepeyes-v2", "openai")


def get_dialect(name: str, tools: Iterable[str] = ()) -> Dialect:
    """The dialect of that name, offering tools of these schemas (JSON); KeyError for no name."""
    match name:
        case "direct":
            return Direct()
        case "deepeyes":
            return DeepEyes(tools=tuple(tools))
        case "deepeyes-v2":
            return DeepEyesV2(tools=tuple(tools))
        case "openai":
            return OpenAI(tools=tuple(tools))
    raise KeyError(f"no dialect {name!r}: choose one of {', '.join(DIALECTS)}")


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
