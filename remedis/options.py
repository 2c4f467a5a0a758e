"""Settings of users: options written as one text, and configs as frozen dataclasses."""

import ast
import contextlib
import csv
import dataclasses
import math
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from remedis.errors import UserError, quoted, shortened, unknown_choice

_Settings = TypeVar("_Settings")

# Config keys by the name they had in version 0.1; in configs and run directories of that time.
RENAMED_KEYS = {"rematerialise": "gradient_checkpointing"}

# Config keys that run directories of earlier versions lack. Such a run loads, and resumes if its
# data and weights are unchanged; the code that reads a key decides what its absence means.
ADDED_KEYS = frozenset(
    {
        "allow_similar_ids",
        "allow_similar_images",
        "data_terms",
        "decay_to",
        "eval_uncertain",
        "eval_unmentioned",
        "eval_unlabelled",
        "fit_to_data",
        "layers",
        "leave_out",
        "max_megapixels",
        "nested_resamples",
        "reference_patients",
        "top_k",
        "weighting",
    }
)

# Characters of a specification or of a literal. The longest of ours has 220.
MAX_CHARACTERS = 10_000

# How each interface spells a setting, and an option of a data source.
INTERFACES = {
    "python": ("{name}", "{option}"),
    "command": ("--{hyphenated}", "--option {assignment}"),
    "config": ("config.{name}", "config.source_options={quoted}"),
}
# Of the whole process and not of a thread: worker threads write messages, too. The first is
# entered by a command or by the public API, the last by the code that takes a config.
_interfaces: tuple[str, ...] = ()


@contextlib.contextmanager
def spelled_for(interface: str) -> Iterator[None]:
    """Has `spelled` and `spelled_option` write for one of `INTERFACES` in the block."""
    global _interfaces
    before, _interfaces = _interfaces, (*_interfaces, interface)
    try:
        yield
    finally:
        _interfaces = before


def _interface() -> str:
    return _interfaces[-1] if _interfaces else "python"


def spelled(name: str, value: object = None) -> str:
    """Returns a setting as the user has to write it, for messages.

    That is `--allow-similar-ids` in a command, `config.allow_similar_ids` in a job with a config,
    and the argument's name `allow_similar_ids` in Python.

    Args:
      name: of the argument or the config key, with underscores.
      value: the value to write behind it, such as `resize(224)` or a list of labels; the name
        alone if not given.
    """
    form, _ = INTERFACES[_interface()]
    written = form.format(name=name, hyphenated=name.replace("_", "-"))
    return written if value is None else f"{written}={_written(value, _interface())}"


def spelled_argument(name: str, value: object) -> str:
    """Returns an argument of a job that no config holds, as the user has to write it.

    That is `--workdir=runs/a` on a command line, and `workdir='runs/a'` in Python.

    Args:
      name: of the argument, with underscores.
      value: its value.
    """
    of_python = _interfaces[:1] == ("python",)
    argument = name if of_python else f"--{name.replace('_', '-')}"
    return f"{argument}={_written(value, 'python' if of_python else 'command')}"


def _written(value: object, interface: str) -> str:
    """Returns a value as Python or a shell takes it; a text that is a number stays one."""
    if interface == "python":
        if isinstance(value, list | tuple):
            return repr(list(value))
        text = str(value)
        try:
            float(text)
        except ValueError:
            return text if isinstance(value, bool) else quoted(text)
        return text
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    return shlex.quote(str(value))


def spelled_option(name: str, value: object = True) -> str:
    """Returns an option of a data source as the user has to write it, for messages.

    That is `--option views=all` in a command, `config.source_options='views=all'` in a job with
    a config, and the argument's name `views` in Python.

    Args:
      name: of the option.
      value: an example of its value.
    """
    _, form = INTERFACES[_interface()]
    assignment = f"{name}={value}"
    in_quotes = f"'{assignment}'" if "'" not in assignment else shlex.quote(assignment)
    return form.format(option=name, assignment=shlex.quote(assignment), quoted=in_quotes)


def items(text: str, separator: str = ";") -> list[str]:
    """Returns the parts of a text between separators, stripped; empty parts are left out."""
    return [part for part in (part.strip() for part in text.split(separator)) if part]


def quoted_items(text: str, separator: str, what: str) -> list[str]:
    """Returns the parts of a text, as a row of a CSV file: `"Nodule, solid",Mass` has two.

    A part may stand in double quotes, and must if it has the separator. Parts are stripped; empty
    ones are left out.

    Raises:
      UserError: a quote is not closed, or has text behind it.
    """
    try:
        rows = list(csv.reader([text], delimiter=separator, skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise UserError(
            f"{what} is {quoted(text)}, which is not a list with {separator!r} between its parts "
            f"({error}); put a part with {separator!r} into double quotes, and write a quote twice."
        ) from error
    return [part for part in (part.strip() for row in rows for part in row) if part]


def label_list(text: str, what: str = "--labels") -> tuple[str, ...]:
    """Returns the labels of a text such as `"Nodule, solid",Mass`, in their order.

    Args:
      text: labels with commas between them, as a row of a CSV file.
      what: the name of the option, as its error message begins.

    Raises:
      UserError: a quote is not closed, or has text behind it.
    """
    return tuple(quoted_items(text, ",", what))


def label_text(labels: Iterable[str]) -> str:
    """Returns the text that `label_list` reads as these labels, for messages and commands."""
    texts = (label.replace('"', '""') for label in labels)
    return ", ".join(f'"{text}"' if "," in text or '"' in text else text for text in texts)


def quoted_pairs(text: str, *, what: str, expected: str) -> dict[str, str]:
    """Returns the pairs of a text such as `Patient ID=patient_id; "a;b"=c`, by their first part.

    The last sign divides a pair, so that its first part may hold the sign.

    Args:
      text: pairs with semicolons between them, as a row of a CSV file.
      what: the name of the option, as its error message begins.
      expected: the form of a pair, as the error message ends.

    Raises:
      UserError: a quote is not closed, or a part is not of the form.
    """
    return dict(pair(part, what, expected) for part in quoted_items(text, ";", what))


def pair(text: str, what: str, expected: str) -> tuple[str, str]:
    """Returns what stands before and after the last `=` of a text.

    Raises:
      UserError: there is no sign, or nothing before or after it.
    """
    key, _, value = (piece.strip() for piece in text.rpartition("="))
    if not key or not value:
        raise UserError(f"{what} has {quoted(text.strip())}; expected {expected}.")
    return key, value


def pairs(
    text: str,
    *,
    what: str,
    expected: str,
    sign: str = "=",
    separator: str = ";",
    at_last: bool = False,
) -> list[tuple[str, str]]:
    """Returns the pairs of a text such as `a=b; c=d`, in their order.

    Args:
      text: the pairs.
      what: the name of the option, as its error message begins, such as `config.arms`.
      expected: the form of the text, as its error message ends, with an example.
      sign: between key and value.
      separator: between pairs.
      at_last: whether the last sign of a part divides it, so that a key may hold the sign; else the
        first one does, so that a value may.

    Raises:
      UserError: a part has no sign, or nothing before or after it.
    """
    named = []
    for part in items(text, separator):
        divided = part.rpartition(sign) if at_last else part.partition(sign)
        key, _, value = (piece.strip() for piece in divided)
        if not key or not value:
            raise UserError(f"{what} has {quoted(part)}; expected {expected}.")
        named.append((key, value))
    return named


def literal(text: str | ast.expr) -> Any:
    """Returns the value of a Python literal.

    Raises:
      ValueError: the text is no literal, is nested too deeply, or longer than `MAX_CHARACTERS`.
    """
    if isinstance(text, str) and len(text) > MAX_CHARACTERS:
        raise ValueError(f"it has more than {MAX_CHARACTERS:,} characters")
    try:
        return ast.literal_eval(text)
    # All that `literal_eval` is documented to raise.
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise ValueError("it is no number, text, tuple or list") from error


def literals(texts: Iterable[str], what: str) -> dict[str, Any]:
    """Returns values by name from texts such as `views=all` and `test_centres=(2, 3)`.

    Args:
      texts: one pair each; the first sign divides, so that a value may hold it. Empty ones are
        left out. A value that is no Python literal is text.
      what: the name of the option, as its error message begins, such as `config.source_options`.

    Raises:
      UserError: a text is not of the form KEY=VALUE.
    """
    values: dict[str, Any] = {}
    for text in filter(str.strip, texts):
        key, sign, value = (piece.strip() for piece in text.partition("="))
        if not sign or not key:
            raise UserError(f"{what} has {quoted(text.strip())}; expected KEY=VALUE.")
        try:
            values[key] = literal(value)
        except ValueError:
            values[key] = value
    return values


def source_options(text: str, what: str) -> dict[str, Any]:
    """Returns values by name from a text such as `views=all; columns='a=path; b=split'`.

    Args:
      text: options with semicolons between them; a value with a semicolon stands in quotes.
      what: the name of the option, as its error message begins.

    Raises:
      UserError: a part is not of the form KEY=VALUE.
    """
    quoted = r"""[^;=]*=\s*(?:"[^"]*"|'[^']*')\s*"""
    return literals(re.findall(rf"((?:{quoted}|[^;]*))(?:;|$)", text), what)


def values_by_name(text: str, *, what: str, expected: str) -> dict[str, dict[str, Any]]:
    """Returns values by name and key from a text such as `a: x=1, y=none; b: x=(2, 3)`.

    Args:
      text: names with their values. A comma or semicolon divides unless it stands in quotes or
        brackets. A value that is no Python literal is text.
      what: the name of the option, as its error message begins, such as `config.arm_options`.
      expected: the form of the text, as its error message ends, with an example.

    Raises:
      UserError: the text is not of that form, or has a name twice or a key of one name twice.
    """
    named: dict[str, dict[str, Any]] = {}
    for part in _apart(text, ";", what, expected):
        name, _, listed = (piece.strip() for piece in part.partition(":"))
        texts = _apart(listed, ",", what, expected)
        if not name or not texts:
            raise UserError(f"{what} has {quoted(part)}; expected {expected}.")
        if name in named:
            raise UserError(
                f"{what} names {quoted(name)} twice; write all of its keys behind one colon."
            )
        named[name] = values = literals(texts, what)
        if len(values) < len(texts):
            raise UserError(
                f"{what} has {quoted(part)}, in which a key stands twice; write it once."
            )
    return named


def _apart(text: str, separator: str, what: str, expected: str) -> list[str]:
    """Returns the parts of a text between separators that are in no quotes or brackets."""
    whole = r"""[^;,"'()\[\]{}]|"[^"]*"|'[^']*'|\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}"""
    other = {";": ",", ",": ";"}[separator]
    if not re.fullmatch(f"(?:{whole}|[;,])*", text):
        raise UserError(
            f"{what} is {quoted(text)}, in which a quote or a bracket is not closed; "
            f"expected {expected}."
        )
    found = (part.strip() for part in re.findall(f"(?:{whole}|{other})+", text))
    return [part for part in found if part]


def grid(
    text: str, *, what: str, kinds: Mapping[str, type[int] | type[float] | tuple[str, ...]]
) -> dict[str, tuple[Any, ...]]:
    """Returns the values by key of a text such as `learning_rate=0.003,0.03; steps=100,300`.

    Args:
      text: keys with their values, in any order; the order is kept.
      what: the name of the option, as its error message begins, such as `config.select`.
      kinds: the keys that may occur, with the type of their values, or with the texts that their
        values may be.

    Raises:
      UserError: a key is unknown or occurs twice, or a value is none of its key's texts, no number
        of its key's type, below 0, or occurs twice.
    """
    example = "'learning_rate=0.003,0.03; weight_decay=0,0.0001'"
    expected = f"keys with their values, separated by commas, such as {example}"
    values: dict[str, tuple[Any, ...]] = {}
    for key, listed in pairs(text, what=what, expected=expected):
        if key not in kinds:
            raise unknown_choice(f"key in {what}", key, kinds)
        if key in values:
            raise UserError(f"{what} names {key} twice; list its values once, as in {example}.")
        found: list[Any] = []
        for part in items(listed, ","):
            value = _grid_value(f"{key} in {what}", f"{what} has {key}", part, kinds[key])
            if value in found:
                raise UserError(f"{what} has {key}={shortened(part)} twice; list every value once.")
            found.append(value)
        if not found:
            raise UserError(f"{what} has no value of {key}; expected {expected}.")
        values[key] = tuple(found)
    return values


def _grid_value(
    key: str, has: str, text: str, kind: type[int] | type[float] | tuple[str, ...]
) -> float | str:
    """Returns a value of `grid`; `key` and `has` begin the messages on a wrong one."""
    if isinstance(kind, tuple):
        if text not in kind:
            raise unknown_choice(f"value of {key}", text, kind)
        return text
    try:
        value = kind(text)
    except ValueError:
        value = -1
    if not 0 <= value < math.inf:
        number = "whole number" if kind is int else "number"
        raise UserError(
            f"{has}={shortened(text)}; expected a {number} of 0 or more, as in "
            "'learning_rate=0.003,0.03; weight_decay=0,0.0001'."
        )
    return value


def settings(kind: type[_Settings], config: Any, **changes: Any) -> _Settings:
    """Returns a frozen dataclass with the values that a config has under its fields' names.

    This is where a `ConfigDict` ends: code below a job's entry takes dataclasses.

    Args:
      kind: the dataclass.
      config: a `ConfigDict`, or a mapping; lists become tuples, nested configs dicts. One of an
        earlier version may lack `ADDED_KEYS`, whose fields then have their defaults.
      **changes: values to take in place of the config's.
    """
    names = [field.name for field in dataclasses.fields(cast(Any, kind)) if field.init]
    wanted = (name for name in names if name not in changes)
    values = {n: _plain(config[n]) for n in wanted if n in config or n not in ADDED_KEYS}
    return kind(**values, **changes)


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return tuple(map(_plain, value)) if isinstance(value, list | tuple) else value
