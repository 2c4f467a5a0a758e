"""Keys of configs with the meanings that stand in comments behind or above their assignments."""

import ast
import dataclasses
import io
import re
import tokenize
from collections.abc import Iterator

# `Data.` alone or before text: a group of keys. Its text tells about all of them.
_GROUP = re.compile(r"([A-Z]\w*(?:,? \w+){0,2})\.(?: |$)")
# `or adamw, lars: update rule`: the other values of a key before its meaning.
_CHOICES = re.compile(r"or (\w+(?:, \w+)*):(?: |$)")


@dataclasses.dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
      name: of the key.
      meaning: what it sets.
      others: values that it takes beside its default; empty if they are not a short list.
    """

    name: str
    meaning: str
    others: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Group:
    """Keys below one heading.

    Attributes:
      title: of the group.
      text: about all of its keys; may be empty.
      keys: in the order of the source.
    """

    title: str
    text: str
    keys: tuple[Key, ...]


def groups(source: str, function: str, file: str) -> list[Group]:
    """Returns the keys that a function assigns as `config.KEY = ...`, by group.

    Args:
      source: text of the module.
      function: name of the function.
      file: name of the module's file, for messages.

    Raises:
      ValueError: a key has no meaning, or stands before the first group.
    """
    behind, alone = _comments(source)
    found: list[Group] = []
    above: list[str] = []
    blocks = {min(block): block for block in _blocks(alone)}
    assignments = dict(_assignments(source, function))
    last = max(assignments, default=0)
    for line in range(min(assignments, default=0) - 3, last + 1):
        if line in blocks:
            above = [alone[number] for number in blocks[line]]
            if title := _GROUP.match(above[0]):
                # The text behind a title is the group's; lines below a title alone are a key's.
                rest = " ".join(above)[title.end() :] if above[0][title.end() :] else ""
                found.append(Group(title[1], rest, ()))
                above = [] if rest else above[1:]
        for name in assignments.get(line, ()):
            if not found:
                raise ValueError(f"{file}: {name!r} stands before the first group, such as Data.")
            key = _key(name, [*above, behind.get(line, "")], f"{file}:{line}")
            found[-1] = dataclasses.replace(found[-1], keys=(*found[-1].keys, key))
        if line in assignments:
            above = []
    return [group for group in found if group.keys]


def _key(name: str, comments: list[str], place: str) -> Key:
    text = " ".join(filter(None, comments)).strip()
    choices = _CHOICES.match(text)
    meaning = text[choices.end() :] if choices else text
    if not meaning:
        raise ValueError(
            f"{place}: the key {name!r} has no meaning; write it there, in a comment behind the "
            "assignment or above it."
        )
    return Key(name, meaning, tuple(choices[1].split(", ")) if choices else ())


def _comments(source: str) -> tuple[dict[int, str], dict[int, str]]:
    """Returns comments by line: those behind code, and those alone on a line."""
    behind: dict[int, str] = {}
    alone: dict[int, str] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            is_alone = token.line.lstrip().startswith("#")
            (alone if is_alone else behind)[token.start[0]] = token.string.lstrip("# ").rstrip()
    return behind, alone


def _blocks(alone: dict[int, str]) -> Iterator[list[int]]:
    """Yields the lines of each block of comments."""
    block: list[int] = []
    for line in sorted(alone):
        if block and line != block[-1] + 1:
            yield block
            block = []
        block.append(line)
    if block:
        yield block


def _assignments(source: str, function: str) -> Iterator[tuple[int, list[str]]]:
    """Yields the first line and the keys of each assignment to `config.KEY`."""
    for definition in ast.parse(source).body:
        if not (isinstance(definition, ast.FunctionDef) and definition.name == function):
            continue
        for statement in definition.body:
            if not isinstance(statement, ast.Assign):
                continue
            (target,) = statement.targets
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            keys = [
                part.attr
                for part in parts
                if isinstance(part, ast.Attribute)
                and isinstance(part.value, ast.Name)
                and part.value.id == "config"
            ]
            if keys:
                yield statement.lineno, keys
