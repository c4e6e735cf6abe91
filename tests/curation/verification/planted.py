"""Faults, planted into real trajectories: for each check, ways in which a trajectory goes bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from PIL import Image

from curation.dialects import Code, get_dialect
from curation.images import ImageStore, decode, encode_png
from schemas import ToolCall, Turn
from tests.curation.verification.teacher import Real, call, cell

Plant = Callable[[Real, ImageStore], Real]
"""A trajectory with a fault of its own instead of the one that was given."""


def with_turns(real: Real, *turns: Turn) -> Real:
    return replace(real, rollout=replace(real.rollout, turns=turns))


def first(real: Real, **changes: object) -> Real:
    """Change the first turn."""
    turn, *rest = real.rollout.turns
    return with_turns(real, replace(turn, **changes), *rest)  # type: ignore[arg-type]


def first_call(real: Real, **changes: object) -> Real:
    """Change what the first action gave."""
    made = real.rollout.turns[0].call
    assert made is not None
    return first(real, call=replace(made, **changes))  # type: ignore[arg-type]


def last(real: Real, text: str) -> Real:
    """Change the last turn's text."""
    *rest, turn = real.rollout.turns
    return with_turns(real, *rest, replace(turn, text=text))


def thought(words: str) -> Plant:
    """Other words in the last thought."""
    return lambda real, _: last(
        real, real.rollout.turns[-1].text.replace("<think>\n", f"<think>\n{words}\n")
    )


def lead(real: Real, text: str, stdout: str = "", *image_ids: str) -> Real:
    """One more turn at the front, with what it gave."""
    observed = f"stdout:\n{stdout}" + "<image>" * len(image_ids)
    made = ToolCall("python", text, observed, stdout, "", image_ids, None, 0.1)
    return with_turns(real, Turn(text, made, "stop", 0, 0), *real.rollout.turns)


def only(real: Real, text: str, stdout: str = "", *image_ids: str) -> Real:
    """One turn, then the answer."""
    return lead(with_turns(real, real.rollout.turns[-1]), text, stdout, *image_ids)


def act(real: Real, *lines: str, arguments: str = "") -> str:
    """A turn in the trajectory's own dialect: code, or else a call with these arguments."""
    if real.rollout.dialect == "deepeyes":
        return call("I look.", arguments)
    return cell("I look.", *lines)


def stored(store: ImageStore, image: Image.Image) -> str:
    return store.put(encode_png(image))


def blank(real: Real, store: ImageStore) -> Real:
    return first_call(
        real, image_ids=(stored(store, Image.new("RGB", (240, 140), "white")),), text="<image>"
    )


def input_again(real: Real, store: ImageStore) -> Real:
    return first_call(real, image_ids=(real.image.stem,), text="<image>")


def input_in_a_figure(real: Real, store: ImageStore) -> Real:
    """As `plt.imshow(image_1)` draws it: smaller, with a margin."""
    with Image.open(real.image) as image:
        drawn = image.convert("RGB")
    drawn.thumbnail((370, 370))
    figure = Image.new("RGB", (drawn.width + 60, drawn.height + 40), "white")
    figure.paste(drawn, (30, 20))
    return first_call(real, image_ids=(stored(store, figure),), text="<image>")


def other_picture(real: Real, store: ImageStore) -> Real:
    noise = Image.effect_noise((240, 140), 80).convert("RGB")
    return first_call(real, image_ids=(stored(store, noise),), text="<image>")


def boxed(box: str) -> Plant:
    """Look at a box: code where the trajectory has code, else a call."""

    def plant(real: Real, _: ImageStore) -> Real:
        edges = box.format(*decode(real.image.read_bytes()).size)
        arguments = f'{{"bbox_2d": [{edges}]}}'
        return first(real, text=act(real, f"show(image_1.crop(({edges})))", arguments=arguments))

    return plant


def told(code: str, arguments: str) -> Plant:
    """The answer in an action that comes before anything was seen."""

    def plant(real: Real, _: ImageStore) -> Real:
        answer = real.sample.answers[0]
        value = answer if answer.replace(".", "").isdigit() else repr(answer)
        text = act(real, code.format(value), arguments=arguments.replace("ANSWER", answer))
        return lead(real, text, answer)

    return plant


def coded(*lines: str, stdout: str = "") -> Plant:
    """Only this code, then the answer."""
    return lambda real, _: only(real, cell("I look.", *lines), stdout)


def twice(real: Real, _: ImageStore) -> Real:
    return with_turns(real, real.rollout.turns[0], *real.rollout.turns)


def falls_into_the_block(real: Real, _: ImageStore) -> Real:
    """Code after a block, which DeepEyesV2's environment would move into it."""
    code = get_dialect("deepeyes-v2").parse(real.rollout.turns[0].text)
    assert isinstance(code, Code)
    lines = ("for step in range(2):", "    width = step", *code.code.splitlines())
    return first(real, text=cell("I look.", *lines))


def damaged(real: Real, store: ImageStore) -> Real:
    """An image that is cut off: its header is sound."""
    return first_call(real, image_ids=(store.put(real.image.read_bytes()[:2000]),), text="<image>")


def drop_image(real: Real, _: ImageStore) -> Real:
    made = next(turn for turn in real.rollout.turns if turn.call and turn.call.image_ids)
    assert made.call is not None
    poorer = replace(made, call=replace(made.call, image_ids=()))
    return with_turns(real, *(poorer if turn is made else turn for turn in real.rollout.turns))


def unanswered(reason: str) -> Plant:
    return lambda real, _: replace(
        real,
        rollout=replace(
            real.rollout, turns=real.rollout.turns[:-1], stop_reason=reason, prediction=None
        ),
    )


def answers(text: str) -> Plant:
    """Another final answer."""

    def plant(real: Real, _: ImageStore) -> Real:
        changed = last(real, f"<think>\nIt can be read.\n</think>\n<answer>{text}</answer>")
        return replace(changed, rollout=replace(changed.rollout, prediction=text))

    return plant


def misread(real: Real, store: ImageStore) -> Real:
    """Another number that the grader's tolerance lets pass."""
    gold = float(real.sample.answers[0])
    return answers(f"{gold * 1.03:.2f}")(real, store)


def failed(error: str) -> Plant:
    return lambda real, _: first_call(real, error=error, stderr=error)


def appended(text: str) -> Plant:
    """More after the first turn's action."""
    return lambda real, _: first(real, text=real.rollout.turns[0].text + text)


def unclosed(real: Real, _: ImageStore) -> Real:
    return last(real, real.rollout.turns[-1].text.replace("</think>", ""))


PLANTS: Mapping[str, tuple[Plant, ...]] = {
    "answered": tuple(map(unanswered, ("max_turns", "length", "parse_error"))),
    "correct": (answers("-77.125"), answers("a purple elephant")),
    "error_free": (
        failed("NameError: name 'image' is not defined"),
        failed("TimeoutError: the cell took more than 10 s"),
    ),
    "grammar": (
        unclosed,
        appended("\n<answer>unsure</answer>"),
        appended("\n<tool_call>\n{}\n</tool_call>"),
        lambda real, _: first(real, text="I just look at it."),
        lambda real, _: with_turns(real, *real.rollout.turns, real.rollout.turns[-1]),
    ),
    "placeholders": (
        thought("In <image> it says so."),
        drop_image,
        damaged,
    ),
    "markup": (
        thought("<|im_end|>\n<|im_start|>user"),
        thought("<|vision_start|>"),
        thought("[/INST]"),
        thought("<tool_response>It says 12.</tool_response>"),
    ),
    "boxes": (
        boxed("0, 0, {0}9, {1}"),
        boxed("-40, 10, 100, 100"),
        boxed("0.1, 0.1, 0.6, 0.4"),
        boxed("120, 100, 60, 140"),
        boxed("10, 10, 12, 13"),
    ),
    "effect": (
        blank,
        input_again,
        input_in_a_figure,
        coded("# look at the image carefully", "# and read it"),
        coded("result = 'ok'", "print(result)", stdout="ok"),
        coded("plt.imshow(image_1)", "plt.axis('off')", "plt.show()"),
        coded("img = image_1.copy()", "img.show()"),
        coded("print(image_1.getpixel((1, 1))[0] * 7919)", stdout="987651"),
        coded("part = image_1.crop((0, 0, 100, 100))"),
    ),
    "leak": (
        told("print({})", '{"bbox_2d": [0, 0, 90, 90], "label": "ANSWER"}'),
        told("answer = {}\nprint(answer)", '{"query": "what means ANSWER"}'),
        told(
            'print(f"The answer is {{{}}}")', '{"bbox_2d": [0, 0, 90, 90], "label": "the ANSWER"}'
        ),
    ),
    "repetition": (
        thought("It is here. " * 12),
        thought("wait, let me look at the chart once more because I am not sure; " * 5),
        twice,
    ),
    "length": (answers("It reads so. " * 40), thought(" ".join(map(str, range(20000))))),
    "language": (
        thought("我需要仔细看看这张图片里面的数字是多少。"),
        thought("Нужно внимательно посмотреть на картинку."),
        thought("이미지를 자세히 살펴보겠습니다."),
    ),
    "refusal": (
        thought("I'm sorry, but I can't help with that."),
        thought("As an AI language model I have no eyes."),
        thought("I am unable to view the image, so I guess."),
    ),
    "trainer_replay": (falls_into_the_block,),
    "exact": (misread,),
    "replay": (
        other_picture,
        lambda real, _: first_call(real, text="something else"),
        lambda real, _: first_call(real, text="Error: gone", image_ids=()),
    ),
    "near_duplicate": (
        lambda real, _: real,
        thought("Right."),
    ),
}
"""Check to the faults that belong to it."""


def suits(check: str, real: Real) -> bool:
    """Whether a trajectory can have the fault: some need code, and a short number leaks nothing."""
    if check == "leak":
        return len(real.sample.answers[0]) > 2 and real.sample.answer_kind != "yes_no"
    if check == "exact":
        return real.sample.answer_kind == "number" and float(real.sample.answers[0]) > 10
    return check not in ("trainer_replay", "effect") or real.rollout.dialect == "deepeyes-v2"


def planted(check: str, reals: list[Real], store: ImageStore, count: int) -> list[Real]:
    """`count` trajectories with a fault that belongs to the check, every way in its turn."""
    plants, bases = PLANTS[check], [real for real in reals if suits(check, real)]
    return [
        plants[number % len(plants)](bases[number % len(bases)], store) for number in range(count)
    ]
