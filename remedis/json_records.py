"""JSON records, checked when they are read from files, arrays and environment variables.

The package reads all JSON here, except lock files, which `remedis.locks` ignores if they are
damaged. A `TypedDict` beside the code that writes a kind of record describes it. Values are checked
without conversion: `1` is not a text, and neither `"1"` nor `true` is a number. Keys that the kind
does not name may have any value, since later versions add keys. Keys that earlier versions lack are
optional.

Every kind refuses files that are not regular, too large or of too many values; text that is not
UTF-8 or not JSON; NaN and infinite numbers; objects with a duplicate key; and nesting beyond
`MAX_DEPTH`.
"""

import dataclasses
import functools
import json
import logging
import math
import os
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from annotated_types import Ge, Le, Len

from remedis import limits
from remedis.errors import Damaged, counted, quoted, shortened
from remedis.regular_files import NotRegular, Path, read_bytes

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema, ErrorDetails

_LOG = logging.getLogger(__name__)

MAX_DEPTH = 100  # a model that was trained 20 times, each time from the one before, has 25
# 250 MB of the costliest values, 64 bytes each.
MAX_VALUES = 4_000_000

Kind = TypeVar("Kind")
Json = Any  # null, true, false, a finite number, a text, or a list or an object of these
Object = dict[str, Json]
Count = Annotated[int, Ge(0), Le(10**12)]  # of images, patients, steps, parameters
Real = Annotated[float, Ge(-1e30), Le(1e30)]  # a result
Pair = Annotated[list[Real], Len(2, 2)]
Line = Annotated[str, Len(0, 10_000)]  # a sentence, a path, a specification
Name = Annotated[str, Len(1, 1_000)]  # of a label, a split, a column
_SHOWN = 60  # characters of a value in a message


@dataclasses.dataclass(frozen=True)
class Expect:
    """An expectation beyond the types of the keys, in `Annotated[KIND, Expect(...)]`.

    Attributes:
      expected: the expectation as a noun phrase, for the message.
      holds: returns whether a value, whose types are right, meets it.
    """

    expected: str
    holds: Callable[[Any], bool]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: "GetCoreSchemaHandler"
    ) -> "CoreSchema":
        """Returns the schema of the kind with this expectation, as pydantic asks for it."""
        from pydantic_core import PydanticCustomError, core_schema

        def check(value: Any, types: Callable[[Any], Any]) -> Any:
            # Its result is left out: it is a copy, in which some whole numbers became floats.
            types(value)
            if not self.holds(value):
                raise PydanticCustomError("expect", "{expected}", {"expected": self.expected})
            return value

        return core_schema.no_info_wrap_validator_function(check, handler(source))


def read(path: Path, kind: type[Kind], advice: str, max_bytes: int | None = None) -> Kind:
    """Returns the value in a JSON file.

    Args:
      path: of the file.
      kind: a `TypedDict`, or another type that pydantic knows, of plain JSON values.
      advice: what to do about a damaged file, the end of the message.
      max_bytes: the largest size that is accepted; `limits.MAX_JSON_BYTES` if None.

    Raises:
      Damaged: the file is no regular file, too large, not JSON, or not of the kind.
      OSError: it does not exist or may not be read.
    """
    limit = limits.MAX_JSON_BYTES if max_bytes is None else max_bytes
    try:
        content = read_bytes(path, limit)
    except (NotRegular, IsADirectoryError) as error:
        raise _damaged(f"{os.fspath(path)}", str(error.strerror), advice) from error
    return parse(content, kind, os.fspath(path), advice)


def parse(text: str | bytes, kind: type[Kind], where: str, advice: str) -> Kind:
    """Returns the value of a JSON text.

    Args:
      text: as text or as UTF-8.
      kind: as for `read`.
      where: the place of the text, the beginning of the message, such as a path.
      advice: as for `read`.

    Raises:
      Damaged: the text is not JSON, or not of the kind.
    """
    try:
        value = _parsed(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(where, _syntax_fault(error), advice) from error
    return checked(value, kind, where, advice)


def checked(value: Json, kind: type[Kind], where: str, advice: str) -> Kind:
    """Returns a parsed value if it is of a kind.

    Raises:
      Damaged: it is not.
    """
    from pydantic import ValidationError

    try:
        _adapter(cast(Any, kind)).validate_python(value, strict=True)
    except ValidationError as error:
        # Names of files that are not UTF-8 have lone surrogates, which our writers escape. Pydantic
        # does not accept them as text.
        faults = [e for e in error.errors(include_url=False) if e["type"] != "string_unicode"]
        if faults:
            raise _damaged(where, _fault(faults[0]), advice) from error
    return cast(Kind, value)  # as it is: pydantic's copy lacks the keys that it does not know


def lines(path: Path, kind: type[Kind]) -> list[Kind]:
    """Returns the values in a file of JSON lines; leaves out those that cannot be read.

    A kill may truncate the last line, which is left out silently, and others with a warning: a
    damaged log does not end the run.

    Args:
      path: of the file; there are no values if it does not exist.
      kind: of each line, as for `read`.

    Raises:
      Damaged: the file is no regular file, or too large.
      OSError: it may not be read.
    """
    name, advice = os.fspath(path), "remove it"
    try:
        content = read_bytes(path, limits.MAX_JSON_BYTES)
    except FileNotFoundError:
        return []
    except (NotRegular, IsADirectoryError) as error:
        raise _damaged(name, str(error.strerror), advice) from error
    found, faults = [], []
    rows = content.split(b"\n")
    for number, row in enumerate(rows, 1):
        try:
            if row.strip():
                found.append(parse(row, kind, f"{name}, line {number}", advice))
        except Damaged as error:
            if number < len(rows):
                faults.append(str(error))
    if faults:
        _LOG.warning(f"{counted(len(faults), 'line')} left out: {faults[0]}")
    return found


def plain(value: Any) -> Json:
    """Returns a value as it is after writing and reading JSON: tuples become lists."""
    return json.loads(json.dumps(value))


def _parsed(text: str | bytes) -> Json:
    """Returns a JSON value; raises a ValueError or a RecursionError."""
    decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
    if not decoded.strip():
        raise ValueError("it is empty")
    # Checked before parsing, which takes many times the size of the text. Separators within
    # texts count as well; no record of ours comes near the limit.
    if sum(map(decoded.count, ",[{")) > MAX_VALUES:
        raise ValueError(f"it has more than {MAX_VALUES:,} values")
    value = json.loads(
        decoded,
        object_pairs_hook=_object,
        parse_constant=_no_number,
        parse_float=_finite,
        parse_int=_whole,
    )
    _check_depth(value)
    return value


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {_short(twice)} occurs twice")
    return values


def _no_number(name: str) -> Json:
    raise ValueError(f"{name} is not a number in JSON")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {_brief(text)} is too large")
    return value


def _whole(text: str) -> int:
    # No record has longer ones, and thousands of digits take long to read and to write.
    if len(text) > 20 or abs(value := int(text)) >= 1 << 64:
        raise ValueError(f"the number {_brief(text)} is too large")
    return value


def _check_depth(value: Json) -> None:
    level: list[Json] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for container in level
            if isinstance(container, list | dict)
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, list | dict)
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")


def _syntax_fault(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    if isinstance(error, RecursionError):
        return f"it is nested more than {MAX_DEPTH} levels deep"
    if isinstance(error, json.JSONDecodeError):
        fault = f"{error.msg[0].lower()}{error.msg[1:]}"
        return f"it is not JSON, {fault} in line {error.lineno}, column {error.colno}"
    return str(error)


@functools.cache
def _adapter(kind: Any) -> "TypeAdapter[Any]":
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def _fault(error: "ErrorDetails") -> str:
    """Returns a fault that pydantic found as a clause: `units[3] is 'a', expected a number`."""
    place, value = _place(error["loc"]), error["input"]
    if error["type"] == "missing":
        inside = _place(error["loc"][:-1])
        return f"{inside or 'it'} has no key {quoted(error['loc'][-1])}"
    expected = _EXPECTED.get(error["type"]) or error["msg"].removeprefix("Input should be ")
    context = error.get("ctx", {})
    limit = next((context[name] for name in _LIMITS if name in context), "")
    expected = expected.replace(
        "LIMIT", f"{limit:,.15g}" if isinstance(limit, int | float) else limit
    )
    if isinstance(value, list | dict) and error["type"] in ("too_long", "too_short"):
        return f"{place or 'it'} has {counted(len(value), 'value')}, expected {expected}"
    return f"{place or 'it'} is {_shown(value)}, expected {expected}"


# By pydantic's name of the error.
_EXPECTED = {
    "dict_type": "an object",
    "list_type": "a list",
    "string_type": "a text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "greater_than": "a number above LIMIT",
    "greater_than_equal": "LIMIT or more",
    "less_than": "a number below LIMIT",
    "less_than_equal": "LIMIT or less",
    "too_long": "at most LIMIT",
    "too_short": "at least LIMIT",
    "string_too_long": "a text of at most LIMIT characters",
    "string_too_short": "a text of at least LIMIT characters",
}
_LIMITS = ("gt", "ge", "lt", "le", "max_length", "min_length")


def _place(loc: Iterable[int | str]) -> str:
    """Returns `thresholds.youden["a b"]` or `units[3]`; empty for the whole record."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part == "[key]":
            text += " (a key)"
        elif re.fullmatch(r"\w{1,40}", part):
            text += f".{part}" if text else part
        else:
            text += f"[{_short(part)}]"
    return text


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return _short(value) if isinstance(value, str) else _brief(repr(value))


def _short(text: str) -> str:
    return quoted(_brief(text))


def _brief(text: str) -> str:
    return shortened(text, _SHOWN)


def _damaged(where: str, fault: str, advice: str) -> Damaged:
    return Damaged(f"{where} is damaged ({fault}); {advice}.")
