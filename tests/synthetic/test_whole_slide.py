"""Made-up whole slides: their files, their outlines, and the extra that writing them needs."""

import sys

import numpy as np
import openslide
import pytest

from remedis import synthetic
from remedis.data.sources import camelyon16, camelyon17
from remedis.errors import UserError
from remedis.synthetic import whole_slide
from remedis.synthetic.histology import CENTRES
from remedis.synthetic.whole_slide import draw_slide


def test_openslide_reads_levels_and_resolution(tmp_path):
    root = synthetic.write_camelyon16(tmp_path, slides=1, test_slides=1)
    with openslide.OpenSlide(root / "training" / "tumor" / "tumor_001.tif") as slide:
        assert slide.dimensions == (576, 480)
        assert slide.level_downsamples == (1.0, 2.0)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.5)
        drawn = draw_slide(True, CENTRES[0], 0, 7, 1, 1)
        assert slide.read_region((96, 96), 0, (1, 1)).getpixel((0, 0))[:3] == tuple(
            drawn.pixels[96, 96]
        )


def test_a_third_of_the_tiles_of_a_slide_with_tumour_is_positive(tmp_path):
    root = synthetic.write_camelyon16(tmp_path, slides=3, test_slides=2)
    counts = camelyon16.load(root, size=96).table.groupby("slide_id")["tumor"].agg(["size", "sum"])
    positive = {"test_001": 4, "test_002": 0, "tumor_001": 4, "tumor_003": 4}
    assert counts["sum"].to_dict() == {f"normal_00{i}": 0 for i in (1, 2, 3)} | positive
    assert (counts["size"] == 12).all()


def test_enough_patients_of_either_kind_for_intervals(tmp_path, monkeypatch):
    monkeypatch.setattr(whole_slide, "draw_patch", lambda *_: np.uint8([[(220, 120, 180)]]))
    whole = camelyon16.load(synthetic.write_camelyon16(tmp_path, slides=1), size=96)
    test = whole.select("test").table.groupby("patient_id")["tumor"].max()
    assert test.value_counts().to_dict() == {1: 10, 0: 10}
    nodes = camelyon17.load(synthetic.write_camelyon17(tmp_path), size=96).table
    assert (
        nodes.loc[nodes["tumor"] == 1].groupby("site")["patient_id"].nunique().tolist() == [4] * 5
    )
    assert (
        nodes.loc[nodes["tumor"] == 0].groupby("site")["patient_id"].nunique().tolist() == [6] * 5
    )


@pytest.mark.parametrize("write", [synthetic.write_camelyon16, synthetic.write_camelyon17])
def test_a_missing_extra_is_named_and_nothing_is_left(write, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(UserError, match=r"package tifffile, .*pip install 'remedis\[slides\]'"):
        write(tmp_path)
    assert not list(tmp_path.iterdir())
