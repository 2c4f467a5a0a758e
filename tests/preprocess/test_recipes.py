"""The recipes: their operations, results, names and documentation."""

import logging

import numpy as np
import pytest
import tensorflow as tf
from operation_helpers import coordinates, draws, noise, smooth

from remedis.errors import UserError
from remedis.preprocess import parse, recipes

SIZES = {
    "contrastive_cxr": 224,
    "contrastive_pathology": 224,
    "finetune_cxr": 448,
    "finetune_pathology": 224,
    "released_contrastive_cxr": 224,
    "released_contrastive_pathology": 224,
    "released_evaluation": 224,
    "released_finetune_cxr": 448,
    "released_finetune_pathology": 224,
}


def operations(specification: str) -> list[str]:
    return [step.name for step in parse(specification).steps]


def test_the_names():
    assert recipes.names() == tuple(SIZES)


@pytest.mark.parametrize("name", SIZES)
def test_a_recipe_makes_images_of_its_size_from_0_to_1(name):
    assert recipes.expanded(name) == recipes.get(name)(SIZES[name])
    for got in draws(f"{name}(32)", smooth(100, 130), 6):
        assert got.shape == (32, 32, 3)
        assert got.min() >= 0
        assert got.max() <= 1
        assert got.std() > 0.01


@pytest.mark.parametrize("name", SIZES)
def test_two_views_differ_unless_for_evaluation(name):
    one, other = draws(f"{name}(32)", noise(), 2)
    assert np.array_equal(one, other) == (name == "released_evaluation")


def test_the_orders():
    assert operations("contrastive_cxr()") == [
        "resize",
        "histogram_equalisation",
        "elastic_deformation",
        "rotate",
        "random_resized_crop",
        "flip_left_right",
        "colour_distortion",
        "gaussian_blur",
    ]
    assert operations("contrastive_pathology()") == [
        "quarter_turns",
        "random_resized_crop",
        "flip_left_right",
        "colour_distortion",
        "grey",
        "gaussian_blur",
    ]


# data.py:141-167, data_util.py:528-595 and model.py:49-51 of the released code.
RELEASED_PATCHES = (
    "released_random_crop(224, clip=False) | flip_left_right() | colour_distortion(1.0) | "
    "grey(0.2) | clip() | released_gaussian_blur(0.5)"
)


@pytest.mark.parametrize(
    ("name", "specification"),
    [
        ("contrastive_pathology", RELEASED_PATCHES),
        ("contrastive_cxr", f"released_histogram_equalisation(0.5) | {RELEASED_PATCHES}"),
        ("finetune_pathology", "released_random_crop(224) | flip_left_right()"),
        ("finetune_cxr", "released_random_crop(448) | flip_left_right()"),
        ("evaluation", "released_central_crop(224, 0.875)"),
    ],
)
def test_released_recipes_are_those_of_the_released_code(name, specification):
    assert recipes.expanded(f"released_{name}") == specification


def test_released_colours_see_the_overshoot_of_the_crop():
    """The release clips after the colours, so that grey is computed of values outside [0, 1]."""
    edge = np.zeros((64, 64, 3), np.float32)
    edge[:, 32:, 0] = 1
    unclipped = parse("released_random_crop(48, clip=False)")(
        tf.constant(edge), tf.constant([0, 7])
    )
    assert unclipped.numpy().max() > 1
    for got in draws("released_contrastive_pathology(48)", edge, 8):
        assert got.min() >= 0
        assert got.max() <= 1


def test_the_elastic_deformation_of_contrastive_cxr_does_not_depend_on_the_size_of_the_film():
    """Displacements relative to the image, of the first steps up to the deformation."""
    steps = parse("contrastive_cxr(224)").specification.split(" | ")
    deformation = next(i for i, step in enumerate(steps) if step.startswith("elastic"))
    steps[deformation] = steps[deformation].replace("0.5)", "1)")
    before = [step for step in steps[:deformation] if not step.startswith("histogram")]
    moved = {}
    for height, width in ((320, 390), (1800, 1500)):  # CheXpert-small, a large film
        plain = parse(" | ".join(before))(tf.constant(coordinates(height, width)))
        got = draws(" | ".join([*before, steps[deformation]]), coordinates(height, width), 12)
        inner = slice(64, -64)
        moved[height] = np.std([(image - plain)[inner, inner, :2] for image in got])
    assert moved[320] == pytest.approx(0.163 * 1000 / 30 / 448, rel=0.15)
    assert moved[1800] == pytest.approx(moved[320], rel=0.02)


def test_radiographs_are_not_mirrored_in_our_fine_tuning():
    assert not {"flip_left_right", "flip_up_down", "quarter_turns"} & set(
        operations("finetune_cxr()")
    )


def test_evaluation_is_repeatable():
    parsed = parse("released_evaluation(64)", deterministic=True)
    assert parsed.specification == "released_central_crop(64, 0.875)"
    with pytest.raises(UserError, match="must give the same result every time here, but rando"):
        parse("finetune_cxr(64)", deterministic=True)


def test_fine_tuning_never_cuts_off_the_middle_third():
    crop = parse(recipes.finetune_pathology(96)).steps[0]
    assert crop.name == "random_resized_crop"
    assert dict(crop.keywords) == {"area": (0.6, 1.0)}
    # The smallest crops of a 96-pixel patch: their start and end per row and per column.
    for got in draws("random_resized_crop(96, area=(0.6, 0.6))", coordinates(96, 96), 300):
        for axis in (0, 1):
            places = 96 * np.moveaxis(got[..., axis], axis, 0)[10:86].mean(axis=1)
            scale = np.diff(places).mean()
            start = places[0] + 0.5 - 10.5 * scale
            assert start <= 32.2
            assert start + 96 * scale >= 63.8


def test_a_recipe_among_operations_is_replaced_by_its_specification():
    written = parse("resize(64) | released_evaluation(size=32) | brightness(0.1)")
    assert written.specification == (
        "resize(64) | released_central_crop(32, 0.875) | brightness(0.1)"
    )
    assert parse(written.specification).steps == written.steps


def test_a_config_fills_in_the_size():
    in_config = "finetune_cxr({size})"
    text = in_config.format(size=96)
    assert parse(text).specification == recipes.finetune_cxr(96)


def test_a_template_has_the_size_of_a_config():
    for name in SIZES:
        assert recipes.template(name).format(size=96) == recipes.expanded(name, 96)


def test_the_old_name_of_evaluation_keeps_its_operations_and_warns_once(caplog):
    recipes._warn.cache_clear()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            parsed = parse("resize(64) | evaluation(32)", deterministic=True)
    assert parsed.specification == "resize(64) | central_crop(0.875) | resize(32)"
    assert caplog.messages == [
        "The preprocessing recipe evaluation is now called released_evaluation, which resizes "
        "without antialiasing as the release does; the old name still means 'central_crop(0.875) | "
        "resize(224)' (at 224) in this version and is not known to the next."
    ]


def test_a_wrong_name_gets_the_nearest_one_and_all_others():
    with pytest.raises(UserError) as caught:
        recipes.get("finetune_crx")
    assert str(caught.value) == (
        "Unknown preprocessing recipe 'finetune_crx': did you mean 'finetune_cxr'? Choose from: "
        + ", ".join(SIZES)
        + "."
    )


def test_every_recipe_names_its_source():
    for name in SIZES:
        text = recipes.get(name).__doc__
        assert "our" in text or "released" in text
        assert name.startswith("released_") == ("Returns the released" in text)
        assert name.startswith("released_") == ("Returns our" not in text)
