"""Images that are measured together have the measures that each has alone, to the last bit."""

import numpy as np
import pytest
from PIL import Image

from remedis.data.checks import measure, pixel_measures


def drawn(kind: str, shape: tuple[int, int], channels: int) -> np.ndarray:
    """Returns four images, of which the second has no colour and the third is plain."""
    values = np.random.default_rng(sum(shape)).random((4, *shape, channels))
    values[1] = values[1, ..., :1]
    values[2] = 0.7
    if kind == "float32":
        return values.astype(kind)
    return (values * np.iinfo(kind).max).astype(kind)


@pytest.mark.parametrize("shape", [(16, 17), (64, 64), (5, 90), (1, 1), (300, 200)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_the_measures_of_an_image_do_not_depend_on_the_others(kind, channels, shape):
    images = drawn(kind, shape, channels)
    together = pixel_measures.of_images(images)
    assert together == [pixel_measures.of_images(image[None])[0] for image in images]
    assert together != together[::-1]


def test_files_of_mixed_shapes_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "_TOGETHER", 3 * 20 * 30)
    batches, of_images = [], pixel_measures.of_images
    monkeypatch.setattr(
        pixel_measures,
        "of_images",
        lambda images: (batches.append(len(images)), of_images(images))[1],
    )
    names = []
    for i, shape in enumerate([(20, 30)] * 5 + [(30, 20), (20, 30, 3), (20, 30), (20, 30)]):
        names.append(str(tmp_path / f"{i}.png"))
        Image.fromarray(np.full(shape, 10 * i, np.uint8)).save(names[-1])
    names.insert(8, str(tmp_path / "text.png"))
    (tmp_path / "text.png").write_text("no image")
    found = measure.measure(names)
    assert batches == [3, 2, 1, 1, 2]
    assert "not an image" in found.pop(8)["fault"]
    assert [round(255 * image["mean"]) for image in found] == [10 * i for i in range(9)]
    assert [image["height"] for image in found] == [20] * 5 + [30] + [20] * 3
