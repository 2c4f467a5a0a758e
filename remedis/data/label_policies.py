"""The label policies of a run: what labels other than 1 and 0 count as where it trains and judges.

Training may take an uncertain label as positive or negative: a few wrong examples among many cost
little. A judged case needs a known answer. So validation and test have policies of their own: by
default an uncertain label is unknown, and so are all labels of an image that has none.

Validation follows the test split, since what is selected there (weights, calibration, thresholds)
is judged on the test split. With uncertain labels as positives, a threshold for a sensitivity of
0.90 would have to reach the uncertain cases too. In a simulation where a fifth of 600 positives are
uncertain and lie halfway between, it then reaches 0.950 of the certain test positives instead of
0.900, at a specificity of 0.716 instead of 0.823 (`tests/data/test_label_policies.py`).

A label that is empty while others of the image are not keeps training's policy `unmentioned` by
default: of reports read by CheXpert's labeller, "not mentioned" is widely taken as absent.
"""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data import labels
from remedis.data.manifest import Manifest
from remedis.errors import UserError, counted, unknown_choice
from remedis.options import spelled

# Prefix of the columns that hold labels as found: 1, 0, -1, NaN. No column of a file has a NUL
# character in its name, so that none is taken for one of these.
FOUND = "\0found/"
JUDGED = ("validation", "test")
EVALUATION_KEYS = ("eval_uncertain", "eval_unmentioned", "eval_unlabelled")
_WORDS = {
    "ignore": "are ignored",
    "zeros": "count as negative",
    "ones": "count as positive",
    "keep": "stay uncertain",
}


@dataclasses.dataclass(frozen=True)
class Meaning:
    """What label values other than 1 and 0 count as; each a text that `labels.policies` reads.

    Attributes:
      uncertain: -1.
      unmentioned: an empty value of an image that has another label.
      unlabelled: the empty values of an image that has no label at all.
    """

    uncertain: str = "ignore"
    unmentioned: str = "ignore"
    unlabelled: str = "ignore"

    def apply(self, manifest: Manifest) -> Manifest:
        """Returns a manifest, as its source loads it, with this meaning of its labels.

        The labels as found are kept in columns that begin with `FOUND`.

        Raises:
          UserError: a policy is wrong, or labels have had one already.
        """
        return decide(keep_found(manifest), self)

    def to_json(self) -> dict[str, str]:
        """Returns the three texts by name."""
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class LabelPolicies:
    """The label policies of a run, with the names and defaults of the config's keys.

    Attributes:
      uncertain: of training.
      unmentioned: of training, for every empty value.
      eval_uncertain: of validation and test; empty for that of training.
      eval_unmentioned: the same.
      eval_unlabelled: of validation and test; empty for `unmentioned` of training.
    """

    uncertain: str = "ignore"
    unmentioned: str = "ignore"
    eval_uncertain: str = "ignore"
    eval_unmentioned: str = ""
    eval_unlabelled: str = "ignore"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "LabelPolicies":
        """Returns the policies of a config, or of a record of them.

        A config of an earlier version, which lacks the keys of evaluation, used those of training.
        """
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: str(config.get(name, "")) for name in names})

    def check(self, where: str = "config") -> None:
        """Raises a UserError, which names the key within `where`, for an unknown policy."""
        for key, text in self.to_json().items():
            default = text.partition(";")[0].strip()
            for policy in (default, *dict(labels.exceptions(text)).values()):
                # Empty: evaluation follows training.
                if policy and policy not in labels.POLICIES:
                    raise unknown_choice(f"policy in {where}.{key}", policy, labels.POLICIES)

    @property
    def training(self) -> Meaning:
        """What labels count as in training."""
        return Meaning(self.uncertain, self.unmentioned, self.unmentioned)

    @property
    def evaluation(self) -> Meaning:
        """What labels count as in validation and test."""
        return Meaning(
            self.eval_uncertain or self.uncertain,
            self.eval_unmentioned or self.unmentioned,
            self.eval_unlabelled or self.unmentioned,
        )

    def to_json(self) -> dict[str, str]:
        """Returns the texts by the names of the config's keys."""
        return dataclasses.asdict(self)


def keep_found(manifest: Manifest) -> Manifest:
    """Returns a manifest, as its source loads it, with a second copy of the labels for `decide`.

    Raises:
      UserError: labels have had a policy already.
    """
    labels.refuse_decided(manifest)
    found = {FOUND + label: manifest.table[label] for label in manifest.labels}
    return manifest.with_columns(found)


def decide(
    manifest: Manifest, meaning: Meaning, rows: npt.NDArray[np.bool_] | None = None
) -> Manifest:
    """Returns the manifest with labels decided from those found, whatever was decided before.

    Args:
      manifest: of `keep_found`.
      meaning: of the values found.
      rows: [rows], those to decide; all if None. The manifest's record of policies follows only if
        all are decided.

    Raises:
      UserError: a policy is wrong.
    """
    names = manifest.labels
    decided = labels.apply_policies(
        as_found(manifest),
        labels.policies(meaning.uncertain, names),
        labels.policies(meaning.unmentioned, names),
        labels.policies(meaning.unlabelled, names),
    )
    if rows is None:
        return decided
    values = np.where(rows[:, None], decided.targets(), manifest.targets())
    return manifest.with_columns({name: values[:, i] for i, name in enumerate(names)})


def refuse_uncertain(manifest: Manifest, option: str) -> None:
    """Raises a UserError if a label is still uncertain, which no metric takes.

    Args:
      manifest: the images that are judged.
      option: that names the policy, such as `eval_uncertain`.
    """
    kept = (manifest.targets() == -1).any(axis=0)
    if kept.any():
        raise UserError(
            f"Label {manifest.labels[int(np.argmax(kept))]!r} still has uncertain values (-1), "
            f"which cannot be evaluated; set {spelled(option)} to ignore, zeros or ones."
        )


def as_found(manifest: Manifest) -> Manifest:
    """Returns a manifest of `keep_found` with its labels as they were found."""
    found = {label: manifest.table[FOUND + label] for label in manifest.labels}
    return manifest.with_columns(found, policies={})


def decide_by_split(
    manifest: Manifest, policies: LabelPolicies, judged: Collection[str] = JUDGED
) -> Manifest:
    """Returns the manifest with the labels of the judged splits under evaluation's policies.

    Args:
      manifest: of `keep_found`, every image under training's policies.
      policies: of the run.
      judged: names of these splits.
    """
    rows = manifest.table["split"].isin(list(judged)).to_numpy(dtype=bool, na_value=False)
    return decide(manifest, policies.evaluation, rows)


def left_out(manifest: Manifest, meaning: Meaning) -> dict[str, int]:
    """Returns the number of images without any label that a meaning ignores, and of patients.

    Args:
      manifest: of `keep_found`.
      meaning: of its labels.
    """
    ignored = set(_by_label(meaning.unlabelled, manifest)) <= {"ignore", "keep"}
    return _counts(manifest, labels.without_labels(as_found(manifest)) & ignored)


def kinds(manifest: Manifest) -> list[str]:
    """Returns the kinds of values of a manifest of `keep_found` that `Meaning` names."""
    found = as_found(manifest)
    values, nothing = found.targets(), labels.without_labels(found)[:, None]
    present = {
        "uncertain": values == -1,
        "unmentioned": np.isnan(values) & ~nothing,
        "unlabelled": np.isnan(values) & nothing,
    }
    return [kind for kind, cells in present.items() if cells.any()]


def notes(manifest: Manifest, meaning: Meaning) -> list[str]:
    """Returns what labels other than 1 and 0 count as, a sentence for each kind that occurs.

    Args:
      manifest: of `keep_found`: the images that are judged.
      meaning: of its labels.
    """
    found = as_found(manifest)
    values, nothing = found.targets(), labels.without_labels(found)
    uncertain = (values == -1).any(axis=1)
    unmentioned = np.isnan(values).any(axis=1) & ~nothing
    sentences = []
    if uncertain.any():
        sentences.append(
            f"Uncertain labels, of {_counted(manifest, uncertain)}, "
            f"{in_words(meaning.uncertain, manifest)}."
        )
    if unmentioned.any() and set(_by_label(meaning.unmentioned, manifest)) != {"ignore"}:
        sentences.append(
            f"Empty labels beside others, of {_counted(manifest, unmentioned)}, "
            f"{in_words(meaning.unmentioned, manifest)}."
        )
    if nothing.any():
        left = left_out(manifest, meaning)["images"]
        words = (
            ("is left out" if left == 1 else "are left out")
            if left
            else f"{in_words(meaning.unlabelled, manifest)} for every label"
        )
        sentences.append(f"Without any label: {_counted(manifest, nothing)}, which {words}.")
    return sentences


def in_words(text: str, manifest: Manifest) -> str:
    """Returns a policy as the end of a sentence about labels, such as `are ignored`."""
    chosen = set(_by_label(text, manifest))
    if len(chosen) == 1:
        return _WORDS[chosen.pop()]
    return f"count by the policy '{text}'"


def _by_label(text: str, manifest: Manifest) -> list[str]:
    return list(labels.policies(text, manifest.labels).values())


def _counts(manifest: Manifest, rows: npt.NDArray[np.bool_]) -> dict[str, int]:
    chosen = manifest.table[rows]
    patients = chosen["patient_id"].fillna(chosen["path"]).nunique()
    return {"images": len(chosen), "patients": int(patients)}


def _counted(manifest: Manifest, rows: npt.NDArray[np.bool_]) -> str:
    count = _counts(manifest, rows)
    return f"{counted(count['images'], 'image')} of {counted(count['patients'], 'patient')}"
