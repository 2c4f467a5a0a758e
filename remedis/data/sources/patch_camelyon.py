"""PatchCamelyon (PCam): patches of lymph nodes from the slides of Camelyon16.

Layout:
    pcam/
        camelyonpatch_level_2_split_train_x.h5
        camelyonpatch_level_2_split_train_y.h5
        camelyonpatch_level_2_split_train_meta.csv
        (the same of valid and test; the _meta.csv of all three, or none)

Input: 327,680 patches, 96x96 RGB, at 10x, in HDF5 files: arrays `x` [patches, 96, 96, 3] uint8 and
`y` [patches, 1, 1, 1] in `camelyonpatch_level_2_split_{train,valid,test}_{x,y}.h5`, unpacked from
the published `.h5.gz` files. The path of a patch is `<file>#<row>`.
Labels: `tumor`, 1 if there is tumour in the 32x32 pixels in the centre, otherwise 0. The rest of
the patch does not count.
Metadata: the slide, if the `_meta.csv` of all three splits are present. The patient and the
hospital (one of two) of a slide are not recorded: they are unknown here.
Splits: the authors', train / validation / test: 262,144 / 32,768 / 32,768 patches, half of each
with tumour. Their documentation says that no slide is in two splits. The leak gate can check this
if `_meta.csv` names the slides, and can never check patients. Within a split many patches share a
slide: intervals that take patches as independent are too narrow.

Counts:
    | split      | patches | with tumour |
    |------------|--------:|------------:|
    | train      | 262,144 |        half |
    | validation |  32,768 |        half |
    | test       |  32,768 |        half |

Get it: its authors list the files in the README of github.com/basveeling/pcam. Unpack them with
`gunzip`.
Citation: Veeling et al., 2018, arXiv 1806.03962; Ehteshami Bejnordi et al., JAMA 318(22), 2017.
Terms: CC0, as the README says.

Check it:
    remedis doctor /data/pcam --source=patch_camelyon --allow-missing-patient-ids
"""

import pathlib
from collections.abc import Sequence

import h5py
import numpy as np
import pandas as pd

from remedis import files, hdf5_files
from remedis.data.labels import CAMELYON, choose_labels
from remedis.data.manifest import Manifest
from remedis.data.sources import file_tree
from remedis.data.sources.published_counts import Published
from remedis.data.tables import spreadsheet
from remedis.data.tables.strings import STRING
from remedis.errors import UserError
from remedis.options import spelled

SPLITS = {"train": "train", "valid": "validation", "test": "test"}
SIZE = 96
PUBLISHED = (
    Published(
        {
            "train": {"images": 262_144},
            "validation": {"images": 32_768},
            "test": {"images": 32_768},
        }
    ),
)
# Thirty times those of PatchCamelyon; an array may declare any number without holding a value.
_MOST_PATCHES = 10_000_000
_STEM = "camelyonpatch_level_2_split_"


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of PatchCamelyon.

    Args:
      data_dir: the directory with the six HDF5 files, or its parent if it is named `pcam`.
      labels: `tumor`, the only one.
      allow_missing_patient_ids: must be set, since patients are not recorded: accept the authors'
        statement that their splits share no slides.

    Raises:
      UserError: the files are not as described above, the label is unknown, or the opt-out is not
        set.
    """
    chosen = choose_labels(labels, tuple(CAMELYON.values()))
    root = file_tree.find_root(data_dir, f"{_STEM}train_x.h5*", ("pcam",), "PatchCamelyon")
    meta = {name: root / f"{_STEM}{name}_meta.csv" for name in SPLITS}
    present = [path.is_file() for path in meta.values()]
    if any(present) and not all(present):
        absent = next(path for path in meta.values() if not path.is_file())
        raise UserError(
            f"There is no file {absent}, but others of its kind; add it, or remove them all."
        )
    if not allow_missing_patient_ids:
        raise UserError(
            f"{root}: PatchCamelyon does not record patients. Its patches share slides within a "
            "split, but not between splits: so its authors say, and "
            + (
                "the leak gate checks it by `_meta.csv`"
                if all(present)
                else "it cannot be checked without the `_meta.csv` files"
            )
            + f"; set {spelled('allow_missing_patient_ids')} to accept this and use their splits."
        )
    tables = []
    for name, split in SPLITS.items():
        targets = _targets(root, name)
        table = pd.DataFrame(
            {
                "path": f"{_STEM}{name}_x.h5#" + pd.Series(range(len(targets))).astype(STRING),
                "split": split,
                "tumor": targets.astype(np.float32),
            }
        )
        if all(present):
            table["slide_id"] = _slides(meta[name], len(targets))
        tables.append(table)
    table = pd.concat(tables).assign(patient_id=None, study_id=None, site=None)
    return Manifest(table, chosen, root, "patch_camelyon")


def _targets(root: pathlib.Path, name: str) -> np.ndarray:
    """Returns the labels of a split: [patches] of 0 and 1."""
    with _open(root / f"{_STEM}{name}_x.h5") as file:
        images = _array(file, "x", (SIZE, SIZE, 3))
        count = len(images)
        if images.dtype != np.uint8:
            raise UserError(f"{file.filename}, array 'x': {images.dtype}; expected uint8.")
    with _open(root / f"{_STEM}{name}_y.h5") as file:
        array = _array(file, "y", (1, 1, 1))
        if len(array) != count:
            raise UserError(
                f"{file.filename} has {len(array):,} labels for the {count:,} patches of "
                f"{_STEM}{name}_x.h5; expected one per patch: download both files again."
            )
        try:
            targets = hdf5_files.read_all(array).reshape(-1)
        except hdf5_files.Refused as error:
            raise UserError(f"{file.filename} cannot be used: {error}") from error
        except OSError as error:
            raise UserError(
                f"{file.filename} is truncated or damaged; download it again."
            ) from error
        bad = ~np.isin(targets, (0, 1))
        if bad.any():
            row = int(np.argmax(bad))
            raise UserError(
                f"{file.filename}, row {row} (from 0) of 'y': got {targets[row]}; expected 0 or 1."
            )
    return targets


def _open(path: pathlib.Path) -> h5py.File:
    if not path.is_file():
        packed = path.with_name(f"{path.name}.gz")
        advice = f"unpack {packed.name}" if packed.is_file() else "expected an HDF5 file"
        raise UserError(f"There is no file {path}; {advice}.")
    try:
        return hdf5_files.open_file(path)
    except OSError as error:
        raise UserError(
            f"{path} is no HDF5 file, or is truncated or damaged; download it again."
        ) from error


def _array(file: h5py.File, key: str, shape: tuple[int, ...]) -> h5py.Dataset:
    """Returns an array of a file: [rows, *shape], with one row or more."""
    try:
        array = hdf5_files.member(file, key)
        if isinstance(array, h5py.Dataset):
            hdf5_files.check_filters(array)
    except hdf5_files.Refused as error:
        raise UserError(f"{file.filename} cannot be used: {error}") from error
    except KeyError:
        array = None
    if not isinstance(array, h5py.Dataset):
        contents = ", ".join(sorted(file)) or "nothing"
        raise UserError(f"{file.filename} has no array {key!r}; it has {contents}.")
    if array.dtype.kind not in "biuf":
        raise UserError(f"{file.filename}, array {key!r}: {array.dtype}; expected numbers.")
    # The shape of an empty dataspace is None.
    sides: tuple[int, ...] = array.shape or ()
    if sides[1:] != shape or not 0 < sides[0] <= _MOST_PATCHES:
        raise UserError(
            f"{file.filename}, array {key!r}: {list(sides)}; expected "
            f"[patches, {', '.join(map(str, shape))}] with 1 to {_MOST_PATCHES:,} patches."
        )
    return array


def _slides(path: pathlib.Path, count: int) -> np.ndarray:
    """Returns the slide of every patch of a split: [patches] strings."""
    raw = spreadsheet.read_table(path, ("wsi",))
    if len(raw) != count:
        raise UserError(
            f"{path} has {len(raw):,} rows for {count:,} patches; expected one per patch."
        )
    spreadsheet.refuse(path, raw["wsi"], raw["wsi"] == "", "the name of a slide")
    return raw["wsi"].to_numpy(dtype=object)
