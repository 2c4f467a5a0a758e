"""Sets of MedMNIST: classes, choices among files, and arrays that are not as published."""

import numpy as np
import pytest

from remedis.data import layout_guess, readers
from remedis.data.label_names import MEDMNIST
from remedis.data.sources import medmnist
from remedis.errors import UserError


@pytest.fixture
def write(tmp_path):
    def write_file(name="pneumoniamnist", classes=2, **changed):
        """Writes 4, 2 and 2 images; `changed` has other arrays, None for an absent one."""
        arrays = {}
        for split, count in {"train": 4, "val": 2, "test": 2}.items():
            number = np.arange(count, dtype=np.uint8)
            arrays[f"{split}_images"] = np.zeros((count, 28, 28), np.uint8) + number[:, None, None]
            arrays[f"{split}_labels"] = number[:, None] % classes
        arrays = {k: v for k, v in {**arrays, **changed}.items() if v is not None}
        np.savez_compressed(tmp_path / f"{name}.npz", **arrays)
        return tmp_path

    return write_file


def load(directory, labels=None, **options):
    return medmnist.load(directory, labels, **options, allow_missing_patient_ids=True)


def test_splits_classes_and_images(write):
    m = load(write())
    assert m.labels == ("normal", "Pneumonia")
    assert m.table["split"].tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    assert m.targets().tolist() == [[1, 0], [0, 1]] * 4
    assert m.table["path"].tolist()[3:5] == [
        "pneumoniamnist.npz#train_images,3",
        "pneumoniamnist.npz#val_images,0",
    ]
    images = [readers.locate(path).read_pixels() for path in m.absolute_paths()]
    assert [round(float(image.mean() * 255)) for image in images] == [0, 1, 2, 3, 0, 1, 0, 1]
    assert load(write(), ("Pneumonia",)).targets().ravel().tolist() == [0, 1] * 4


def test_findings_of_chestmnist_are_independent(write):
    findings = np.zeros((4, 14), np.uint8)
    findings[1, [2, 12]] = 1
    held_out = {f"{s}_labels": np.zeros((2, 14), np.uint8) for s in ("val", "test")}
    m = load(write("chestmnist", train_labels=findings, **held_out))
    assert m.table[["Pleural Effusion", "Pleural Thickening"]].to_numpy()[1].tolist() == [1, 1]
    assert m.targets().sum() == 2


def test_names_of_classes_have_no_comma():
    assert not [name for names in MEDMNIST.values() for name in names if "," in name]
    assert [len(MEDMNIST[name]) for name in sorted(MEDMNIST)] == [
        *(8, 2, 14, 7, 4, 11),
        *(11, 11, 9, 2, 5, 8),
    ]


def test_the_choice_of_a_set_and_a_size(write):
    root = write(
        "retinamnist_64",
        5,
        **{
            f"{s}_images": np.zeros((n, 64, 64, 3), np.uint8)
            for s, n in {"train": 4, "val": 2, "test": 2}.items()
        },
    )
    assert load(root).table["path"][0] == "retinamnist_64.npz#train_images,0"
    write("retinamnist")
    with pytest.raises(UserError, match="holds retinamnist in the sizes 28, 64; choose one: set"):
        load(root)
    assert load(root, size=28).table["path"][0] == "retinamnist.npz#train_images,0"
    write()
    with pytest.raises(UserError, match=r"several sets of MedMNIST \(pneumoniamnist, retinamnist"):
        load(root)
    assert load(root, dataset="retinamnist", size=64).labels[4] == "retinopathy grade 4"
    with pytest.raises(UserError, match=r"no file .*pneumoniamnist_128.npz; \S+ has pneumoniamni"):
        load(root, dataset="pneumoniamnist", size=128)
    with pytest.raises(UserError, match=r"no file .*bloodmnist.npz"):
        load(root, dataset="bloodmnist")
    with pytest.raises(UserError, match="Unknown set of MedMNIST 'pneumonia'"):
        load(root, dataset="pneumonia")
    with pytest.raises(UserError, match=r"Unknown size of MedMNIST .*32"):
        load(root, size=32)


def test_3d_sets_are_not_taken(write):
    with pytest.raises(UserError, match="does not hold a 2D set of MedMNIST; expected files such"):
        load(write("organmnist3d"))


def test_the_opt_out_is_required(write):
    with pytest.raises(UserError, match="MedMNIST does not record patients, so that images of one"):
        medmnist.load(write())


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"val_labels": None}, "has no arrays 'val_images' and 'val_labels'; it has test_images"),
        ({"train_images": np.zeros((4, 32, 32), np.uint8)}, r"\[4, 32, 32\]; expected images of 2"),
        ({"train_images": np.zeros((4, 28, 28))}, "cannot be used: .*float64"),
        (
            {"train_images": np.zeros((3, 28, 28), np.uint8)},
            r"int64 \[4, 1\]|uint8 \[4, 1\]; expec",
        ),
        (
            {"test_labels": np.full((2, 1), 2)},
            r"'test_labels', row 0 \(from 0\): got 2; expected 0",
        ),
        (
            {"test_labels": np.full((2, 1), -1)},
            r"row 0 \(from 0\): got -1; expected 0 to 1, the cl",
        ),
        ({"test_labels": np.full((2, 1), 0.5)}, r"float64 \[2, 1\]; expected whole numbers \[2, 1"),
    ],
)
def test_bad_arrays(write, changed, sentence):
    with pytest.raises(UserError, match=sentence):
        load(write(**changed))


def test_bad_files(write):
    root = write()
    assert "data of the source 'medmnist'" in layout_guess.advice(root)
    file = root / "pneumoniamnist.npz"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(UserError, match=r"pneumoniamnist.npz cannot be used: The file is no NumPy"):
        load(root)
