"""What each column of another program's file of scores is: as the user states, else by its name.

A name or a content that can mean two things is not guessed: an error names both columns and the
option that decides. What is guessed is logged in the form of the option.
"""

import dataclasses
import logging
import pathlib
import re
from collections.abc import Mapping, Sequence

import pandas as pd

from remedis.data import own_table_guesses
from remedis.data.own_table_guesses import simplified
from remedis.data.tables.missing import is_missing
from remedis.errors import UserError, quoted, some, unknown_choice
from remedis.options import quoted_pairs, spelled

_LOG = logging.getLogger(__name__)

# Names in the option, and the columns of a table of predictions that they become.
ROLES = {
    "image": "path",
    "path": "path",
    "patient": "patient_id",
    "patient_id": "patient_id",
    "study_id": "study_id",
    "site": "site",
    "sex": "sex",
    "age": "age",
    "view": "view",
    "sha256": "sha256",
}
SCORE, TRUTH = "score/", "label/"
EXPECTED = "NAME=COLUMN, such as 'image=Filename; pneumonia=prob; label/pneumonia=target'"
# Columns that name an image where no column is called a path or a file.
_IMAGE_IDS = ("id", "imageid", "imageindex", "imgid", "dicomid", "sopinstanceuid", "case", "caseid")
# Words in a column's name that say what kind of number it has, not of what.
_SCORE_WORDS = frozenset(
    {"score", "scores", "prob", "probs", "proba", "probability", "probabilities", "pred", "preds"}
    | {"predicted", "prediction", "predictions", "logit", "logits", "output", "outputs", "yhat"}
    | {"yscore", "ypred", "yprob", "confidence", "sigmoid", "p"}
)
_TRUTH_WORDS = frozenset(
    {"label", "labels", "target", "targets", "truth", "true", "gt", "groundtruth", "ground"}
    | {"actual", "y", "ytrue", "class", "reference", "annotation"}
)


@dataclasses.dataclass(frozen=True)
class ScoreColumns:
    """The columns of a file of scores.

    Attributes:
      roles: `path`, and where there are some `patient_id`, `sex` and so on -> column.
      scores: label -> column of its scores, in the order of the labels.
      truth: label -> column of its truth; empty if the truth comes from elsewhere.
      guessed: what of it was guessed, as the option spells it; empty if nothing was.
    """

    roles: Mapping[str, str]
    scores: Mapping[str, str]
    truth: Mapping[str, str]
    guessed: tuple[str, ...] = ()

    def to_json(self) -> dict[str, str]:
        """Returns the columns by the names of a table of predictions."""
        return {
            **self.roles,
            **{f"{SCORE}{label}": column for label, column in self.scores.items()},
            **{f"{TRUTH}{label}": column for label, column in self.truth.items()},
        }


def find(
    path: pathlib.Path,
    table: pd.DataFrame,
    stated: str | None = None,
    labels: Sequence[str] | None = None,
) -> ScoreColumns:
    """Returns what the columns of a file are.

    Args:
      path: the file, for messages.
      table: its columns as strings.
      stated: what the user states, in the form of `EXPECTED`; the rest is guessed.
      labels: those of the data that have the truth; None if the file has it.

    Raises:
      UserError: a stated column is not there; or the image, a score or a truth is not certain.
    """
    finder = _Finder(path, table, labels)
    finder.state(stated)
    finder.find_roles()
    finder.find_labels()
    found = ScoreColumns(finder.roles, finder.scores, finder.truth, tuple(finder.guessed))
    if found.guessed:
        _LOG.info(
            f"{path}: guessed {'; '.join(found.guessed)}; {spelled('columns')} states it otherwise."
        )
    return found


def stated_labels(stated: str | None) -> tuple[str, ...] | None:
    """Returns the labels whose scores the user states; None if none are."""
    if stated is None:
        return None
    names = quoted_pairs(stated, what=spelled("columns"), expected=EXPECTED)
    scores = [n for n in names if n not in ROLES and not n.startswith(TRUTH)]
    return tuple(name.removeprefix(SCORE) for name in scores) or None


class _Finder:
    """Collects the columns of one file."""

    def __init__(
        self, path: pathlib.Path, table: pd.DataFrame, labels: Sequence[str] | None
    ) -> None:
        self._path, self._table, self._labels = path, table, labels
        self.roles: dict[str, str] = {}
        self.scores: dict[str, str] = {}
        self.truth: dict[str, str] = {}
        self.guessed: list[str] = []

    def state(self, stated: str | None) -> None:
        """Takes what the user states."""
        if stated is None:
            return
        for name, column in quoted_pairs(
            stated, what=spelled("columns"), expected=EXPECTED
        ).items():
            if column not in self._table:
                raise unknown_choice(
                    f"column in {spelled('columns')}", column, map(str, self._table)
                )
            if name in ROLES:
                self.roles[ROLES[name]] = column
            elif name.startswith(TRUTH):
                self.truth[name.removeprefix(TRUTH)] = column
            else:
                self.scores[name.removeprefix(SCORE)] = column
        if unmatched := sorted(self.truth.keys() - self.scores.keys()):
            raise UserError(
                f"{spelled('columns')} has {TRUTH}{unmatched[0]} but no scores of that label; add "
                f"'{unmatched[0]}=COLUMN'."
            )

    def find_roles(self) -> None:
        """Guesses the column of images, which must be known, and those of patients and groups."""
        free = self._free()
        found = own_table_guesses.roles(free, self.roles)
        if "path" not in found and "path" not in self.roles:
            found["path"] = [str(c) for c in free if simplified(str(c)) in _IMAGE_IDS]
        if "sha256" in free:
            found["sha256"] = ["sha256"]
        for role in dict.fromkeys(ROLES.values()):
            candidates = [] if role in self.roles else found.get(role, [])
            if len(candidates) == 1:
                self.roles[role] = candidates[0]
                self.guessed.append(f"{role}={candidates[0]}")
            elif candidates and role in ("path", "patient_id"):
                raise self._uncertain(candidates, f"the {role}", role)
        if "path" not in self.roles:
            raise UserError(
                f"{self._path}: no column is certain to name the image; name it with "
                f"{spelled('columns')}, as in 'image=COLUMN'; the columns are "
                f"{some(list(self._table), limit=30)}."
            )

    def find_labels(self) -> None:
        """Guesses the columns of scores and of their truth, as far as they are not stated."""
        free = self._free()
        names = [str(name) for name in free]
        binary = own_table_guesses.labels(free, ())
        truths = [n for n in names if n.startswith(TRUTH)] or [
            n for n in binary if not _words(n) & _SCORE_WORDS
        ]
        if not self.scores:
            scores = [n for n in names if n.startswith(SCORE)] or [
                n for n in names if n not in binary and _is_score(free[n])
            ]
            self._pair(scores, truths)
        elif self._labels is None:
            for label in self.scores.keys() - self.truth.keys():
                self._find_truth(label, truths)
        if self._labels is not None:
            self.truth = {}
            if unknown := [label for label in self.scores if label not in self._labels]:
                raise unknown_choice("label of the data", unknown[0], self._labels)

    def _pair(self, scores: Sequence[str], truths: Sequence[str]) -> None:
        """Finds labels that have one column of scores each, and a truth."""
        labels = list(self._labels) if self._labels is not None else list(truths)
        if not scores or not labels:
            what = "the scores" if not scores else "the truth"
            raise UserError(
                f"{self._path}: no column is certain to be {what}; name it with "
                f"{spelled('columns')}, as in 'pneumonia=prob; label/pneumonia=target'"
                + ("" if self._labels or not scores else f", or name data with {_labels_from()}")
                + f"; the columns are {some(list(self._table), limit=30)}."
            )
        by_name = {
            of: same
            for of in labels
            if (same := [n for n in scores if _subject(n) == _subject(of)]) and _subject(of)
        }
        if not by_name and len(labels) == 1:
            by_name = {labels[0]: list(scores)}
        if not by_name:
            raise UserError(
                f"{self._path}: the columns {some([quoted(n) for n in scores])} have scores, but "
                f"it is not certain which of them belong to {some([quoted(n) for n in labels])}; "
                f"pair them with {spelled('columns')}, as in 'pneumonia=prob; "
                "label/pneumonia=target'."
            )
        for of, same in by_name.items():
            label = of if self._labels is not None else self._name(of, same[0])
            if len(same) > 1:
                raise self._uncertain(same, f"the scores of {quoted(label)}", label)
            self.scores[label] = same[0]
            self.guessed.append(f"{SCORE}{label}={same[0]}")
            if self._labels is None:
                self.truth[label] = of
                self.guessed.append(f"{TRUTH}{label}={of}")
        if left := [n for n in labels if n not in by_name]:
            _LOG.info(f"{self._path}: no scores of {some([quoted(n) for n in left])}.")

    def _find_truth(self, label: str, truths: Sequence[str]) -> None:
        same = [n for n in truths if _subject(n) == simplified(label)] or list(truths)
        if not same:
            raise UserError(
                f"{self._path}: no column is certain to be the truth of {quoted(label)}; name it "
                f"with {spelled('columns')}, as in '{TRUTH}{label}=COLUMN', or name data with "
                f"{_labels_from()}."
            )
        if len(same) > 1:
            raise self._uncertain(same, f"the truth of {quoted(label)}", f"{TRUTH}{label}")
        self.truth[label] = same[0]
        self.guessed.append(f"{TRUTH}{label}={same[0]}")

    def _name(self, truth: str, score: str) -> str:
        """Returns the name of a label from the names of its two columns."""
        if name := _without_words(truth) or _without_words(score):
            return name
        raise UserError(
            f"{self._path}: {quoted(score)} has scores and {quoted(truth)} their truth, but no "
            f"name says of what; name the label with {spelled('columns')}, as in "
            f"'pneumonia={score}; {TRUTH}pneumonia={truth}'."
        )

    def _free(self) -> pd.DataFrame:
        taken = {*self.roles.values(), *self.scores.values(), *self.truth.values()}
        return self._table[[name for name in self._table if name not in taken]]

    def _uncertain(self, columns: Sequence[str], what: str, name: str) -> UserError:
        return UserError(
            f"{self._path}: the columns {some([quoted(c) for c in columns])} may each be {what}; "
            f"name one with {spelled('columns')}, as in '{name}={columns[0]}'."
        )


def _labels_from() -> str:
    return spelled("labels_from")


def _is_score(values: pd.Series) -> bool:
    """Returns whether a column has numbers with decimals, which no id, count or code has."""
    known = [text for text in values if not is_missing(text)]
    try:
        numbers = [float(text.replace(",", ".")) for text in known]
    except ValueError:
        return False
    return any(not number.is_integer() for number in numbers)


def _words(name: str) -> set[str]:
    return {part.casefold() for part in re.findall(r"[A-Za-z]+", name)}


def _without_words(name: str) -> str:
    """Returns the name of a column without the words that say what kind of number it has."""
    name = name.removeprefix(SCORE).removeprefix(TRUTH)
    parts = re.findall(r"[^\W_]+|[\W_]+", name)
    kept = [part for part in parts if part.casefold() not in _SCORE_WORDS | _TRUTH_WORDS]
    return re.sub(r"([\W_])[\W_]+", r"\1", "".join(kept)).strip(" \t_-./:,;()[]")


def _subject(name: str) -> str:
    """Returns what a column is about, to compare names of columns and labels."""
    return simplified(_without_words(name))
