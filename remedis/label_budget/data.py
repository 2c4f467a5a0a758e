"""The data of a study: the images of two hospitals, split by patient and checked for leaks."""

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import pandas as pd

from remedis import files
from remedis.data import canonical_ids, label_policies, sources
from remedis.data import manifest as manifests
from remedis.data.checks import leaks, look_hashes
from remedis.data.fingerprints import Fingerprints, beyond_chance
from remedis.data.judged_images import JudgedSet
from remedis.data.manifest import Manifest, beside
from remedis.errors import UserError
from remedis.finetuning import data as finetuning_data
from remedis.finetuning.data import RunData
from remedis.label_budget import arm_options, thumbnail_arm
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import HOSPITALS, HospitalSettings, StudySettings
from remedis.options import items, source_options
from remedis.zoo.seen_images import SeenImages

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class StudyData:
    """The data of a study.

    Attributes:
      inside: in-distribution data, all three splits.
      pool: images of all out-of-distribution patients that may be labelled, with labels under the
        policies of training.
      judged_pool: the same with labels under the policies of evaluation, for validation.
      test: out-of-distribution test images.
      hashes: SHA-256 of the out-of-distribution images, by path.
      test_images: what recognises the out-of-distribution test images.
      receipts: of the leak gate: within each hospital, `id` and `ood`, and `between` the two.
      label_notes: what labels of each hospital's test split count as, `id` and `ood`.
      judged: the images that choose or test a model.
    """

    inside: RunData
    pool: Manifest
    judged_pool: Manifest
    test: Manifest
    hashes: "pd.Series[str]"
    test_images: Fingerprints
    receipts: dict[str, Any]
    label_notes: dict[str, list[str]]
    judged: tuple[JudgedSet, ...]

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Returns patients, images and positive images per label, by hospital and split."""
        return {
            "id": {
                split: _counts(getattr(self.inside, split))
                for split in ("train", "validation", "test")
            },
            "ood": {"pool": _counts(self.pool), "test": _counts(self.test)},
        }


def prepare(
    settings: StudySettings, run: StudyDirectory, first: StudyData | None = None
) -> StudyData:
    """Returns the data of a study; writes `leaks.json`.

    Args:
      settings: of the study.
      run: the study's directory.
      first: the data of the first out-of-distribution set, whose in-distribution data this study
        shares; None if it is the first itself.

    Raises:
      UserError: as `finetuning.data.prepare`; out-of-distribution images are among those that
        train in-distribution models; or the data differ from those of the finished cells.
    """
    prepared: dict[str, RunData] = {}
    receipts = {}
    if first is not None:
        prepared["id"], receipts["id"] = first.inside, first.receipts["id"]
    for key in HOSPITALS:
        if key in prepared:
            continue
        hospital = settings.hospital(key)
        if not hospital.finetuning.data.data_dir:
            raise UserError(f"config.{key}_data_dir is not set: name the directory of the data.")
        directory = run.data(key)
        if hospital.sites:
            option = f"config.{key}_sites"
            if first is not None:
                option = "config.further_ood_options (sites)"
            hospital = _of_sites(hospital, key, option, directory / "manifest.csv")
        data = hospital.finetuning.data
        _LOG.info(f"{hospital.name or data.source} ({key.upper()}):")
        prepared[key] = finetuning_data.prepare(data, settings.task, directory)
        receipts[key] = leaks.read_receipt(directory / "leaks.json")
    inside, outside = prepared["id"], prepared["ood"]
    receipt = _between(
        inside, outside, _same_directory(settings), [settings.hospital(k) for k in HOSPITALS]
    )
    receipts["between"] = receipt.to_json()
    files.write_json(run / "data" / "leaks.json", receipts["between"])
    receipt.raise_if_leaking()
    if receipt.near_duplicates:
        _LOG.warning(f"Between ID and OOD, {receipt.near_duplicates_sentence()}")
    run.pin(
        {
            "in-distribution data": inside.digest(),
            "out-of-distribution data": outside.digest(),
            "out-of-distribution patients": _digest_of_patients(outside),
        }
    )
    test_images = outside.fingerprints("test")
    test = JudgedSet.from_images("ood/test", outside.test.root, test_images)
    pool = dataclasses.replace(
        outside.train,
        table=pd.concat([outside.train.table, outside.validation.table], ignore_index=True),
    )
    # Any patient of the pool may train or validate: each draw decides.
    policies = settings.ood.finetuning.data.policies
    return StudyData(
        inside,
        label_policies.decide(pool, policies.training),
        label_policies.decide(pool, policies.evaluation),
        outside.test,
        outside.hashes,
        test_images,
        receipts,
        {
            "id": inside.summary["label_notes"]["test"],
            "ood": outside.summary["label_notes"]["test"],
        },
        (*inside.judged("id/"), test),
    )


def refuse_seen(
    settings: StudySettings,
    data: StudyData,
    keys: Collection[str],
    arms: Collection[str],
    named: bool,
) -> None:
    """Raises a UserError if the checkpoint of an arm has seen images of a test set.

    Args:
      settings: of the study.
      data: of the study.
      keys: the hospitals whose test images are checked.
      arms: names of those that are checked.
      named: whether messages name the out-of-distribution set, one of several.
    """
    outside = f"out-of-distribution ({settings.ood.name})" if named else "out-of-distribution"
    tests = {
        "id": ("in-distribution", data.inside.fingerprints("test")),
        "ood": (outside, data.test_images),
    }
    tests = {key: tests[key] for key in keys}
    for name in arms:
        checkpoint = settings.arms[name]
        if thumbnail_arm.is_floor(checkpoint):
            continue
        with arm_options.naming(name, checkpoint):
            seen = SeenImages.from_checkpoint(checkpoint)
        for key, (title, images) in tests.items():
            warnings = seen.refuse_seen(
                images,
                model=f"The arm {name} is {checkpoint}",
                tests=f"{title} test",
                workdir="WORKDIR_OF_THE_STUDY",
                allow_similar_images=settings.hospital(key).finetuning.data.allow_similar_images,
            )
            for sentence in warnings:
                _LOG.warning(f"The arm {name}: {sentence}")


def _same_directory(settings: StudySettings) -> bool:
    directories = [settings.hospital(key).finetuning.data.data_dir for key in HOSPITALS]
    return len(set(map(os.path.realpath, directories))) == 1


def _of_sites(
    hospital: HospitalSettings, key: str, option: str, target: os.PathLike[str]
) -> HospitalSettings:
    """Returns the settings for the images of some sites, in a manifest without their splits.

    A source that splits by site, such as WILDS' Camelyon17, would leave no test images.
    """
    data = hospital.finetuning.data
    options = source_options(data.source_options, f"config.{key}.source_options")
    manifest = sources.load_with(data.source, data.data_dir, data.labels, options)
    sites = items(hospital.sites, ",")
    known = manifest.table["site"]
    for site in sites:
        if not (known == site).any():
            raise UserError(
                f"{option} names {site!r}, of which there are no images; the data have "
                f"the sites {', '.join(sorted(known.dropna().unique())) or '(none)'}."
            )
    chosen = manifest.subset(known.isin(sites).to_numpy(dtype=bool, na_value=False))
    manifests.write_csv(chosen.with_columns({"split": None}), target)
    return hospital.with_data(source="csv", source_options="", data_dir=os.fspath(target))


def _between(
    inside: RunData,
    outside: RunData,
    same_directory: bool,
    hospitals: Sequence[HospitalSettings],
) -> leaks.Receipt:
    """Returns the overlap of the in-distribution training data with the other hospital's data.

    Images are compared by their files, by the files that packed images were made from, and by
    their looks. Patient ids are compared only if both come from one directory: the ids of two
    hospitals may coincide.
    """
    settings = [hospital.finetuning.data for hospital in hospitals]
    training = inside.fingerprints("train", "validation")
    others = {
        "OOD pool": outside.fingerprints("train", "validation"),
        "OOD test": outside.fingerprints("test"),
    }
    overlaps, near, refuse = [], [], any(data.refuse_near_duplicates for data in settings)
    for name, images in others.items():
        shared = {"sha256": training.hashes() & images.hashes()}
        if same_directory:
            shared["patient_id"] = training.ids("patient_id") & images.ids("patient_id")
        for column, values in sorted(shared.items()):
            if values:
                examples = tuple(sorted(values)[:20])
                overlap = leaks.Overlap(column, ("ID train", name), len(values), examples)
                overlaps.append(overlap)
        found = images.alike(training)
        found.apart[images.having(shared["sha256"])] = look_hashes.BITS  # overlaps already
        rows = np.argsort(found.apart, kind="stable")
        rows = rows[found.apart[rows] < look_hashes.BITS]
        if len(rows):
            of_training, of_images = training.table["path"], images.table["path"]
            listed = tuple(
                (of_training.iloc[found.stored[row]], of_images.iloc[row], int(found.apart[row]))
                for row in rows[:20]
            )
            near.append(leaks.NearDuplicates(("ID train", name), len(rows), listed))
            allowed = all(data.allow_similar_images for data in settings)
            refuse |= beyond_chance(len(rows), len(images)) and not allowed
    similar: tuple[leaks.SimilarIds, ...] = ()
    unchecked: tuple[str, ...] = ()
    if same_directory:
        ids = set[str]().union(*(images.ids("patient_id") for images in others.values()))
        if alike := canonical_ids.alike(training.ids("patient_id"), ids):
            similar = (leaks.SimilarIds.from_pairs("patient_id", alike),)
    else:
        unchecked = (
            "Patients of ID and OOD data could not be compared: their ids are of two hospitals.",
        )
    return leaks.Receipt(
        {
            name: {"images": len(images), "patients": len(images.ids("patient_id"))}
            for name, images in {"ID train": training, **others}.items()
        },
        tuple(overlaps),
        {},
        unchecked,
        tuple(near),
        near_distance=look_hashes.BITS_APART,
        refuse_near_duplicates=refuse,
        similar_ids=similar,
        allow_similar_ids=all(data.allow_similar_ids for data in settings),
    )


def _digest_of_patients(data: RunData) -> str:
    """Returns a SHA-256 over the patient of every image, since budgets are drawn by patient."""
    splits = (data.train, data.validation, data.test)
    ids = [split.table["patient_id"].fillna("").tolist() for split in splits]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def _counts(manifest: Manifest) -> dict[str, int]:
    table = manifest.table
    return {
        "patients": int(table["patient_id"].fillna(table["path"]).nunique()),
        "images": len(table),
        **{
            name: int((table[label] == 1).sum())
            for label, name in beside(manifest.labels, ("patients", "images")).items()
        },
    }
