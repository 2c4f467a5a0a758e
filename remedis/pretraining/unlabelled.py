"""The unlabelled images of a pretraining, without those that it must not see."""

import dataclasses
import hashlib
import logging
import os
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from remedis import files
from remedis.data import canonical_ids, image_list, leave_out
from remedis.data.batches.partners import Partners
from remedis.data.checks import scan
from remedis.data.fingerprints import ORIGINAL, Fingerprints, originals
from remedis.data.leave_out import LeftOut
from remedis.data.manifest import ID_VALIDATION, SPLITS, Manifest
from remedis.errors import UserError, counted, unknown_choice
from remedis.finetuning.rehearsal import LAYOUTS
from remedis.pretraining import collect, methods
from remedis.pretraining.settings import PretrainingSettings, UnlabelledSettings
from remedis.training.run_directory import RunDirectory
from remedis.zoo.licences import MADE_UP

_LOG = logging.getLogger(__name__)

# Columns in which an image may share a value with a left-out one, and the reason to record then.
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
      manifest: paths are absolute; ids begin with the name of their source in `summary`, such as
        `csv/`, so that ids of two hospitals differ. The only label is unknown for all images.
      hashes: SHA-256 of the image files, by path.
      partners: images of the same patient, for methods that pair them; None for the others.
      summary: the content of `leaks.json`: images and patients by source, the number of images left
        out by reason, and what could not be checked.
      left_out: the images and patients that `config.leave_out` names.
      fingerprints: what recognises the images, one per source, with the ids of the source.
    """

    manifest: Manifest
    hashes: "pd.Series[str]"
    partners: Partners | None
    summary: dict[str, Any]
    left_out: Sequence[LeftOut]
    fingerprints: Sequence[Fingerprints]

    @property
    def patients(self) -> int:
        """Number of known patients; images without a patient id do not count."""
        return int(self.manifest.table["patient_id"].nunique())

    def digest(self) -> str:
        """Returns a SHA-256 of the images, in order, and of their patient and study ids."""
        table = self.manifest.table
        ids = (table[name].fillna("") for name in ("patient_id", "study_id"))
        rows = zip(table["path"].map(self.hashes), *ids, strict=True)
        return hashlib.sha256(str(list(rows)).encode()).hexdigest()


def rehearsed(settings: PretrainingSettings, run: RunDirectory) -> PretrainingSettings:
    """Returns settings with made-up images in the run's directory where they name none.

    Raises:
      UserError: there is no made-up data of the layout `config.rehearsal` names.
    """
    layout, unlabelled, probe = settings.rehearsal, settings.unlabelled, settings.probe
    if layout not in LAYOUTS:
        raise unknown_choice("layout of made-up data", layout, LAYOUTS)
    if unlabelled.data and (probe is None or probe.data.data_dir):
        return settings
    directory = LAYOUTS[layout](run.shared / "rehearsal" / "data")
    _LOG.info(f"Rehearsal: made-up data in {directory}.")
    if not unlabelled.data:
        unlabelled = dataclasses.replace(
            unlabelled, data=f"{layout}={directory}", data_terms=MADE_UP
        )
    if probe is not None and not probe.data.data_dir:
        labelled = dataclasses.replace(probe.data, data_dir=str(directory))
        probe = dataclasses.replace(probe, data=labelled)
    return dataclasses.replace(settings, unlabelled=unlabelled, probe=probe)


def prepare(settings: UnlabelledSettings, run: RunDirectory) -> Unlabelled:
    """Returns the images of a pretraining; writes `leaks.json` and `bad_images.csv`.

    Labels are not read. Three kinds of images are left out: the splits in
    `config.leave_out_splits`, of sources that have splits; the images that `config.leave_out` names
    (see `leave_out.read`), by hash and by look, and its patients where their ids are of the same
    directory; and every image that is identical to one left out, or of its patient, study or slide.

    Raises:
      UserError: the settings or the data are not as expected, too many images are bad, or no image
        remains.
    """
    for split in settings.leave_out_splits:
        if split not in (known := (*SPLITS, ID_VALIDATION)):
            raise unknown_choice("split in config.leave_out_splits", split, known)
    loaded = collect.load(
        settings.data, settings.source_options, settings.allow_missing_patient_ids
    )
    left_out = leave_out.read(settings.leave_out, run / "scan.parquet")
    _check_comparable(loaded, left_out)
    tables = [
        _with_source(name, manifest).assign(
            why=_listed(manifest, settings.leave_out_splits, left_out)
        )
        for name, manifest in loaded.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    everything = image_list.of_table(table, pathlib.Path(os.sep), "config.data")
    scanned = scan.scan(everything, run / "scan.parquet")
    table["sha256"], table["look"] = scanned["sha256"], scanned["look"]
    table["why"] = _why(table, left_out)
    similar = _similar_ids(table, loaded, left_out, settings.allow_similar_ids)
    remaining = (table["why"] == "").to_numpy(dtype=bool)
    if not remaining.any():
        raise UserError(
            f"All {len(table):,} images of config.data are left out "
            f"({_reasons(_counts(table))}); see config.leave_out_splits and config.leave_out."
        )
    used, bad = scan.quarantine(
        everything.subset(remaining),
        scanned[remaining],
        settings.max_bad_images,
        run / "bad_images.csv",
    )
    table["used"] = table["path"].isin(used.table["path"])
    summary = _summary(table, len(bad), [*_not_compared(loaded, left_out), *similar])
    files.write_json(run / "leaks.json", summary)
    for line in _overview(summary):
        _LOG.info(line)
    pairs = None
    if methods.METHODS[settings.method].partners:
        pairs = Partners.from_manifest(used, settings.partners)
        _LOG.info(f"  {pairs.summary()}")
    hashes = table.loc[table["used"], ["path", "sha256"]].set_index("path")["sha256"]
    return Unlabelled(used, hashes, pairs, summary, left_out, _fingerprints(table, loaded))


def _check_comparable(loaded: Mapping[str, Manifest], left_out: Sequence[LeftOut]) -> None:
    """Raises a UserError if a list has only patient ids, and no loaded data set has such ids."""
    roots = [manifest.root for manifest in loaded.values()]
    for listed in left_out:
        if not (listed.hashes or listed.names) and not any(map(listed.knows, roots)):
            raise UserError(
                f"config.leave_out names {listed.name}, which lists patients but no images and "
                "lies in no directory of config.data, so the hospital of its patient ids is "
                "unknown; move it into the directory of their images, or add a column 'path'."
            )


def _with_source(name: str, manifest: Manifest) -> pd.DataFrame:
    """Returns a table with absolute paths, ids prefixed by the source, and a column `source`."""
    table = manifest.table
    ids = {c: f"{name}/" + table[c] for c in _SHARED if c in table}
    paths = [os.path.abspath(path) for path in manifest.absolute_paths()]
    return table.assign(path=paths, source=name, **ids)


def _listed(manifest: Manifest, splits: Collection[str], left_out: Sequence[LeftOut]) -> pd.Series:
    """Returns why each image is left out by split, patient id or file name, [rows]; else empty."""
    table = manifest.table
    why = pd.Series("", table.index, dtype=object)
    for split in splits:
        why[table["split"].isin([split])] = f"of the split {split}"
    for listed in left_out:
        if listed.knows(manifest.root):
            of_patients = table["patient_id"].isin(listed.patients)
            why[of_patients & (why == "")] = f"of patients in {listed.name}"
        why[listed.named(manifest) & (why == "")] = f"in {listed.name}"
    return why


def _fingerprints(table: pd.DataFrame, loaded: Mapping[str, Manifest]) -> list[Fingerprints]:
    """Returns what recognises the images that are used, by source."""
    result = []
    for name, manifest in loaded.items():
        of_source = table[table["source"] == name].reset_index(drop=True)
        by_path = of_source[["sha256", "look"]].set_axis(manifest.table["path"], axis=0)
        used = manifest.subset(of_source["used"])
        if len(used):
            result.append(Fingerprints.from_manifest(used, by_path))
    return result


def _why(table: pd.DataFrame, left_out: Sequence[LeftOut]) -> pd.Series:
    """Returns the column `why`, completed by hashes and by the ids of images left out."""
    why = table["why"].copy()
    everything = Fingerprints(table.assign(**{ORIGINAL: originals(table)}), "")
    for listed in left_out:
        identical = everything.having(set(listed.hashes)) & (why == "")
        why[identical] = f"in {listed.name}"
        why[listed.listed(everything) & (why == "")] = f"looking like an image in {listed.name}"
    before = -1
    # Repeated until nothing is added: a copy of a left-out patient's image may be of another
    # patient, whose other images are then left out too.
    while before != (before := int((why != "").sum())):
        for column, reason in _SHARED.items():
            if column in table:
                shared = table[column].isin(table[column][why != ""].dropna())
                why[shared & (why == "")] = reason
    return why


def _similar_ids(
    table: pd.DataFrame,
    loaded: Mapping[str, Manifest],
    left_out: Sequence[LeftOut],
    allowed: bool,
) -> list[str]:
    """Returns a sentence per column of ids that may be left out in another spelling.

    Raises:
      UserError: there are such ids and they are not allowed.
    """
    advice = (
        "write each id in one way, or set config.allow_similar_ids if they are different patients "
        "or studies"
    )
    sentences = []
    for name, manifest in loaded.items():
        of_source = table[table["source"] == name]
        excluded = of_source["why"] != ""
        for column in (c for c in canonical_ids.COLUMNS if c in of_source):
            ids = of_source[column].str.removeprefix(f"{name}/")
            others = set(ids[excluded].dropna())
            for listed in left_out:
                if column == "patient_id" and listed.knows(manifest.root):
                    others |= listed.patients
            found = canonical_ids.about_alike(ids[~excluded].dropna(), others, column)
            if found and not allowed:
                raise UserError(f"{found}; {advice}.")
            if found:
                option = "config.allow_similar_ids"
                sentences.append(f"{name}: {found}; they are taken as different, as {option} says.")
    return sentences


def _counts(table: pd.DataFrame) -> dict[str, int]:
    """Returns the number of images left out, by reason."""
    counts = table["why"][table["why"] != ""].value_counts()
    return {str(reason): int(count) for reason, count in counts.items()}


def _not_compared(loaded: Mapping[str, Manifest], left_out: Sequence[LeftOut]) -> list[str]:
    """Returns a sentence per list whose patient ids cannot be compared with those of the data."""
    roots = [manifest.root for manifest in loaded.values()]
    return [
        f"Patients of {listed.name} cannot be recognised in config.data, which is in another "
        "folder; only the images were compared."
        for listed in left_out
        if listed.patients and not any(map(listed.knows, roots))
    ]


def _summary(table: pd.DataFrame, bad: int, not_compared: Sequence[str]) -> dict[str, Any]:
    used = table[table["used"]]
    unchecked = list(not_compared)
    if unknown := int(used["patient_id"].isna().sum()):
        unchecked.append(
            f"{unknown:,} of {len(used):,} images have no patient_id, so that images of patients "
            "left out may be among them."
        )
    if unassigned := int(used["split"].isna().sum()):
        unchecked.append(
            f"{unassigned:,} of {len(used):,} images have no split, so that test images of later "
            "experiments may be among them, unless config.leave_out names them."
        )
    return {
        "labels_used": False,
        "images": len(used),
        "patients": int(used["patient_id"].nunique()),
        "sources": {
            str(name): {
                "images": int(of_source["used"].sum()),
                "patients": int(of_source["patient_id"][of_source["used"]].nunique()),
                "left_out": _counts(of_source),
            }
            for name, of_source in table.groupby("source", sort=False)
        },
        "bad_images": bad,
        "unchecked": unchecked,
    }


def _reasons(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{count:,} {reason}" for reason, count in counts.items())


def _overview(summary: Mapping[str, Any]) -> list[str]:
    lines = [
        f"Unlabelled: {counted(summary['images'], 'image')} of "
        f"{counted(summary['patients'], 'patient')}; no label "
        "is used (leaks.json)."
    ]
    for name, source in summary["sources"].items():
        without = f"; left out: {_reasons(source['left_out'])}" if source["left_out"] else ""
        lines.append(
            f"  {name}: {counted(source['images'], 'image')} of "
            f"{counted(source['patients'], 'patient')}{without}."
        )
    if summary["bad_images"]:
        lines.append(f"  {summary['bad_images']:,} bad images left out, listed in bad_images.csv.")
    lines += [f"  Not checked: {sentence}" for sentence in summary["unchecked"]]
    return lines
