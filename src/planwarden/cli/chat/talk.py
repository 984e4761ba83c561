"""The conversation itself: lines in, answers out; slash commands; a person's yes and no."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import typer
from anyio.from_thread import BlockingPortal

from planwarden.app import Planwarden, RunResult
from planwarden.audit.render import dossier_markdown
from planwarden.cli.chat.lines import Lines
from planwarden.cli.chat.turns import Turns
from planwarden.cli.exits import Exit, exit_of_error, exit_of_run
from planwarden.cli.output import out, plain, say, tell, tell_error
from planwarden.cli.run_list import run_rows, show_runs
from planwarden.cli.show import show_answer, show_call, show_plan, show_turn_end
from planwarden.cli.task_input import task_of
from planwarden.contracts.run import CallState
from planwarden.errors import PlanwardenError

if TYPE_CHECKING:
    from planwarden.orchestration.orchestrator import Resolution

HELP = {
    "/help": "this list",
    "/plan": "the last plan",
    "/runs": "the runs of this conversation",
    "/dossier": "the dossier of the last run",
    "/data PATH": "let the tools read this file or folder too; without PATH, say what they read",
    "/new": "begin a new conversation",
    "/quit": "end; so does Ctrl-D",
}
APPROVAL: dict[str, str] = {"yes": "approve", "no": "deny", "later": ""}
DOUBT: dict[str, str] = {"yes": "done", "no": "not_done", "later": ""}


@dataclass(slots=True, kw_only=True)
class Talk:
    """One sitting of a person, or one script, at the chat."""

    planwarden: Planwarden
    portal: BlockingPortal
    turns: Turns
    lines: Lines
    conversation: str
    data: list[str] = field(default_factory=list[str])
    last: RunResult | None = None
    ended: Exit = Exit.DONE
    """How the last task ended."""

    def go_on(self) -> None:
        """Take lines until there are no more."""
        while True:
            try:
                line = self.lines.next_line()
            except KeyboardInterrupt:
                say()
                continue
            if line is None or line.strip() == "/quit":
                return
            if line.strip():
                self._take(line.strip())

    def greet(self) -> None:
        """Say which conversation this is, and how to go on with it another time."""
        if self.lines.interactive:
            tell(f"[dim]conversation[/] {plain(self.conversation)} [dim]· /help lists what can be typed[/]")

    def part(self) -> None:
        """Say how to go on with the conversation."""
        command = f"planwarden chat --conversation {self.conversation}"
        if self.lines.interactive and self.last is not None:
            tell(f"[dim]go on with[/] {plain(command)}")

    def _take(self, line: str) -> None:
        try:
            if line.startswith("//") or not line.startswith("/"):
                self._ask(line.removeprefix("/") if line.startswith("//") else line)
            else:
                self._command(*line.split(maxsplit=1))
        except PlanwardenError as error:
            tell_error(error)
            self.ended = exit_of_error(error)

    # ---- tasks ---------------------------------------------------------------------------------------

    def _ask(self, text: str) -> None:
        task = task_of(text, self.data, self.conversation)
        result = self.turns.route(task)
        while result is not None:
            self.last = result
            self.ended = exit_of_run(result.state)
            decided = self._decision(result)
            if decided is None:
                break
            result = self.turns.resolve(result.run_id, *decided)
        if result is None:
            tell("[yellow]stopped before it began[/]")
            return
        show_answer(result.answer)
        show_turn_end(result.dossier, str(result.dossier_path))

    def _decision(self, result: RunResult) -> tuple[Resolution, str | None] | None:
        """Ask the person what the run waits for; None when it waits for nothing, or nobody says."""
        if not self.lines.interactive:
            return None
        waiting = next((call for call in result.state.calls if call.status in ("asked", "in_doubt")), None)
        if waiting is not None:
            return self._decision_on_call(waiting)
        if result.status != "waiting":
            return None
        refusals = result.state.decision.refusals if result.state.decision else ()
        say(f"[yellow]the plan waits[/] {plain(refusals[-1].message if refusals else '')}")
        return _resolution(self.lines.choose("follow this plan?", APPROVAL), None)

    def _decision_on_call(self, call: CallState) -> tuple[Resolution, str | None] | None:
        show_call(call)
        if call.status == "asked":
            return _resolution(self.lines.choose("may it happen?", APPROVAL), call.call.id)
        return _resolution(self.lines.choose("did it happen?", DOUBT), call.call.id)

    # ---- commands ------------------------------------------------------------------------------------

    def _command(self, name: str, rest: str = "") -> None:
        commands: dict[str, Callable[[str], None]] = {
            "/help": self._help,
            "/plan": self._plan,
            "/runs": self._runs,
            "/dossier": self._dossier,
            "/data": self._data,
            "/new": self._new,
        }
        if name in commands:
            commands[name](rest)
        else:
            tell(
                f"{plain(name)} is no command: /help lists them; a task that begins with / is written with //"
            )

    def _help(self, _: str) -> None:
        for name, what in HELP.items():
            say(f"  {name:12} [dim]{what}[/]")

    def _plan(self, _: str) -> None:
        if self.last is None or self.last.plan is None:
            say("[dim]no plan yet[/]")
        else:
            show_plan(self.last.plan)

    def _runs(self, _: str) -> None:
        found = partial(self.planwarden.record.runs, conversation=self.conversation)
        show_runs(run_rows(self.portal.call(found)))

    def _dossier(self, _: str) -> None:
        if self.last is None:
            say("[dim]no run yet[/]")
            return
        typer.echo(dossier_markdown(self.last.dossier))
        out.print(f"[dim]{plain(str(self.last.dossier_path))}[/]", soft_wrap=True)

    def _data(self, path: str) -> None:
        if path:
            wanted = [*self.data, path]
            self.portal.call(self.planwarden.world, wanted)  # a path that cannot be read is refused here
            self.data = wanted
        for each in self.data or ["the samples that ship"]:
            say(f"[dim]data[/] {plain(each)}")

    def _new(self, _: str) -> None:
        self.conversation = new_conversation(self.planwarden)
        self.last = None
        self.greet()


def new_conversation(planwarden: Planwarden) -> str:
    """Give an id for a new conversation."""
    return f"c{planwarden.ids.run_id()[1:]}"


def _resolution(said: str | None, call_id: str | None) -> tuple[Resolution, str | None] | None:
    match said:
        case "approve" | "deny" | "done" | "not_done":
            return said, call_id
        case _:
            return None
