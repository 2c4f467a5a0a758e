"""Runs a job several times in one directory, killed at a different moment each time.

    python killed.py finetune|pretrain CONFIG.json WORKDIR MOMENT...

Prints one JSON line per moment: the signal that ended the run, and the files in the directory. At
the moment `end` nothing is killed; a number is the seconds after the start. TensorFlow is imported
once and each run is forked, which is sound as long as nothing has been computed before.
"""

import json
import os
import pathlib
import signal
import sys
import threading
import time
from collections.abc import Sequence

import ml_collections
import tensorflow as tf
from workers import JOBS

from remedis import files
from remedis.cli import console
from remedis.data.checks import scan
from remedis.finetuning import finetune
from remedis.training.checkpoints import TrainingState
from remedis.training.determinism import prepare_process
from remedis.training.run_directory import RunDirectory


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def while_the_config_is_written() -> None:
    os.replace = die


def during_the_scan() -> None:
    measure, seen = scan.measure, []

    def measured(names: Sequence[str]) -> object:
        seen.extend(names)
        return measure(names) if len(seen) < 20 else die()

    scan.measure = measured


def between_checkpoints() -> None:
    append = RunDirectory.append_metrics

    def appended(run: RunDirectory, row: dict) -> None:
        if row["step"] < 8:
            return append(run, row)
        with open(run / "metrics.jsonl", "a") as file:
            file.write(json.dumps(row)[:20])
        die()

    RunDirectory.append_metrics = appended


def while_a_checkpoint_is_written() -> None:
    write = files.write_text

    def written(path: files.Path, text: str) -> None:
        data = next(pathlib.Path(sys.argv[3]).rglob("ckpt-15.data-*"), None)
        if data is None:
            return write(path, text)
        os.truncate(data, data.stat().st_size // 2)
        die()

    files.write_text = written


def after_the_best_was_kept() -> None:
    save = TrainingState.save
    TrainingState.save = lambda state: die() if int(state.step) == 20 else save(state)


def before_the_predictions() -> None:
    finetune.predict.table = die


def during_the_export() -> None:
    def half(served: object, folder: str, signatures: object) -> None:
        pathlib.Path(folder, "saved_model.pb").write_bytes(b"half")
        die()

    tf.saved_model.save = half


def before_the_results() -> None:
    finetune.evaluate_table = die


MOMENTS = {
    moment.__name__: moment
    for moment in (
        while_the_config_is_written,
        during_the_scan,
        between_checkpoints,
        while_a_checkpoint_is_written,
        after_the_best_was_kept,
        before_the_predictions,
        during_the_export,
        before_the_results,
    )
}


def after(seconds: float) -> None:
    """Kills the process after so many seconds."""
    threading.Thread(target=lambda: (time.sleep(seconds), die()), daemon=True).start()


def arrange(moment: str) -> None:
    if moment in MOMENTS:
        MOMENTS[moment]()
    elif moment != "end":
        after(float(moment))


def main() -> None:
    _, job, file, folder, *moments = sys.argv
    config = ml_collections.ConfigDict(json.loads(pathlib.Path(file).read_text()))
    workdir = pathlib.Path(folder)
    for name in moments:
        sys.stdout.flush()
        started = time.monotonic()
        child = os.fork()
        if not child:
            os.dup2(2, 1)  # standard output is for the lines of this program
            arrange(name)
            prepare_process()  # as the job does
            with console.shown():
                JOBS[job](config, workdir)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        ended = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else status
        files = sorted(str(path.relative_to(workdir)) for path in workdir.rglob("*"))
        seconds = time.monotonic() - started
        print(json.dumps({"moment": name, "ended": ended, "files": files, "seconds": seconds}))


if __name__ == "__main__":
    main()
