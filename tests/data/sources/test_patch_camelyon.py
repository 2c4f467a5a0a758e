import h5py
import numpy as np
import pytest

from remedis.data import readers
from remedis.data.sources import patch_camelyon
from remedis.errors import UserError

STEM = "camelyonpatch_level_2_split_"


@pytest.fixture
def write(tmp_path):
    def write_files(meta=("train", "valid", "test"), **changed):
        """Writes splits of 4, 2 and 2 patches; `changed` has other arrays, such as `train_y`."""
        for name, count in {"train": 4, "valid": 2, "test": 2}.items():
            x = (
                np.zeros((count, 96, 96, 3), np.uint8)
                + np.arange(count, dtype=np.uint8)[:, None, None, None]
            )
            y = (np.arange(count) % 2).astype(np.uint8).reshape(-1, 1, 1, 1)
            for key, array in {"x": x, "y": y}.items():
                array = changed.get(f"{name}_{key}", array)
                with h5py.File(tmp_path / f"{STEM}{name}_{key}.h5", "w") as file:
                    file.create_dataset(key, data=array)
            if name in meta:
                lines = [f"{i},0,0,False,False,{name}_slide_{i // 2}" for i in range(count)]
                header = ",coord_y,coord_x,tumor_patch,center_tumor_patch,wsi"
                text = "\n".join([header, *lines]) + "\n"
                (tmp_path / f"{STEM}{name}_meta.csv").write_text(text)
        return tmp_path

    return write_files


def load(directory):
    return patch_camelyon.load(directory, allow_missing_patient_ids=True)


def test_splits_labels_and_slides(write):
    m = load(write())
    assert m.table["split"].tolist() == ["train"] * 4 + ["validation"] * 2 + ["test"] * 2
    assert m.table["path"].tolist()[3:5] == [f"{STEM}train_x.h5#3", f"{STEM}valid_x.h5#0"]
    assert m.targets().ravel().tolist() == [0, 1, 0, 1, 0, 1, 0, 1]
    assert m.table["slide_id"].tolist()[1:4] == ["train_slide_0", "train_slide_1", "train_slide_1"]
    assert m.table[["patient_id", "study_id", "site"]].isna().all(axis=None)


def test_every_row_is_a_different_image(write):
    m = load(write())
    images = [readers.locate(path).read_pixels() for path in m.absolute_paths()]
    assert [round(float(image.mean() * 255)) for image in images] == [0, 1, 2, 3, 0, 1, 0, 1]


@pytest.mark.parametrize(
    ("meta", "sentence"),
    [
        (
            ("train", "valid", "test"),
            "so its authors say, and the leak gate checks it by `_meta.csv`;",
        ),
        (
            (),
            "so its authors say, and it cannot be checked without the `_meta.csv` files; set allow",
        ),
    ],
)
def test_the_opt_out_is_required(write, meta, sentence):
    with pytest.raises(UserError) as error:
        patch_camelyon.load(write(meta))
    assert "PatchCamelyon does not record patients. Its patches share slides within a" in str(
        error.value
    )
    assert sentence in str(error.value)


def test_slides_of_all_splits_or_none(write):
    assert "slide_id" not in load(write(meta=())).table
    with pytest.raises(UserError, match=r"no file .*_valid_meta\.csv, but others of its kind"):
        load(write(meta=("train", "test")))


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"train_x": np.zeros((4, 64, 64, 3), np.uint8)}, r"array 'x': \[4, 64, 64, 3\]; expected"),
        ({"train_x": np.zeros((4, 96, 96, 3))}, r"train_x\.h5, array 'x': float64; expected uint8"),
        ({"valid_x": np.zeros((0, 96, 96, 3), np.uint8)}, "with 1 to 10,000,000 patches"),
        ({"train_y": np.zeros((3, 1, 1, 1))}, r"has 3 labels for the 4 patches of .*train_x\.h5"),
        ({"test_y": np.zeros(2)}, r"test_y\.h5, array 'y': \[2\]; expected \[patches, 1, 1, 1\]"),
        ({"test_y": np.full((2, 1, 1, 1), 7)}, r"row 0 \(from 0\) of 'y': got 7; expected 0 or 1"),
    ],
)
def test_bad_arrays(write, changed, sentence):
    with pytest.raises(UserError, match=sentence):
        load(write(**changed))


def test_bad_files(write):
    directory = write()
    images, meta = directory / f"{STEM}train_x.h5", directory / f"{STEM}test_meta.csv"
    meta.write_text(meta.read_text().replace("test_slide_0", "", 1))
    with pytest.raises(UserError, match="row 2, column 'wsi': got ''; expected the name of a slid"):
        load(directory)
    meta.write_text(",wsi\n0,a\n")
    with pytest.raises(UserError, match=r"test_meta\.csv has 1 rows for 2 patches"):
        load(directory)
    with h5py.File(images, "w") as file:
        file["images"] = np.zeros(3)
    with pytest.raises(UserError, match=r"train_x\.h5 has no array 'x'; it has images"):
        load(directory)
    images.write_bytes(b"not HDF5")
    with pytest.raises(UserError, match=r"train_x\.h5 is no HDF5 file, or is truncated or damaged"):
        load(directory)
    images.rename(f"{images}.gz")
    with pytest.raises(UserError, match=r"There is no file .*train_x\.h5; unpack .*train_x\.h5\.g"):
        load(directory)
