"""The jobs by config: fine-tuning, pretraining and label-budget studies."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from typing import Any

import ml_collections

from remedis import files, invocation, label_budget
from remedis.api import config_files, early_checks
from remedis.api.run_records import Run, Study, load_run, load_study
from remedis.errors import UserError, unknown_choice
from remedis.finetuning import finetune as finetuning
from remedis.options import RENAMED_KEYS, spelled_for
from remedis.pretraining import pretrain as pretraining
from remedis.reporting import label_budget_report, pretraining_report, run_report
from remedis.training.determinism import prepare_process
from remedis.training.distribution import is_chief


def load_config(name: str, **changes: Any) -> ml_collections.ConfigDict:
    """Returns a config by name or file, with some of its keys changed.

    Args:
      name: of a config that comes with the package, or a file of yours, with its arguments behind a
        colon: `chexpert`, `chexpert:rehearsal,head_only`, `my/config.py`.
      **changes: values by key. A key within another has a dot:
        `load_config("ood_own", **{"id.steps": 100})`; a dict changes the keys that it names.

    Returns:
      A locked `ml_collections.ConfigDict`; `print(config)` shows every key with its value.

    Raises:
      UserError: there is no such config or key, an argument is unknown, or a value is of another
        type.
    """
    config = config_files.load(os.fspath(name), "name")
    config_files.rename_keys(config, changes)
    for key, value in changes.items():
        _change(config, key, value)
    return config


def finetune(
    config: ml_collections.ConfigDict, workdir: files.Path, *, repeatable: bool = True
) -> Run:
    """Fine-tunes a checkpoint on labelled images, as `remedis finetune` does.

    A stopped run resumes when it is called again with the same config and directory; a finished one
    is not repeated.

    Args:
      config: of `load_config`.
      workdir: the run's directory; all files of it are written there, `report.html` among them.
      repeatable: whether TensorFlow of this whole process computes the same bits each time, which
        makes every unseeded random operation of TensorFlow an error.

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
        if repeatable:
            prepare_process()
        yield


def _change(config: ml_collections.ConfigDict, key: str, value: Any, within: str = "") -> None:
    """Sets one key of a config.

    Args:
      config: to change.
      key: such as `steps` or `id.steps`.
      value: its value; a mapping changes the keys of the config under this key.
      within: keys that lead to `config` in the whole config, such as `id.`.
    """
    first, dot, rest = key.partition(".")
    if first in RENAMED_KEYS:
        config_files.warn_of_old_key(within, first)
        first = RENAMED_KEYS[first]
    if first not in config:
        raise unknown_choice("key of the config", f"{within}{first}", list(config))
    if dot:
        _change(_below(config, first, within), rest, value, f"{within}{first}.")
        return
    if isinstance(value, Mapping):
        for name, one in value.items():
            _change(_below(config, first, within), str(name), one, f"{within}{first}.")
        return
    before = config[first]
    try:
        config[first] = os.fspath(value) if isinstance(value, os.PathLike) else value
    except (TypeError, ValueError):
        raise UserError(
            f"config.{within}{first} is {value!r}; expected {type(before).__name__}, such as "
            f"{before!r}."
        ) from None


def _below(config: ml_collections.ConfigDict, key: str, within: str) -> ml_collections.ConfigDict:
    """Returns the config under a key."""
    below = config[key]
    if not isinstance(below, ml_collections.ConfigDict):
        raise UserError(f"config.{within}{key} is {below!r}, which has no keys of its own.")
    return below
