"""Several teachers, their prompts and exemplars, rejection sampling and guided attempts in runs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from curation.errors import RecipeError, ServerError, StaleSettingsError
from curation.pipeline import run_recipe
from curation.progress import Silent
from curation.recipes.file import parse_recipe, resolved
from curation.recipes.recipe import Recipe
from curation.runs import Run
from tests.curation.scene import picture, recipe_text, reply
from tests.scripted_server import Request, ScriptedServer, images_of, text_of

SAMPLES = 18
TWO = """
[[teachers]]
name = "left"
url = "{left}"
temperature = 0.5
share = 0.75
terms = "CC0-1.0"
[[teachers]]
name = "right2"
url = "{right}"
temperature = 0.5
share = 0.25
terms = "no redistribution"
"""
ONE = re.compile(r"\[teacher\].*?(?=\[arms)", re.DOTALL)


@pytest.fixture(scope="module")
def policy() -> Iterator[ScriptedServer]:
    with ScriptedServer(reply) as server:
        yield server


def recipe(policy: ScriptedServer, teachers: str = "", *, teach: str = "attempts = 2") -> Recipe:
    """The scene's recipe with other teachers."""
    text = recipe_text(policy.url, SAMPLES).replace("attempts = 2", teach)
    return parse_recipe(ONE.sub(teachers, text) if teachers else text, "scene")


def said(request: Request) -> list[str]:
    """What the scene's model replies."""
    replies = reply(request)
    assert isinstance(replies, list)
    return replies


def taught(recipe: Recipe, folder: Path) -> Run:
    run = Run(folder)
    run_recipe(recipe, run, Silent())
    return run


def rows(run: Run, sql: str) -> list[tuple[Any, ...]]:
    with run.connect() as db:
        return list(db.execute(sql).fetchall())


MADE = """SELECT sample_id, attempt, written_by.teacher, rollout_id FROM rollouts
          WHERE arm = 'teacher' ORDER BY ALL"""


def test_attempts_are_shared_out_and_a_second_run_asks_nobody(
    policy: ScriptedServer, tmp_path: Path
) -> None:
    with ScriptedServer(reply) as left, ScriptedServer(reply, model="other") as right:
        two = recipe(
            policy,
            TWO.format(left=left.url, right=right.url),
            teach="attempts = 16\nrl_share = 1.0",
        )
        run = taught(two, tmp_path / "run")
        made, asked = rows(run, MADE), (left.count, right.count)
        taught(two, tmp_path / "run")
        again = taught(two, tmp_path / "again")
        assert (left.count, right.count) == (2 * asked[0], 2 * asked[1])
    assert rows(again, MADE) == made
    shares = Counter(teacher for _, _, teacher, _ in made)
    assert shares.total() == len(made) > 60 and 0.6 < shares["left"] / len(made) < 0.9
    assert {path.name for path in (run.path / "prompts").glob("teacher-*")}
    parts = {path.name.rpartition("-")[0] for path in (run.path / "rollouts").glob("teacher*")}
    assert parts == {"teacher_left", "teacher_right2"}


def test_who_wrote_it_and_on_what_terms_stands_on_every_row(
    policy: ScriptedServer, tmp_path: Path
) -> None:
    with ScriptedServer(reply) as left, ScriptedServer(reply, model="other") as right:
        two = recipe(policy, TWO.format(left=left.url, right=right.url), teach="attempts = 8")
        run = taught(two, tmp_path / "run")
    known = {
        ("left", "scripted", "url", "CC0-1.0"),
        ("right2", "other", "url", "no redistribution"),
    }
    author = "written_by.teacher, written_by.model, written_by.endpoint, written_by.terms"
    wrote = set(rows(run, f"SELECT {author} FROM rollouts WHERE arm = 'teacher'"))
    chosen = set(rows(run, f"SELECT {author} FROM trajectories"))
    assert chosen <= wrote == known
    records = run.export_path("llamafactory") / "records" / "provenance.parquet"
    names = ("teacher_name", "teacher", "teacher_endpoint", "teacher_terms")
    table = pq.read_table(records).to_pylist()
    assert {tuple(row[name] for name in names) for row in table} == chosen
    assert run.value("SELECT count(*) FROM rollouts WHERE arm <> 'teacher' AND written_by IS NULL")
    assert resolved(parse_recipe(resolved(two), "scene")) == resolved(two)


def test_a_new_teacher_joins_and_what_others_wrote_stays(
    policy: ScriptedServer, tmp_path: Path
) -> None:
    with ScriptedServer(reply) as left, ScriptedServer(reply, model="other") as right:
        tables = TWO.format(left=left.url, right=right.url)
        alone = tables.partition('[[teachers]]\nname = "right2"')[0].replace("0.75", "1.0")
        run = taught(recipe(policy, alone), tmp_path / "run")
        before, asked = set(rows(run, MADE)), left.count
        run = taught(recipe(policy, tables), tmp_path / "run")
        assert left.count == asked and right.count > 0
    assert before < set(rows(run, MADE))


PROMPT = "Answer like a careful clerk.\n\n{system}\n\nNever guess."


def exemplars(folder: Path) -> str:
    """A file with two examples, the first one with an observation, and its folder of images."""
    for name, seed in (("one.png", 901), ("crop.png", 902), ("two.png", 903)):
        (folder / name).write_bytes(picture(seed))
    first = ["<image>\nWhat is 500 plus 5?", "<code>...</code>", "Images:\n<image>", "It is 505."]
    second = ["<image>\nWhat is 6 plus 6?", "It is 12."]
    conversations = [
        {"messages": _turns(first), "images": ["one.png", "crop.png"]},
        {"messages": [{"role": "system", "content": "-"}, *_turns(second)], "images": ["two.png"]},
    ]
    path = folder / "exemplars.json"
    path.write_text(json.dumps(conversations))
    return str(path)


def _turns(texts: list[str]) -> list[dict[str, str]]:
    roles = ["user", "assistant"] * len(texts)
    return [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]


def shown_examples(request: Request) -> list[str]:
    """The scene's teacher, told of the examples: they are left out for it."""
    return said({**request, "messages": [request["messages"][0], *request["messages"][7:]]})


def test_a_teacher_is_told_its_own_prompt_and_examples_and_the_trajectory_is_not(
    policy: ScriptedServer, tmp_path: Path
) -> None:
    (tmp_path / "prompt.txt").write_text(PROMPT)
    files = f'prompt = "{tmp_path}/prompt.txt"\nexemplars = "{exemplars(tmp_path)}"'
    with ScriptedServer(shown_examples) as server:
        table = f'[teacher]\nurl = "{server.url}"\ntemperature = 0.5\n{files}\n'
        run = taught(recipe(policy, table), tmp_path / "run")
        request = server.requests[0]
    system = request["messages"][0]["content"]
    assert system.startswith("Answer like a careful clerk.\n\nYou are an agent")
    assert system.endswith("Never guess.")
    assert images_of(request)[:3] == [picture(seed) for seed in (901, 902, 903)]
    assert len(images_of(request)) == 4 and text_of(request).index("500 plus 5") < text_of(
        request
    ).rindex("What is")
    kept = json.dumps(rows(run, "SELECT messages FROM trajectories"))
    assert "You are an agent" in kept
    assert "clerk" not in kept and "500 plus 5" not in kept
    assert run.value("SELECT max(len(image_ids)) FROM trajectories") == 2
    written = next((run.path / "prompts").glob("teacher-*.txt")).read_text()
    assert "clerk" in written and "6 plus 6" in written


def test_pictures_of_examples_are_part_of_the_prompts_hash(
    policy: ScriptedServer, tmp_path: Path
) -> None:
    with ScriptedServer(shown_examples) as server:
        table = f'[teacher]\nurl = "{server.url}"\ntemperature = 0.5\n'
        one = recipe(policy, table + f'exemplars = "{exemplars(tmp_path)}"\n')
        run = taught(one, tmp_path / "run")
        (tmp_path / "two.png").write_bytes(picture(904))
        with pytest.raises(StaleSettingsError, match=r"prompt was '.*' and is now"):
            run_recipe(one, run, Silent())


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ('prompt = "nowhere.txt"', "prompt of teacher cannot be read"),
        ('exemplars = "nowhere.json"', "exemplars of teacher: .*nowhere.json cannot be opened"),
        ('exemplars = "{folder}/lost.json"', "exemplar lost.json#0: .*cannot be read"),
        ('exemplars = "{folder}/few.json"', "few.json#0 has 0 images for 1 <image>"),
        ('exemplars = "{folder}/open.json"', "open.json#0 does not go from user to assistant"),
    ],
)
def test_a_prompt_that_cannot_be_told_is_refused_before_the_first_request(
    policy: ScriptedServer, tmp_path: Path, files: str, sentence: str
) -> None:
    asked = _turns(["<image>\nWhat?", "That."])
    examples: dict[str, Any] = {
        "lost": {"messages": asked, "images": ["gone.png"]},
        "few": {"messages": asked, "images": []},
        "open": {"messages": _turns(["What?"]), "images": []},
    }
    for name, example in examples.items():
        (tmp_path / f"{name}.json").write_text(json.dumps([example]))
    table = f'[teacher]\nurl = "{policy.url}"\n{files.format(folder=tmp_path)}\n'
    before = policy.count
    with pytest.raises(RecipeError, match=sentence):
        run_recipe(recipe(policy, table), Run(tmp_path / "run"), Silent())
    assert policy.count == before


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("share = 0.25", "share = 0.5", "shares of the teachers left, right2 sum to 1.25"),
        ('name = "right2"', 'name = "left"', "two teachers are named 'left'"),
        ('name = "right2"', 'name = "judge"', "name is 'judge'"),
        ('name = "right2"', 'name = "A b"', "name is 'A b'"),
        ("share = 0.25", "share = 0.25\nbudget = { money = 2 }", "right2 is in money, and it has"),
        ("share = 0.25", "share = 0.25\nbudget = { tokens = 0 }", "tokens is 0: a cap is more"),
        ("share = 0.25", "share = 0.25\nbudget = { token = 1 }", "no key 'token'"),
        ("[[teachers]]", "[budget]\nmoney = 1\n[[teachers]]", "policy, left, right2 has no price"),
        ("[[teachers]]", '[teacher]\nurl = "x"\n[[teachers]]', "not both"),
    ],
)
def test_teachers_that_do_not_fit_are_told(
    policy: ScriptedServer, old: str, new: str, sentence: str
) -> None:
    tables = TWO.format(left="http://a/v1", right="http://b/v1")
    with pytest.raises(RecipeError, match=sentence):
        recipe(policy, tables.replace(old, new, 1))


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("verified = 3", "verified a number from 0 to that of the attempts"),
        ("verified = 1\nper_sample = 2", "ends the attempts before there can be per_sample = 2"),
        ('plans = ["lok"]', "plans: 'lok' is none of look, narrow"),
        ("guided = 1\nplans = []", "plans is empty"),
    ],
)
def test_settings_of_teaching_out_of_range_are_told(
    policy: ScriptedServer, setting: str, sentence: str
) -> None:
    with pytest.raises(RecipeError, match=sentence):
        recipe(policy, teach=f"attempts = 2\n{setting}")


def test_a_teacher_whose_dialect_holds_no_plan_makes_no_guided_attempts(
    policy: ScriptedServer,
) -> None:
    tables = TWO.format(left="http://a/v1", right="http://b/v1").replace(
        'name = "left"', 'name = "left"\ndialect = "openai"'
    )
    assert recipe(policy, tables).teachers[0].dialect == "openai"
    with pytest.raises(RecipeError, match="left writes 'openai', and guided attempts are written"):
        recipe(policy, tables, teach="attempts = 2\nguided = 1")


def sometimes(request: Request) -> list[str]:
    """The scene's teacher, wrong in two of three attempts, each in words of its own."""
    replies, seed = said(request), request["seed"]
    if "<answer>" not in replies[0]:
        return replies
    if seed % 3:
        return [f"<think>I guess {seed}.</think>\n<answer>-7</answer>"]
    return [replies[0].replace("It says so.", f"The print of the cell tells it, number {seed}.")]


@pytest.mark.parametrize("wanted", [1, 2])
def test_attempts_end_with_the_first_that_are_verified(
    policy: ScriptedServer, tmp_path: Path, wanted: int
) -> None:
    with ScriptedServer(sometimes) as server:
        table = f'[teacher]\nurl = "{server.url}"\ntemperature = 0.5\n'
        full = taught(recipe(policy, table, teach="attempts = 6"), tmp_path / "full")
        some = recipe(policy, table, teach=f"attempts = 6\nverified = {wanted}")
        run = taught(some, tmp_path / "run")
        asked = server.count
        taught(some, tmp_path / "run")
        assert server.count == asked, "what is settled owes nothing"
    sound = """
        SELECT sample_id, attempt, prediction <> '-7' AS sound FROM rollouts
        WHERE arm = 'teacher' ORDER BY ALL"""
    expected = []
    seen: Counter[str] = Counter()
    for sample_id, attempt, right in rows(full, sound):
        if seen[sample_id] < wanted:
            expected.append((sample_id, attempt, right))
            seen[sample_id] += right
    assert rows(run, sound) == expected
    assert len(expected) < len(rows(full, sound))
    stage = json.loads((run.path / "manifest.json").read_text())["stages"]["teacher"]
    assert stage["kept"] == len(expected) and stage["dropped"] > 0


def guided(request: Request) -> list[str]:
    """The scene's teacher, which also writes the thought that a note asks for."""
    if "A note about your next step" in text_of(request):
        return ["It must be near the middle of the picture."]
    told = request["messages"][-1]["content"]
    if len(request["messages"]) > 2 and "stdout" in str(told):
        numbers = re.findall(r"What is (\d+) plus (\d+)", text_of(request))[0]
        thought = f"I see it, as I thought in turn {len(request['messages'])}."
        return [f"<think>{thought}</think>\n<answer>{sum(map(int, numbers))}</answer>"]
    return said(request)


def test_guided_attempts_are_verified_and_marked(policy: ScriptedServer, tmp_path: Path) -> None:
    with ScriptedServer(guided) as server:
        table = f'[teacher]\nurl = "{server.url}"\ntemperature = 0.5\n'
        teach = 'attempts = 1\nguided = 1\nper_sample = 2\nplans = ["look"]'
        run = taught(recipe(policy, table, teach=teach), tmp_path / "run")
    plans = Counter(rows(run, "SELECT written_by.plan FROM trajectories"))
    assert plans[("look",)] > 0 and plans[(None,)] > 0
    assert (
        run.value("""SELECT count(*) FROM verifications JOIN rollouts USING (rollout_id)
                        WHERE arm = 'guided' AND "check" = 'replay' AND passed""")
        > 0
    )
    records = run.export_path("llamafactory") / "records" / "provenance.parquet"
    assert "look" in pq.read_table(records)["plan"].to_pylist()
    kept = json.dumps(rows(run, "SELECT messages FROM trajectories"))
    assert "A note about" not in kept


def test_a_teacher_that_is_down_is_told_before_anything_is_paid(
    policy: ScriptedServer, tmp_path: Path
) -> None:
    before = policy.count
    table = '[teacher]\nurl = "http://127.0.0.1:9/v1"\n'
    with pytest.raises(ServerError, match="No model server answers"):
        run_recipe(recipe(policy, table), Run(tmp_path / "run"), Silent())
    assert policy.count == before
