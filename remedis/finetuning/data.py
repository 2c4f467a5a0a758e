"""The data of a run: loaded, labels resolved, split, scanned and checked for leaks."""

import dataclasses
import hashlib
import logging
from typing import Any

import numpy as np
import pandas as pd

from remedis import files
from remedis.data import fingerprints, label_policies, leave_out, sources, splits
from remedis.data.checks import leaks, scan
from remedis.data.fingerprints import Fingerprints
from remedis.data.judged_images import JudgedSet
from remedis.data.label_policies import LabelPolicies
from remedis.data.manifest import SPLITS, Manifest
from remedis.errors import UserError, counted
from remedis.finetuning.settings import DataSettings
from remedis.options import source_options
from remedis.training.run_directory import RunDirectory

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class RunData:
    """The splits of a run, with the results of the checks on them.

    Attributes:
      train: images that train the model.
      validation: images that select the best weights.
      test: images that neither train nor select anything.
      hashes: SHA-256 of every image file, by path.
      summary: counts, policies and bad images, as plain values for `results.json`.
      looks: `look_hashes.look_hash` of every image, by path; None if unknown.
    """

    train: Manifest
    validation: Manifest
    test: Manifest
    hashes: "pd.Series[str]"
    summary: dict[str, Any]
    looks: "pd.Series[bytes] | None" = None

    def fingerprints(self, *names: str) -> Fingerprints:
        """Returns what recognises the images of some splits."""
        looks = self.looks if self.looks is not None else pd.Series(None, self.hashes.index)
        by_path = pd.DataFrame({"sha256": self.hashes, "look": looks})
        parts = [Fingerprints.from_manifest(getattr(self, name), by_path) for name in names]
        return fingerprints.joined(parts)

    def learnt_from(self) -> Fingerprints:
        """Returns what recognises the training and validation images."""
        return self.fingerprints("train", "validation")

    def judged(self, prefix: str = "") -> list[JudgedSet]:
        """Returns the images that select or test a model, for `judged.json`.

        Args:
          prefix: of the names of the splits, such as `id/`.
        """
        return [
            JudgedSet.from_images(
                f"{prefix}{name}", getattr(self, name).root, self.fingerprints(name)
            )
            for name in ("validation", "test")
        ]

    def digest(self) -> str:
        """Returns one SHA-256 over images, labels and splits."""
        digest = hashlib.sha256()
        for name in SPLITS:
            split = getattr(self, name)
            hashes = split.table["path"].map(self.hashes)
            rows = list(zip(hashes, split.targets().tolist(), strict=True))
            digest.update(f"{name} {split.labels} {rows}\n".encode())
        return digest.hexdigest()


def prepare(settings: DataSettings, task: str, run: RunDirectory) -> RunData:
    """Returns the data of a run; writes `leaks.json` and lists bad images.

    Args:
      settings: of the data.
      task: `multi_label`, or `multi_class`, which needs exactly one positive label per image.
      run: the run's directory.

    Raises:
      UserError: the data are not as the source expects, too many images are bad, or splits share
        patients, studies, slides or images.
    """
    if not settings.data_dir:
        raise UserError("config.data_dir is not set: name the directory of the data.")
    options = source_options(settings.source_options, "config.source_options")
    if "allow_missing_patient_ids" in sources.options_of(settings.source):
        options["allow_missing_patient_ids"] = settings.allow_missing_patient_ids
    policies = settings.policies
    manifest = sources.load_with(settings.source, settings.data_dir, settings.labels, options)
    manifest = label_policies.decide(label_policies.keep_found(manifest), policies.training)
    manifest = splits.ensure(
        manifest,
        settings.splits,
        settings.split_seed,
        settings.split_unit,
        settings.allow_missing_patient_ids,
        settings.stratify,
        settings.complete_splits,
    )
    manifest = manifest.subset(manifest.table["split"].isin(SPLITS).to_numpy(dtype=bool))
    manifest = label_policies.decide_by_split(manifest, policies)
    scanned = scan.scan(manifest, run / "scan.parquet")
    manifest, bad = scan.quarantine(
        manifest, scanned, settings.max_bad_images, run / "bad_images.csv"
    )
    by_path = scanned.set_index("path")
    manifest = _without_left_out(manifest, by_path, settings.leave_out, run)
    receipt = leaks.check(
        manifest,
        by_path["sha256"],
        settings.allow_missing_patient_ids,
        phashes=by_path["phash"],
        refuse_near_duplicates=settings.refuse_near_duplicates,
        allow_similar_ids=settings.allow_similar_ids,
    )
    files.write_json(run / "leaks.json", receipt.to_json())
    receipt.raise_if_leaking()
    counts = manifest.counts()
    by_split = {name: manifest.select(name) for name in SPLITS}
    for line in _overview(manifest, counts, bad, receipt):
        _LOG.info(line)
    for name in label_policies.JUDGED:
        for note in label_policies.notes(by_split[name], policies.evaluation):
            _LOG.info(f"  {name}: {note}")
    for name, split in by_split.items():
        if not len(split):
            raise UserError(
                f"The {name} split has no images; give it a share in config.splits, or rows in "
                "the data."
            )
    _check_learnable(by_split["train"])
    for name in label_policies.JUDGED:
        label_policies.refuse_uncertain(by_split[name], "eval_uncertain")
        _check_judged(by_split[name], policies)
    if task == "multi_class":
        _check_exclusive(manifest)
    return RunData(
        **by_split,
        hashes=by_path["sha256"],
        looks=by_path["look"],
        summary={
            "source": manifest.source,
            "counts": counts.to_dict(orient="index"),
            "policies": {label: dict(policy) for label, policy in manifest.policies.items()},
            "evaluation_policies": policies.evaluation.to_json(),
            "label_notes": {
                name: label_policies.notes(by_split[name], policies.evaluation)
                for name in label_policies.JUDGED
            },
            "bad_images": len(bad),
            "unchecked": list(receipt.unchecked),
        },
    )


def _without_left_out(
    manifest: Manifest, by_path: pd.DataFrame, names: str, run: RunDirectory
) -> Manifest:
    """Returns the images without those of training and validation that `config.leave_out` names.

    Test images stay: nothing learns from them.
    """
    if not names.strip():
        return manifest
    known = Fingerprints.from_manifest(manifest, by_path)
    mask = np.zeros(len(manifest), bool)
    for listed in leave_out.read(names, run / "scan.parquet"):
        mask |= listed.among(manifest, known)
    learnt = manifest.table["split"].isin(("train", "validation")).to_numpy(dtype=bool)
    _LOG.info(
        f"config.leave_out keeps {counted(int((mask & learnt).sum()), 'image')} from training and "
        f"validation; {int((mask & ~learnt).sum()):,} of the test split stay."
    )
    return manifest.subset(~(mask & learnt))


def _check_learnable(train: Manifest) -> None:
    targets = train.table[list(train.labels)]
    if (targets == -1).any(axis=None):
        label = targets.columns[(targets == -1).any()][0]
        raise UserError(
            f"Label {label!r} still has uncertain values (-1); set config.uncertain to ignore, "
            "zeros or ones: 'keep' cannot be trained on."
        )
    for label in train.labels:
        for value, name in ((1, "positive"), (0, "negative")):
            if not (targets[label] == value).any():
                raise UserError(
                    f"Label {label!r} has no {name} image among the {len(train):,} of the "
                    "training split; leave it out of config.labels, or check config.unmentioned "
                    "and the data."
                )


def _check_judged(split: Manifest, policies: LabelPolicies) -> None:
    """Raises a UserError if a label has one class only because images without labels are left out.

    This is so where an empty row means that every finding is absent.
    """
    left_out = label_policies.left_out(split, policies.evaluation)
    if not left_out["images"]:
        return
    everything = dataclasses.replace(policies.evaluation, unlabelled=policies.unmentioned)
    name = split.table["split"].iloc[0]
    for i, label in enumerate(split.labels):
        for value, word in ((1, "positive"), (0, "negative")):
            missing = not (split.targets()[:, i] == value).any()
            if (
                missing
                and (label_policies.decide(split, everything).targets()[:, i] == value).any()
            ):
                raise UserError(
                    f"Label {label!r} has no {word} image in the {name} split, since "
                    f"{left_out['images']:,} images without any label are left out there; if a "
                    "row without labels means that every finding is absent, set "
                    "config.eval_unlabelled to zeros."
                )


def _check_exclusive(manifest: Manifest) -> None:
    """Raises a UserError unless every image is of one class."""
    labels = list(manifest.labels)
    if len(labels) < 2:
        raise UserError(
            f"config.task is 'multi_class' with the label {', '.join(labels)} alone; name one "
            "label per class, or use 'multi_label'."
        )
    targets = manifest.table[labels]
    wrong = targets.notna().all(axis=1) & (targets.sum(axis=1) != 1)
    if wrong.any():
        row = manifest.table[wrong].iloc[0]
        raise UserError(
            f"config.task is 'multi_class', but {row['path']} is positive for "
            f"{int(row[labels].sum())} of the labels {', '.join(labels)}; "
            f"{int(wrong.sum()):,} images are not positive for exactly one; correct their labels, "
            "or use 'multi_label'."
        )


def _overview(
    manifest: Manifest, counts: pd.DataFrame, bad: pd.DataFrame, receipt: leaks.Receipt
) -> list[str]:
    table = counts.to_string().split("\n")
    lines = [f"Data: {manifest.source}, positives by label", *table]
    if len(bad):
        lines.append(f"{len(bad):,} bad images left out, listed in bad_images.csv.")
    limit = ", as far as could be checked" if receipt.unchecked else ""
    lines.append(f"Leak gate: splits share no patients, studies or images{limit} (leaks.json).")
    lines += [f"  Not checked: {sentence}" for sentence in receipt.unchecked]
    if receipt.similar_ids:
        lines.append(f"  {receipt.similar_ids_sentence()}")
    if receipt.near_duplicates:
        lines.append(f"  {receipt.near_duplicates_sentence()}")
    return lines
