"""The typed form of `[approvals.NAME]`: which tools are held until a person answers, and which are refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from headgate.core.context import Mode
from headgate.core.kind import Spec
from headgate.core.scalars import Patience
from headgate.expressions.condition import ConditionText, TextText

Text = Annotated[str, Field(min_length=1)]
Globs = tuple[Text, ...]


class ApprovalPolicy(Spec):
    """What becomes of calls of some tools. The first policy of a layer that is about a call decides there; across the
    layers (gateway, agent, profile) the strictest of deny, ask and allow wins. A tool that none covers may be called.
    """

    # Not min_length: what is missing or empty must not take the checks of all the rest away (see compile/decode.py).
    tools: Annotated[Globs, Field(json_schema_extra={"minItems": 1})]
    """Names or globs of the tools that the policy covers."""
    decide: Literal["ask", "allow", "deny"]
    """`ask` holds a call until a person answers, `deny` refuses it, `allow` lets it pass and later policies of the
    layer out."""
    when: ConditionText | None = None
    """A CEL condition; calls of which it is not true are left to the policies behind. One that fails counts as true
    where the policy asks or denies, and as false where it allows."""
    apply: Literal["all", "named"] = "all"
    """`all`: it holds for every agent; `named`: for agents and profiles that name it in `approvals`."""
    remember: Literal["never", "session"] = "never"
    """What a person may approve at once: this call alone, or all calls of the tool until the session ends."""
    qualifier: TextText | None = None
    """A CEL expression for a text, such as `args.account`: what is remembered covers only the calls for which it gives
    the same text. A call for which it fails is always asked about."""
    timeout: Patience = 7200.0
    """How long a person has to answer; after that the call is refused."""
    on_unknown_outcome: Literal["tell_model", "ask"] | None = None
    """What happens when a crash leaves open whether a call was made: the model is told, or a person is asked. Unstated,
    a person is asked about destructive tools."""
    approvers: Globs = ()
    """Teams or keys that may answer; everybody who may answer approvals if unstated."""
    quorum: Annotated[int, Field(ge=1, le=20)] = 1
    """How many different keys must approve; one that denies is enough."""
    mode: Mode = "enforce"
    """`enforce` applies the policy; `warn` passes it over, and says what it would have done; `audit` only counts it."""
