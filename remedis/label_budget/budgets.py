"""Label budgets: numbers of patients, the patients of every draw, and those that only validate."""

import dataclasses
import math
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from remedis.data.manifest import Manifest
from remedis.data.subsets import nested_subsets
from remedis.data.units import uniform
from remedis.errors import UserError, quoted
from remedis.options import items

MAX_BUDGETS = 100

Mask = npt.NDArray[np.bool_]


@dataclasses.dataclass(frozen=True)
class Draw:
    """The images of one draw of a budget's patients.

    Attributes:
      train: [pool images] bool, images that train.
      validation: [pool images] bool, images of other patients that select a model.
    """

    train: Mask
    validation: Mask


@dataclasses.dataclass(frozen=True)
class Budget:
    """A number of labelled patients.

    Attributes:
      name: as in the config.
      patients: their number; 0 for zero-shot.
      draws: one per seed; empty for zero-shot.
      images: mean over the draws.
      positives: patients with a positive image by label, mean over the draws.
      left_out: the reason why the budget is too small to train on; None if it is not.
    """

    name: str
    patients: int
    draws: tuple[Draw, ...] = ()
    images: int = 0
    positives: dict[str, int] = dataclasses.field(default_factory=dict)
    left_out: str | None = None


def sizes(text: str, pool: int) -> dict[int, str]:
    """Returns numbers of patients, increasing, with their names in the config.

    Args:
      text: shares of the pool and counts, such as `0, 1%, 50, 100%`. 0 and 100 % are added. The
        first of several names for one number counts; a share above 0 is at least one patient.
      pool: patients of the pool.

    Raises:
      UserError: the text is not of that form, or asks for more patients than there are.
    """
    names: dict[int, str] = {0: "0"}
    for part in items(f"{text}, 100%", ","):
        match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *%|([0-9]{1,9})", part)
        if match is None or (match[1] and float(match[1]) > 100):
            raise UserError(
                f"config.budgets has {quoted(part)}; expected shares from 0% to 100% and whole "
                "numbers of patients, such as '0, 1%, 5%, 50, 100%'."
            )
        if match[2]:
            patients = int(match[2])
        else:
            share = float(match[1]) / 100
            # Half is rounded up; a share above 0 is at least one patient.
            patients = max(1, math.floor(share * pool + 0.5)) if share else 0
        if patients > pool:
            raise UserError(
                f"config.budgets asks for {part} patients, but the OOD pool has {pool:,}; "
                "name fewer."
            )
        names.setdefault(patients, part)
    if len(names) > MAX_BUDGETS:
        raise UserError(
            f"config.budgets names {len(names):,} numbers of patients; expected at most "
            f"{MAX_BUDGETS}."
        )
    return dict(sorted(names.items()))


def plan(
    pool: Manifest, text: str, seeds: int, first_seed: int, share: float
) -> tuple[Budget, ...]:
    """Returns the budgets with their draws, increasing.

    Within a seed, larger draws contain the smaller ones, and every combination of labels has its
    share in each draw. Another seed draws other patients. A share of a draw's patients validates,
    see `held_out`.

    Args:
      pool: images of the patients that may be labelled.
      text: see `sizes`.
      seeds: number of draws.
      first_seed: seed of the first; the others follow.
      share: of a draw's patients that validate.

    Raises:
      UserError: the text is wrong, or even all patients are too few to train on.
    """
    patients = pool.table["patient_id"].fillna(pool.table["path"]).to_numpy(dtype=object)
    codes = np.unique(patients.astype(str), return_inverse=True)
    ids, of_image = codes[0], codes[1].ravel()
    has = _has(pool.targets(), of_image, len(ids))
    names = sizes(text, len(ids))
    draws: dict[int, list[Draw]] = {n: [] for n in names if n}
    for seed in range(first_seed, first_seed + seeds):
        nested = nested_subsets(pool, draws, seed, stratify=pool.labels, allow_missing_ids=True)
        order = uniform(ids.tolist(), seed, "study/validation")
        for n, images in nested.items():
            inside = np.zeros(len(ids), dtype=bool)
            inside[of_image[images]] = True
            held = np.zeros(len(ids), dtype=bool)
            held[inside] = held_out(has[inside], order[inside], share)
            draws[n].append(Draw(images & ~held[of_image], images & held[of_image]))
    budgets = [
        Budget(name, n, positives=dict.fromkeys(pool.labels, 0))
        if n == 0
        else _budget(name, n, draws[n], pool, of_image, has)
        for n, name in names.items()
    ]
    if budgets[-1].left_out:
        raise UserError(
            f"Too few OOD patients to learn from even with all {len(ids):,} of the pool: "
            f"{budgets[-1].left_out}; give it more patients, or leave the label out of "
            "config.labels."
        )
    return tuple(budgets)


def held_out(has: Mask, order: npt.NDArray[np.floating], share: float) -> Mask:
    """Returns the patients of a budget that validate, [patients] bool.

    Columns of `has` are processed from the rarest to the most frequent. In each column the first
    patient by `order` trains. The next ones are held out until the share is reached, at least
    one. If two patients have positive (or negative) images of a label, training and validation
    get one each, unless another label needs them.

    Args:
      has: [patients, C] bool, whether a patient has positive images of each label, and negative.
      order: [patients], distinct numbers.
      share: of the patients to hold out.
    """
    columns = np.column_stack([has, np.ones(len(has), dtype=bool)])
    counts = columns.sum(axis=0)
    wanted = np.where(counts >= 2, np.maximum(1, np.floor(share * counts + 0.5)), 0).astype(int)
    in_order = np.argsort(order, kind="stable")
    trains, held = np.zeros(len(has), dtype=bool), np.zeros(len(has), dtype=bool)
    for c in np.argsort(counts, kind="stable"):
        column = columns[:, c]
        free = in_order[(column & ~trains & ~held)[in_order]]
        if not (column & trains).any():
            trains[free[:1]] = True
            free = free[1:]
        held[free[: max(0, wanted[c] - int((column & held).sum()))]] = True
    return held


def _has(targets: npt.NDArray[np.floating], of_image: npt.NDArray[np.intp], patients: int) -> Mask:
    """Returns whether patients have positive and negative images, [patients, 2 * labels] bool."""
    images = np.column_stack([targets == 1, targets == 0])
    has = np.zeros((patients, images.shape[1]), dtype=bool)
    np.logical_or.at(has, of_image, images)
    return has


def _budget(
    name: str,
    patients: int,
    draws: Sequence[Draw],
    pool: Manifest,
    of_image: npt.NDArray[np.intp],
    has: Mask,
) -> Budget:
    labels = pool.labels
    positives = np.zeros(len(labels))
    lacking: dict[str, int] = {}
    for draw in draws:
        patients_drawn = np.unique(of_image[draw.train | draw.validation])
        positives += has[patients_drawn, : len(labels)].sum(axis=0) / len(draws)
        trained_on = has[np.unique(of_image[draw.train])].any(axis=0)
        if not draw.validation.any():
            reason = "no patient is left to validate on"
            lacking[reason] = lacking.get(reason, 0) + 1
        for i in np.flatnonzero(~trained_on):
            value = "positive" if i < len(labels) else "negative"
            reason = f"no patient with {labels[i % len(labels)]} {value} to train on"
            lacking[reason] = lacking.get(reason, 0) + 1
    left_out = None
    if lacking:
        reason, count = max(lacking.items(), key=lambda item: item[1])
        left_out = f"{reason} in {count} of {len(draws)} draws"
    return Budget(
        name,
        patients,
        tuple(draws),
        round(float(np.mean([(d.train | d.validation).sum() for d in draws]))),
        {label: round(float(n)) for label, n in zip(labels, positives, strict=True)},
        left_out,
    )
