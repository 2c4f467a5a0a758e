"""What every training job does around its work: once, by all workers, into one directory."""

from collections.abc import Callable
from typing import Any

import ml_collections

from remedis import files
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory

Work = Callable[[ml_collections.ConfigDict, RunDirectory, Distribution], None]


def once(config: ml_collections.ConfigDict, workdir: files.Path, work: Work) -> dict[str, Any]:
    """Does the work unless it is finished, which it is once it has written `results.json`.

    Args:
      config: of the run, with `distribution`.
      workdir: the run's directory.
      work: trains; of several workers the first writes.

    Returns:
      What `results.json` holds, in all workers.

    Raises:
      UserError: the directory is not this run's, or the machine not what the config asks for.
      WorkerLost: another worker is gone.
    """
    distribution = Distribution.from_name(config.distribution)
    with distribution.raising_worker_lost():
        run = RunDirectory(workdir, config.to_dict(), distribution.worker)
        results_file = run.shared / "results.json"
        if results_file.is_file():
            print(f"{run.shared} is finished; its results are in {results_file}.")
        else:
            work(config, run, distribution)
            distribution.wait()
        return files.read_json(results_file)
