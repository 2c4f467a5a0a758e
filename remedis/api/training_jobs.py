"""The jobs by config: fine-tuning, pretraining and label-budget studies."""

import contextlib
from collections.abc import Iterator

import ml_collections

from remedis import files, invocation, label_budget
from remedis.api import early_checks
from remedis.api.run_records import Run, Study, load_run, load_study
from remedis.errors import UserError
from remedis.finetuning import finetune as finetuning
from remedis.options import spelled_for
from remedis.pretraining import pretrain as pretraining
from remedis.reporting import label_budget_report, pretraining_report, run_report
from remedis.training import determinism
from remedis.training.distribution import is_chief


def finetune(
    config: ml_collections.ConfigDict, workdir: files.Path, *, repeatable: bool = True
) -> Run:
    """Fine-tunes a checkpoint on labelled images, as `remedis finetune` does.

    A stopped run resumes when it is called again with the same config and directory; a finished one
    is not repeated.

    Args:
      config: of `load_config`.
      workdir: the run's directory; all files of it are written there, `report.html` among them.
      repeatable: whether TensorFlow computes the same bits each time. While the job runs, every
        unseeded random operation of the process is an error.

    Returns:
      The finished run.

    Raises:
      UserError: config, data or checkpoint are at fault, the checkpoint was trained on some of the
        test images, or the directory holds another run.
    """
    with _started("finetune", config, workdir, repeatable):
        finetuning.finetune(config, workdir)
        if is_chief(config.distribution):
            run_report.write(workdir)
    return load_run(workdir)


def pretrain(
    config: ml_collections.ConfigDict, workdir: files.Path, *, repeatable: bool = True
) -> Run:
    """Pretrains a backbone on unlabelled images, as `remedis pretrain` does.

    A stopped run resumes when it is called again with the same config and directory; a finished one
    is not repeated.

    Args:
      config: of `load_config`.
      workdir: the run's directory; its `export` is a checkpoint like any other.
      repeatable: as for `finetune`.

    Returns:
      The finished run.

    Raises:
      UserError: config, data or checkpoint are at fault, the training diverged or collapsed, or the
        directory holds another run.
    """
    with _started("pretrain", config, workdir, repeatable):
        pretraining.pretrain(config, workdir)
        if is_chief(config.distribution):
            pretraining_report.report(workdir)
    return load_run(workdir)


def ood_curves(
    config: ml_collections.ConfigDict, workdir: files.Path, *, repeatable: bool = True
) -> Study:
    """Measures how many labelled patients another hospital needs, as `remedis ood-curves` does.

    A stopped study resumes when it is called again with the same config and directory. Several
    processes share the work by the command's `--shard`.

    Args:
      config: of `load_config`.
      workdir: the study's directory.
      repeatable: as for `finetune`.

    Returns:
      The finished study; of several out-of-distribution sets the first.

    Raises:
      UserError: config, data or checkpoints are at fault, or another process runs the study.
    """
    with _started("ood_curves", config, workdir, repeatable):
        label_budget.run(config, workdir)
        label_budget_report.write(workdir)
    return load_study(workdir)


@contextlib.contextmanager
def _started(
    function: str, config: ml_collections.ConfigDict, workdir: files.Path, repeatable: bool
) -> Iterator[None]:
    """Checks the arguments of a job, and has its messages and records name them as Python does."""
    if not isinstance(config, ml_collections.ConfigDict):
        raise UserError(
            f"config is {config!r}; expected what remedis.load_config returns, such as "
            "remedis.load_config('chexpert')."
        )
    with spelled_for("python"), invocation.called(function, config, workdir):
        with spelled_for("config"):
            early_checks.check_config(config)
        with determinism.prepared() if repeatable else contextlib.nullcontext():
            yield
