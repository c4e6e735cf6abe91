"""The training view of the model against transformers' own forward pass, and a short training."""

from __future__ import annotations

import csv
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.nn import functional

from curation.embedded import checkpoint, lessons, network
from curation.embedded.batches import Encoder
from curation.embedded.stream import KINDS, Lessons
from curation.embedded.train import rate_at
from curation.embedded.views import view
from curation.embedded.vocabulary import IMAGE_PAD, train_tokenizer, turn_text
from curation.sources.charts import draw_chart


@pytest.fixture(scope="module")
def taught() -> list[lessons.Lesson]:
    page = draw_chart(random.Random(1), "train")
    made = []
    for question in page.questions:
        if question.skill == "read":
            made.append(lessons.look_closer(page, question, "deepeyes-v2"))
            made.append(lessons.look_closer(page, question, "deepeyes"))
        elif question.operands:
            made.append(lessons.compute(page, question))
        made.append(lessons.direct(page.image, question.text, question.answer))
    return made


@pytest.fixture(scope="module")
def tokenizer(taught):
    return train_tokenizer(taught * 3)


@pytest.fixture(scope="module")
def model(tokenizer):
    config = network.configuration(tokenizer.get_vocab_size(), checkpoint.special_ids(tokenizer))
    return network.new_model(config, seed=0)


def reference_loss(model, encoder: Encoder, lesson: lessons.Lesson) -> tuple[float, int]:
    """Summed loss of a lesson by transformers' own forward pass, from raw inputs."""
    batch = encoder.batch([lesson])
    views = [view(image) for image in lesson.images]
    frames = [
        torch.from_numpy(seen.patches.astype(np.float32)).view(-1, 3, 1, 14, 14) for seen in views
    ]
    pixels = torch.cat([frame.expand(-1, 3, 2, 14, 14).reshape(-1, 1176) for frame in frames])
    grids = torch.tensor([[1, 2 * seen.rows, 2 * seen.columns] for seen in views])
    pad = checkpoint.special_ids(encoder.tokenizer)["image"]
    with torch.no_grad():
        logits = model(
            input_ids=batch["ids"],
            pixel_values=pixels,
            image_grid_thw=grids,
            mm_token_type_ids=(batch["ids"] == pad).int(),
        ).logits[0]
    loss = functional.cross_entropy(logits[batch["learned"]], batch["targets"], reduction="sum")
    return loss.item(), len(batch["targets"])


def test_the_training_view_computes_what_transformers_computes(model, tokenizer, taught) -> None:
    encoder = Encoder(tokenizer)
    chosen = [taught[0], taught[1], taught[2], next(x for x in taught if len(x.images) > 2)]
    with torch.no_grad():
        losses, _ = network.Trainee(model)(encoder.batch(chosen))
    summed, count = zip(*(reference_loss(model, encoder, one) for one in chosen), strict=True)
    assert len(losses) == sum(count)
    assert losses.sum().item() == pytest.approx(sum(summed), rel=1e-4)


def test_only_replies_are_learned(tokenizer, taught) -> None:
    batch = Encoder(tokenizer).batch([taught[0]])
    learned = tokenizer.decode(batch["targets"].tolist(), skip_special_tokens=False)
    replies = [m.content for m in taught[0].messages if m.role == "assistant"]
    assert learned == "".join(f"{reply}<|im_end|>" for reply in replies)


def test_the_saved_checkpoint_loads_and_its_template_renders_the_taught_layout(
    model, tokenizer, taught, tmp_path
) -> None:
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    checkpoint.write(model, tokenizer, tmp_path)
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path)
    assert loaded.dtype == torch.bfloat16
    rendering = AutoTokenizer.from_pretrained(tmp_path)
    messages = []
    for message in taught[0].messages:
        parts = []
        for number, text in enumerate(message.content.split("<image>")):
            parts += [{"type": "image"}] if number else []
            parts += [{"type": "text", "text": text}] if text else []
        messages.append({"role": message.role, "content": parts})
    text = rendering.apply_chat_template(messages, tokenize=False)
    assert text == "".join(turn_text(message) for message in taught[0].messages)
    assert rendering.apply_chat_template(messages)["input_ids"] == tokenizer.encode(text).ids
    assert text.count(IMAGE_PAD) == len(taught[0].images)


def test_digits_are_single_tokens(tokenizer) -> None:
    assert tokenizer.encode("1169.50").tokens == list("1169.50")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_lesson_makes_a_batch(kind, tokenizer) -> None:
    batch = Encoder(tokenizer).batch(Lessons("train", 0, reservoir=24).of_kind(kind))
    assert batch["ids"].shape == batch["feature_index"].shape
    assert len(batch["targets"]) == len(batch["learned"]) == len(batch["turns"]) > 0


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    rates = [rate_at(step, 1000) for step in (0, 99, 400, 700, 999)]
    assert rates == [0.01, 1.0, 1.0, pytest.approx(0.5), pytest.approx(1 / 600)]


def test_training_goes_on_from_where_it_was(tmp_path) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    # Threads that wait for each other by spinning crawl where tests run beside this one.
    options = ["--no-compile", "--threads", "1", "--reservoir", "24", "--work", str(work)]
    command = [sys.executable, "-m", "curation.embedded.train", *options, "--out", str(out)]
    for steps in ("1", "2"):
        if steps == "2":  # Killed after it logged the step, before it saved its state.
            with (work / "train.csv").open("a") as file:
                file.write("2,9,train,lost,1.0,0.0,nan\n")
        done = subprocess.run(
            [*command, "--steps", steps],
            capture_output=True,
            text=True,
            check=True,
        )
    assert "going on from step 1" in done.stdout
    with (work / "train.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {int(row["step"]) for row in rows} == {1, 2}
    assert "lost" not in {row["kind"] for row in rows}
    assert (out / "model.safetensors").exists()
    assert (out / "training.png").stat().st_size > 1000
