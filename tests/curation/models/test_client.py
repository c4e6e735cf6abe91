"""The client against a scripted server: what it sends, and how it bears every fault."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from curation.errors import ContextError, RequestError, ServerError
from curation.models import Completion, ModelClient, Sampling, api_key_from
from schemas import Message
from tests.scripted_server import Fault, Request, ScriptedServer

QUESTION = [Message("user", "How many?")]


def client(*servers: ScriptedServer, **settings: Any) -> ModelClient:
    return ModelClient([server.url for server in servers], **({"backoff": 0} | settings))


def once(fault: Fault | Sequence[str]) -> Callable[[Request], Sequence[str] | Fault]:
    """A script that misbehaves on the first request only."""
    outcomes = iter([fault])
    return lambda request: next(outcomes, ["fine"] * request["n"])


def answer(*, text: object = "fine", index: int = 0, usage: object = None) -> str:
    """The body of a chat completion that may be wrong in one way."""
    message = {"role": "assistant", "content": text}
    choice = {"index": index, "message": message, "finish_reason": "stop"}
    return json.dumps({"choices": [choice], "usage": usage})


async def ask(server: ScriptedServer, n: int = 1, **settings: Any) -> Completion:
    async with client(server, **settings) as model:
        return await model.complete(QUESTION, [], Sampling(n=n))


async def test_n_attempts_are_one_request() -> None:
    with ScriptedServer(lambda request: ["a", ("b", "length"), "c"]) as server:
        completion = await ask(server, n=3)
        assert [reply.text for reply in completion.replies] == ["a", "b", "c"]
        assert [reply.finish_reason for reply in completion.replies] == ["stop", "length", "stop"]
        assert (completion.prompt_tokens, completion.completion_tokens) == (10, 3)
        assert server.count == 1


async def test_the_request_says_how_to_sample() -> None:
    sampling = Sampling(n=2, temperature=0.7, top_p=0.9, max_tokens=9, stop=("</code>",), seed=5)
    with ScriptedServer() as server:
        async with client(server, extra={"top_k": 20}) as model:
            await model.complete([Message("system", "s"), *QUESTION], [], sampling)
    assert server.requests == [
        {
            "model": "scripted",
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "How many?"},
            ],
            "n": 2,
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 9,
            "seed": 5,
            "stop": ["</code>"],
            "include_stop_str_in_output": True,
            "top_k": 20,
        }
    ]


async def test_only_vllm_is_asked_for_the_stop_string() -> None:
    with ScriptedServer() as server:
        async with client(server, stop_in_output=False) as model:
            await model.complete(QUESTION, [], Sampling(stop=("x",)))
    assert "include_stop_str_in_output" not in server.requests[0]
    assert "seed" not in server.requests[0]


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=500),
        Fault(status=502),
        Fault(status=408),
        Fault(status=429, retry_after=0),
        Fault(status=503),
        Fault(cut=True),
        Fault(body="{"),
        Fault(body="[]"),
        Fault(body='{"choices": [{"index": 0}]}'),
        Fault(body="[" * 100_000),
        Fault(body=answer(text="half a pair: \ud83d")),
        Fault(body=answer(index=1)),
        Fault(body=answer(usage={"prompt_tokens": float("inf")})),
        Fault(body=answer(text=["a", "list"])),
        [""],
        ["one choice too", "many"],
        [],
        [("cut short", "abort")],
    ],
    ids=repr,
)
async def test_a_passing_fault_is_retried(fault: Fault | Sequence[str]) -> None:
    with ScriptedServer(once(fault)) as server:
        async with client(server) as model:
            completion = await model.complete(QUESTION, [], Sampling())
            assert completion.replies[0].text == "fine"
            assert (model.usage.requests, model.usage.retries) == (1, 1)
        assert server.count == 2


async def test_a_stalled_answer_is_asked_for_again() -> None:
    with ScriptedServer(once(Fault(stall=True))) as server:
        completion = await ask(server, timeout=0.2)
        assert completion.replies[0].text == "fine"


async def test_a_request_that_keeps_failing_is_given_up() -> None:
    with ScriptedServer(lambda request: Fault(status=500, message="boom")) as server:
        async with client(server, retries=3) as model:
            with pytest.raises(RequestError, match=r"failed 4 times, last with 500: boom"):
                await model.complete(QUESTION, [], Sampling())
            assert model.usage.failures == 1
        assert server.count == 4


async def test_a_model_that_says_nothing_is_taken_at_its_word_when_it_insists() -> None:
    with ScriptedServer(lambda request: [""]) as server:
        async with client(server, retries=2) as model:
            completion = await model.complete(QUESTION, [], Sampling())
            assert [reply.text for reply in completion.replies] == [""]
            assert (model.usage.requests, model.usage.failures) == (1, 0)
        assert server.count == 3


async def test_one_silent_attempt_among_others_is_the_models_own() -> None:
    with ScriptedServer(lambda request: ["", "fine"]) as server:
        assert [reply.text for reply in (await ask(server, n=2)).replies] == ["", "fine"]
        assert server.count == 1


async def test_where_most_requests_fail_none_is_given_up_for_it() -> None:
    draw = random.Random(1)
    script = lambda request: Fault(status=500) if draw.random() < 0.8 else ["fine"]  # noqa: E731
    with ScriptedServer(script) as server:
        async with client(server, retries=5, max_in_flight=16) as model:
            await asyncio.gather(*(model.complete(QUESTION, [], Sampling()) for _ in range(64)))
            assert (model.usage.requests, model.usage.failures) == (64, 0)
            assert model.usage.faults["status"] == model.usage.retries == server.count - 64


async def test_where_only_one_request_fails_it_is_given_up() -> None:
    def script(request: Request) -> Sequence[str] | Fault:
        poison = "poison" in str(request["messages"])
        return Fault(status=500, message="boom") if poison else ["fine"]

    with ScriptedServer(script) as server:
        async with client(server, retries=2) as model:
            for _ in range(20):
                await model.complete(QUESTION, [], Sampling())
            with pytest.raises(RequestError, match=r"failed [3-6] times, last with 500: boom"):
                await model.complete([Message("user", "poison")], [], Sampling())


async def test_a_server_that_is_ill_for_a_moment_still_says_what_it_serves() -> None:
    with ScriptedServer() as server:
        server.ill = 3
        async with client(server) as model:
            assert model.model == "scripted"
        server.ill = 3
        with pytest.raises(ServerError, match="503"):
            await client(server, retries=1).__aenter__()


async def test_overload_does_not_count_against_the_request() -> None:
    outcomes = iter([Fault(status=429, retry_after=0)] * 9)
    with ScriptedServer(lambda request: next(outcomes, ["fine"])) as server:
        assert (await ask(server, retries=0)).replies[0].text == "fine"
        assert server.count == 10


async def test_a_refusal_fails_at_once_with_the_servers_words() -> None:
    fault = Fault(status=400, message="max_tokens=4000 cannot be greater than max_model_len=2048")
    with ScriptedServer(lambda request: fault) as server:
        with pytest.raises(RequestError, match=r"400: max_tokens=4000 cannot be greater"):
            await ask(server)
        assert server.count == 1


@pytest.mark.parametrize("status", [401, 404])
async def test_what_every_request_would_meet_is_a_server_error(status: int) -> None:
    with (
        ScriptedServer(lambda request: Fault(status=status, message="no such model")) as server,
        pytest.raises(ServerError, match=rf"{status}: no such model: check the URL"),
    ):
        await ask(server)


async def test_nothing_listens() -> None:
    with ScriptedServer() as server:
        url = server.url
    with pytest.raises(ServerError, match="No model server answers"):
        async with ModelClient([url]):
            pass


async def test_the_breaker_ends_a_long_outage() -> None:
    with ScriptedServer() as server:
        model = client(server, patience=0)
        await model.__aenter__()
    try:
        with pytest.raises(ServerError, match=r"10 failures .* last: no connection"):
            await model.complete(QUESTION, [], Sampling())
    finally:
        await model.__aexit__(None, None, None)


async def test_a_restarted_server_costs_no_request() -> None:
    with ScriptedServer() as first:
        port = int(first.url.split(":")[2].split("/")[0])
        model = client(first, retries=1, backoff=0.01)
        await model.__aenter__()
    try:
        waiting = asyncio.create_task(model.complete(QUESTION, [], Sampling()))
        while model.usage.faults["unreachable"] < 4 and not waiting.done():
            await asyncio.sleep(0)
        with ScriptedServer(port=port) as second:
            assert len((await waiting).replies) == 1
            assert second.count == 1
    finally:
        await model.__aexit__(None, None, None)


async def test_samples_stay_on_one_server_and_all_servers_work() -> None:
    with ScriptedServer() as left, ScriptedServer() as right:
        async with client(left, right) as model:
            names = [f"sample-{index}" for index in range(12)]
            for _ in range(3):
                await asyncio.gather(
                    *(
                        model.complete([Message("user", name)], [], Sampling(), affinity=name)
                        for name in names
                    )
                )
        seen = [
            {request["messages"][0]["content"] for request in s.requests} for s in (left, right)
        ]
        assert seen[0] | seen[1] == set(names)
        assert not seen[0] & seen[1]
        assert len(seen[0]) == len(seen[1]) == 6


async def test_a_sample_moves_when_its_server_is_gone() -> None:
    with ScriptedServer() as left:
        with ScriptedServer() as right:
            model = client(left, right, backoff=0.01)
            await model.__aenter__()
            for name in ("a", "b"):
                await model.complete(QUESTION, [], Sampling(), affinity=name)
            assert right.count
        try:
            for name in ("a", "b"):
                await model.complete(QUESTION, [], Sampling(), affinity=name)
        finally:
            await model.__aexit__(None, None, None)
        assert left.count == 3


async def test_a_dead_server_is_drained_and_gets_samples_again_when_it_is_back() -> None:
    with ScriptedServer() as left:
        with ScriptedServer() as right:
            port = int(right.url.split(":")[2].split("/")[0])
            model = client(left, right, backoff=0.01)
            await model.__aenter__()
        try:
            for number in range(20):
                await model.complete(QUESTION, [], Sampling(), affinity=str(number))
            assert left.count == 20 and model.usage.faults["unreachable"] < 20
            with ScriptedServer(port=port) as again:
                for number in range(20, 200):
                    await model.complete(QUESTION, [], Sampling(), affinity=str(number))
                assert again.count > 0
        finally:
            await model.__aexit__(None, None, None)


async def test_work_in_flight_is_bounded() -> None:
    with ScriptedServer() as server:
        async with client(server, max_in_flight=3) as model:
            await asyncio.gather(*(model.complete(QUESTION, [], Sampling()) for _ in range(30)))
        assert server.most_in_flight <= 3
        assert model.usage.requests == server.count == 30


async def test_the_key_is_sent_and_comes_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JUDGE_KEY", "abc")
    with ScriptedServer() as server:
        await ask(server, api_key=api_key_from("JUDGE_KEY"))
        assert server.headers[0]["Authorization"] == "Bearer abc"
    with pytest.raises(ServerError, match="NO_KEY, named by api_key_env, is not set"):
        api_key_from("NO_KEY")


async def test_a_large_body_is_sent_without_blocking() -> None:
    image = b"\x89PNG\r\n\x1a\n" + bytes(3 * 2**20)
    with ScriptedServer() as server:
        async with client(server) as model:
            await model.complete([Message("user", "<image>?")], [image], Sampling())
        assert server.count == 1


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("http://host:8000", "http://host:8000/v1/models"),
        ("http://host:8000/v1/", "http://host:8000/v1/models"),
        ("https://host/api/v3", "https://host/api/v3/models"),
    ],
)
async def test_a_bare_host_gets_its_path(
    url: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def get(session: object, address: str, **settings: object) -> None:
        seen.append(address)
        raise ServerError("seen")

    monkeypatch.setattr("aiohttp.ClientSession.get", get)
    with pytest.raises(ServerError):
        await ModelClient([url]).__aenter__()
    assert seen == [asked]


async def test_the_servers_context_is_known_where_it_says_so() -> None:
    with ScriptedServer(max_model_len=4096) as server, ScriptedServer() as silent:
        async with client(server) as model:
            assert await model.context_length() == 4096
        async with client(silent) as model:
            assert await model.context_length() is None
    async with client(server, model="scripted") as model:
        assert await model.context_length() is None, "nobody answers, and nothing needs it yet"


async def test_a_conversation_without_room_has_an_error_of_its_own() -> None:
    with ScriptedServer(lambda request: Fault(status=400, message="context_length_exceeded")) as s:
        with pytest.raises(ContextError, match="context_length_exceeded"):
            await ask(s)
        s.reply = lambda request: Fault(status=400, message="an image is too small")
        with pytest.raises(RequestError) as caught:
            await ask(s)
    assert not isinstance(caught.value, ContextError)
