"""The recipes: their operations, results, names and documentation."""

import numpy as np
import pytest
from operation_helpers import coordinates, draws, noise, smooth

from remedis.errors import UserError
from remedis.preprocess import parse, recipes

SIZES = {
    "contrastive_cxr": 224,
    "contrastive_pathology": 224,
    "evaluation": 224,
    "finetune_cxr": 448,
    "finetune_pathology": 224,
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
    assert np.array_equal(one, other) == (name == "evaluation")


def test_the_orders_are_the_documented_ones():
    assert operations("contrastive_cxr()") == [
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


def test_radiographs_are_not_mirrored_in_fine_tuning():
    assert not {"flip_left_right", "flip_up_down", "quarter_turns"} & set(
        operations("finetune_cxr()")
    )


def test_evaluation_is_repeatable():
    parsed = parse("evaluation(64)", deterministic=True)
    assert parsed.specification == "central_crop(0.875) | resize(64)"
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
    written = parse("resize(64) | evaluation(size=32) | brightness(0.1)")
    assert written.specification == (
        "resize(64) | central_crop(0.875) | resize(32) | brightness(0.1)"
    )
    assert parse(written.specification).steps == written.steps


def test_a_config_fills_in_the_size():
    in_config = "finetune_cxr({size})"
    text = in_config.format(size=96)
    assert parse(text).specification == recipes.finetune_cxr(96)


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
        assert "ours" in text or "released" in text
