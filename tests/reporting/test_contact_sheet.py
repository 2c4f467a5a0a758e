"""The contact sheet: rows, columns, layout and error messages."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import imread
from PIL import Image
from pydicom import data

from remedis.data import image_pixels
from remedis.errors import UserError
from remedis.preprocess import parse, recipes, registry
from remedis.reporting import contact_sheet

IMAGE = np.random.default_rng(0).uniform(size=(200, 180, 3)).astype(np.float32)


@pytest.fixture
def short(monkeypatch):
    """Reduces the sheet to a few rows; all of them would take half a minute."""
    monkeypatch.setattr(
        contact_sheet, "EXAMPLES", ("resize(90)", "flip_left_right(1)", "rotate(9)")
    )
    monkeypatch.setattr(recipes, "_RECIPES", {"released_evaluation": recipes.released_evaluation})


def saved(image: np.ndarray, path):
    Image.fromarray(np.round(255 * image).astype(np.uint8)).save(path)
    return path


def test_every_operation_has_an_example():
    shown = {step.name for text in contact_sheet.EXAMPLES for step in parse(text).steps}
    assert shown == set(registry.names())


@pytest.mark.usefixtures("short")
def test_rows_are_operations_and_recipes_and_columns_seeds():
    figure = contact_sheet.contact_sheet(IMAGE, seed=7, title="Mine")
    texts = [text.get_text() for text in figure.texts]
    assert texts[0] == "Mine"
    assert texts[2:8] == ["original", *(f"seed {seed}" for seed in range(7, 12))]
    rows = [text for text in texts if text.endswith(")")]
    assert rows == ["resize(90)", "flip_left_right(1)", "rotate(9)", "released_evaluation()"]
    # Each row has the original, and one picture per seed if the operation is random, else one.
    assert len(figure.axes) == 4 + 1 + 5 + 5 + 1
    assert texts.count("90 x 90") == 1


@pytest.mark.usefixtures("short")
def test_a_picture_is_what_the_operation_makes_upright():
    pictures = [axes.images[0].get_array() for axes in contact_sheet.contact_sheet(IMAGE).axes]
    np.testing.assert_array_equal(pictures[0], IMAGE)
    np.testing.assert_array_equal(pictures[3], IMAGE[:, ::-1])
    axes = contact_sheet.contact_sheet(IMAGE).axes[0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]


@pytest.mark.usefixtures("short")
def test_no_text_or_picture_is_cut_off_or_covers_another():
    figure = contact_sheet.contact_sheet(IMAGE, title="A long name of a file.jpeg")
    renderer = FigureCanvasAgg(figure).get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts]
    boxes += [axes.get_window_extent(renderer) for axes in figure.axes]
    for i, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.usefixtures("short")
def test_it_is_written_and_repeatable(tmp_path):
    image = saved(IMAGE, tmp_path / "film.png")
    first, second = (
        contact_sheet.write_contact_sheet(image, tmp_path / f"{name}.png") for name in "ab"
    )
    assert first == tmp_path / "a.png"
    assert imread(first).shape[1] > 1000
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.usefixtures("short")
def test_large_images_are_drawn_smaller():
    figure = contact_sheet.contact_sheet(np.zeros((900, 1200, 3), np.float32))
    shapes = {axes.images[0].get_array().shape for axes in figure.axes[:1]}
    assert shapes == {(255, 340, 3)}


@pytest.mark.parametrize(
    ("image", "out", "sentence"),
    [
        ("none.png", "sheet.png", "none.png cannot be read"),
        (
            "text.png",
            "sheet.png",
            "text.png cannot be read: it is not a complete JPEG or PNG file.",
        ),
        ("film.png", "sheet", "The contact sheet cannot be written as "),
        ("film.png", "sheet.xyz", "'.xyz' is not a format of figures; name it, for example, "),
        (
            "small.png",
            "sheet.png",
            "The image is 30 x 20 pixels; the contact sheet needs at least ",
        ),
    ],
)
def test_mistakes(image, out, sentence, tmp_path):
    saved(IMAGE, tmp_path / "film.png")
    saved(IMAGE[:20, :30], tmp_path / "small.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(UserError) as caught:
        contact_sheet.write_contact_sheet(tmp_path / image, tmp_path / out)
    assert sentence in str(caught.value)
    assert not (tmp_path / out).exists()


def test_a_grey_dicom_file_is_drawn_in_grey():
    image = image_pixels.read(str(data.get_testdata_file("CT_small.dcm", download=False)))
    assert image.shape == (128, 128, 3)
    assert (image == image[..., :1]).all()


def test_a_recipe_is_drawn_step_by_step():
    image = np.full((40, 40, 3), 0.5, np.float32)
    specification = "resize(16) | flip_left_right() | brightness(0.4)"
    figure = contact_sheet.contact_sheet(image, 0, [specification, "grey(1)"])
    texts = [text.get_text() for text in figure.texts]
    rows = ["resize(16)", "resize(16) | flip_left_right()", specification, "grey(1)"]
    assert [text for text in texts if "(" in text] == rows
    # One original per row; 1 picture, then 5 for each row with a random operation.
    assert len(figure.axes) == 4 + 1 + 5 + 5 + 5


def test_a_wrong_recipe_is_a_sentence():
    image = np.zeros((40, 40, 3), np.float32)
    with pytest.raises(UserError, match="Unknown preprocessing operation 'resise'"):
        contact_sheet.contact_sheet(image, 0, ["resise(16)"])
