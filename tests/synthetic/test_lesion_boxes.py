"""Made-up lesions: boxes are where the lesions are, and brightness gives nothing away."""

import numpy as np
import pytest
from PIL import Image

from remedis.data import boxes, sources
from remedis.errors import UserError
from remedis.synthetic.drawing import generator
from remedis.synthetic.lesion_boxes import BOXES, LESION, draw_film, write_lesion_boxes


def test_the_folder_is_read_by_the_source_csv(tmp_path):
    folder = write_lesion_boxes(tmp_path, patients=6, image_size=64)
    manifest = sources.load("csv", folder, (LESION,))
    assert manifest.targets()[:, 0].tolist() == [1, 0, 1, 0, 1, 0]
    listed = boxes.of_images(boxes.read(folder / BOXES), manifest, folder / BOXES)
    assert listed["row"].tolist() == [0, 2, 4]
    assert set(listed["label"]) == {LESION}
    again = write_lesion_boxes(tmp_path / "more", patients=7, image_size=64)
    name = "p00006.png"
    assert (folder / name).read_bytes() == (again / name).read_bytes()
    with pytest.raises(UserError, match="lesions"):
        write_lesion_boxes(tmp_path, patients=6, image_size=64)
    with pytest.raises(UserError, match="patients is 1"):
        write_lesion_boxes(tmp_path / "one", patients=1)


def test_stripes_are_in_the_box_alone():
    """A film with its lesion minus the same film with a distractor there is 0 outside the box."""
    for seed in range(5):
        film, box = draw_film(generator(0, seed), True, 96)
        healthy, none = draw_film(generator(0, seed), False, 96)
        assert none is None
        left, top, width, height = box
        rows, columns = np.nonzero(np.abs(film - healthy) > 0.02)
        assert rows.size
        assert left - 1 <= columns.min() + 0.5
        assert columns.max() + 0.5 <= left + width + 1
        assert top - 1 <= rows.min() + 0.5
        assert rows.max() + 0.5 <= top + height + 1
        # As bright as a distractor: what differs is the texture.
        inside = np.abs(film - healthy) > 0
        assert abs((film - healthy)[inside].mean()) < 0.03


def test_images_are_grey_files(tmp_path):
    folder = write_lesion_boxes(tmp_path, patients=2, image_size=32)
    with Image.open(folder / "p00001.png") as image:
        assert image.mode == "L"
        assert image.size == (32, 32)
