"""Secrets that a tree refers to: what is known of them while it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from headgate.core.errors import ConfigError
from headgate.core.kind import Key
from headgate.manifest.diagnostics import suggest
from headgate.manifest.references import Fault
from headgate.secrets.reference import SecretRef

TABLE = "secrets"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a secret cannot be had; without a code its back-end has been reported already."""

    code: str = ""
    message: str = ""


Answers = Mapping[SecretRef, str | Refusal]


@dataclass(slots=True)
class Lookup:
    """Looks secrets up for one reading of a tree, and notes which are wanted.

    `declared` are the names of the tree's back-ends, None when its `gateway.toml` cannot be read. `answers` are what
    the back-ends said of the references of an earlier reading.
    """

    declared: frozenset[str] | None
    answers: Answers = field(default_factory=dict, repr=False)
    wanted: set[SecretRef] = field(default_factory=set)

    def __call__(self, text: str, key: Key) -> str:
        """The secret; raises `Fault`."""
        try:
            ref = SecretRef.parse(text)
        except ConfigError as error:
            raise Fault("HG1101", error.message, error.hint) from None
        if key[:1] == (TABLE,):
            message = f"a secret back-end cannot take its own settings from a secret, as '{ref}'"
            raise Fault("HG1104", message, "use ${env:NAME} or ${file:/path}")
        if self.declared is None:
            raise Fault("", "")
        if ref.backend not in self.declared:
            raise _undeclared(ref.backend, self.declared)
        self.wanted.add(ref)
        answer = self.answers.get(ref, Refusal("HG1107", f"the secret {ref} was not asked for"))
        if isinstance(answer, Refusal):
            raise Fault(answer.code, answer.message, local=True)
        return answer


def _undeclared(name: str, declared: frozenset[str]) -> Fault:
    guess = suggest(name, declared)
    hint = f"did you mean '{guess}'?" if guess else f"declare [secrets.{name}] in gateway.toml"
    return Fault("HG1104", f"no secret back-end is called '{name}'", hint)
