"""The numbers and names of `docs/fidelity.md` are those of the code.

Every number and name in code font in the columns "released code" and "ours" is compared with the
configs with and without `:released` (the notebook's rows: `:notebook`), with the arguments of the
operations, and with constants. A failure names the row.
"""

import functools
import importlib
import inspect
import pathlib
import re

import pytest
import tensorflow as tf

from remedis import preprocess
from remedis.data import sources
from remedis.models.architectures import Architecture
from remedis.preprocess import registry
from remedis.preprocess.operations import colour, geometry, released
from remedis.pretraining import methods
from remedis.pretraining.methods import projection
from remedis.training import optimizers, schedules
from remedis.zoo import pixel_range
from remedis.zoo.records import RECORDS

PAGE = pathlib.Path(__file__).parents[1] / "docs" / "fidelity.md"
HEADER = "| | released code | paper and README | ours | why ours differs |"
RELEASED, OURS = 1, 3  # columns
NOTEBOOK = "notebook: "


def _rows():
    """Returns the cells of each row of the tables under `HEADER`, by the name of the row."""
    rows, inside = {}, False
    for line in PAGE.read_text().splitlines():
        if line == HEADER:
            inside = True
        elif not line.startswith("|"):
            inside = False
        elif inside and not line.startswith("|---"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == HEADER.count("|") - 1, line
            assert cells[0] not in rows, f"two rows are called {cells[0]}"
            rows[cells[0]] = cells
    return rows


def _code(cell):
    """Returns the numbers and names in code font, in their order, without arguments (`:name`)."""
    return [_value(text) for text in re.findall("`([^:`][^`]*)`", cell)]


def _value(text):
    if text in ("True", "False"):
        return text == "True"
    try:
        return float(text)
    except ValueError:
        return text


ROWS = _rows()


def config(name, arg=""):
    return importlib.import_module(f"configs.{name}").get_config(arg)


CXR, PATH = "pretrain_cxr", "pretrain_path"  # configs without labels
FILM, PATCH = "chexpert", "camelyon"  # configs with labels
VIEWS, TRAIN, EVAL = "preprocess", "train_preprocess", "eval_preprocess"
LARS = ("optimizer", "momentum")
RATE = ("learning_rate", "learning_rate_batch", "schedule")
LENGTH = ("epochs", "warmup_epochs")


def values(name, arg, *keys):
    """Returns values of a config."""
    settings = config(name, arg)
    return [settings[key] for key in keys]


@functools.cache
def views(name, arg, key):
    """Returns the operations of a config's images, by name, each with all its arguments."""
    settings = config(name, arg)
    found = {}
    for step in preprocess.parse(settings[key].format(size=settings.image_size)).steps:
        signature = inspect.signature(registry._OPERATIONS[step.name])
        seed = {"seed": None} if step.random else {}
        bound = signature.bind(None, *step.arguments, **step.keywords, **seed)
        bound.apply_defaults()
        found[step.name] = bound.arguments
    return found


def argument(name, arg, key, operation, *arguments):
    """Returns arguments of an operation on a config's images."""
    found = views(name, arg, key)[operation]
    return [found[each] for each in arguments]


def strengths():
    """Returns the strengths with which `colour_distortion(1)` calls its parts."""
    parts = {"brightness": None, "contrast": None, "saturation": None, "hue": None}
    with pytest.MonkeyPatch.context() as patched:
        for part in parts:

            def change(image, strength, *, seed, part=part):
                parts[part] = strength
                return image

            patched.setattr(colour, part, change)
        colour.colour_distortion(tf.zeros([2, 2, 3]), 1.0, 1.0, seed=tf.constant([1, 2]))
    return list(parts.values())


def mean_share_released():
    """Returns the mean share of a square image that a crop of the released operation has."""
    seeds = tf.random.stateless_uniform([4000, 2], [1, 2], 0, 2**31 - 1, tf.int32)

    def share(seed):
        _, size, _ = tf.image.stateless_sample_distorted_bounding_box(
            [1000, 1000, 1],
            [[[0.0, 0.0, 1.0, 1.0]]],
            seed,
            min_object_covered=released.CROP_COVERED,
            aspect_ratio_range=released.CROP_ASPECT,
            area_range=released.CROP_AREA,
            max_attempts=released.CROP_ATTEMPTS,
        )
        return tf.cast(size[0] * size[1], tf.float32) / 1e6

    shares = tf.function(lambda: tf.map_fn(share, seeds, fn_output_signature=tf.float32))
    return float(tf.reduce_mean(shares()))


def mean_share_ours():
    crop = views(CXR, "", VIEWS)["random_resized_crop"]
    draws = tf.random.stateless_uniform([40_000, geometry.CROP_ATTEMPTS, 4], [1, 2])
    sides = geometry.crop_rectangles(draws, tf.constant([1000, 1000]), crop["area"], crop["aspect"])
    return float(tf.reduce_mean(tf.reduce_prod(tf.cast(sides[:, 2:], tf.float32), 1)) / 1e6)


def head():
    """Returns the number of dense layers of SimCLR's head, and the width of the last."""
    layers = methods.SimCLR(32, 0).projection.stack
    widths = [layer.units for layer in layers if hasattr(layer, "units")]
    return [len(widths), widths[-1]]


def batch_norm():
    return [projection.EPSILON, projection.MOMENTUM]


def parameters(final_norm):
    return [Architecture.parse(name).parameters(final_norm) for name in ("50x1", "152x2")]


# By row: what the code has for the columns "released code" and "ours".
CHECKS = {
    "view of radiographs": (
        lambda: list(views(CXR, "released", VIEWS)),
        lambda: list(views(CXR, "", VIEWS)),
    ),
    "view of patches": (
        lambda: list(views(PATH, "released", VIEWS)),
        lambda: list(views(PATH, "", VIEWS)),
    ),
    "side of a view": (
        lambda: values(CXR, "released", "image_size"),
        lambda: values(PATH, "", "image_size"),
    ),
    "size before the views": (list, lambda: argument(CXR, "", VIEWS, "resize", "size")),
    "share of the area in a crop": (
        lambda: [*released.CROP_AREA, released.CROP_COVERED],
        lambda: list(views(CXR, "", VIEWS)["random_resized_crop"]["area"]),
    ),
    "law of the crop": (
        lambda: [round(mean_share_released(), 2)],
        lambda: [round(mean_share_ours(), 2)],
    ),
    "ratio of width to height": (
        lambda: list(released.CROP_ASPECT),
        lambda: list(views(CXR, "", VIEWS)["random_resized_crop"]["aspect"]),
    ),
    "attempts of a crop": (lambda: [released.CROP_ATTEMPTS], lambda: [geometry.CROP_ATTEMPTS]),
    "resize": (
        lambda: [released.released_resize.__name__],
        lambda: [geometry.resize.__name__],
    ),
    "mirroring": (
        lambda: argument(CXR, "released", VIEWS, "flip_left_right", "probability"),
        lambda: argument(CXR, "", VIEWS, "flip_left_right", "probability"),
    ),
    "equalisation, probability": (
        lambda: argument(CXR, "released", VIEWS, "released_histogram_equalisation", "probability"),
        lambda: argument(CXR, "", VIEWS, "histogram_equalisation", "probability"),
    ),
    "elastic deformation": (
        list,
        lambda: [
            "elastic_deformation",
            *argument(CXR, "", VIEWS, "elastic_deformation", "alpha", "sigma", "probability"),
        ],
    ),
    "rotation": (list, lambda: argument(CXR, "", VIEWS, "rotate", "degrees")),
    "colour distortion, probability": (
        lambda: argument(CXR, "released", VIEWS, "colour_distortion", "probability"),
        lambda: argument(CXR, "", VIEWS, "colour_distortion", "probability"),
    ),
    "colour distortion, strengths": (
        lambda: [
            *strengths(),
            *argument(CXR, "released", VIEWS, "colour_distortion", "strength"),
        ],
        lambda: [*strengths(), *argument(CXR, "", VIEWS, "colour_distortion", "strength")],
    ),
    "grey, probability": (
        lambda: argument(CXR, "released", VIEWS, "grey", "probability"),
        lambda: argument(PATH, "", VIEWS, "grey", "probability"),
    ),
    "blur, probability": (
        lambda: argument(CXR, "released", VIEWS, "released_gaussian_blur", "probability"),
        lambda: argument(CXR, "", VIEWS, "gaussian_blur", "probability"),
    ),
    "blur, sigma": (
        lambda: list(released.BLUR_SIGMA),
        lambda: list(views(CXR, "", VIEWS)["gaussian_blur"]["sigma"]),
    ),
    "loss": (
        lambda: [values(CXR, "released", "method_options")[0].removesuffix("=True")],
        list,
    ),
    "temperature": (
        lambda: [methods.SimCLR(32, 0).temperature],
        lambda: [methods.SimCLR(32, 0).temperature],
    ),
    "head": (head, head),
    "batch norms of the head": (batch_norm, batch_norm),
    "batch": (
        lambda: values(CXR, "released", "batch_size"),
        lambda: values(CXR, "", "batch_size"),
    ),
    "length": (lambda: values(CXR, "released", *LENGTH), lambda: values(CXR, "", *LENGTH)),
    "rate": (lambda: values(CXR, "released", *RATE), lambda: values(CXR, "", *RATE)),
    "optimizer": (
        lambda: [*values(CXR, "released", *LARS), optimizers.ETA],
        lambda: [*values(CXR, "", *LARS), optimizers.ETA],
    ),
    "weight decay": (
        lambda: values(CXR, "released", "weight_decay"),
        lambda: values(CXR, "", "weight_decay"),
    ),
    "MICLe": (list, lambda: values(CXR, "micle", "method")),
    "MoCo-v2, RELIC, Barlow Twins": (
        list,
        lambda: [values(CXR, each, "method")[0] for each in ("moco", "relic", "barlow_twins")],
    ),
    "view of radiographs, training": (
        lambda: list(views(FILM, "released", TRAIN)),
        lambda: list(views(FILM, "", TRAIN)),
    ),
    "view of patches, training": (
        lambda: list(views(PATCH, "released", TRAIN)),
        lambda: list(views(PATCH, "", TRAIN)),
    ),
    "share of the area in a crop, training": (
        lambda: list(released.CROP_AREA),
        lambda: list(views(PATCH, "", TRAIN)["random_resized_crop"]["area"]),
    ),
    "rotation, training": (list, lambda: argument(FILM, "", TRAIN, "rotate", "degrees")),
    "evaluation": (
        lambda: [
            *argument(FILM, "released", EVAL, "released_central_crop", "fraction"),
            *views(FILM, "released", EVAL),
        ],
        lambda: list(views(FILM, "", EVAL)),
    ),
    "side of radiographs": (
        lambda: values(FILM, "released", "image_size"),
        lambda: values(FILM, "", "image_size"),
    ),
    "side of patches": (
        lambda: values(PATCH, "released", "image_size"),
        lambda: values(PATCH, "", "image_size"),
    ),
    "optimizer, fine-tuning": (
        lambda: values(FILM, "released", *LARS),
        lambda: values(FILM, "", *LARS),
    ),
    "rate, fine-tuning": (
        lambda: values(FILM, "released", *RATE),
        lambda: values(FILM, "", *RATE),
    ),
    "batch, fine-tuning": (
        lambda: values(FILM, "released", "batch_size"),
        lambda: values(FILM, "", "batch_size"),
    ),
    "length, fine-tuning": (
        lambda: values(FILM, "released", *LENGTH),
        lambda: ["fit_to_data", *values(FILM, "", "fit_to_data")],
    ),
    "weight decay, fine-tuning": (
        lambda: values(FILM, "released", "weight_decay"),
        lambda: values(FILM, "", "weight_decay"),
    ),
    "head, fine-tuning": (list, lambda: ["head_norm", *values(FILM, "", "head_norm")]),
    "first weights, fine-tuning": (
        lambda: [*values(FILM, "released", "head_stddev"), "head_stddev"],
        list,
    ),
    "MixUp, fine-tuning": (
        lambda: values(FILM, "released", "mixup"),
        lambda: [schedules.hyperrule_mixup(20_000)],
    ),
    "loss, fine-tuning": (list, lambda: values(FILM, "", "task")),
    "notebook: images": (
        lambda: [
            *argument(FILM, "notebook", TRAIN, "released_central_crop", "fraction"),
            *views(FILM, "notebook", EVAL),
            *values(FILM, "notebook", "image_size"),
        ],
        lambda: [
            *argument(FILM, "notebook", EVAL, "released_central_crop", "fraction"),
            *values(FILM, "notebook", "image_size"),
        ],
    ),
    "notebook: trained layers": (list, lambda: values(FILM, "notebook", "learning_rates")),
    "notebook: head": (list, lambda: ["head_norm", *values(FILM, "notebook", "head_norm")]),
    "notebook: optimizer": (
        lambda: values(FILM, "notebook", *reversed(LARS)),
        lambda: values(FILM, "notebook", *LARS),
    ),
    "notebook: rate": (
        lambda: values(FILM, "notebook", "learning_rate", "schedule"),
        lambda: values(FILM, "notebook", "learning_rate", "schedule"),
    ),
    "notebook: weight decay": (
        lambda: values(FILM, "notebook", "weight_decay"),
        lambda: values(FILM, "notebook", "weight_decay"),
    ),
    "notebook: batch": (
        lambda: values(FILM, "notebook", "batch_size"),
        lambda: values(FILM, "notebook", "batch_size"),
    ),
    "notebook: length": (list, lambda: values(FILM, "notebook", "epochs")),
    "float32 images from 0 to 255": (
        list,
        lambda: [1 + pixel_range.TOLERANCE, *(name for name in sources.NAMES if name == "tfds")],
    ),
    "parameters of 50x1 and 152x2": (
        lambda: [RECORDS[f"cxr-{name}-remedis-m"].parameters for name in ("50x1", "152x2")],
        lambda: parameters(final_norm=True),
    ),
    "output of a released checkpoint": (
        lambda: [RECORDS[f"cxr-{name}-remedis-m"].map_channels for name in ("50x1", "152x2")],
        list,
    ),
}


@pytest.mark.parametrize("row", [*ROWS, *(row for row in CHECKS if row not in ROWS)])
def test_a_row_has_the_numbers_and_names_of_the_code(row):
    assert row in ROWS, f"{PAGE.name} has no row {row!r}"
    for column, values_of_code in zip((RELEASED, OURS), CHECKS.get(row, (list, list)), strict=True):
        on_page, in_code = _code(ROWS[row][column]), values_of_code()
        assert on_page == [
            pytest.approx(value, rel=1e-3) if isinstance(value, float) else value
            for value in in_code
        ], f"row {row!r} of {PAGE.name}, column {HEADER.split('|')[column + 1].strip()!r}"


def test_released_and_notebook_differ_from_ours_only_where_the_page_says():
    """What no row can show: the norm of the head as released, no grey on our radiographs."""
    assert values(FILM, "released", "head_norm", "task") == values(FILM, "", "head_norm", "task")
    assert "grey" not in views(CXR, "", VIEWS)
    assert views(FILM, "notebook", TRAIN) == views(FILM, "notebook", EVAL)
    assert "flip_left_right" not in views(FILM, "", TRAIN)


def test_a_wrong_number_fails_with_the_name_of_its_row(monkeypatch):
    monkeypatch.setitem(ROWS, "temperature", ["temperature", "`0.2`", "", "`0.1`", ""])
    with pytest.raises(
        AssertionError, match=r"row 'temperature' of fidelity\.md, column 'released"
    ):
        test_a_row_has_the_numbers_and_names_of_the_code("temperature")
