"""The typed form of `gateway.toml` and of an agent's frontmatter.

Field docstrings become the descriptions of the JSON Schemas and of the reference pages. `x-reload` says what an edit
of the key costs: `hot` (the default) swaps in place and opens nothing but the object itself, `subsystem` opens every
object anew that depends on the key, `restart` needs a new process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from headgate.compile.accounting import Audit, Budgets
from headgate.compile.auth import Auth
from headgate.compile.policies import ApprovalPolicy, Globs, Text
from headgate.compile.serving import RESTART, Boot, Positive, Reload, Retention, Server, Store
from headgate.compile.switches import KillSwitch
from headgate.compile.trials import AgentTest
from headgate.core.kind import Spec
from headgate.core.scalars import Duration, Name, Patience, Size, SomeSize
from headgate.mcp.spec import Mcp
from headgate.tools.schema import InputSchema

SUBSYSTEM = {"x-reload": "subsystem"}
_PACKAGE = r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
Usd = Annotated[float, Field(gt=0)]
ModelRef = Annotated[str, Field(min_length=1, examples=["fast", "default/auto"])]


class ModelAlias(Spec):
    """A name for a model that agents use."""

    provider: Name
    """The provider, by its name in `[providers]`."""
    model: Annotated[str, Field(min_length=1)] = "auto"
    """The provider's model id; `auto` is the provider's default model."""


class EgressRules(Spec):
    """What outbound HTTP of tools may reach beyond public HTTPS."""

    allow: tuple[str, ...] = ()
    """Host names, host globs, `host:port`, addresses or CIDR blocks."""


class Functions(Spec):
    """Python that tools may call."""

    packages: tuple[Annotated[str, Field(pattern=_PACKAGE, examples=["acme.tools"])], ...] = ()
    """Packages whose functions `kind: function` tools may name."""


class Limits(Spec):
    """Limits of every run; an agent may only be stricter."""

    turns: Positive = 100
    """Model turns of one run."""
    tool_output: SomeSize = 256 << 10
    """The most that one tool result may put before the model; of a larger one it gets the beginning, and is told so."""
    spill: Size = 20 << 20
    """How much of larger results is kept for `read_result`, per run and until its end; `0B` keeps nothing."""
    runs_per_key: Positive = 1_000
    """Runs that one key may have in progress at once; more is answered with 429."""


class Gateway(Spec):
    """`gateway.toml`: the server, its store, who may call, and which models there are."""

    version: Literal[1]
    """The version of the manifest format."""
    name: Name = "headgate"
    """The name of this gateway."""
    default_agent: Name | None = None
    """The agent of callers that name none; may be left out when there is only one."""
    server: Annotated[Server, Field(json_schema_extra=RESTART)] = Server()
    """Where the gateway listens, and to whom it answers."""
    store: Annotated[Store, Field(json_schema_extra=RESTART)] = Store()
    """Where runs, sessions and messages are committed."""
    retention: Retention = Retention()
    """How long what was committed is kept."""
    audit: Audit = Audit()
    """What the audit log says."""
    reload: Reload = Reload()
    """How an edit becomes the live revision."""
    boot: Annotated[Boot, Field(json_schema_extra=RESTART)] = Boot()
    """What happens when the tree is broken at start-up."""
    auth: Auth = Auth()
    """Who may call."""
    kill_switches: dict[Name, KillSwitch] = {}
    """What is stopped, until the entry is gone. Usually made with `headgate kill on` or through the API."""
    providers: Annotated[dict[Name, dict[str, Any]], Field(min_length=1, json_schema_extra={"x-family": "providers"})]
    """Model providers by name."""
    models: dict[Name, ModelAlias] = {}
    """Model aliases by name."""
    secrets: Annotated[dict[Name, dict[str, Any]], Field(json_schema_extra={"x-family": "secrets"})] = {}
    """Secret back-ends by name, for `${secret:NAME/path#key}`."""
    interceptors: Annotated[dict[Name, dict[str, Any]], Field(json_schema_extra={"x-family": "interceptors"})] = {}
    """Interceptors by name, in the order in which they stand around calls and turns, outermost first."""
    egress: Annotated[EgressRules, Field(json_schema_extra=SUBSYSTEM)] = EgressRules()
    """What outbound HTTP of tools may reach beyond public HTTPS."""
    functions: Annotated[Functions, Field(json_schema_extra=SUBSYSTEM)] = Functions()
    """Python that tools may call."""
    approvals: dict[Name, ApprovalPolicy] = {}
    """Policies that hold tool calls until a person answers, or refuse them; the first that covers a tool decides."""
    limits: Limits = Limits()
    """Limits of every run; an agent may only be stricter."""
    mcp: Mcp = Mcp()
    """MCP servers whose tools agents may call."""
    budgets: Budgets = Budgets()
    """What may be used over all runs of a key, a team or a session."""


FAMILIES: Mapping[str, str] = {"providers": "provider", "secrets": "secret", "interceptors": "interceptor"}
"""Tables of `gateway.toml` whose entries are of the kinds of a family, and what one entry is called."""


class CancelAfter(Spec):
    """Cancel the run when nobody has been listening for this long."""

    cancel_after: Duration
    """How long nobody must have been listening."""


class Channel(Spec):
    """How one channel shapes the agent's runs."""

    append: str | None = None
    """Added to the prompt."""
    tools_deny: Globs = ()
    """Globs of tools that are not offered on this channel."""


class Profile(Channel):
    """A stricter form of the agent, chosen by a request or by a key."""

    max_turns: Positive | None = None
    """Model turns of one run; at most the agent's own."""
    timeout: Patience | None = None
    """Wall time of one run; at most the agent's own."""
    budget_usd: Usd | None = None
    """Cost of one run in USD; at most the agent's own."""
    budget_tokens: Positive | None = None
    """Tokens of one run, of all classes; at most the agent's own."""
    approvals: tuple[Text, ...] = ()
    """Policies of `[approvals]` with `apply = "named"` that hold as well, besides the agent's own."""


class Agent(Spec):
    """An agent: the frontmatter of `agents/<name>.md`; the Markdown below it is the prompt."""

    name: Name | None = None
    """Must agree with the file name when it is given."""
    description: Annotated[str, Field(min_length=1)]
    """What the agent is for, in a sentence."""
    display_name: str | None = None
    """The name that people see."""
    tags: tuple[str, ...] = ()
    """Free labels."""
    model: ModelRef | None = None
    """An alias of `[models]`, or `provider/model-id`; the alias `default` when it is not given."""
    fallback: tuple[ModelRef, ...] = ()
    """Models that are tried, in order, when the first cannot answer."""
    thinking: Literal["off", "adaptive", "low", "medium", "high"] | Annotated[int, Field(ge=1024)] | None = None
    """How much the model may think: a level, or a budget in tokens."""
    max_output_tokens: Positive | None = None
    """The most tokens that one model turn may produce."""
    tools: Globs = ()
    """Names or globs of the tools that the agent may call; none named, none offered, apart from those of its MCP
    servers. Naming tools of a server offers those of it alone."""
    mcp_servers: tuple[Name, ...] = ()
    """MCP servers whose tools the agent is offered, besides those of the servers that no agent names. A server that is
    named here is for the agents that name it."""
    approvals: tuple[Text, ...] = ()
    """Policies of `[approvals]` with `apply = "named"` that hold for this agent, besides those of the gateway. The
    first that covers a tool decides among them; of that one and the gateway's the stricter counts."""
    context: tuple[str, ...] = ()
    """Files of the tree that are added to the prompt."""
    max_turns: Positive = 20
    """Model turns of one run."""
    timeout: Patience = 600.0
    """Wall time of one run."""
    budget_usd: Usd | None = None
    """Cost of one run in USD; every model that the agent may use needs a price."""
    budget_tokens: Positive | None = None
    """Tokens of one run: input, output and what is written to or read from a cache, of all its turns."""
    on_disconnect: Literal["continue"] | CancelAfter = "continue"
    """What becomes of a run whose client has gone."""
    input: InputSchema | None = None
    """JSON Schema of the request's `context.input`, which the prompt sees as `input.*`."""
    channels: dict[Name, Channel] = {}
    """How the request's `context.channel` shapes the run."""
    profiles: dict[Name, Profile] = {}
    """Stricter forms, chosen by the request's `context.profile` or by a key's `profile`."""
    tests: tuple[AgentTest, ...] = ()
    """Inline tests, which `headgate test` runs."""
