"""The frame of every training job: the work is done once, by all workers, in one directory."""

import contextlib
import logging
import os
import pathlib
from collections.abc import Callable
from typing import Any

from remedis import files, json_records, locks
from remedis.json_records import Object
from remedis.options import spelled_argument
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)

_ADVICE = "remove it and run the same command again, which writes it"

Work = Callable[[RunDirectory, Distribution], None]


def run_once(
    workdir: files.Path,
    config: dict[str, Any],
    distribution_name: str,
    work: Work,
    when_finished: Callable[[RunDirectory], None] = lambda _: None,
) -> dict[str, Any]:
    """Does the work unless it is finished. The work is finished once it wrote `results.json`.

    Args:
      workdir: the run's directory.
      config: the run's config as plain values, for `config.json`.
      distribution_name: `config.distribution`.
      work: trains; the first of several workers writes.
      when_finished: called in place of `work` for a finished run.

    Returns:
      The content of `results.json`, in all workers.

    Raises:
      UserError: the directory belongs to another run or is in use by another process, or the
        machine lacks what the config needs.
      WorkerLost: another worker is gone.
    """
    distribution = Distribution.from_name(distribution_name)
    with distribution.raising_worker_lost(), _lock(workdir, distribution):
        run = RunDirectory(workdir, config, distribution.worker)
        results_file = run.shared / "results.json"
        if os.path.lexists(results_file):
            _LOG.info(f"{run.shared} is finished; its results are in {results_file}.")
            when_finished(run)
        else:
            work(run, distribution)
            distribution.wait()
        return json_records.read(results_file, Object, _ADVICE)


def _lock(
    workdir: files.Path, distribution: Distribution
) -> contextlib.AbstractContextManager[None]:
    """Returns the lock on a run's directory, which the first of several workers has for all.

    A finished run needs none: its directory may be read-only.
    """
    if not distribution.chief or os.path.lexists(pathlib.Path(workdir, "results.json")):
        return contextlib.nullcontext()
    return locks.held(locks.file_in(workdir), spelled_argument("workdir", workdir))
