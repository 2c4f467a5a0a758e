"""A pretraining's images: unlabelled, and without those that must not be seen."""

import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import ml_collections
import pandas as pd

from remedis import files
from remedis.data.batches import partners
from remedis.data.batches.partners import Partners
from remedis.data.checks import scan
from remedis.data.manifest import ID_VALIDATION, SPLITS, Manifest
from remedis.errors import UserError, unknown_choice
from remedis.finetuning.rehearsal import LAYOUTS
from remedis.pretraining import collect, leave_out, methods
from remedis.pretraining.leave_out import LeftOut
from remedis.training.run_directory import RunDirectory

# What an image may share with one left out, and why it is then left out too.
_SHARED = {
    "sha256": "identical to an image left out",
    "patient_id": "of a patient left out",
    "study_id": "of a study left out",
    "slide_id": "of a slide left out",
}


@dataclasses.dataclass(frozen=True)
class Unlabelled:
    """The images of a pretraining.

    Attributes:
      manifest: paths are absolute; ids begin with what `summary` calls their source, such as
        `csv/`, so that those of two hospitals stay apart. The only label is unknown everywhere.
      hashes: SHA-256 of every image's file, by path.
      partners: which images are of the same patient, for methods that ask; None for the others.
      summary: what `leaks.json` holds: images and patients by source, how many were left out and
        why, and what could not be checked.
      left_out: what `config.leave_out` names.
    """

    manifest: Manifest
    hashes: "pd.Series[str]"
    partners: Partners | None
    summary: dict[str, Any]
    left_out: Sequence[LeftOut]

    @property
    def patients(self) -> int:
        """How many patients the images are of, those whose patient is not known left out."""
        return int(self.manifest.table["patient_id"].nunique())

    def digest(self) -> str:
        """Returns a SHA-256 of what is learnt from: the images, in order, and whose they are."""
        table = self.manifest.table
        ids = (table[name].fillna("") for name in ("patient_id", "study_id"))
        rows = zip(table["path"].map(self.hashes), *ids, strict=True)
        return hashlib.sha256(str(list(rows)).encode()).hexdigest()


def rehearsed(config: ml_collections.ConfigDict, run: RunDirectory) -> ml_collections.ConfigDict:
    """Returns the config with images made up in the run's directory where it names none.

    Raises:
      UserError: there is no made-up data of the layout `config.rehearsal` names.
    """
    if config.rehearsal not in LAYOUTS:
        raise unknown_choice("layout of rehearsal data", config.rehearsal, LAYOUTS)
    if config.data and config.probe.data_dir:
        return config
    config = config.copy_and_resolve_references()
    made = LAYOUTS[config.rehearsal](run.shared / "rehearsal" / "data")
    config.data = config.data or f"{config.rehearsal}={made}"
    config.probe.data_dir = config.probe.data_dir or str(made)
    print(f"Rehearsal: made-up data in {made}.", flush=True)
    return config


def prepare(config: ml_collections.ConfigDict, run: RunDirectory) -> Unlabelled:
    """Returns the images a config asks for; writes `leaks.json` and lists bad images.

    Labels are not looked at. Left out are the splits in `config.leave_out_splits`, of sources that
    have splits; what `config.leave_out` names, see `leave_out.read`: images by hash, and patients
    where their ids are of the same directory; and then every image that is identical to one left
    out, or of its patient, study or slide.

    Raises:
      UserError: the config or the data are not as expected, too many images are bad, or none is
        left.
    """
    for split in config.leave_out_splits:
        if split not in (known := (*SPLITS, ID_VALIDATION)):
            raise unknown_choice("split in config.leave_out_splits", split, known)
    loaded = collect.load(config)
    left_out = leave_out.read(config.leave_out, run)
    _check_comparable(loaded, left_out)
    tables = [
        _named(name, one).assign(why=_listed(one, config.leave_out_splits, left_out))
        for name, one in loaded.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    everything = collect.unlabelled(table, pathlib.Path(os.sep), "config.data")
    scanned = scan.scan(everything, run / "scan.parquet")
    table["sha256"] = scanned["sha256"]
    table["why"] = _why(table, left_out)
    kept = (table["why"] == "").to_numpy(dtype=bool)
    if not kept.any():
        raise UserError(
            f"All {len(table):,} images of config.data are left out "
            f"({_reasons(_counts(table))}); see config.leave_out_splits and config.leave_out."
        )
    used, bad = scan.quarantine(
        everything.subset(kept), scanned[kept], config.max_bad_images, run / "bad_images.csv"
    )
    table["used"] = table["path"].isin(used.table["path"])
    summary = _summary(table, len(bad), _uncompared(loaded, left_out))
    files.write_json(run / "leaks.json", summary)
    print(_overview(summary), flush=True)
    pairs = None
    if config.method in methods.METHODS and methods.METHODS[config.method].partners:
        pairs = partners.of(used, config.partners)
        print(f"  {pairs.summary()}", flush=True)
    hashes = table.loc[table["used"], ["path", "sha256"]].set_index("path")["sha256"]
    return Unlabelled(used, hashes, pairs, summary, left_out)


def _check_comparable(loaded: Mapping[str, Manifest], left_out: Sequence[LeftOut]) -> None:
    for one in left_out:
        if not one.hashes and not any(one.knows(manifest.root) for manifest in loaded.values()):
            raise UserError(
                f"config.leave_out names {one.name}, which lists patients but no images and lies "
                "in no directory of config.data, so that it does not say whose patients they are; "
                "move it into the directory of their images, or add a column 'path'."
            )


def _named(name: str, manifest: Manifest) -> pd.DataFrame:
    """Returns a table with absolute paths, and ids and a column `source` that say whose it is."""
    table = manifest.table
    ids = {c: f"{name}/" + table[c] for c in _SHARED if c in table}
    paths = [os.path.abspath(path) for path in manifest.absolute_paths()]
    return table.assign(path=paths, source=name, **ids)


def _listed(manifest: Manifest, splits: Collection[str], left_out: Sequence[LeftOut]) -> pd.Series:
    """Returns why the table itself says that an image is left out; empty where it does not."""
    table = manifest.table
    why = pd.Series("", table.index, dtype=object)
    for split in splits:
        why[table["split"].isin([split])] = f"of the split {split}"
    for one in left_out:
        if one.knows(manifest.root):
            why[table["patient_id"].isin(one.patients) & (why == "")] = f"of patients in {one.name}"
    return why


def _why(table: pd.DataFrame, left_out: Sequence[LeftOut]) -> pd.Series:
    """Returns the column `why` with the reasons that images themselves and others of them give."""
    why = table["why"].copy()
    for one in left_out:
        why[table["sha256"].isin(one.hashes) & (why == "")] = f"in {one.name}"
    before = -1
    # A copy of an image of a patient left out may be another patient's: until nothing is added.
    while before != (before := int((why != "").sum())):
        for column, reason in _SHARED.items():
            if column in table:
                shared = table[column].isin(table[column][why != ""].dropna())
                why[shared & (why == "")] = reason
    return why


def _counts(table: pd.DataFrame) -> dict[str, int]:
    """Returns how many images are left out, by reason."""
    found = table["why"][table["why"] != ""].value_counts()
    return {str(reason): int(count) for reason, count in found.items()}


def _uncompared(loaded: Mapping[str, Manifest], left_out: Sequence[LeftOut]) -> list[str]:
    """Returns a sentence for each list whose patients cannot be told among those of the data."""
    roots = [manifest.root for manifest in loaded.values()]
    return [
        f"{one.name} is known by its images alone: it lies in no directory of config.data, so that "
        "its ids of patients say nothing of those there."
        for one in left_out
        if one.patients and not any(one.knows(root) for root in roots)
    ]


def _summary(table: pd.DataFrame, bad: int, uncompared: Sequence[str]) -> dict[str, Any]:
    used = table[table["used"]]
    unchecked = list(uncompared)
    if unknown := int(used["patient_id"].isna().sum()):
        unchecked.append(
            f"{unknown:,} of {len(used):,} images have no patient_id, so that those of patients "
            "left out may be among them."
        )
    if unassigned := int(used["split"].isna().sum()):
        unchecked.append(
            f"{unassigned:,} of {len(used):,} images have no split, so that those which later "
            "experiments test on may be among them, unless config.leave_out names them."
        )
    return {
        "labels_used": False,
        "images": len(used),
        "patients": int(used["patient_id"].nunique()),
        "sources": {
            str(name): {
                "images": int(part["used"].sum()),
                "patients": int(part["patient_id"][part["used"]].nunique()),
                "left_out": _counts(part),
            }
            for name, part in table.groupby("source", sort=False)
        },
        "bad_images": bad,
        "unchecked": unchecked,
    }


def _reasons(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in counts.items())


def _overview(summary: Mapping[str, Any]) -> str:
    lines = [
        f"Unlabelled: {summary['images']:,} images of {summary['patients']:,} patients; no label "
        "is used (leaks.json)."
    ]
    for name, part in summary["sources"].items():
        without = f"; left out: {_reasons(part['left_out'])}" if part["left_out"] else ""
        lines.append(
            f"  {name}: {part['images']:,} images of {part['patients']:,} patients{without}."
        )
    if summary["bad_images"]:
        lines.append(f"  {summary['bad_images']:,} bad images left out, listed in bad_images.csv.")
    lines += [f"  Not checked: {sentence}" for sentence in summary["unchecked"]]
    return "\n".join(lines)
