"""The error for a user's mistake, and sentences that several modules need."""

import difflib
from collections.abc import Callable, Iterable, Sequence

from remedis.visible_text import visible

# Names in a message come from files and may have any length; a page of text is not read.
LONGEST_MESSAGE = 2_500


class UserError(ValueError):
    """A mistake that the user can correct.

    The message is one sentence or two: the fault, its place (file, row, key), the expectation and
    the next step. Commands print it without a traceback. Control characters in a name are written
    out, and the middle of a very long message is left out.
    """

    def __str__(self) -> str:
        return of_a_page(visible(super().__str__()))


class UnknownLabel(UserError):
    """A data set lacks a label.

    Attributes:
      known: names of the labels that it has.
    """

    known: tuple[str, ...] = ()


class Damaged(UserError):
    """A record or a table of ours cannot be read, or is not of its kind."""


def unknown_choice(kind: str, got: object, choices: Iterable[str]) -> UserError:
    """Returns the error for a name that is not among `choices`, with the nearest right one.

    Args:
      kind: of the name, e.g. "model" or "config argument".
      got: the user's text.
      choices: all valid names.
    """
    names = list(choices)
    got = shortened(got)
    near = difflib.get_close_matches(str(got), names, n=1, cutoff=0.5)
    hint = f": did you mean {quoted(near[0])}?" if near else "."
    listed = some([f'"{name}"' if "," in str(name) else name for name in names], limit=100)
    return UserError(f"Unknown {kind} {quoted(got)}{hint} Choose from: {listed}.")


def check_at_least(name: str, value: int, minimum: int) -> None:
    """Raises `UserError` unless the argument called `name` is at least `minimum`."""
    if value < minimum:
        raise UserError(f"{name} is {value}, expected {minimum} or more.")


def registered_twice(
    kind: str, name: str, first: Callable[..., object], second: Callable[..., object]
) -> ValueError:
    """Returns the error for a name that is registered already; a mistake in code, not a user's.

    Args:
      kind: what is registered, e.g. "operation".
      name: the name that both claim.
      first: the function or class that has the name.
      second: the one that would take its place.
    """
    places = [f"{entry.__module__}.{entry.__qualname__}" for entry in (first, second)]
    return ValueError(
        f"The {kind} {name!r} is registered already, as {places[0]}, and {places[1]} would "
        "replace it; rename one of them."
    )


def some(names: Sequence[object], total: int | None = None, limit: int = 5) -> str:
    """Returns the first few of many names as text: `a, b, c and 7 more`; long ones are shortened.

    Args:
      names: the names, or the first of them.
      total: how many names there are; the length of `names` if not given.
      limit: how many names to write out.
    """
    listed = [shortened(name) for name in names[:limit]]
    more = (len(names) if total is None else total) - len(listed)
    return ", ".join(listed) + (f" and {more:,} more" if more > 0 else "")


def first_line(error: BaseException) -> str:
    """Returns the reason that a library's error gives, without further lines such as a trace."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def shortened(text: object, limit: int = 200) -> str:
    """Returns a text for a message, cut to so many characters and three dots if it is longer."""
    # A lone surrogate, of a file name that is not UTF-8, cannot be written out.
    full = str(text).encode("utf-8", "backslashreplace").decode()
    return full if len(full) <= limit else f"{full[:limit]}..."


def of_a_page(message: str) -> str:
    """Returns a message of at most `LONGEST_MESSAGE` characters, with three dots in its middle.

    Its beginning says what is wrong and where, and its end what to do.
    """
    half = (LONGEST_MESSAGE - len(" ... ")) // 2
    return message if len(message) <= LONGEST_MESSAGE else f"{message[:half]} ... {message[-half:]}"


def quoted(text: object) -> str:
    r"""Returns a text in quotes as a file holds it: `'D:\PACS\1.dcm'`, without doubled backslashes.

    Other characters are as `repr` writes them: a quote within, the end of a line. A long text is
    shortened.
    """
    return repr(shortened(text)).replace("\\\\", "\\")


def counted(number: int, noun: str, plural: str = "") -> str:
    """Returns a number with its noun: `1 image`, `2,000 images`, `0 studies`.

    Args:
      number: of things.
      noun: in the singular; a verb may follow, such as `image has`.
      plural: of the noun, if it is not the noun with an s.
    """
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
