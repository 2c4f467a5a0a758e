"""JSON kinds as documented schemas, and their fields as tables.

The kinds are the `TypedDict`s beside the code that writes each file. Their docstrings hold the
meanings of the fields: those of the section `Attributes`, and those of the class whose `to_json`
the first sentence names.
"""

import importlib
import inspect
import re
import sys
import textwrap
import typing
from collections.abc import Callable
from typing import Any

import typing_extensions
from pydantic import TypeAdapter

from docs.generate import markdown

Schema = dict[str, Any]

_TO_JSON = re.compile(r"`([\w.]+)\.to_json`")
_FIELD = re.compile(r"^(?P<name>\S+): (?P<text>.*)$")
# Bounds of `json_records` that only say that a value is not absurd.
_WIDE = {"maximum": (1e30, 10**12), "minimum": (-1e30,)}
_LENGTHS = ("maxLength", "minLength", "title")


class Undocumented(Exception):
    """A field has no meaning, or a meaning has no field."""


def schema(kind: Any) -> Schema:
    """Returns the JSON Schema of a kind, with the meaning of each field as its description.

    Args:
      kind: a `TypedDict`, or one in `Annotated`.

    Raises:
      Undocumented: a field of the kind, or of a kind in it, has no meaning.
    """
    made = TypeAdapter(kind).json_schema()
    classes = {one.__name__: one for one in kinds_in(kind)}
    parts = made.setdefault("$defs", {})
    root = unwrapped(kind)
    for name, part in [*parts.items(), (root.__name__, made)]:
        if "properties" not in part:
            continue
        of = meanings(classes[name])
        part["description"] = summary(classes[name])
        part["properties"] = {
            field: {**part["properties"][field], "description": text} for field, text in of.items()
        }
    plain: Schema = _without_noise(made)
    return plain


def unwrapped(kind: Any) -> Any:
    """Returns the class of a kind without what `Annotated` adds."""
    while typing.get_origin(kind) is typing.Annotated:
        kind = typing.get_args(kind)[0]
    return kind


def kinds_in(kind: Any) -> list[type]:
    """Returns the `TypedDict`s in a type, each once, in the order of their fields."""
    found: dict[type, None] = {}

    def add(part: Any) -> None:
        if typing_extensions.is_typeddict(part):
            if part not in found:
                found[part] = None
                for hint in _hints(part).values():
                    add(hint)
        else:
            for inside in typing.get_args(part):
                add(inside)

    add(unwrapped(kind))
    return list(found)


def _hints(kind: type) -> dict[str, Any]:
    hints: dict[str, Any] = typing_extensions.get_type_hints(kind)
    return hints


def meanings(kind: type) -> dict[str, str]:
    """Returns the meaning of each field of a `TypedDict` as Markdown.

    Raises:
      Undocumented: a field has none, or the docstring names a field that the kind does not have.
    """
    own = attributes(kind)
    if unknown := own.keys() - _hints(kind).keys():
        raise Undocumented(
            f"The docstring of {kind.__module__}.{kind.__name__} describes {sorted(unknown)[0]!r}, "
            "which is no field of it; remove the line, or write the name as in the file."
        )
    known: dict[str, str] = {}
    for base in getattr(kind, "__orig_bases__", ()):
        if typing_extensions.is_typeddict(base):
            known |= meanings(base)
    if (writer := _writer(kind)) is not None:
        known |= attributes(writer)
    known |= own
    if missing := [field for field in _hints(kind) if field not in known]:
        raise Undocumented(
            f"The field {missing[0]!r} of {kind.__module__}.{kind.__name__} has no meaning; write "
            f"one, `{missing[0]}: ...`, into the section `Attributes:` of its docstring."
        )
    # A docstring that describes all fields has them in the order in which they are read.
    order = own if own.keys() == known.keys() else _hints(kind)
    return {field: _markdown(known[field]) for field in order}


def summary(kind: type) -> str:
    """Returns the first sentence on a kind, or on the class that writes it."""
    writer = _writer(kind)
    text = inspect.getdoc(kind if writer is None else writer) or ""
    return " ".join(text.split("\n\n")[0].split())


def attributes(kind: type) -> dict[str, str]:
    """Returns name -> text of the section `Attributes` of a docstring."""
    text = inspect.cleandoc(kind.__dict__.get("__doc__") or "")
    _, _, section = text.partition("Attributes:\n")
    found: dict[str, str] = {}
    for line in textwrap.dedent(section).splitlines():
        if match := _FIELD.match(line):
            found[name := match["name"]] = match["text"]
        elif line.startswith(" "):
            found[name] += f" {line.strip()}"
    return found


def _writer(kind: type) -> type | None:
    """Returns the class whose `to_json` a kind's docstring names; None if it names none."""
    first = (kind.__dict__.get("__doc__") or "").partition("\n")[0]
    match = _TO_JSON.search(first)
    if match is None:
        return None
    module, _, name = match[1].rpartition(".")
    where = importlib.import_module(module) if module else sys.modules[kind.__module__]
    writer: type = getattr(where, name)
    return writer


def _markdown(text: str) -> str:
    """Returns the text of a docstring for a reader of JSON."""
    text = re.sub(r"\bNone\b", "`null`", text).replace(" -> ", " → ")
    return markdown.sentence(text)


def _without_noise(value: Any) -> Any:
    """Returns a schema without titles, lengths of texts and bounds that are no ranges."""
    if isinstance(value, list):
        return [_without_noise(item) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        if key in _LENGTHS and not isinstance(item, dict | list):
            continue
        if key == "propertyNames" or (key in _WIDE and item in _WIDE[key]):
            continue
        # Names of fields are no words of the schema.
        kept[key] = (
            {name: _without_noise(one) for name, one in item.items()}
            if key in ("properties", "$defs")
            else _without_noise(item)
        )
    return kept


def type_text(value: Schema, link: Callable[[str], str]) -> str:
    """Returns a type in words.

    Args:
      value: the schema of the type.
      link: returns the words for a kind in `$defs`, by its name.
    """
    if "anyOf" in value:
        return " or ".join(type_text(one, link) for one in value["anyOf"])
    if "$ref" in value:
        return link(value["$ref"].rpartition("/")[2])
    if "const" in value or "enum" in value:
        return " or ".join(f"`{one}`" for one in value.get("enum", [value.get("const")]))
    kind = value.get("type")
    if kind == "array":
        inside = value.get("items", {})
        if value.get("minItems") is not None and value.get("minItems") == value.get("maxItems"):
            return f"list of {value['minItems']}: {type_text(inside, link)}"
        return f"list of {type_text(inside, link)}" if inside else "list"
    if kind == "object":
        inside = value.get("additionalProperties")
        if not isinstance(inside, dict):
            return "object"
        text = type_text(inside, link)
        return f"by name, {text}" if text.startswith("by name") else f"by name: {text}"
    if kind in ("number", "integer"):
        return _number(value, "number" if kind == "number" else "whole number")
    return {"string": "text", "boolean": "true or false", "null": "`null`"}.get(str(kind), "any")


def _number(value: Schema, noun: str) -> str:
    low, high = value.get("minimum"), value.get("maximum")
    if low is not None and high is not None:
        return f"{noun} {low:,.12g} to {high:,.12g}"
    if value.get("exclusiveMinimum") is not None:
        above = f"{noun} above {value['exclusiveMinimum']:g}"
        return above if high is None else f"{above}, to {high:,.12g}"
    return f"{noun} from {low:,.12g}" if low else noun
