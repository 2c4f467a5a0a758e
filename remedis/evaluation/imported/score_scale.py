"""Scores of another program as numbers: probabilities, percent, logits or ranks."""

import logging
import math
import pathlib

import numpy as np
import pandas as pd
import scipy.special
import scipy.stats

from remedis.data.tables import columns, spreadsheet
from remedis.data.tables.missing import is_missing
from remedis.errors import unknown_choice
from remedis.evaluation.auroc import Floats
from remedis.options import spelled

_LOG = logging.getLogger(__name__)
PROBABILITY, PERCENT, LOGIT, RANK = "probability", "percent", "logit", "rank"
SCALES = (PROBABILITY, PERCENT, LOGIT, RANK)


def check(scale: str) -> None:
    """Raises a UserError for an unknown scale."""
    if scale not in SCALES:
        raise unknown_choice(f"value of {spelled('scale')}", scale, SCALES)


def numbers(path: pathlib.Path, values: pd.Series) -> Floats:
    """Returns a column of strings as float64, NaN where there is no number (empty, NaN).

    Raises:
      UserError: a value is no number, or infinite.
    """
    spreadsheet.refuse(path, values, columns.beside_commas(values), columns.COMMA_EXPECTED)

    def parse(text: str) -> float:
        number = math.nan if is_missing(text) else float(text.replace(",", "."))
        if math.isinf(number):
            raise ValueError(text)
        return number

    parsed = spreadsheet.parsed(path, values, parse, "a finite number")
    return parsed.to_numpy(np.float64)


def scaled(path: pathlib.Path, values: pd.Series, score: Floats, scale: str) -> Floats:
    """Returns scores [n] in [0, 1]; with the scale `rank` outside of it, in the same order.

    Scores of the scale `rank` are as they are if none is in [0, 1], else their ranks from 2 up:
    numbers in [0, 1] count as probabilities, which have a calibration.

    Args:
      path: the file of the values, for errors.
      values: the strings that the scores were read from.
      score: [n], finite.
      scale: one of `SCALES`. The sigmoid makes probabilities of logits.

    Raises:
      UserError: a score is outside the range of its scale.
    """
    if scale == RANK:
        if ((score < 0) | (score > 1)).all():
            return score
        return np.asarray(scipy.stats.rankdata(score, "dense") + 1.0)
    if scale == LOGIT:
        return np.asarray(scipy.special.expit(score))
    most = 100.0 if scale == PERCENT else 1.0
    others = [spelled("scale", other) for other in _others(score, scale)]
    spreadsheet.refuse(
        path,
        values,
        (score < 0) | (score > most),
        f"{scale} from 0 to {most:g}; say what the scores are with {', '.join(others)} or "
        f"{spelled('scale', RANK)} (numbers that only order the images)",
    )
    if scale == PERCENT and score.size and score.max() <= 1:
        _LOG.warning(
            f"{path}, column {values.name!r}: no score is above 1 %; if these are probabilities "
            f"from 0 to 1, leave out {spelled('scale', scale)}."
        )
    return score / most


def _others(score: Floats, scale: str) -> list[str]:
    """Returns the scales that scores outside the range of theirs may have."""
    if scale == PROBABILITY and (score >= 0).all() and (score <= 100).all():
        return [PERCENT, LOGIT]
    return [LOGIT]
