"""Exit statuses of commands and jobs: a user's mistake is one line on standard error and status 1.

An error of the program itself keeps its traceback.
"""

import errno
import os
import sys
from collections.abc import Callable

from remedis.errors import UserError

MISTAKE = 1
INTERRUPTED = 130  # as shells have it: 128 and the number of the signal
# Error numbers of a full disk or of missing rights: no fault of the program.
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def of_command(do: Callable[[], int]) -> int:
    """Returns the status of `do`; every error of the operating system is a user's mistake."""

    def explain(error: OSError) -> str:
        where = f"{error.filename}: " if error.filename is not None else ""
        return f"{where}{error.strerror or error}."

    return _status(do, explain, "interrupted.")


def of_job(do: Callable[[], int]) -> int:
    """Returns the status of `do`; the messages say that the same command resumes the job."""

    def explain(error: OSError) -> str | None:
        if error.errno not in UNWRITABLE:
            return None
        return (
            f"{error.filename or 'a file of the run'} cannot be written "
            f"({os.strerror(error.errno)}); free space or correct the rights, and the same command "
            "resumes from the last checkpoint."
        )

    return _status(do, explain, "interrupted; the same command resumes.")


def _status(do: Callable[[], int], explain: Callable[[OSError], str | None], stop: str) -> int:
    """Returns the status; `explain` gives the sentence for an error, None for a traceback."""
    sentence: str | None
    try:
        return do()
    except UserError as error:
        sentence = str(error)
    except OSError as error:
        sentence = explain(error)
        if sentence is None:
            raise
    except KeyboardInterrupt:
        print(stop, file=sys.stderr)
        return INTERRUPTED
    print(f"error: {sentence}", file=sys.stderr)
    return MISTAKE
