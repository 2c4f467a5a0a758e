"""A run's data: loaded, resolved, split, looked at and let through the gate."""

import dataclasses
import hashlib
from typing import Any

import ml_collections
import pandas as pd

from remedis import files
from remedis.data import labels, sources, splits
from remedis.data.checks import leaks, scan
from remedis.data.manifest import SPLITS, Manifest
from remedis.errors import UserError
from remedis.options import literals
from remedis.training.run_directory import RunDirectory


@dataclasses.dataclass(frozen=True)
class RunData:
    """The splits of a run and what was seen on the way to them.

    Attributes:
      train: images to learn from.
      validation: images that choose the best checkpoint.
      test: images nothing is chosen on.
      hashes: SHA-256 of every image's file, by path.
      summary: counts, policies and bad images, as plain values for `results.json`.
    """

    train: Manifest
    validation: Manifest
    test: Manifest
    hashes: "pd.Series[str]"
    summary: dict[str, Any]

    def learnt_from(self) -> "pd.Series[str]":
        """Returns the SHA-256 of the images that train a model or choose it: all but the test's."""
        both = [part.table["path"] for part in (self.train, self.validation)]
        return pd.concat(both).map(self.hashes)

    def digest(self) -> str:
        """Returns a SHA-256 of what is learnt from and tested on: images, labels and splits."""
        digest = hashlib.sha256()
        for name in SPLITS:
            part = getattr(self, name)
            rows = zip(part.table["path"].map(self.hashes), part.targets().tolist(), strict=True)
            digest.update(f"{name} {part.labels} {list(rows)}\n".encode())
        return digest.hexdigest()


def prepare(config: ml_collections.ConfigDict, run: RunDirectory) -> RunData:
    """Returns the data a config asks for; writes `leaks.json` and lists bad images.

    Raises:
      UserError: the data are not as the source expects, too many images are bad, or splits share
        patients, studies, slides or images.
    """
    if not config.data_dir:
        raise UserError("config.data_dir is not set: name the directory of the data.")
    options = literals(config.source_options.split(";"), "config.source_options")
    if "allow_missing_patient_ids" in sources.options_of(config.source):
        options["allow_missing_patient_ids"] = config.allow_missing_patient_ids
    manifest = sources.load(config.source, config.data_dir, tuple(config.labels), **options)
    manifest = labels.apply_policies(
        manifest,
        uncertain=labels.policies(config.uncertain, manifest.labels),
        unmentioned=labels.policies(config.unmentioned, manifest.labels),
    )
    manifest = splits.ensure(
        manifest,
        config.splits.to_dict(),
        config.split_seed,
        config.split_unit,
        config.allow_missing_patient_ids,
        tuple(config.stratify),
        config.complete_splits,
    )
    used = manifest.subset(manifest.table["split"].isin(SPLITS).to_numpy(dtype=bool))
    scanned = scan.scan(used, run / "scan.parquet")
    used, bad = scan.quarantine(used, scanned, config.max_bad_images, run / "bad_images.csv")
    found = scanned.set_index("path")
    receipt = leaks.check(
        used,
        found["sha256"],
        config.allow_missing_patient_ids,
        phashes=found["phash"],
        refuse_near_duplicates=config.refuse_near_duplicates,
    )
    files.write_json(run / "leaks.json", receipt.to_json())
    receipt.raise_if_leaking()
    counts = used.counts()
    print(_overview(used, counts, bad, receipt), flush=True)
    parts = {split: used.select(split) for split in SPLITS}
    for split, part in parts.items():
        if not len(part):
            raise UserError(
                f"The {split} split has no images; give it a share in config.splits, or rows in "
                "the data."
            )
    _check_learnable(parts["train"])
    if config.task == "multi_class":
        _check_exclusive(used)
    return RunData(
        **parts,
        hashes=found["sha256"],
        summary={
            "source": used.source,
            "counts": counts.to_dict(orient="index"),
            "policies": {label: dict(policy) for label, policy in used.policies.items()},
            "bad_images": len(bad),
            "unchecked": list(receipt.unchecked),
        },
    )


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


def _check_exclusive(manifest: Manifest) -> None:
    """Raises a UserError unless every image is of one class."""
    labels = list(manifest.labels)
    if len(labels) < 2:
        raise UserError(
            f"config.task is 'multi_class' with the label {', '.join(labels)} alone; name one "
            "label a class, or use 'multi_label'."
        )
    targets = manifest.table[labels]
    wrong = targets.notna().all(axis=1) & (targets.sum(axis=1) != 1)
    if wrong.any():
        row = manifest.table[wrong].iloc[0]
        raise UserError(
            f"config.task is 'multi_class', but {row['path']} is positive for "
            f"{int(row[labels].sum())} of the labels {', '.join(labels)}, as are "
            f"{int(wrong.sum()):,} images not of exactly one; use 'multi_label'."
        )


def _overview(
    manifest: Manifest, counts: pd.DataFrame, bad: pd.DataFrame, receipt: leaks.Receipt
) -> str:
    lines = [f"Data: {manifest.source}, positives by label", counts.to_string()]
    if len(bad):
        lines.append(f"{len(bad):,} bad images left out, listed in bad_images.csv.")
    limit = ", as far as could be checked" if receipt.unchecked else ""
    lines.append(f"Leak gate: splits share no patients, studies or images{limit} (leaks.json).")
    lines += [f"  Not checked: {sentence}" for sentence in receipt.unchecked]
    if receipt.near_duplicates:
        lines.append(f"  {receipt.near_duplicates_sentence()}")
    return "\n".join(lines)
