"""The structured log: ids on every line, trace ids where something traces, two forms, a list of events."""

from __future__ import annotations

import ast
import io
import json
import logging
import re
import string
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from planwarden.contracts.plan import PlannedAgentStep
from planwarden.contracts.specs import AgentSpec
from planwarden.contracts.task import Task
from planwarden.errors import ModelTimedOut, ToolFailed
from planwarden.telemetry import logs as module
from planwarden.telemetry.logs import LOGGER, Event, Form, bound, hide_secrets, log, write_log
from planwarden.telemetry.redaction import _LOOKS, _SECRET_NAME, Redaction  # pyright: ignore[reportPrivateUsage]
from planwarden.testing.canned_tool import CannedTool
from planwarden.testing.scripted_llm import FunctionLLM
from planwarden.testing.stage import Stage, plan_of
from traces_kit import in_memory, place

ROOT = Path(__file__).parents[3]
SECRET = "hunter2-hunter2-hunter2"


class Written:
    """What was written to the log, in one form."""

    def __init__(self, form: Form) -> None:
        self.stream = io.StringIO()
        write_log(form, self.stream)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]


class Seen(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def as_loaded() -> None:
    """Set the logger as it is at first; pytest listens too where it does not pass its lines on."""
    logger = logging.getLogger(LOGGER)
    logger.handlers[:] = [each for each in logger.handlers if isinstance(each, logging.NullHandler)]
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.fixture
def quiet() -> Iterator[None]:
    """Find the logger as it is when nobody has asked for anything, and leave it so."""
    as_loaded()
    yield
    as_loaded()


@pytest.fixture
def written(quiet: None) -> Written:
    return Written("json")


def a_stage(*results: Any, **given: Any) -> Stage:
    agents = (AgentSpec(name="worker", description="Works", tools=("look",)),)
    given.setdefault("agent_llm", FunctionLLM(lambda _: "Done [s1.1]."))
    return Stage(agents=agents, tools={"look": CannedTool("look", *results)}, **given)


def failed_with(message: str) -> BaseException:
    """Give an error as it is when it was raised."""
    try:
        raise ValueError(message)  # noqa: TRY301 - it is to have a traceback
    except ValueError as error:
        return error


PLAN = plan_of(
    PlannedAgentStep(id="s1", agent="worker", tools=("look",)),
    PlannedAgentStep(id="s2", agent="worker", tools=("look",)),
)


@pytest.mark.anyio
@pytest.mark.requirement("LOG2-1")
async def test_every_line_of_a_run_has_its_id_and_that_of_its_step(written: Written) -> None:
    state = await a_stage().orchestrator().route_task(Task(prompt="Do it."), PLAN)
    events = [(line["event"], line["step_id"]) for line in written.lines]
    assert events == [
        ("run_started", None),
        ("plan_decided", None),
        ("step_started", "s1"),
        ("step_started", "s2"),
        ("run_ended", None),
    ]
    assert {line["run_id"] for line in written.lines} == {state.run_id}
    first = ["timestamp", "level", "event", "run_id", "step_id"]
    assert all(list(line)[:5] == first for line in written.lines)
    assert not any("trace_id" in line for line in written.lines)


@pytest.mark.anyio
@pytest.mark.requirement("LOG2-1")
async def test_two_runs_at_once_keep_their_ids_apart(written: Written) -> None:
    stage = a_stage(ToolFailed("down.", remedy="x"))
    orchestrator = stage.orchestrator()
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(orchestrator.route_task, Task(prompt="Do it."), PLAN)
    of_run = {run: [line for line in written.lines if line["run_id"] == run] for run in ("r1", "r2")}
    assert [line["event"] for line in of_run["r1"]] == [line["event"] for line in of_run["r2"]]
    assert {line["step_id"] for line in written.lines if line["event"] == "call_failed"} == {"s1"}
    assert "step_failed" in {line["event"] for line in of_run["r1"]}


@pytest.mark.anyio
@pytest.mark.requirement("LOG2-1")
async def test_while_something_traces_a_line_has_the_ids_of_its_span(written: Written) -> None:
    traced = in_memory()
    stage = a_stage(ModelTimedOut("late.", remedy="x"), tracing=traced.tracing)
    await stage.orchestrator().route_task(Task(prompt="Do it."), PLAN)
    by_event = {line["event"]: (line["trace_id"], line["span_id"]) for line in written.lines}
    run, steps = traced.spans["invoke_workflow"], traced.named("invoke_agent worker")
    assert by_event["run_ended"] == place(run)
    assert by_event["call_failed"] == place(steps[0])
    assert by_event["step_failed"] == place(steps[-1])


@pytest.mark.requirement("LOG2-2")
@given(st.text(min_size=8, max_size=30).filter(lambda text: "…" not in text), st.text(max_size=20))
def test_no_line_holds_a_secret_of_this_process(secret: str, around: str) -> None:
    logger = logging.getLogger(LOGGER)
    before = (list(logger.handlers), logger.level, logger.propagate)
    known, module.SECRETS = module.SECRETS, Redaction()
    hide_secrets([secret])
    try:
        for form in ("json", "console"):
            logger.handlers[:] = []
            written = Written(form)
            with bound(run_id=f"{around}{secret}"):
                log("warning", "call_failed", failure=f"{secret}{around}", inner={secret: [secret, 1]})
                log("warning", "call_failed", error=ValueError(secret), exc_info=failed_with(secret))
            logger.warning("somebody else: %s", secret)
            text = written.stream.getvalue()
            assert text.count("\n") >= 3
            assert secret not in text
    finally:
        module.SECRETS = known
        logger.handlers[:], logger.level, logger.propagate = before


@pytest.mark.requirement("LOG2-5")
def test_for_people_a_line_is_text_without_what_is_not_there(quiet: None) -> None:
    written = Written("console")
    with bound(run_id="r1"):
        log("info", "run_ended", seq=9, outcome="completed", code=None)
    text = written.stream.getvalue()
    assert "run_ended" in text
    assert "run_id=r1" in text
    assert "outcome=completed" in text
    assert "code" not in text
    assert "\x1b" not in text
    assert text.count("\n") == 1


@pytest.mark.requirement("LOG2-5")
def test_off_nothing_is_written_and_a_second_time_changes_nothing(quiet: None) -> None:
    first = Written("json")
    off, again = Written("off"), Written("json")
    log("info", "run_ended", outcome="completed", code="")
    assert len(first.lines) == 1
    assert off.stream.getvalue() == again.stream.getvalue() == ""


@pytest.mark.requirement("LOG2-4")
def test_the_guide_lists_every_event_and_no_other() -> None:
    page = (ROOT / "docs" / "guides" / "logs.md").read_text("utf-8")
    listed = re.findall(r"^\| `([a-z_]+)` \| (?:info|warning) \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(get_args(Event))


@pytest.mark.requirement("LOG2-4")
def test_every_event_is_written_somewhere_with_the_level_that_the_guide_says() -> None:
    page = (ROOT / "docs" / "guides" / "logs.md").read_text("utf-8")
    listed = set(re.findall(r"^\| `([a-z_]+)` \| (info|warning) \|", page, re.MULTILINE))
    calls = [
        node
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "log"
    ]
    found = {
        (event.value, level.value)
        for level, event in (call.args[:2] for call in calls if len(call.args) > 1)
        if isinstance(event, ast.Constant) and isinstance(level, ast.Constant)
    }
    assert found == listed


@pytest.mark.requirement("LOG2-4")
def test_nobody_logs_past_the_one_place_that_hides_secrets() -> None:
    allowed = {"telemetry/logs.py", "telemetry/pipeline.py"}
    asked = [
        str(path.relative_to(ROOT / "src" / "planwarden"))
        for path in (ROOT / "src").rglob("*.py")
        if re.search(r"getLogger|structlog|warnings\.warn", path.read_text("utf-8"))
    ]
    assert set(asked) <= allowed, asked


PLAIN = string.ascii_letters + "_-."
NAME = st.one_of(st.text(max_size=12), st.from_regex(_SECRET_NAME, alphabet=PLAIN))
LINE = st.dictionaries(
    NAME,
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.text(max_size=30),
            st.sampled_from(
                ["Bearer abcdef12", "http://u:p@h/?k=1#f", "api_key=1234", "task-sk-1234567890123"]
            ),
        ),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAME, inner, max_size=3)),
        max_leaves=5,
    ),
    max_size=4,
)


@pytest.mark.requirement("LOG2-6")
@given(LINE, st.sampled_from(["hunter22-hunter22", "abcd", "12345", "häßlich-geheim", 'with "quotes"']))
def test_a_line_looked_at_once_is_the_line_of_which_each_value_was_looked_at(
    fields: dict[str, Any], secret: str
) -> None:
    fields = {**fields, "planted": [secret] if len(fields) % 2 else "innocent"}
    redaction = Redaction([secret])
    value_by_value = {key: redaction.value(value, key) for key, value in fields.items()}
    assert redaction.suspected(json.dumps(fields)) or value_by_value == fields


@pytest.mark.requirement("LOG2-6")
@given(st.from_regex(_SECRET_NAME, alphabet=PLAIN), st.integers())
@example("apikey", 1)
@example("API_KEY", 1)
@example("x-api-key", 1)
@example("passwd", 1)
@example("credential", 1)
def test_a_line_with_a_name_that_says_what_it_is_is_looked_at_in_full(name: str, value: int) -> None:
    redaction = Redaction()
    assert redaction.value(value, name) != value
    assert redaction.suspected(json.dumps({name: value}))


@pytest.mark.requirement("LOG2-6")
@given(
    st.sampled_from([looks for looks, _ in _LOOKS]).flatmap(
        lambda looks: st.from_regex(looks, alphabet=string.printable)
    )
)
def test_a_line_with_what_looks_like_a_secret_is_looked_at_in_full(text: str) -> None:
    assert Redaction().suspected(json.dumps({"said": text}))


@pytest.mark.requirement("LOG2-7")
def test_whoever_listens_beside_ours_gets_the_same_line(quiet: None) -> None:
    first, kept = Written("json"), Seen()
    log("info", "run_ended", outcome="completed", code=None)
    logging.getLogger(LOGGER).addHandler(kept)
    log("warning", "step_failed", step_id="s1", code=None)
    (record,) = kept.records
    assert [line["event"] for line in first.lines] == ["run_ended", "step_failed"]
    assert json.loads(record.getMessage()) == first.lines[1]
    assert (record.levelname, record.name) == ("WARNING", LOGGER)


@pytest.mark.requirement("LOG2-7")
def test_a_program_that_has_our_lines_passed_on_or_filtered_is_obeyed(quiet: None) -> None:
    written = Written("json")  # here, for pytest listens too where a fixture made it
    logger, above = logging.getLogger(LOGGER), Seen()
    root = logging.getLogger()
    root.addHandler(above)
    logger.propagate = True
    log("info", "run_started")
    root.removeHandler(above)
    logger.propagate = False
    assert [json.loads(record.getMessage())["event"] for record in above.records] == ["run_started"]

    def without_steps(record: logging.LogRecord) -> bool:
        return "step_failed" not in record.getMessage()

    for filtered in (logger, logger.handlers[-1]):
        filtered.addFilter(without_steps)
        log("warning", "step_failed")
        log("info", "run_ended")
        filtered.removeFilter(without_steps)
    assert [line["event"] for line in written.lines] == ["run_started", "run_ended", "run_ended"]


@pytest.mark.requirement("LOG2-7")
@pytest.mark.parametrize("form", ["json", "console"])
def test_the_level_of_our_handler_holds(form: Form, quiet: None) -> None:
    written = Written(form)
    (ours,) = [
        each for each in logging.getLogger(LOGGER).handlers if not isinstance(each, logging.NullHandler)
    ]
    for level in (logging.ERROR, logging.WARNING, logging.INFO):
        ours.setLevel(level)
        log("info", "run_ended", level_set=level)
        log("warning", "step_failed", level_set=level)
    told = re.findall(r"(run_ended|step_failed)|level_set\D+(\d+)", written.stream.getvalue())
    assert ["".join(each) for each in told] == [
        *("step_failed", str(logging.WARNING)),
        *("run_ended", str(logging.INFO)),
        *("step_failed", str(logging.INFO)),
    ]


@pytest.mark.requirement("LOG2-4")
def test_an_exception_is_told_with_its_traceback_in_whatever_way_it_is_given(written: Written) -> None:
    try:
        raise ValueError("hot")  # noqa: TRY301 - it is to have a traceback
    except ValueError as error:
        for given in (True, error, sys.exc_info()):
            log("warning", "step_failed", exc_info=given)
    for nothing in (True, False, None, (None, None, None)):
        log("warning", "step_failed", exc_info=nothing)
    told = [line.get("exception", "") for line in written.lines]
    assert all("Traceback" in each and each.endswith("ValueError: hot") for each in told[:3])
    assert told[3:] == [""] * 4
    assert not any("exc_info" in line for line in written.lines)


@pytest.mark.requirement("LOG2-7")
def test_a_stream_that_is_gone_fails_nothing(quiet: None, capsys: pytest.CaptureFixture[str]) -> None:
    gone = Written("json")
    gone.stream.close()
    log("info", "run_ended", outcome="completed", code=None)
    assert "I/O operation on closed file" in capsys.readouterr().err
