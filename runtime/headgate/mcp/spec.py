"""`[mcp]` of `gateway.toml`: MCP servers, where more of them are imported from, and which may be configured at all."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from headgate.core.kind import Spec
from headgate.core.scalars import Duration, Name, Patience
from headgate.mcp.auth import Auth
from headgate.mcp.auth_user import OAuth2User
from headgate.mcp.headers import HeaderName, HeaderValue

Transport = Literal["stdio", "streamable_http", "sse"]
PREFIX = r"^$|^[a-z0-9]([a-z0-9-]|_(?!_)){0,30}(?<!_)$"
URL = r"^https?://[^\s/?#@]+([/?][^\s#]*)?$"
_TEXT = Annotated[str, Field(pattern=r"^[^\x00]*$")]
"""What programs can be given: NUL would end it."""
_COMMAND = Annotated[str, Field(min_length=1, pattern=r"^[^\x00]*$")]
_GLOBS = tuple[Annotated[str, Field(min_length=1)], ...]
_VARIABLE = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class ServerSpec(Spec):
    """One MCP server: a program that is spoken to over its standard input and output, or a URL."""

    command: _COMMAND | None = None
    """The program of a server that runs here; it is looked up on PATH and run without a shell."""
    args: tuple[_TEXT, ...] = ()
    """The program's arguments. Others on the machine can read them: secrets belong in `env`."""
    env: dict[_VARIABLE, _TEXT] = {}
    """Environment variables of the program. Of the gateway's own environment it has PATH, HOME, USER, LOGNAME, SHELL,
    TERM, LANG, LC_*, TZ and TMPDIR, and nothing else."""
    cwd: _TEXT | None = None
    """The directory that the program runs in, relative to the tree, which is the default."""
    url: Annotated[str, Field(pattern=URL, examples=["https://mcp.example.com/mcp"])] | None = None
    """The URL of a server that runs elsewhere; what is not public HTTPS needs an entry in `[egress] allow`."""
    transport: Transport | None = None
    """How the server is spoken to: `stdio` where there is a command, else `streamable_http`; `sse` is the transport
    of servers from before 2025-03-26."""
    headers: dict[HeaderName, HeaderValue] = {}
    """HTTP headers that are sent with every request."""
    auth: Auth | None = None
    """How requests are authenticated."""
    enabled: bool = True
    """Whether the server is used at all."""
    prefix: Annotated[str, Field(pattern=PREFIX, examples=["fs"])] | None = None
    """What stands before `__` in the names of its tools, instead of the server's name; with `""` the tools are called
    as the server calls them."""
    timeout: Patience | None = None
    """How long one tool call may take; `tool_call_timeout` of `[mcp]` if unstated."""
    connection_timeout: Patience | None = None
    """How long connecting and listing the tools may take; `connection_timeout` of `[mcp]` if unstated."""
    trusted: bool = False
    """Whether what the server says about its tools (that they change nothing, that calls may be repeated) counts. Of
    one that is not trusted every tool is taken to be destructive and to reach beyond the server."""
    failure: Literal["open", "closed"] = "open"
    """What becomes of agents that have the server while it cannot be reached: `open` lets them run without its tools,
    `closed` refuses their runs."""
    allow: _GLOBS = ("*",)
    """Globs of the tools that are offered, by the server's own names for them."""
    deny: _GLOBS = ()
    """Globs of the tools that are not."""
    resources: bool = False
    """Whether agents may read the server's resources, with the tools `list_resources` and `read_resource`, which are
    called and governed like those that the server lists."""
    elicitation: Literal["ask", "decline"] = "ask"
    """What becomes of questions that the server asks a person during a call (MCP elicitation): `ask` lets the run wait
    for an answer, `decline` says no, and does not tell the server that it could ask."""
    elicitation_timeout: Annotated[Duration, Field(gt=0)] = 600.0
    """How long somebody has to answer a question; then the server is told that nobody did."""
    pin: Literal["off", "warn", "block"] = "off"
    """What becomes of a tool that is new, or whose definition is another than the approved one: `warn` offers it and
    says so, `block` holds it back until somebody approves it. What the server lists at first is approved."""

    @property
    def personal(self) -> bool:
        """Whether everybody uses it with an account of their own."""
        return isinstance(self.auth, OAuth2User)

    @property
    def kind(self) -> Transport:
        """The transport, stated or implied."""
        return self.transport or ("stdio" if self.command is not None else "streamable_http")


class ApprovedTool(Spec):
    """One tool as it was approved."""

    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """The digest over the server's name, the tool's, and its definition."""
    definition: str = ""
    """The definition as JSON; what a diff shows of it."""


class Approved(Spec):
    """The tools of one server as they were approved."""

    tools: dict[Annotated[str, Field(min_length=1)], ApprovedTool] = {}
    """The tools, by the server's own names for them."""


class Import(Spec):
    """Servers that another program's settings declare."""

    path: Annotated[str, Field(min_length=1, examples=["~/.claude.json"])]
    """A JSON file with a member `mcpServers`; relative to the tree, `~` is the home directory. `${VAR}` in it is read
    as `${env:VAR}`."""
    servers: Annotated[tuple[Name, ...], Field(json_schema_extra={"minItems": 1})]
    """The names of the servers that are taken; no others are."""


class Policy(Spec):
    """Which servers may be configured at all, whether by a file of the tree, by an imported one or over the API."""

    commands: _GLOBS | None = None
    """Globs of the programs that servers may run, as `command` names them; any if unstated."""
    urls: Annotated[tuple[Annotated[str, Field(min_length=1, examples=["https://*"])], ...] | None, Field()] = None
    """Globs of the URLs that servers may have: scheme, host and path are compared apart, a glob without a path covers
    every path; any if unstated."""


class Mcp(Spec):
    """MCP servers whose tools agents may call."""

    tool_call_timeout: Patience = 30.0
    """How long one tool call may take."""
    connection_timeout: Patience = 10.0
    """How long connecting to a server and listing its tools may take."""
    import_: Annotated[tuple[Import, ...], Field(alias="import")] = ()
    """Files of other programs from which servers are taken."""
    policy: Policy = Policy()
    """Which servers may be configured at all."""
    servers: dict[Name, ServerSpec] = {}
    """The servers by name. Their tools are called `NAME__TOOL`."""
    from_api: tuple[Name, ...] = ()
    """Names of servers that are made through the API and not declared here: agents may name them and their tools,
    whether they are there yet or not."""

    pins: dict[Name, Approved] = {}
    """What was approved of the tools of servers that have `pin`, by server. The gateway and the API write it; who
    writes it here keeps the approvals with the tree."""

    def effective(self, spec: ServerSpec) -> ServerSpec:
        """The server with the time limits that it does not state."""
        limits = {
            "timeout": spec.timeout or self.tool_call_timeout,
            "connection_timeout": spec.connection_timeout or self.connection_timeout,
        }
        return spec.model_copy(update=limits)
