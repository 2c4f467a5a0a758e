"""The data of a study: the images of two hospitals, split by patient and checked for leaks."""

import dataclasses
import hashlib
import json
import logging
import os
from typing import Any

import pandas as pd

from remedis import files
from remedis.data import canonical_ids, judged_images, label_policies, sources
from remedis.data import manifest as manifests
from remedis.data.checks import leaks
from remedis.data.judged_images import JudgedSet
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.finetuning import data as finetuning_data
from remedis.finetuning.data import RunData
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import HOSPITALS, HospitalSettings, StudySettings
from remedis.options import items, literals
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
      receipts: of the leak gate: within each hospital, `id` and `ood`, and `between` the two.
      label_notes: what labels of each hospital's test split count as, `id` and `ood`.
    """

    inside: RunData
    pool: Manifest
    judged_pool: Manifest
    test: Manifest
    hashes: "pd.Series[str]"
    receipts: dict[str, Any]
    label_notes: dict[str, list[str]]

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Returns patients, images and positive images per label, by hospital and split."""
        return {
            "id": {
                split: _counts(getattr(self.inside, split))
                for split in ("train", "validation", "test")
            },
            "ood": {"pool": _counts(self.pool), "test": _counts(self.test)},
        }


def prepare(settings: StudySettings, run: StudyDirectory) -> StudyData:
    """Returns the data of a study; writes `leaks.json` and `judged.json`.

    Raises:
      UserError: as `finetuning.data.prepare`; out-of-distribution images are among those that
        train in-distribution models; or the data differ from those of the finished cells.
    """
    prepared: dict[str, RunData] = {}
    receipts = {}
    for key in HOSPITALS:
        hospital = settings.hospital(key)
        if not hospital.finetuning.data.data_dir:
            raise UserError(f"config.{key}_data_dir is not set: name the directory of the data.")
        directory = run.data(key)
        if hospital.sites:
            hospital = _of_sites(hospital, key, directory / "manifest.csv")
        data = hospital.finetuning.data
        _LOG.info(f"{hospital.name or data.source} ({key.upper()}):")
        prepared[key] = finetuning_data.prepare(data, "multi_label", directory)
        receipts[key] = files.read_json(directory / "leaks.json")
    inside, outside = prepared["id"], prepared["ood"]
    allowed = all(settings.hospital(key).finetuning.data.allow_similar_ids for key in HOSPITALS)
    receipt = _between(inside, outside, _same_directory(settings), allowed)
    receipts["between"] = receipt.to_json()
    files.write_json(run / "data" / "leaks.json", receipts["between"])
    receipt.raise_if_leaking()
    run.pin(
        {
            "in-distribution data": inside.digest(),
            "out-of-distribution data": outside.digest(),
            "out-of-distribution patients": _digest_of_patients(outside),
        }
    )
    test = JudgedSet.from_manifest("ood/test", outside.test, outside.hashes)
    judged_images.write(run.path, [*inside.judged("id/"), test])
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
        receipts,
        {
            "id": inside.summary["label_notes"]["test"],
            "ood": outside.summary["label_notes"]["test"],
        },
    )


def refuse_seen(settings: StudySettings, data: StudyData) -> None:
    """Raises a UserError if the checkpoint of an arm has seen images of a test set."""
    tests = {
        "in-distribution": (data.inside.test, data.inside.hashes),
        "out-of-distribution": (data.test, data.hashes),
    }
    for name, checkpoint in settings.arms.items():
        seen = SeenImages.from_checkpoint(checkpoint)
        for title, (test, hashes) in tests.items():
            seen.refuse_seen(
                test.table["path"].map(hashes),
                model=f"The arm {name} is {checkpoint}",
                tests=f"{title} test",
                workdir="WORKDIR_OF_THE_STUDY",
            )


def _same_directory(settings: StudySettings) -> bool:
    directories = [settings.hospital(key).finetuning.data.data_dir for key in HOSPITALS]
    return len(set(map(os.path.realpath, directories))) == 1


def _of_sites(hospital: HospitalSettings, key: str, target: os.PathLike[str]) -> HospitalSettings:
    """Returns the settings for the images of some sites, in a manifest without their splits.

    A source that splits by site, such as WILDS' Camelyon17, would leave no test images.
    """
    data = hospital.finetuning.data
    options = literals(data.source_options.split(";"), f"config.{key}.source_options")
    manifest = sources.load(data.source, data.data_dir, data.labels, **options)
    sites = items(hospital.sites, ",")
    known = manifest.table["site"]
    for site in sites:
        if not (known == site).any():
            raise UserError(
                f"config.{key}_sites names {site!r}, of which there are no images; the data have "
                f"the sites {', '.join(sorted(known.dropna().unique())) or '(none)'}."
            )
    chosen = manifest.subset(known.isin(sites).to_numpy(dtype=bool, na_value=False))
    chosen = dataclasses.replace(chosen, table=chosen.table.assign(split=None))
    manifests.write_csv(chosen, target)
    return hospital.with_data(source="csv", source_options="", data_dir=os.fspath(target))


def _between(
    inside: RunData, outside: RunData, same_directory: bool, allow_similar_ids: bool
) -> leaks.Receipt:
    """Returns the overlap of the in-distribution training data with the other hospital's data.

    Patient ids are compared only if both come from one directory: the ids of two hospitals may
    coincide.
    """
    training = pd.concat([inside.train.table, inside.validation.table], ignore_index=True)
    tables = {"ID train": training.assign(sha256=training["path"].map(inside.hashes))}
    pooled = pd.concat([outside.train.table, outside.validation.table], ignore_index=True)
    for name, table in (("OOD pool", pooled), ("OOD test", outside.test.table)):
        tables[name] = table.assign(sha256=table["path"].map(outside.hashes))
    overlaps = []
    for name in ("OOD pool", "OOD test"):
        for column in ("patient_id", "sha256") if same_directory else ("sha256",):
            shared = set(tables["ID train"][column].dropna()) & set(tables[name][column].dropna())
            if shared:
                examples = tuple(sorted(shared)[:20])
                overlaps.append(leaks.Overlap(column, ("ID train", name), len(shared), examples))
    unchecked = (
        ()
        if same_directory
        else ("Patients of ID and OOD data could not be compared: their ids are of two hospitals.",)
    )
    similar: tuple[leaks.SimilarIds, ...] = ()
    if same_directory:
        ids = [tables[name]["patient_id"].dropna() for name in tables]
        if alike := canonical_ids.alike(ids[0], pd.concat(ids[1:])):
            similar = (leaks.SimilarIds.from_pairs("patient_id", alike),)
    counts = {
        name: {"images": len(table), "patients": int(table["patient_id"].nunique())}
        for name, table in tables.items()
    }
    return leaks.Receipt(
        counts,
        tuple(overlaps),
        {},
        unchecked,
        similar_ids=similar,
        allow_similar_ids=allow_similar_ids,
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
        **{label: int((table[label] == 1).sum()) for label in manifest.labels},
    }
