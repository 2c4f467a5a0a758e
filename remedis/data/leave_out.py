"""The images and patients that a training must not see, as `config.leave_out` names them."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from remedis import files
from remedis.data import canonical_ids, image_list, judged_images
from remedis.data.boxes import COORDINATES
from remedis.data.checks import look_hashes, scan
from remedis.data.fingerprints import Fingerprints
from remedis.data.judged_images import JudgedSet
from remedis.data.manifest import Manifest
from remedis.data.sources import chestxray14, vindr_cxr
from remedis.data.tables import columns, spreadsheet
from remedis.errors import UserError
from remedis.options import items, spelled

_EXPECTED = (
    "expected CSV files with a column 'path' or 'patient_id', and directories of runs or studies"
)


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """Images and patients of one data directory that a training must not see.

    Attributes:
      name: the path in `config.leave_out` that names them.
      directory: directory of their data.
      hashes: SHA-256 of the image files, as `scan` computes them, and of the files that packed
        images were made from.
      patients: canonical patient ids; an equal id in other data may be of another patient.
      looks: the hashes `look_hashes.STORED` of the images, 120 bytes each.
      names: file names of images, where no more is known of them (ChestX-ray14's boxes).
    """

    name: str
    directory: pathlib.Path
    hashes: frozenset[str] = frozenset()
    patients: frozenset[str] = frozenset()
    looks: frozenset[bytes] = frozenset()
    names: frozenset[str] = frozenset()

    def knows(self, root: pathlib.Path) -> bool:
        """Returns whether the patient ids are those of the data under `root`."""
        return self.directory.resolve().is_relative_to(root.resolve())

    def listed(self, images: Fingerprints) -> npt.NDArray[np.bool_]:
        """Returns which images are listed: by their hash, or as copies that look alike."""
        stored = look_hashes.unpacked(sorted(self.looks), len(look_hashes.STORED))
        return images.having(set(self.hashes)) | (images.alike(stored).stored >= 0)

    def named(self, images: Manifest) -> npt.NDArray[np.bool_]:
        """Returns which images of a manifest are listed by their file names; [rows] bool."""
        names = images.table["path"].map(os.path.basename)
        return np.asarray(names.isin(self.names), dtype=bool)

    def among(self, images: Manifest, known: Fingerprints) -> npt.NDArray[np.bool_]:
        """Returns which images of a manifest are left out; [rows] bool.

        An image is left out if it is listed, if its patient has such an image, or if the patient id
        is left out and is one of the same data.

        Args:
          images: images of any data.
          known: their fingerprints, in the same order.
        """
        table = images.table
        listed = self.listed(known) | self.named(images)
        patients = set(table["patient_id"][listed].dropna())
        if self.knows(images.root):
            patients |= self.patients
        return np.asarray(listed | table["patient_id"].isin(patients), dtype=bool)


def read(text: str, cache: files.Path) -> list[LeftOut]:
    """Returns the images and patients that `config.leave_out` names: `PATH; PATH; ...`.

    A CSV file lists images by `path`, absolute or relative to the file, or patients by
    `patient_id`, or both; every row counts. ChestX-ray14's `BBox_List_2017.csv` lists the images
    with boxes by their file names. Of the directory of a run or a study only `judged.json` is read;
    a study that has not run yet has it after `--list`.

    Args:
      text: the paths.
      cache: parquet file in which `scan` remembers the images it has read.

    Raises:
      UserError: a path is none of these, a listed image cannot be read, or `judged.json` is
        missing or damaged.
    """
    left_out: list[LeftOut] = []
    for name in items(text):
        path = pathlib.Path(name)
        if path.is_dir():
            left_out += _from_judged(name, _judged(path))
        elif path.is_file():
            left_out.append(_from_csv(name, path, cache))
        else:
            raise UserError(
                f"{spelled('leave_out')} names {name}, which is not there; {_EXPECTED}."
            )
    return left_out


def _from_csv(name: str, path: pathlib.Path, cache: files.Path) -> LeftOut:
    for source in (chestxray14, vindr_cxr):
        if source.lists_boxes(path):
            return LeftOut(name, path.parent, names=frozenset(source.read_boxes(path)["name"]))
    table = spreadsheet.read_table(path)
    patients: frozenset[str] = frozenset()
    if "patient_id" in table:
        patients = frozenset(canonical_ids.column(columns.ids(path, table["patient_id"])).dropna())
    if "path" not in table:
        if not patients:
            raise UserError(
                f"{spelled('leave_out')} names {name}, which has the columns "
                f"{', '.join(map(str, table))}; {_EXPECTED}."
            )
        return LeftOut(name, path.parent, patients=patients)
    if {"label", *COORDINATES} <= set(table):  # boxes: an image may have several
        images = image_list.of_table(table[["path"]].drop_duplicates(), path.parent, str(path))
    else:
        images = image_list.read_csv(path)
    scanned = scan.scan(images, cache).set_index("path")
    hashes = scanned["sha256"]
    if unreadable := hashes[hashes.isna()].index.tolist():
        raise UserError(
            f"{spelled('leave_out')} names {name}, but {len(unreadable):,} of its "
            f"{len(images):,} images cannot be read and so not be recognised, the first "
            f"{unreadable[0]!r}; correct the paths, which are absolute or relative to the file."
        )
    known = Fingerprints.from_manifest(images, scanned)
    looks = frozenset(look_hashes.packed(known.looks()[1]))
    return LeftOut(name, path.parent, frozenset(known.hashes()), patients, looks)


def _judged(directory: pathlib.Path) -> Sequence[JudgedSet]:
    try:
        return judged_images.read(directory)
    except UserError as error:
        raise UserError(f"{spelled('leave_out')}: {error}") from error


def _from_judged(name: str, sets: Sequence[JudgedSet]) -> list[LeftOut]:
    """Returns the sets of a run or a study, joined where they are of the same data."""
    by_root: dict[pathlib.Path, list[JudgedSet]] = {}
    for judged_set in sets:
        by_root.setdefault(judged_set.root, []).append(judged_set)
    return [
        LeftOut(
            name,
            root,
            frozenset().union(*(judged_set.hashes for judged_set in joined)),
            frozenset().union(*(judged_set.patients for judged_set in joined)),
            frozenset().union(*(judged_set.looks for judged_set in joined)),
        )
        for root, joined in by_root.items()
    ]
