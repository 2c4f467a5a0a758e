"""MedMNIST: twelve sets of small medical images of 28 to 224 pixels, one NumPy file per set.

Layout:
    medmnist/
        pneumoniamnist.npz
        pneumoniamnist_64.npz
        dermamnist_224.npz

Input: the 2D sets of MedMNIST v2 and MedMNIST+, `<set>.npz` of 28x28 and `<set>_<size>.npz` of 64,
128 and 224 pixels, grey or RGB, in arrays `train_images`, `val_images`, `test_images`. The 3D sets
are not read. The path of an image is `<file>#<array>,<row>`. Files are compressed: where reading in
random order limits training, pack them with `remedis prepare`.
Labels: one column per class, 1 for images of the class and 0 for others. The images of `chestmnist`
have several findings: it has one column per finding. Findings on radiographs and skin have the
names of the other sources, such as `Pleural Effusion` and `mel`; grades of retinopathy are
`retinopathy grade 0` to `4`. You may ask for some of the classes alone.
Metadata: none. Patients are not recorded, and no set says which images are of one patient:
intervals that take images as independent are too narrow, and results of sets that were divided by
image may be too good. TissueMNIST comes from 3 specimens in all; the organ sets are slices of 201
CT scans; DermaMNIST's source has several images of one lesion.
Splits: the official ones, train, validation (`val`) and test.

Counts:
    | set            | classes |   train | validation |   test |
    |----------------|--------:|--------:|-----------:|-------:|
    | bloodmnist     |       8 |  11,959 |      1,712 |  3,421 |
    | breastmnist    |       2 |     546 |         78 |    156 |
    | chestmnist     |      14 |  78,468 |     11,219 | 22,433 |
    | dermamnist     |       7 |   7,007 |      1,003 |  2,005 |
    | octmnist       |       4 |  97,477 |     10,832 |  1,000 |
    | organamnist    |      11 |  34,561 |      6,491 | 17,778 |
    | organcmnist    |      11 |  12,975 |      2,392 |  8,216 |
    | organsmnist    |      11 |  13,932 |      2,452 |  8,827 |
    | pathmnist      |       9 |  89,996 |     10,004 |  7,180 |
    | pneumoniamnist |       2 |   4,708 |        524 |    624 |
    | retinamnist    |       5 |   1,080 |        120 |    400 |
    | tissuemnist    |       8 | 165,466 |     23,640 | 47,280 |

Get it: the README of github.com/MedMNIST/MedMNIST names the record at Zenodo that has the files.
Citation: Yang et al., Scientific Data 10:41, 2023, and the source of each set, which the README
lists. ChestMNIST's images are those of ChestX-ray14, PneumoniaMNIST's and OCTMNIST's of Kermany et
al., 2018, DermaMNIST's of HAM10000.
Terms: CC BY 4.0, DermaMNIST CC BY-NC 4.0, as the package medmnist 3.0.2 says in `info.py`.

Check it:
    remedis doctor /data/medmnist --source=medmnist --allow-missing-patient-ids
"""

import pathlib
import re
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from remedis import files
from remedis.data.label_names import MEDMNIST
from remedis.data.labels import choose_labels
from remedis.data.manifest import Manifest
from remedis.data.readers import Unreadable, npz
from remedis.data.sources import file_tree
from remedis.data.sources.published_counts import Published
from remedis.data.tables.strings import STRING
from remedis.errors import UserError, some, unknown_choice
from remedis.options import spelled, spelled_option

SPLITS = {"train": "train", "val": "validation", "test": "test"}
SIZES = (28, 64, 128, 224)
# Numbers of images of train, validation and test, from the package medmnist 3.0.2, `info.py`.
COUNTS = {
    "bloodmnist": (11_959, 1_712, 3_421),
    "breastmnist": (546, 78, 156),
    "chestmnist": (78_468, 11_219, 22_433),
    "dermamnist": (7_007, 1_003, 2_005),
    "octmnist": (97_477, 10_832, 1_000),
    "organamnist": (34_561, 6_491, 17_778),
    "organcmnist": (12_975, 2_392, 8_216),
    "organsmnist": (13_932, 2_452, 8_827),
    "pathmnist": (89_996, 10_004, 7_180),
    "pneumoniamnist": (4_708, 524, 624),
    "retinamnist": (1_080, 120, 400),
    "tissuemnist": (165_466, 23_640, 47_280),
}
PUBLISHED = tuple(
    Published(
        {split: {"images": count} for split, count in zip(SPLITS.values(), counts, strict=True)},
        prefix=name,
    )
    for name, counts in COUNTS.items()
)
_SMALLEST = 28  # has no size in the file's name
_MULTI_LABEL = ("chestmnist",)
_FILE = re.compile(r"([a-z]+mnist)(?:_(64|128|224))?\.npz")


def load(
    data_dir: files.Path,
    labels: Sequence[str] | None = None,
    dataset: str = "",
    size: int | None = None,
    allow_missing_patient_ids: bool = False,
) -> Manifest:
    """Returns the manifest of a set of MedMNIST.

    Args:
      data_dir: the directory with the files, or its parent if it is named `medmnist`.
      labels: some of the classes of the set; all if not given.
      dataset: such as `pneumoniamnist`; may be left out if the directory has one set only.
      size: width and height in pixels, 28, 64, 128 or 224; may be left out if the directory has one
        size of the set only.
      allow_missing_patient_ids: must be set, since patients are not recorded: accept that the
        images of one patient may be in several splits.

    Raises:
      UserError: the files are not as described above, several sets or sizes are there and none is
        chosen, a label or choice is unknown, or the opt-out is not set.
    """
    root = file_tree.find_root(data_dir, "*mnist*.npz", ("medmnist", ".medmnist"), "MedMNIST")
    name, side = _choose(root, dataset, size)
    classes = MEDMNIST[name]
    chosen = choose_labels(labels, classes)
    file = _file(name, side)
    if not allow_missing_patient_ids:
        raise UserError(
            f"{root / file}: MedMNIST does not record patients, so that images of one patient can "
            f"be in training and in test; set {spelled('allow_missing_patient_ids')} to accept "
            "this and use the official splits."
        )
    tables = []
    for split in SPLITS:
        targets = _targets(root / file, split, name, side)
        rows = pd.Series(range(len(targets))).astype(STRING)
        table = pd.DataFrame({"path": f"{file}#{split}_images," + rows, "split": SPLITS[split]})
        tables.append(table.join(pd.DataFrame(targets, columns=list(classes))))
    whole = pd.concat(tables, ignore_index=True)
    return Manifest(
        whole.assign(patient_id=None, study_id=None, site=None), chosen, root, "medmnist"
    )


def _file(name: str, side: int) -> str:
    return f"{name}.npz" if side == _SMALLEST else f"{name}_{side}.npz"


def _choose(root: pathlib.Path, dataset: str, size: int | None) -> tuple[str, int]:
    """Returns the set and the size of the images.

    Raises:
      UserError: the choice is unknown, there is no such file, or several are there.
    """
    if dataset and dataset not in MEDMNIST:
        raise unknown_choice("set of MedMNIST", dataset, MEDMNIST)
    if size is not None and size not in SIZES:
        raise unknown_choice("size of MedMNIST", size, map(str, SIZES))
    present: dict[str, list[int]] = {}
    for path in sorted(root.glob("*.npz")):
        match = _FILE.fullmatch(path.name)
        if match and match[1] in MEDMNIST:
            present.setdefault(match[1], []).append(int(match[2] or _SMALLEST))
    if not present:
        raise UserError(
            f"{root} does not hold a 2D set of MedMNIST; expected files such as "
            f"{_file('pneumoniamnist', 28)} or {_file('pneumoniamnist', 64)}."
        )
    if not dataset and len(present) > 1:
        raise UserError(
            f"{root} holds several sets of MedMNIST ({some(sorted(present), limit=12)}); choose "
            f"one: set {spelled_option('dataset', sorted(present)[0])}."
        )
    name = dataset or next(iter(present))
    sizes = sorted(present.get(name, []))
    if size is None and len(sizes) > 1:
        raise UserError(
            f"{root} holds {name} in the sizes {some(sizes)}; choose one: set "
            f"{spelled_option('size', sizes[-1])}."
        )
    side = size if size is not None else (sizes or [_SMALLEST])[0]
    if side not in sizes:
        raise UserError(
            f"There is no file {root / _file(name, side)}; {root.name} has "
            f"{some([_file(n, s) for n in sorted(present) for s in sorted(present[n])])}."
        )
    return name, side


def _targets(path: pathlib.Path, split: str, name: str, side: int) -> npt.NDArray[np.float32]:
    """Returns 1 for the classes of every image of a split, else 0: [images, classes].

    Raises:
      UserError: the file cannot be read, or its arrays are not as described.
    """
    try:
        arrays = npz.arrays(str(path))
        images, labels = (arrays.get(f"{split}_{kind}") for kind in ("images", "labels"))
        if images is None or labels is None:
            raise UserError(
                f"{path} has no arrays '{split}_images' and '{split}_labels'; it has "
                f"{some(sorted(arrays)) or 'none'}."
            )
        npz.check_images(f"{split}_images", images)
        values = labels.whole()
    except (Unreadable, zlib.error, OSError) as error:
        reason = str(error) if isinstance(error, Unreadable) else "It is truncated or damaged."
        raise UserError(
            f"{path} cannot be used: {reason.rstrip('.')}; download it again."
        ) from error
    if images.shape[1:3] != (side, side):
        raise UserError(
            f"{path}, array '{split}_images': {list(images.shape)}; expected images of {side}x"
            f"{side} pixels, as the name of the file says."
        )
    return _one_per_class(path, f"{split}_labels", values, images.shape[0], name)


def _one_per_class(
    path: pathlib.Path, array: str, values: npt.NDArray[np.generic], images: int, name: str
) -> npt.NDArray[np.float32]:
    count = len(MEDMNIST[name])
    is_multi_label = name in _MULTI_LABEL
    shape = (images, count if is_multi_label else 1)
    if values.shape != shape or values.dtype.kind not in "biu":
        raise UserError(
            f"{path}, array {array!r}: {values.dtype} {list(values.shape)}; expected whole numbers "
            f"{list(shape)}."
        )
    most = 1 if is_multi_label else count - 1
    bad = ((values < 0) | (values > most)).any(axis=1)  # type: ignore[operator]
    if bad.any():
        row = int(np.argmax(bad))
        raise UserError(
            f"{path}, array {array!r}, row {row} (from 0): got {values[row].max()}; expected 0 to "
            f"{most}, the classes of {name}."
        )
    if is_multi_label:
        return values.astype(np.float32)
    return (values == np.arange(count)).astype(np.float32)
