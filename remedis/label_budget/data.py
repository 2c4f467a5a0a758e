"""The two hospitals of a study: their images, split by patient and let through the gate."""

import dataclasses
import hashlib
import json
import os
from typing import Any

import ml_collections
import pandas as pd

from remedis import files
from remedis.data import manifest as manifests
from remedis.data import sources
from remedis.data.checks import leaks
from remedis.data.manifest import Manifest
from remedis.errors import UserError
from remedis.finetuning import data
from remedis.label_budget.directory import StudyDirectory
from remedis.label_budget.settings import PARTS, arms, recipe
from remedis.options import items, literals
from remedis.zoo.seen_images import SeenImages


@dataclasses.dataclass(frozen=True)
class Hospitals:
    """The data of a study.

    Attributes:
      inside: in-distribution, all three splits.
      pool: images of all out-of-distribution patients that may be labelled.
      test: the images everything out of distribution is judged on.
      hashes: SHA-256 of the out-of-distribution images, by path.
      receipts: as the leak gate wrote them: of each part, `id` and `ood`, and of one against the
        other, `between`.
    """

    inside: data.RunData
    pool: Manifest
    test: Manifest
    hashes: "pd.Series[str]"
    receipts: dict[str, Any]

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Returns patients, images and positive images by label, by part and split."""
        return {
            "id": {
                split: _counts(getattr(self.inside, split))
                for split in ("train", "validation", "test")
            },
            "ood": {"pool": _counts(self.pool), "test": _counts(self.test)},
        }


def prepare(config: ml_collections.ConfigDict, run: StudyDirectory) -> Hospitals:
    """Returns the data of a study; writes `leaks.json` of each hospital and of one v the other.

    Raises:
      UserError: as of `training.data.prepare`; out-of-distribution images are among those that
        in-distribution models learn from; or cells were finished on other data.
    """
    found, receipts = {}, {}
    for part in PARTS:
        if not config[f"{part}_data_dir"]:
            raise UserError(f"config.{part}_data_dir is not set: name the directory of the data.")
        own = run.data(part)
        settings = recipe(config, part)
        if config[f"{part}_sites"]:
            settings = _of_sites(settings, part, config[f"{part}_sites"], own / "manifest.csv")
        # Of a study's directory the name is not known.
        print(f"{config[f'{part}_name'] or settings.source} ({part.upper()}):", flush=True)
        found[part] = data.prepare(settings, own)
        receipts[part] = files.read_json(own / "leaks.json")
    inside, outside = found["id"], found["ood"]
    same = os.path.realpath(config.id_data_dir) == os.path.realpath(config.ood_data_dir)
    receipt = _between(inside, outside, same)
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
    pool = dataclasses.replace(
        outside.train,
        table=pd.concat([outside.train.table, outside.validation.table], ignore_index=True),
    )
    return Hospitals(inside, pool, outside.test, outside.hashes, receipts)


def refuse_seen(config: ml_collections.ConfigDict, hospitals: Hospitals) -> None:
    """Raises a UserError if the checkpoint of an arm has seen images of a test set."""
    tests = {
        "in-distribution": (hospitals.inside.test, hospitals.inside.hashes),
        "out-of-distribution": (hospitals.test, hospitals.hashes),
    }
    for name, checkpoint in arms(config).items():
        seen = SeenImages.of_checkpoint(checkpoint)
        for title, (test, hashes) in tests.items():
            seen.refuse_seen(
                test.table["path"].map(hashes),
                model=f"The arm {name} is {checkpoint}",
                tests=f"{title} test",
                workdir="WORKDIR_OF_THE_STUDY",
            )


def _of_sites(
    settings: ml_collections.ConfigDict, part: str, sites: str, target: os.PathLike[str]
) -> ml_collections.ConfigDict:
    """Returns a recipe for the images of some sites alone, written down without their splits.

    A source that splits by site, such as WILDS' Camelyon17, would leave nothing to test on.
    """
    options = literals(settings.source_options.split(";"), f"config.{part}.source_options")
    manifest = sources.load(settings.source, settings.data_dir, tuple(settings.labels), **options)
    wanted = items(sites, ",")
    known = manifest.table["site"]
    for site in wanted:
        if not (known == site).any():
            raise UserError(
                f"config.{part}_sites names {site!r}, of which there are no images; the data have "
                f"the sites {', '.join(sorted(known.dropna().unique())) or '(none)'}."
            )
    kept = manifest.subset(known.isin(wanted).to_numpy(dtype=bool, na_value=False))
    kept = dataclasses.replace(kept, table=kept.table.assign(split=None))
    manifests.write_csv(kept, target)
    settings.update(source="csv", source_options="", data_dir=os.fspath(target))
    return settings


def _between(inside: data.RunData, outside: data.RunData, same: bool) -> leaks.Receipt:
    """Returns what in-distribution models learn from and out-of-distribution data both have.

    Patient ids are compared only where both come from one directory: those of two hospitals may
    coincide.
    """
    learnt = pd.concat([inside.train.table, inside.validation.table], ignore_index=True)
    tables = {"ID train": learnt.assign(sha256=learnt["path"].map(inside.hashes))}
    pooled = pd.concat([outside.train.table, outside.validation.table], ignore_index=True)
    for name, table in (("OOD pool", pooled), ("OOD test", outside.test.table)):
        tables[name] = table.assign(sha256=table["path"].map(outside.hashes))
    overlaps = []
    for name in ("OOD pool", "OOD test"):
        for column in ("patient_id", "sha256") if same else ("sha256",):
            shared = set(tables["ID train"][column].dropna()) & set(tables[name][column].dropna())
            if shared:
                listed = sorted(shared)[:20]
                overlaps.append(
                    leaks.Overlap(column, ("ID train", name), len(shared), tuple(listed))
                )
    unchecked = (
        ()
        if same
        else ("Patients of ID and OOD data could not be compared: their ids are of two hospitals.",)
    )
    counts = {
        name: {"images": len(table), "patients": int(table["patient_id"].nunique())}
        for name, table in tables.items()
    }
    return leaks.Receipt(counts, tuple(overlaps), {}, unchecked)


def _digest_of_patients(found: data.RunData) -> str:
    """Returns a SHA-256 of whose every image is: budgets are drawn by patient."""
    parts = (found.train, found.validation, found.test)
    ids = [part.table["patient_id"].fillna("").tolist() for part in parts]
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()


def _counts(manifest: Manifest) -> dict[str, int]:
    table = manifest.table
    return {
        "patients": int(table["patient_id"].fillna(table["path"]).nunique()),
        "images": len(table),
        **{label: int((table[label] == 1).sum()) for label in manifest.labels},
    }
