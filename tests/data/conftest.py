"""Fixtures for the tests of data: made-up data sets in their published layouts, small manifests."""

import pathlib
from collections.abc import Callable

import dicom_helpers
import numpy as np
import pandas as pd
import pytest
import slide_helpers
from PIL import Image

from remedis import synthetic
from remedis.data import prepare, sources
from remedis.data.manifest import Manifest
from remedis.preprocess import parse


def _folder(root: pathlib.Path) -> pathlib.Path:
    """Writes images of two classes in `split/class/*`, with the patient in the name of the file."""
    for i in range(24):
        kind = "PNEUMONIA" if i % 2 else "NORMAL"
        folder = root / ("train" if i < 16 else "test") / kind
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(100 + i).integers(0, 256, (24, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"person{i // 2}_{i}.png")
    return root


def _dicom(root: pathlib.Path) -> pathlib.Path:
    """Writes two radiographs per patient, of 15 patients, as DICOM files with a table of labels."""
    rows = []
    for i in range(30):
        pixels = np.random.default_rng(200 + i).integers(0, 4096, (24, 32)).astype(np.uint16)
        ds = dicom_helpers.dataset(pixels, bits=12, number=i, PatientID=f"P{i // 2}")
        ds.StudyInstanceUID = f"{dicom_helpers.UID_ROOT}2.{i // 2}"
        name = f"study{i // 2}/{i}.dcm"
        dicom_helpers.write(root / name, ds)
        rows.append((name, i % 2, -1 if i % 3 else ""))
    table = pd.DataFrame(rows, columns=["path", "pneumonia", "edema"])
    table.to_csv(root / "labels.csv", index=False)
    return root


def _slides(root: pathlib.Path) -> pathlib.Path:
    """Writes slides of noisy tissue, of which half have an outlined tumour."""
    rows = []
    for i in range(12):
        pixels = slide_helpers.blank(1024, 768)
        noise = np.random.default_rng(300 + i).integers(-20, 20, (512, 800, 3))
        pixels[128:640, 128:928] = np.array(slide_helpers.PINK) + noise
        slide_helpers.write_slide(root / f"slide{i}.tif", pixels)
        if i % 2:
            slide_helpers.write_annotations(
                root / "annotations" / f"slide{i}.xml",
                slide_helpers.annotation(slide_helpers.square(128, 128, 300)),
            )
        rows.append((f"slide{i}.tif", f"p{i}", "a"))
    table = pd.DataFrame(rows, columns=["slide", "patient_id", "site"])
    table.to_csv(root / "slides.csv", index=False)
    return root


@pytest.fixture(scope="session")
def datasets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pathlib.Path]:
    """Returns directories of small made-up data sets by the name of their source."""
    root = tmp_path_factory.mktemp("datasets")
    own_images = root / "own"
    (own_images / "images").mkdir(parents=True)
    rows = []
    for i in range(40):
        pixels = np.random.default_rng(i).integers(0, 256, (24, 32), dtype=np.uint8)
        Image.fromarray(pixels).save(own_images / "images" / f"{i}.png")
        rows.append((f"images/{i}.png", f"p{i // 2}", i % 2, ""))
    table = pd.DataFrame(rows, columns=["path", "patient_id", "pneumonia", "site"])
    table.to_csv(own_images / "manifest.csv", index=False)
    chexpert = synthetic.write_chexpert(root, patients=12, valid_patients=6, image_size=64)
    packed = root / "packed"
    prepare.prepare(sources.load("chexpert", chexpert), parse("resize(32)"), packed, "packed")
    return {
        "chexpert": chexpert,
        "tfds": packed,
        "chestxray14": synthetic.write_chestxray14(root, patients=12, image_size=64),
        "wilds_camelyon17": synthetic.write_wilds_camelyon17(
            root, slides_per_centre=2, patches_per_slide=4
        ),
        "csv": own_images,
        "folder": _folder(root / "folder"),
        "dicom": _dicom(root / "dicom"),
        "slides": _slides(root / "slides"),
        "camelyon16": synthetic.write_camelyon16(root, slides=6, test_slides=4),
        "camelyon17": synthetic.write_camelyon17(root, patients_per_centre=3),
        "camelyon_patches": synthetic.write_camelyon_patches(
            root, slides=8, patches_per_slide=4, patch_size=48
        ),
        "rsna_pneumonia": synthetic.write_rsna_pneumonia(root, patients=12, image_size=48),
        "siim_pneumothorax": synthetic.write_siim_pneumothorax(root, images=18, image_size=48),
        "medmnist": synthetic.write_medmnist(root, images=16),
        "pcam_kaggle": synthetic.write_pcam_kaggle(root, patches=48),
        "mimic_cxr": synthetic.write_mimic_cxr(root, patients=12, image_size=64),
        "openi": synthetic.write_openi(root, patients=16, image_size=64),
        "vindr_cxr": synthetic.write_vindr_cxr(root, patients=24, image_size=64),
        "padchest": synthetic.write_padchest(root, patients=12, image_size=64),
        "patch_camelyon": synthetic.write_patch_camelyon(root, patches=16, held_out_patches=8),
    }


@pytest.fixture
def make() -> Callable[..., Manifest]:
    """Returns a function that makes a manifest with one label, `ill`, and the given columns."""

    def make_manifest(n: int, root: pathlib.Path = pathlib.Path("/nowhere"), **columns) -> Manifest:
        table = pd.DataFrame(
            {
                "path": [f"{i}.png" for i in range(n)],
                "patient_id": [f"p{i}" for i in range(n)],
                "study_id": [f"s{i}" for i in range(n)],
                "site": None,
                "split": None,
                "ill": [float(i % 2) for i in range(n)],
            }
        )
        return Manifest(table.assign(**columns), ("ill",), root, "a test")

    return make_manifest
