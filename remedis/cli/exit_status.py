"""Exit statuses of commands and jobs: a user's mistake is one line on standard error and status 1.

A full disk, missing rights and a file that is not there are no faults of the program, whichever
library finds them: TensorFlow, TFDS, pyarrow and h5py raise errors of their own. An error of the
program itself keeps its traceback.
"""

import contextlib
import dataclasses
import errno
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator

from remedis import files, interruption
from remedis.cli import console
from remedis.errors import UserError, counted, quoted
from remedis.visible_text import visible

_LOG = logging.getLogger(__name__)

MISTAKE = 1
INCOMPLETE = 3  # the work is done but for files that cannot be read; 2 is `data_commands.UNWELL`
INTERRUPTED = 130  # by Ctrl-C, where no handler of ours is installed
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)
ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)
# The system's message of each error number, which libraries put into the text of their errors.
_NUMBERS = {os.strerror(number): number for number in (*FULL, *FORBIDDEN, *ABSENT)}
# An absolute path, or one in quotes; TensorFlow ends a path with a semicolon.
_PATH = re.compile(r"'([^'\n]+)'|([^\s;:,'\"]*/[^\s;:,'\"]+)")


@dataclasses.dataclass
class Output:
    """Where a program writes: named in messages about files whose error names no path.

    Attributes:
      path: of the directory or file; empty until the command line is parsed.
    """

    path: str = ""


def of_command(do: Callable[[], int], output: Output | None = None) -> int:
    """Returns the status of `do`; every error of the operating system is a user's mistake."""
    return _status(do, output or Output(), ".", "start again", every=True)


def of_job(do: Callable[[], int], output: Output | None = None) -> int:
    """Returns the status of `do`; the messages say that the same command resumes the job."""
    again = "the same command resumes from the last checkpoint"
    stop = "; the same command resumes."
    return _status(do, output or Output(), stop, again, every=False)


def of_images(unreadable: int, report: files.Path) -> int:
    """Returns the status of a command that goes on without unreadable images; says their number.

    Args:
      unreadable: number of images.
      report: the file that lists them.
    """
    if not unreadable:
        return 0
    images = counted(unreadable, "image is unreadable and", "images are unreadable and")
    _LOG.warning(f"{images} left out; {report} lists them. Exit status {INCOMPLETE}.")
    return INCOMPLETE


def _status(do: Callable[[], int], output: Output, stop: str, again: str, every: bool) -> int:
    with console.any_text():
        try:
            with interruption.handled():
                return do()
        except UserError as error:
            sentence = str(error)
        except interruption.Interrupted as interrupted:
            with contextlib.suppress(OSError):  # the terminal may be closed
                print(f"{interrupted}{stop}", file=sys.stderr, flush=True)
            return interrupted.status
        except KeyboardInterrupt:
            print(f"Stopped{stop}", file=sys.stderr)
            return INTERRUPTED
        except BrokenPipeError:  # the reader of the output, such as `head`, has ended
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return MISTAKE
        except Exception as error:
            about_files = _about_files(error, output, again) or _about_names(error)
            if about_files is None and every and isinstance(error, OSError):
                where = f"{error.filename}: " if error.filename is not None else ""
                about_files = f"{where}{error.strerror or error}."
            if about_files is None:
                sys.excepthook = console.show_last_traceback
                raise
            sentence = about_files
        print(f"error: {visible(sentence)}", file=sys.stderr)
        return MISTAKE


def _about_files(error: Exception, output: Output, again: str) -> str | None:
    """Returns a sentence about a file that cannot be written or read; None for other errors."""
    for cause in _causes(error):
        number, path = _number_and_path(cause)
        if number is None or (number in ABSENT and not path):
            continue
        # Files are written beside their place first, under a name that says nothing to the user.
        if not path or ".partial" in path or "incomplete." in path:
            path = output.path or path or "a file"
        reason = os.strerror(number)
        if number in ABSENT:
            return f"{path} cannot be opened ({reason}); correct the path or the file, and {again}."
        kind = "written" if number in FULL else "opened"
        remedy = "free space" if number in FULL else "correct the rights"
        return f"{path} cannot be {kind} ({reason}); {remedy}, and {again}."
    return None


def _about_names(error: Exception) -> str | None:
    """Returns a sentence about a name that is not UTF-8, which a library refused.

    Python represents its bytes by lone surrogates; pyarrow and TensorFlow accept UTF-8 only.
    """
    for cause in _causes(error):
        if isinstance(cause, UnicodeEncodeError) and cause.reason == "surrogates not allowed":
            return f"The name {quoted(cause.object)} is not UTF-8; rename it, and start again."
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__


def _number_and_path(error: BaseException) -> tuple[int | None, str]:
    """Returns which of `_NUMBERS` an error is about, and the file; by its text for libraries."""
    if isinstance(error, OSError) and error.errno is not None:
        number = error.errno if error.errno in _NUMBERS.values() else None
        return number, str(error.filename or "")
    if not (isinstance(error, OSError | RuntimeError) or _is_of_tensorflow(error)):
        return None, ""
    text = str(error)
    for message, number in _NUMBERS.items():
        before, found, _ = text.rpartition(message)
        if found:
            paths = [quoted or bare for quoted, bare in _PATH.findall(before)]
            return number, paths[-1] if paths else ""
    return None, ""


def _is_of_tensorflow(error: BaseException) -> bool:
    """Returns whether an error is of `tf.errors`, without loading TensorFlow."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow is not None and isinstance(error, tensorflow.errors.OpError)
