"""Parsing of specifications: accepted texts, refused texts and their messages."""

import numpy as np
import pytest
import tensorflow as tf

from remedis.errors import UserError
from remedis.preprocess import parse, registry

IMAGE = np.random.default_rng(0).uniform(size=(40, 50, 3)).astype(np.float32)
SEED = tf.constant([3, 4])
OPERATIONS = (
    "brightness, central_crop, clip, colour_distortion, contrast, cut_out, "
    "elastic_deformation, flip_left_right, flip_up_down, gaussian_blur, grey, "
    "histogram_equalisation, hue, quarter_turns, random_crop, random_resized_crop, "
    "released_central_crop, released_gaussian_blur, released_histogram_equalisation, "
    "released_random_crop, released_resize, resize, rotate, saturation, solarise, "
    "stain_jitter"
)
RECIPES = (
    "contrastive_cxr, contrastive_pathology, finetune_cxr, finetune_pathology, "
    "released_contrastive_cxr, released_contrastive_pathology, released_evaluation, "
    "released_finetune_cxr, released_finetune_pathology"
)


@pytest.mark.parametrize(
    ("specification", "sentence"),
    [
        (
            "resise(256)",
            "Unknown preprocessing operation 'resise': did you mean 'resize'? "
            f"Choose from: {OPERATIONS}, {RECIPES}.",
        ),
        (
            "resize(256) | smear(3)",
            f"Unknown preprocessing operation 'smear'. Choose from: {OPERATIONS}, {RECIPES}.",
        ),
        (
            "resize()",
            "Preprocessing 'resize()': wrong arguments of resize (missing a required argument: "
            "'size'); it takes (size: int, method: str = 'bicubic').",
        ),
        (
            "rotate(degree=3)",
            "Preprocessing 'rotate(degree=3)': wrong arguments of rotate (missing a required "
            "argument: 'degrees'); it takes (degrees: float).",
        ),
        (
            "central_crop(1.5)",
            "Preprocessing 'central_crop(1.5)': wrong arguments of central_crop (fraction is 1.5; "
            "expected a number from 0 to 1); it takes (fraction: float = 0.875).",
        ),
        (
            "resize",
            "Preprocessing 'resize': 'resize' is not an operation; write name(arguments).",
        ),
        (
            "resize(2) | 3",
            "Preprocessing 'resize(2) | 3': '3' is not an operation; write name(arguments).",
        ),
        (
            "resize(2) & resize(3)",
            "Preprocessing 'resize(2) & resize(3)': 'resize(2) & resize(3)' is not an operation; "
            "write name(arguments).",
        ),
        (
            "resize(2) |",
            "Preprocessing 'resize(2) |' cannot be read (invalid syntax); write operations with | "
            "between them, such as 'resize(256) | random_crop(224)'.",
        ),
        (
            "elastic_deformation(10, 0.5)",
            "Preprocessing 'elastic_deformation(10, 0.5)': wrong arguments of elastic_deformation "
            "(sigma is 0.5; expected a number from 1); it takes (alpha: float, sigma: float, "
            "probability: float = 0.5).",
        ),
        (
            "finetune_cxr",
            "Preprocessing 'finetune_cxr': 'finetune_cxr' is not an operation; write "
            "name(arguments).",
        ),
        (
            "finetune_cxr(0) | hue(0.1)",
            "Preprocessing 'finetune_cxr(0) | hue(0.1)': wrong arguments of finetune_cxr (size is "
            "0; expected a whole number of pixels from 1); it takes (size: int = 448).",
        ),
        (
            "finetune_crx(448)",
            "Unknown preprocessing operation 'finetune_crx': did you mean 'finetune_cxr'? "
            f"Choose from: {OPERATIONS}, {RECIPES}.",
        ),
    ],
)
def test_a_refused_specification_is_answered_with_the_choices(specification, sentence):
    with pytest.raises(UserError) as caught:
        parse(specification)
    assert str(caught.value) == sentence


def test_evaluation_must_be_repeatable():
    with pytest.raises(UserError) as caught:
        parse("resize(8) | rotate(10)", deterministic=True)
    assert str(caught.value) == (
        "Preprocessing 'resize(8) | rotate(10)' must give the same result every time here, but "
        "rotate is random."
    )
    assert not parse("resize(8) | central_crop(0.5)", deterministic=True).random


@pytest.mark.parametrize(
    "specification",
    [
        "resize(0)",
        "resize(-3)",
        "resize('a')",
        "resize(None)",
        "resize(32, 'bicubik')",
        "central_crop(0)",
        "random_crop(0)",
        "resize(8) | random_crop(9)",
        "random_resized_crop(8, area=0.5)",
        "random_resized_crop(8, area=(1,))",
        "random_resized_crop(8, area=(0.9, 0.1))",
        "random_resized_crop(8, aspect=(0, 1))",
        "flip_left_right(5)",
        "brightness(-1)",
        "contrast('x')",
        "rotate(None)",
        "random_crop(8, seed=(1, 2))",
        "flip_up_down(-0.1)",
        "quarter_turns(2)",
        "saturation(1.1)",
        "hue(0.6)",
        "colour_distortion(1.3)",
        "colour_distortion(1, 2)",
        "grey('often')",
        "gaussian_blur(0.5, 2.0)",
        "gaussian_blur(0.5, (0, 1))",
        "gaussian_blur(0.5, (2, 1))",
        "gaussian_blur(0.5, (1, 1e999))",
        "histogram_equalisation(1.5)",
        "elastic_deformation(10)",
        "elastic_deformation(-1, 4)",
        "elastic_deformation(1e999, 4)",
        "elastic_deformation(10, 0.5)",
        "elastic_deformation(10, 4, None)",
        "stain_jitter(2)",
        "stain_jitter(0.1, -0.1)",
        "cut_out(1.5)",
        "cut_out(0.5, 2)",
        "solarise(-1)",
        "finetune_cxr('448')",
        "finetune_cxr(0)",
        "finetune_cxr(448.0)",
        "finetune_cxr(True)",
        "finetune_cxr(448, 2)",
        "released_evaluation(sise=3)",
    ],
)
def test_impossible_values_are_refused_before_an_image_is_read(specification):
    with pytest.raises(UserError, match="wrong arguments of") as caught:
        parse(specification)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "specification",
    [
        "resize(__import__('os').mkdir(%r))",
        "resize(open(%r, 'w'))",
        "__import__('os').mkdir(%r)",
        "resize(8) | (lambda: open(%r, 'w'))()",
        "resize(*[open(%r, 'w')])",
        "resize(size=[open(%r, 'w') for _ in 'a'])",
        "released_evaluation(open(%r, 'w'))",
    ],
)
def test_only_literals_are_evaluated(specification, tmp_path):
    target = tmp_path / "target"
    with pytest.raises(UserError):
        parse(specification % str(target))
    assert not target.exists()


def test_whitespace_and_order_of_keywords_do_not_matter():
    plain = parse("random_resized_crop(8, area=(0.5, 1.0), aspect=(1, 2)) | rotate(5)")
    loose = parse("  random_resized_crop( 8,aspect=(1,2) ,area = (0.5,1.0) )|rotate( 5 ) ")
    assert loose.steps == plain.steps
    np.testing.assert_array_equal(loose(IMAGE, SEED), plain(IMAGE, SEED))


def test_the_text_is_kept_and_parses_to_the_same():
    text = "resize(16) | random_crop(8) | flip_left_right()"
    parsed = parse(text)
    assert parsed.specification == text
    assert parse(parsed.specification) == parsed
    assert [step.name for step in parsed.steps] == ["resize", "random_crop", "flip_left_right"]


@pytest.mark.parametrize("specification", ["", "  "])
def test_an_empty_specification_does_nothing(specification):
    np.testing.assert_array_equal(parse(specification)(tf.constant(IMAGE)), IMAGE)


def test_operations_are_applied_from_left_to_right():
    image = parse("central_crop(0.5) | resize(8)")(tf.constant(IMAGE)).numpy()
    expected = parse("resize(8)")(parse("central_crop(0.5)")(tf.constant(IMAGE))).numpy()
    np.testing.assert_array_equal(image, expected)
    assert not np.allclose(image, parse("resize(8)")(tf.constant(IMAGE)))


def test_an_operation_at_the_end_does_not_change_the_draws_before_it():
    before = parse("random_crop(20) | rotate(20)")
    longer = parse("random_crop(20) | rotate(20) | flip_left_right(1)")
    expected = before(IMAGE, SEED).numpy()[:, ::-1]
    np.testing.assert_array_equal(longer(IMAGE, SEED), expected)


def test_the_same_operation_twice_draws_twice():
    twice = parse("brightness(0.5) | brightness(0.5)")
    grey = tf.fill([2, 2, 3], 0.2)
    once = float(parse("brightness(0.5)")(grey, SEED)[0, 0, 0]) / 0.2
    both = float(twice(grey, SEED)[0, 0, 0]) / 0.2
    assert abs(both - once**2) > 1e-3


def test_a_random_specification_asks_for_a_seed():
    with pytest.raises(ValueError, match="is random and needs a seed"):
        parse("rotate(5)")(tf.constant(IMAGE))


def test_registering_a_name_twice_names_both_places():
    before = registry.names()

    def grey(image):
        return image

    def finetune_cxr(image):
        return image

    with pytest.raises(
        ValueError, match=r"operation 'grey' .* as remedis\S+\.colour\.grey, and test_"
    ):
        registry.channelwise(grey)
    with pytest.raises(
        ValueError, match=r"recipe 'finetune_cxr' .*recipes\.finetune_cxr, and test_"
    ):
        registry.operation(finetune_cxr)
    assert registry.names() == before
    assert not parse("grey()").steps[0].channelwise


def test_names_are_sorted():
    assert ", ".join(registry.names()) == OPERATIONS


@pytest.mark.parametrize(
    ("specification", "fault"),
    [
        (
            " | ".join(["flip_left_right()"] * 3000),
            "has 59,997 characters; expected at most 10,000",
        ),
        (" | ".join(["clip()"] * 51), "has 51 operations; expected at most 50"),
        (" | ".join(["contrastive_cxr(32)"] * 9), "has 72 operations; expected at most 50"),
        ("(" * 5000, "cannot be read ("),
        ("-" * 9000 + "1", "cannot be read (it is nested too deeply)"),
        ("resize(8)\0", "cannot be read ("),
        (f"resize({'9' * 5000})", "cannot be read ("),
        (f"resize({'9' * 4000})", "(a number of many digits is an argument; expected numbers up"),
        ("resize(7001)", "(size is 7001; expected a number from 1 to 7000)"),
        ("resize(8.5)", "(size is 8.5; expected a number from 1 to 7000)"),
        ("resize(1000000000)", "(1000000000 is an argument; expected numbers up to 1,000,000, "),
        ("rotate(1e308)", "(1e+308 is an argument; "),
        ("rotate(1e999)", "(inf is an argument; "),
        ("rotate(nan)", "(it is no number, text, tuple or list)"),
        ("rotate(1+2j)", "((1+2j) is an argument; "),
        ("resize([[[[8]]]])", "([[8]] is an argument; "),
        (
            f"resize(8, {'x' * 200!r})",
            "('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... is an argument; ",
        ),
    ],
)
def test_an_absurd_specification_is_refused_in_a_short_sentence(specification, fault):
    with pytest.raises(UserError) as caught:
        parse(specification)
    assert fault in str(caught.value)
    assert len(str(caught.value)) < 700
