"""What all cards share: the style sheet and the small pieces of HTML."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from schemas import Sample

STYLE = """
.toolsight { font: 14px/1.5 system-ui, sans-serif; max-width: 940px }
.toolsight article { border: 1px solid #8886; border-radius: 8px; padding: 16px; margin: 0 0 16px }
.toolsight .columns { display: grid; grid-template-columns: 400px minmax(0, 1fr); gap: 20px }
.toolsight header { margin: 0 0 10px }
.toolsight img { display: block; max-width: 100%; margin: 0 0 8px; border-radius: 4px }
.toolsight p { margin: 0 0 8px }
.toolsight p.question { font-size: 16px; font-weight: 600; white-space: pre-wrap }
.toolsight ul { margin: 0 0 8px; padding-left: 20px }
.toolsight ul.checks { list-style: none; padding: 0 }
.toolsight h5 { font: inherit; font-weight: 600; margin: 12px 0 4px }
.toolsight small { font-size: 12px; font-weight: 400; opacity: .7 }
.toolsight pre { font: 13px/1.5 ui-monospace, monospace; white-space: pre-wrap; margin: 0 0 8px;
  overflow-wrap: anywhere; color: inherit; background: none; padding: 0; border: 0 }
.toolsight pre i { font-style: normal; opacity: .5 }
.toolsight summary { cursor: pointer; opacity: .7 }
.toolsight .turn { border-left: 3px solid; padding: 2px 0 2px 14px; margin: 14px 0 0 }
.toolsight .turn h5 { margin-top: 0 }
.toolsight .model { border-color: #4477aa }
.toolsight .tool { border-color: #aa8833 }
.toolsight .badge { color: #fff; border-radius: 4px; padding: 2px 8px; font-size: 12px;
  font-weight: 600; margin-right: 6px }
.toolsight .badge.good { background: #1a7f37 }
.toolsight .badge.bad { background: #b3261e }
.toolsight .badge.plain { background: #666 }
.toolsight .attempt { display: inline-block; border: 1px solid #8886; border-radius: 4px;
  padding: 0 7px; margin: 0 4px 4px 0 }
.toolsight .mark.good { color: #2a9d4a }
.toolsight .mark.bad { color: #d9483b }
"""

_TAG = re.compile("&lt;/?[a-z_]+&gt;|```[a-z]*")


def page(cards: Iterable[str]) -> str:
    """Cards with their style sheet; a sentence when there is none."""
    # The class keeps MathJax from taking two prices in dollars for a formula.
    body = "".join(cards) or "<p>Nothing to show: the run holds no such rows.</p>"
    return f'<style>{STYLE}</style><div class="toolsight mathjax_ignore">{body}</div>'


def badge(kind: str, text: str) -> str:
    """A word on a coloured ground; `kind` is good, bad or plain."""
    return f'<span class="badge {kind}">{escape(text)}</span>'


def mark(passed: bool | None) -> str:
    """A tick, a cross, or a question mark for what is not known."""
    kind, sign = {True: ("good", "✓"), False: ("bad", "✗"), None: ("plain", "?")}[passed]
    return f'<b class="mark {kind}">{sign}</b>'


def tagged(text: str) -> str:
    """Preformatted text whose tags and code fences step back behind what they hold."""
    return "<pre>" + _TAG.sub(r"<i>\g<0></i>", escape(text)) + "</pre>"


def whence(sample: Sample) -> str:
    return f"<small>{escape(f'{sample.source} · {sample.origin_id} · {sample.category}')}</small>"


def question(sample: Sample) -> str:
    """Question, choices and gold answer with its aliases."""
    gold, *aliases = sample.answers
    also = f" <small>or {escape(', '.join(aliases))}</small>" if aliases else ""
    choices = "".join(f"<li>{escape(choice)}</li>" for choice in sample.choices)
    return f"""<p class="question">{escape(sample.question)}</p>
        {choices and f"<ul>{choices}</ul>"}
        <p>Gold answer: <b>{escape(gold)}</b>{also}</p>"""
