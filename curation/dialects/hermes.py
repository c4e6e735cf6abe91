"""Native tool calls and the text that stands for them.

Conversations are text throughout, so that checks can read them and every SFT trainer can take them.
The text is what Qwen's chat templates make of tools, calls and results, known as `hermes` to
vLLM's parsers and to verl's tool agent; `native` takes it apart again for a request.

Images of a result follow it in a user message: OpenAI's API knows only text in a tool message
(`ChatCompletionToolMessageParam`), and vLLM refuses anything else there for most models
(vllm-project/vllm, issue 43203).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curation.dialects.base import IMAGE

_BEFORE_TOOLS = (
    "\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>\n"
)
_AFTER_TOOLS = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments"
    " within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
)
_CALL = re.compile(r"(.*?)<tool_call>(.*?)</tool_call>(.*)", re.DOTALL)
_TAG = re.compile(r"<(?=/?tool_call>)")
_RESULT, _RESULT_END = "<tool_response>\n", "\n</tool_response>"
_IMAGES = "Images of this result:\n"

ChatMessage = dict[str, Any]
"""A message of the chat completions API."""


def with_tools(system: str, schemas: Iterable[str]) -> str:
    """A system prompt that offers tools; the schemas are JSON without line breaks."""
    return system + _BEFORE_TOOLS + "\n".join(schemas) + _AFTER_TOOLS


def reply_text(message: Mapping[str, Any]) -> str:
    """A reply's content and, after it, its calls; TypeError or KeyError for what is no reply."""
    content = message.get("content") or ""
    if not isinstance(content, str):
        raise TypeError(f"the content of a reply is {type(content).__name__}, not text")
    calls = [_call_text(call["function"]) for call in message.get("tool_calls") or ()]
    if not calls:
        return content
    return "\n".join([content.rstrip(), *calls] if content.strip() else calls)


def _call_text(function: Mapping[str, Any]) -> str:
    """Arguments stay as they were written, but for a tag in them, which would end the call.

    Such as are no JSON become a string, and so a fault.
    """
    arguments = function["arguments"]
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    try:
        json.loads(arguments or "{}")
    except ValueError:
        arguments = json.dumps(arguments, ensure_ascii=False)
    arguments = _TAG.sub(r"\\u003c", arguments)
    name = json.dumps(function["name"], ensure_ascii=False)
    return f'<tool_call>\n{{"name": {name}, "arguments": {arguments or "{}"}}}\n</tool_call>'


def result_text(text: str) -> str:
    """A result; its images are named where they stood in it and shown after it."""
    pieces = text.split(IMAGE)
    named = "".join(
        f"[image {number}]{piece}" if number else piece for number, piece in enumerate(pieces)
    )
    shown = "\n" + _IMAGES + IMAGE * (len(pieces) - 1) if len(pieces) > 1 else ""
    return f"{_RESULT}{named.strip() or '(no output)'}{_RESULT_END}{shown}"


def native(messages: Sequence[ChatMessage]) -> tuple[list[ChatMessage], list[dict[str, Any]]]:
    """A conversation of text as messages with calls and results, and the tools that it offers.

    messages: the system's first, as `chat_messages` makes them
    """
    system, *turns = messages
    before, _, rest = system["content"].partition(_BEFORE_TOOLS)
    offered, _, after = rest.partition(_AFTER_TOOLS)
    tools = [json.loads(line) for line in offered.splitlines()]
    taken: list[ChatMessage] = [{"role": "system", "content": before + after}]
    for number, message in enumerate(turns):
        # Nine letters and digits, since Mistral's templates take no other ids.
        if _is_result(message):
            taken += _result(message, f"call{number:05d}")
        elif any(map(_is_result, turns[number + 1 : number + 2])):
            taken.append(_call(message, f"call{number + 1:05d}"))
        else:
            taken.append(message)
    return taken, tools


def _is_result(message: ChatMessage) -> bool:
    text: str = _parts(message)[0].get("text", "")
    return bool(message["role"] == "user" and text.startswith(_RESULT))


def _parts(message: ChatMessage) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _call(reply: ChatMessage, name: str) -> ChatMessage:
    found = _CALL.fullmatch(reply["content"])
    assert found is not None, "only a reply with a call is answered by a result"
    # A server that reads no calls leaves them in the text, with whatever stands around them.
    said, call = (found[1] + found[3]).strip(), json.loads(found[2])
    arguments = json.dumps(call.get("arguments") or {}, ensure_ascii=False)
    function = {"name": call["name"], "arguments": arguments}
    return {
        "role": "assistant",
        "content": said or None,
        "tool_calls": [{"id": name, "type": "function", "function": function}],
    }


def _result(observation: ChatMessage, name: str) -> list[ChatMessage]:
    """The tool's message, and the user's with what follows the result."""
    first, *images = _parts(observation)
    said, _, rest = first["text"].rpartition(_RESULT_END)
    result = {"role": "tool", "tool_call_id": name, "content": said.removeprefix(_RESULT)}
    told = [{"type": "text", "text": rest.lstrip("\n")}] if rest.strip() else []
    return [result, {"role": "user", "content": [*told, *images]}] if rest else [result]
