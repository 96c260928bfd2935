"""`headgate approvals`: the questions of runs that wait for a person: list them, look at one, answer it."""

from __future__ import annotations

import json
import time
from typing import IO, Any

import click

from headgate.cli.client.port import Reply
from headgate.cli.client.site import Site, sited
from headgate.cli.desk import Desk, View
from headgate.cli.form import FORMAT, as_json, print_as
from headgate.cli.render import forms, questions
from headgate.cli.render.words import visible
from headgate.cli.work import at_desk
from headgate.core.inputs import Question
from headgate.stores.waits import Decision

_REASON = click.option("--reason", default="", help="Why; the model reads it.")
_WAIT = click.argument("wait", metavar="ID")


def _object(_ctx: click.Context | None, _param: click.Parameter | None, text: str | None) -> dict[str, Any] | None:
    """The JSON object of an option."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"this is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.BadParameter("this is not an object of arguments")
    return found


class _Group(click.Group):
    """A group that lists when it is not told what to do."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts `list` before options that stand alone."""
        alone = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        return super().parse_args(ctx, ["list", *args] if alone else args)


@click.group(cls=_Group)
def approvals() -> None:
    """List and answer what runs ask of people; without a command: list."""


@approvals.command("list")
@sited
@FORMAT
def list_command(form: str, **options: Any) -> None:
    """List what waits for an answer, newest first."""
    found = at_desk(Site(**options), lambda desk: desk.pending())
    if form == "json":
        click.echo(as_json(found))
    else:
        click.echo(visible("\n".join(_line(each) for each in found)) or "nothing waits for an answer")


@approvals.command()
@_WAIT
@sited
@FORMAT
def show(wait: str, form: str, **options: Any) -> None:
    """Show the question ID with all its arguments."""
    _show(at_desk(Site(**options), lambda desk: desk.show(wait)), form)


@approvals.command()
@_WAIT
@_REASON
@click.option("--remember", is_flag=True, help="Until the session ends, do not ask about this tool again.")
@click.option("--edit", metavar="JSON", callback=_object, help="Arguments to call it with instead: an object.")
@sited
@FORMAT
def approve(wait: str, form: str, *, reason: str, remember: bool, edit: dict[str, Any] | None, **options: Any) -> None:
    """Let the call of the question ID be made."""
    reply = Reply("approve", reason=reason, remember=remember, edited_args=edit)
    _show(at_desk(Site(**options), lambda desk: desk.answer(wait, reply)), form)


@approvals.command()
@_WAIT
@_REASON
@sited
@FORMAT
def deny(wait: str, form: str, *, reason: str, **options: Any) -> None:
    """Refuse the call of the question ID."""
    _show(at_desk(Site(**options), lambda desk: desk.answer(wait, Reply("deny", reason=reason))), form)


@approvals.command()
@_WAIT
@click.argument("outcome", type=click.Choice(["retry", "done", "failed"]))
@_REASON
@sited
@FORMAT
def settle(wait: str, outcome: Decision, form: str, *, reason: str, **options: Any) -> None:
    """Say what became of the call of the question ID, which was cut off: make it again, it was done, or it failed."""
    _show(at_desk(Site(**options), lambda desk: desk.answer(wait, Reply(outcome, reason=reason))), form)


def _values(_ctx: click.Context, _param: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    """`name=value` each."""
    found = {}
    for each in given:
        name, separator, text = each.partition("=")
        if not name or not separator:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE")
        found[name] = text
    return found


@approvals.command()
@_WAIT
@click.argument("values", nargs=-1, metavar="[NAME=VALUE]...", callback=_values)
@click.option("--content", type=click.File(), help="A file with the values as a JSON object; - reads standard input.")
@click.option("--decline", "said", flag_value="decline", help="Say no.")
@click.option("--cancel", "said", flag_value="cancel", help="Say nothing: the server is told that nobody chose.")
@sited
@FORMAT
def answer(
    wait: str, values: dict[str, str], content: IO[str] | None, said: str | None, form: str, **options: Any
) -> None:
    """Answer what an MCP server asks with the question ID, with the values of its form."""
    if said is not None and (values or content):
        raise click.UsageError("an answer that is declined or cancelled has no values")
    read = _object(None, None, content.read()) if content is not None else None

    async def given(desk: Desk) -> View:
        if said is not None:
            return await desk.answer(wait, Reply("decline" if said == "decline" else "cancel"))
        return await desk.answer(wait, Reply("accept", content=await _content(desk, wait, values, read)))

    _show(at_desk(Site(**options), given), form)


async def _content(desk: Desk, wait: str, values: dict[str, str], read: View | None) -> View | None:
    """The values as the form has them: what is typed are texts."""
    asked = (await desk.show(wait)).get("input") or {}
    if asked.get("schema") is None and not values and read is None:
        return None
    fields = (asked.get("schema") or {}).get("properties", {})
    typed = {name: forms.value(text, fields.get(name, {"type": "string"})) for name, text in values.items()}
    return {**(read or {}), **typed}


@approvals.command()
@_WAIT
@click.option("--for", "approver", metavar="KEY", help="The key whose answer it will be; otherwise your own.")
@sited
@FORMAT
def link(wait: str, form: str, *, approver: str | None, **options: Any) -> None:
    """Make links that answer the question ID, each of them once: one approves, one denies."""
    made = at_desk(Site(**options), lambda desk: desk.links(wait, approver))
    lines = [f"approve  {made['approve']}", f"deny     {made['deny']}", f"as {made['for']}, {_left(made)}"]
    print_as(form, made, "\n".join(lines))


@approvals.command()
@click.argument("session")
@sited
@FORMAT
def grants(session: str, form: str, **options: Any) -> None:
    """List what is remembered for SESSION: calls that are not asked about any more."""
    found = at_desk(Site(**options), lambda desk: desk.grants(session))
    if form == "json":
        click.echo(as_json(found))
    else:
        click.echo(visible("\n".join(_grant(each) for each in found)) or "nothing is remembered")


@approvals.command()
@click.argument("session")
@click.option("--tool", help="Only what is remembered for this tool.")
@sited
def revoke(session: str, tool: str | None, **options: Any) -> None:
    """Forget what is remembered for SESSION: later calls are asked about again."""
    count = at_desk(Site(**options), lambda desk: desk.revoke(session, tool))
    click.echo(f"{count} revoked")


def _grant(view: View) -> str:
    only = f" for {questions.exact(view['qualifier'])}" if view["qualifier"] else ""
    return f"{view['tool']}{only} (policy {view['policy']}), by {view['granted_by']}"


def _show(view: View, form: str) -> None:
    print_as(form, view, visible("\n".join(_rows(view))))


def _line(view: View) -> str:
    args = ", ".join(f"{name}={questions.exact(value)}" for name, value in view["args"].items())
    what = {"approval": "approval", "input": "an answer to its server"}.get(view["kind"], "what became of it")
    who = f", by {' or '.join(view['approvers'])}" if view["approvers"] else ""
    return f"{view['id']}  {view['tool']}({args})\n    {what} wanted for {view['requested_by']}{who}; {_left(view)}"


def _rows(view: View) -> list[str]:
    shown = view["shown"] or [{"label": name, "value": value} for name, value in view["args"].items()]
    facts = {
        "tool": view["tool"], "agent": view["agent"], "run": view["run"], "asked by": view["requested_by"],
        "policy": view["policy"], "qualifier": view["qualifier"], "may answer": ", ".join(view["approvers"]),
        "needs": f"{view['quorum']} approvals" if view["quorum"] > 1 else "",
        "time": _left(view) if view["state"] == "pending" else "",
    }  # fmt: skip
    return [
        f"{view['id']}: {view['state']}",
        *(f"  {name:<11} {value}" for name, value in facts.items() if value),
        *(f"  argument    {each['label']}: {questions.exact(each['value'])}" for each in shown),
        *_asked(view["input"]),
        *(f"  answer      {_vote(each)}" for each in view["votes"]),
    ]


def _asked(asked: View | None) -> list[str]:
    """What an MCP server says and wants; all words of it are its own."""
    if asked is None:
        return []
    question = Question(asked["server"], "", asked["message"], asked["schema"], asked["url"])
    return [
        f"  server      {asked['server']} asks, in its own words:",
        *(f"              | {questions.exact(line)[1:-1]}" for line in asked["message"].splitlines()),
        *([f"  address     {asked['url']}"] if asked["url"] else []),
        *(f"  field       {name}: {forms.about(name, field, question)}" for name, field in forms.fields(question)),
    ]


def _vote(vote: dict[str, Any]) -> str:
    edit = f" with {questions.exact(vote['edited_args'])}" if vote["edited_args"] is not None else ""
    return f"{vote['decision']} by {vote['by']}{edit}" + (
        f": {questions.exact(vote['reason'])}" if vote["reason"] else ""
    )


def _left(view: View) -> str:
    return f"{questions.left(view['expires_at'] - time.time())} left"
