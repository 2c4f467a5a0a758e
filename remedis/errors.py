"""The one kind of error a user's mistake raises, and the sentence for a wrong choice."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """A mistake the user can mend.

    The message is one sentence or two: what is wrong, where (file, row, key), what was expected,
    what to do. Command-line programs print it without a traceback.
    """


def unknown_choice(kind: str, got: object, choices: Iterable[str]) -> UserError:
    """Returns the error for a name that is not among `choices`, with the nearest right one.

    Args:
      kind: what was named, e.g. "model" or "config argument".
      got: what the user wrote.
      choices: every right answer.
    """
    names = list(choices)
    near = difflib.get_close_matches(str(got), names, n=1, cutoff=0.5)
    hint = f": did you mean {near[0]!r}?" if near else "."
    return UserError(f"Unknown {kind} {str(got)!r}{hint} Choose from: {', '.join(names)}.")
