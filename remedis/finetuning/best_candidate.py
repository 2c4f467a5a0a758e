"""Fine-tuning with a grid of settings: every candidate is trained, and validation chooses."""

import dataclasses
import logging
import pathlib
import shutil

from remedis.errors import UserError
from remedis.evaluation.selection import Selection
from remedis.finetuning import gradient
from remedis.finetuning.data import RunData
from remedis.finetuning.model import FitResult, TrainableModel
from remedis.finetuning.settings import FinetuneSettings
from remedis.finetuning.tuning_grid import CandidateDirectory, Choice, Grid, train_candidates
from remedis.preprocess import Preprocess
from remedis.training.distribution import Distribution
from remedis.training.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)


def check(settings: FinetuneSettings, distribution: Distribution) -> None:
    """Raises a UserError for settings that training would fail on, with any data and model."""
    grid = Grid.parse(settings.select)
    if grid.values and distribution.workers > 1:
        raise UserError(
            f"config.select is {settings.select!r}, which runs in one process; set "
            "config.distribution to none or mirrored, or leave config.select empty."
        )
    for candidate in grid.candidates():
        gradient.check_settings(candidate.of(settings))


def fit(
    settings: FinetuneSettings,
    run: RunDirectory,
    distribution: Distribution,
    model: TrainableModel,
    data: RunData,
    train_ops: Preprocess,
    eval_ops: Preprocess,
) -> FitResult:
    """Fits as `gradient.fit`, with the settings of `config.select` that are best on validation.

    Args and errors are those of `gradient.fit`.
    """
    grid = Grid.parse(settings.select)
    if not grid.values:
        return gradient.fit(settings, run, distribution, model, data, train_ops, eval_ops)
    # `select` is part of the run's config, and the same for all candidates.
    base = dataclasses.replace(settings, select="")
    inputs = run.inputs()
    result, choice = fit_best(
        base, grid, run / "candidates", inputs, distribution, model, data, train_ops, eval_ops
    )
    summary = result.summary | {"tuning": {"grid": grid.text, **choice.to_json()}}
    return dataclasses.replace(result, summary=summary)


def fit_best(
    base: FinetuneSettings,
    grid: Grid,
    folder: pathlib.Path,
    inputs: dict[str, str],
    distribution: Distribution,
    model: TrainableModel,
    data: RunData,
    train_ops: Preprocess,
    eval_ops: Preprocess,
) -> tuple[FitResult, Choice]:
    """Returns the fit of the best candidate, and how it was chosen.

    The mean AUROC on validation chooses, over the labels that select a checkpoint, too; without
    such a label the loss. A killed grid resumes: finished candidates are not repeated.

    Args:
      base: settings that the candidates change.
      grid: the candidates.
      folder: for one directory per candidate.
      inputs: digests that a resumed training must agree with.
      distribution: one process.
      model: with the weights that every candidate starts from.
      data: the three splits.
      train_ops: operations on training images.
      eval_ops: operations on images to score.

    Raises:
      UserError: as `gradient.fit`, or every candidate diverged.
    """
    candidates = grid.candidates()
    settings = [candidate.of(base) for candidate in candidates]
    for one in settings:
        gradient.check(one, data.train)  # before the first is trained
    directories = []
    for i, one in enumerate(settings):
        directories.append(CandidateDirectory(folder / f"candidate-{i}", one.to_dict()))
        # A killed training resumes only if the data are unchanged.
        directories[-1].pin(inputs)
    held = data.validation
    targets = held.targets()
    selection = Selection.of(targets, held.labels, held.table["patient_id"])
    gradient_fit = gradient.GradientFit(distribution, model)
    initial = model.copied_weights()

    def fitted(index: int, scores_test: bool) -> FitResult:
        model.restore_weights(initial)
        if len(settings) > 1 and not directories[index].finished():
            _LOG.info(f"Candidate {index + 1} of {len(settings)}: {candidates[index].name}.")
        return gradient_fit(
            settings[index], directories[index], data, train_ops, eval_ops, scores_test
        )

    def trained(index: int) -> float:
        logits = fitted(index, scores_test=False).validation_logits
        return gradient.validation_score(targets, logits, base.model.task, selection)[0]

    names = [candidate.name for candidate in candidates]
    choice = Choice.best(names, train_candidates(directories, trained))
    if not choice.ranked:
        shutil.rmtree(folder, ignore_errors=True)  # a corrected config starts over
        raise UserError(
            f"Every candidate diverged ({'; '.join(names)}); name smaller learning rates in "
            "config.select, or set a smaller one."
        )
    if len(settings) > 1:
        _LOG.info(f"Chosen on validation: {names[choice.chosen]}.")
    return fitted(choice.chosen, scores_test=True), choice
