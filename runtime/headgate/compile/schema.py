"""JSON Schemas (2020-12) of every manifest, generated from the specs of the kinds that are registered.

The exported schemas are the ones that the compiler itself applies to the raw documents, so a third-party validator in
CI comes to the same verdict on structure. A union is written as if/then on its tag, because validators then blame the
right key; a scalar that is not free text may also be a `${...}` reference, whose value is checked after resolution.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from headgate.compile.specs import FAMILIES, Agent, Gateway
from headgate.core.kind import Key, Kind, Kinds, Spec
from headgate.core.scalars import DURATIONS, SIZES, duration_text, size_text

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE: Schema = {
    "type": "string",
    "pattern": r"\$\{",
    "description": "A reference: ${env:NAME}, ${env:NAME:-default}, ${env:NAME:?message}, ${file:PATH}, "
    "${secret:BACKEND/path#key}.",
}
REFERENCE_LINK: Schema = {"$ref": "#/$defs/Reference"}
_LAYER = (
    "A file of `gateway.d`, laid over `gateway.toml` in the order of the names: it may add objects and lower limits."
)
_TEAM = "The team that the file belongs to; it may then hold keys, approvals and interceptors of that team alone."
_MAPS = ("properties", "$defs", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLES = ("items", "additionalProperties", "propertyNames", "if", "then", "else", "not")
_CONSTRAINED = ("enum", "const", "pattern", "minLength", "maxLength", "format")


def schemas(kinds: Kinds) -> dict[str, Schema]:
    """All schemas by file name."""
    return {
        "gateway.schema.json": gateway_schema(kinds),
        "layer.schema.json": layer_schema(kinds),
        "agent.schema.json": agent_schema(),
        "tool.schema.json": tool_schema(kinds),
    }


def layer_schema(kinds: Kinds) -> Schema:
    """Schema of `gateway.d/*.toml`: the same tables, of which none must be there, and whose file it is."""
    whole = gateway_schema(kinds)
    team = {"type": "string", "minLength": 1, "description": _TEAM, "x-reload": "hot"}
    rest = {key: value for key, value in whole.items() if key != "required"}
    properties = {"team": team, **{name: {**each} for name, each in whole["properties"].items()}}
    return {**rest, "title": "Headgate: gateway.d/*.toml", "description": _LAYER, "properties": properties}


def gateway_schema(kinds: Kinds, named: Collection[str] | None = None) -> Schema:
    """Schema of `gateway.toml`; with `named` it says of other kinds only that they exist."""
    root, defs = _of(Gateway, "")
    for table, noun in FAMILIES.items():
        family, more = _family(getattr(kinds, table), noun, named)
        root["properties"][table]["additionalProperties"] = family
        defs |= more
    return _document("gateway.toml", root, defs)


def restart_keys() -> tuple[Key, ...]:
    """The keys of `gateway.toml` whose change takes effect when the process starts again, outermost first."""
    whole = gateway_schema(Kinds({}, {}))
    return tuple(_restarting(whole, whole["$defs"], ()))


def _restarting(node: Schema, defs: Mapping[str, Schema], at: Key) -> Iterator[Key]:
    for name, each in node.get("properties", {}).items():
        if each.get("x-reload") == "restart":
            yield (*at, name)
        else:
            target = defs.get(str(each.get("$ref", "")).removeprefix("#/$defs/"), {})
            yield from _restarting(target, defs, (*at, name))


def agent_schema() -> Schema:
    """Schema of an agent's frontmatter."""
    root, defs = _of(Agent, "")
    return _document("Frontmatter of agents/*.md", root, defs)


def tool_schema(kinds: Kinds, named: Collection[str] | None = None) -> Schema:
    """Schema of `tools/*.yaml`; `named` as in `gateway_schema`."""
    family, defs = _family(kinds.tools, "tool", named)
    return _document("tools/*.yaml", family, defs)


def render(schema: Schema) -> str:
    """The text of a schema file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def write(folder: Path, kinds: Kinds) -> list[Path]:
    """Writes all schema files and names those that changed."""
    folder.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, schema in schemas(kinds).items():
        path, text = folder / name, render(schema)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _document(title: str, root: Schema, defs: dict[str, Schema]) -> Schema:
    whole = {"$schema": DIALECT, "title": f"Headgate: {title}", **root, "$defs": {"Reference": REFERENCE, **defs}}
    _classify(whole, whole["$defs"], "hot", set())
    return whole


def _classify(node: Schema, defs: Mapping[str, Schema], above: str, seen: set[str]) -> None:
    """Says of every key what an edit of it costs; a key that does not say it itself costs what its table costs."""
    link = str(node.get("$ref", "")).removeprefix("#/$defs/")
    if link in defs and link not in seen:
        seen.add(link)
        _classify(defs[link], defs, above, seen)
    for name, each in node.get("properties", {}).items():
        target = defs.get(str(each.get("$ref", "")).removeprefix("#/$defs/"), {})
        said = {"description": target["description"]} if "description" in target else {}
        node["properties"][name] = {**said, **each, "x-reload": each.get("x-reload", above)}
        _classify(node["properties"][name], defs, node["properties"][name]["x-reload"], seen)
    for each in (
        *(one for key in _LISTS for one in node.get(key, ())),
        *(node.get(key) for key in _SINGLES if key != "if"),
    ):
        if isinstance(each, dict):
            _classify(each, defs, above, seen)


def _of(spec: type[Spec], prefix: str) -> tuple[Schema, dict[str, Schema]]:
    """A schema of its own for each caller, and its definitions."""
    root, defs = msgspec.json.decode(_generated(spec, prefix))
    return root, defs


@lru_cache(maxsize=512)
def _generated(spec: type[Spec], prefix: str) -> bytes:
    """The same as JSON: to generate it takes longer than all else that is done when a gateway is opened."""
    raw = spec.model_json_schema(ref_template="#/$defs/" + prefix + "{model}")
    defs = {prefix + name: _clean(each) for name, each in raw.pop("$defs", {}).items()}
    return msgspec.json.encode((_clean(raw), defs))


def _family(
    family: Mapping[str, Kind[Any, Any]], noun: str, named: Collection[str] | None
) -> tuple[Schema, dict[str, Schema]]:
    links: dict[str, Schema] = {}
    defs: dict[str, Schema] = {}
    for name, kind in family.items():
        if named is not None and name not in named:
            continue
        root, more = _of(kind.spec, f"{name}-")
        root.setdefault("description", kind.summary)
        root["properties"]["kind"] = {"const": name, "description": kind.summary}
        defs |= {f"{noun}-{name}": root, **more}
        links[name] = {"$ref": f"#/$defs/{noun}-{name}"}
    return _by_tag("kind", links, list(family)), defs


def _by_tag(tag: str, links: Mapping[str, Schema], names: list[str] | None = None) -> Schema:
    """An object whose tag says what else it has; `names` are all that the tag may be, if that is more than `links`."""
    return {
        "type": "object",
        "required": [tag],
        "properties": {tag: {"enum": names or list(links), "description": "Decides which other keys there are."}},
        "allOf": [
            {"if": {"properties": {tag: {"const": name}}, "required": [tag]}, "then": link}
            for name, link in links.items()
        ],
    }


def _clean(node: Schema) -> Schema:
    """One schema node in the exported form: no titles, no nulls, tags as if/then, references allowed."""
    node = _recurse({key: value for key, value in node.items() if key != "title"})
    if node.get("default", ...) is None:
        del node["default"]
    for step in (_without_null, _default_as_written, _tagged, _named_map, _annotatable, _or_reference):
        node = step(node)
    return node


def _recurse(node: Schema) -> Schema:
    out = dict(node)
    for key in _MAPS:
        if key in out:
            out[key] = {name: _described(_clean(each)) for name, each in out[key].items()}
    for key in _LISTS:
        if key in out:
            out[key] = [_clean(each) for each in out[key]]
    for key in _SINGLES:
        if isinstance(out.get(key), dict):
            out[key] = _clean(out[key])
    return out


def _described(node: Schema) -> Schema:
    if "const" in node and "description" not in node:
        return {**node, "description": f"Always `{node['const']}`."}
    return node


def _without_null(node: Schema) -> Schema:
    if "anyOf" not in node:
        return node
    branches = [each for each in node["anyOf"] if each != {"type": "null"}]
    rest = {key: value for key, value in node.items() if key != "anyOf"}
    if len(branches) == 1:
        return {**branches[0], **rest}
    return {**rest, "anyOf": branches}


def _default_as_written(node: Schema) -> Schema:
    if isinstance(node.get("default"), dict):  # the table's own keys have their defaults
        return {key: value for key, value in node.items() if key != "default"}
    default, pattern = node.get("default"), node.get("pattern")
    if pattern in DURATIONS and isinstance(default, int | float):
        return {**node, "default": duration_text(default)}
    return {**node, "default": size_text(default)} if pattern in SIZES and isinstance(default, int) else node


def _tagged(node: Schema) -> Schema:
    mapping = node.get("discriminator")
    if not mapping:
        return node
    rest = {key: value for key, value in node.items() if key not in ("oneOf", "discriminator")}
    return {**rest, **_by_tag(mapping["propertyName"], {k: {"$ref": v} for k, v in mapping["mapping"].items()})}


def _named_map(node: Schema) -> Schema:
    patterns = node.get("patternProperties")
    if not patterns or "properties" in node or len(patterns) != 1:
        return node
    ((pattern, value),) = patterns.items()
    rest = {key: each for key, each in node.items() if key != "patternProperties"}
    return {**rest, "propertyNames": {"pattern": pattern}, "additionalProperties": value}


def _annotatable(node: Schema) -> Schema:
    if node.get("additionalProperties") is False:
        return {**node, "patternProperties": {"^x-": {}}}
    return node


def _or_reference(node: Schema) -> Schema:
    if node.get("x-json-schema") or "const" in node:
        return node
    if "anyOf" in node:
        scalar = any("anyOf" in each or _constrained(each) for each in node["anyOf"])
        branches = [inner for each in node["anyOf"] for inner in _opened(each)]
        unique = [each for i, each in enumerate(branches) if each not in branches[:i] and each != REFERENCE_LINK]
        return {**node, "anyOf": [*unique, REFERENCE_LINK] if scalar else unique}
    if not _constrained(node):
        return node
    outer = {key: node[key] for key in node if key in ("description", "default") or key.startswith("x-")}
    inner = {key: value for key, value in node.items() if key not in outer}
    return {**outer, "anyOf": [inner, REFERENCE_LINK]}


def _opened(branch: Schema) -> Iterable[Schema]:
    return branch["anyOf"] if set(branch) == {"anyOf"} else [branch]


def _constrained(node: Schema) -> bool:
    kind = node.get("type")
    if kind in ("integer", "number", "boolean") or "enum" in node:
        return True
    return kind == "string" and any(key in node for key in _CONSTRAINED)
