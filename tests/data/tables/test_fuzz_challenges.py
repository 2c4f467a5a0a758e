"""Fuzzed files of the challenges: a manifest, or an error of one sentence that names the file."""

import json

import numpy as np
import pytest
from hypothesis import given
from test_fuzz_csv import SETTINGS, damaged, sentence

from remedis.data.readers import Unreadable, npz
from remedis.data.sources import pcam_kaggle, rsna_pneumonia, siim_pneumothorax

pytestmark = pytest.mark.guarantee

MAPPINGS = [{"subset_img_id": "a-1", "img_id": "00000007_000.png"}]
# Per case: the source and its files, the first of which is damaged.
GOOD = {
    "pcam_kaggle": (
        pcam_kaggle,
        {pcam_kaggle.LABELS: "id,label\na0,1\nb1,0\n"},
    ),
    "slides of pcam_kaggle": (
        pcam_kaggle,
        {
            pcam_kaggle.SLIDES: "id,wsi\na0,camelyon16_train_tumor_001\nb1,test_002\n",
            pcam_kaggle.LABELS: "id,label\na0,1\nb1,0\n",
        },
    ),
    "rsna_pneumonia": (
        rsna_pneumonia,
        {rsna_pneumonia.LABELS: "patientId,x,y,width,height,Target\na-1,1,2,3,4,1\nb-2,,,,,0\n"},
    ),
    "mappings of rsna_pneumonia": (
        rsna_pneumonia,
        {
            rsna_pneumonia.MAPPINGS: json.dumps(MAPPINGS),
            rsna_pneumonia.LABELS: "patientId,x,y,width,height,Target\na-1,1,2,3,4,1\n",
        },
    ),
    "siim_pneumothorax": (
        siim_pneumothorax,
        {"train-rle.csv": "ImageId, EncodedPixels\n1.2.3,3 2 4 1\n1.2.4, -1\n"},
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_tables(name, tmp_path):
    source, texts = GOOD[name]
    for file, text in texts.items():
        (tmp_path / file).write_text(text)
    first, text = next(iter(texts.items()))
    assert len(source.load(tmp_path, allow_missing_patient_ids=True)) > 0

    @SETTINGS
    @given(damaged(text.encode()))
    def run(contents):
        (tmp_path / first).write_bytes(contents)
        with sentence(tmp_path):
            source.load(tmp_path, allow_missing_patient_ids=True)
        if source is not pcam_kaggle and first != rsna_pneumonia.MAPPINGS:
            with sentence(tmp_path):
                source.read_boxes(tmp_path / first)

    run()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_archives(save, tmp_path):
    path = tmp_path / "a.npz"
    save(path, x=np.arange(3 * 40 * 40, dtype=np.uint8).reshape(3, 40, 40))

    @SETTINGS
    @given(damaged(path.read_bytes()))
    def run(contents):
        path.write_bytes(contents)
        try:
            assert npz.read_pixels(str(path), "x,2").ndim == 3
        except Unreadable as error:
            assert str(error).endswith(".")  # noqa: PT017

    run()
