"""A Beam pipeline that applies a function to names, and that survives a killed worker.

Other runners replace a dead worker. Beam's own DirectRunner waits for it for ever; it is started
again with what is left.
"""

import contextlib
import signal
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from remedis import extras
from remedis.errors import UserError, first_line, shortened

DIRECT = "DirectRunner"
# Beam's name for the thread that waits for a worker's process.
_WORKER_THREAD = "run_worker"
_SIGNAL = signal.SIGUSR1
# The direct runner would otherwise download another runner and start it; this pipeline has no
# triggers. Its workers would write a line per step of their start.
_DIRECT_OPTIONS = ("--allow_unsafe_triggers", "--default_sdk_harness_log_level=WARNING")


class WorkerDied(Exception):
    """A process of the direct runner has ended before its work."""


def check(runner: str, options: Sequence[str]) -> None:
    """Raises a UserError for a runner or options that Beam does not know.

    Raises:
      UserError: also if Beam is not installed.
    """
    extras.load("apache_beam", "beam")
    runners = extras.load("apache_beam.runners", "beam")
    if wrong := [option for option in options if not option.startswith("--")]:
        raise UserError(
            f"The option of the runner {wrong[0]!r} does not begin with --; write "
            "--NAME=VALUE, such as --direct_num_workers=4."
        )
    try:
        runners.create_runner(runner)
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(
            f"Beam has no runner {runner!r} here ({shortened(first_line(error))}); expected "
            f"{DIRECT}, DataflowRunner, FlinkRunner, SparkRunner or another of its runners."
        ) from error


def apply(
    function: Callable[[str], None], names: Sequence[str], runner: str, options: Sequence[str]
) -> None:
    """Calls a function with every name, on the workers of a runner.

    Args:
      function: travels to the workers, where it is imported by name.
      names: one element each.
      runner: name of a runner of Beam.
      options: of the pipeline, such as `--direct_num_workers=2`.

    Raises:
      WorkerDied: a worker of the direct runner was killed; the others have ended their work.
      UserError: as the function.
    """
    beam = extras.load("apache_beam", "beam")
    pipelines = extras.load("apache_beam.options.pipeline_options", "beam")
    flags = [*(_DIRECT_OPTIONS if runner == DIRECT else ()), *options]
    pipeline = beam.Pipeline(runner=runner, options=pipelines.PipelineOptions(flags))
    # Without the shuffle, one worker would do what one worker has listed.
    _ = (
        pipeline
        | "Parts" >> beam.Create(names, reshuffle=False)
        | "Spread" >> beam.Reshuffle()
        | "Embed" >> beam.Map(function)
    )
    try:
        with _watched():
            result = pipeline.run()
            result.wait_until_finish()
    except Exception as error:
        if isinstance(error, WorkerDied):
            raise
        raise _sentence(error) from error


def _sentence(error: Exception) -> Exception:
    """Returns the error of a worker that is a user's mistake as such; others as they are."""
    causes: list[BaseException] = [error]
    while following := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(following)
    for cause in causes:
        if isinstance(cause, UserError):
            return cause
    # From another process there is text alone: the last line of its traceback, with Beam's note.
    marker = "remedis.errors.UserError: "
    text = str(error)
    if marker in text:
        line = text.rpartition(marker)[2].splitlines()[0]
        return UserError(line.partition(" [while running")[0])
    return error


@contextlib.contextmanager
def _watched() -> Iterator[None]:
    """Raises `WorkerDied` in the block when a worker's process ends with an error.

    Beam raises this error in a thread, where nobody receives it. Only the main thread can be woken.
    """
    main = threading.main_thread()
    if threading.current_thread() is not main:
        yield
        return
    died: list[str] = []
    show = threading.excepthook

    def hook(arguments: Any) -> None:
        if arguments.thread is None or arguments.thread.name != _WORKER_THREAD or died:
            show(arguments)
            return
        died.append(str(arguments.exc_value))
        assert main.ident is not None
        signal.pthread_kill(main.ident, _SIGNAL)

    def wake(number: int, frame: types.FrameType | None) -> None:
        raise WorkerDied(died[0] if died else "")

    before = signal.signal(_SIGNAL, wake)
    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = show
        signal.signal(_SIGNAL, before)
