"""The SavedModel contract, checked in a process with TensorFlow and TF Hub alone."""

import json

import pytest
from zoo_helpers import TINY

from remedis.models.architectures import Architecture

FILES = {
    "MODEL_CARD.md",
    "metadata.json",
    "assets",
    "fingerprint.pb",
    "remedis.json",
    "saved_model.pb",
    "variables",
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
}
INPUTS = {
    "embed": ["input_1"],
    "endpoints": ["input_1"],
    "serving_default": ["input_1"],
    "preprocess": ["image"],
    "preprocess_batch": ["images"],
    "serve_bytes": ["image_bytes"],
}


@pytest.fixture(scope="module")
def tiny(consumer, tiny_export):
    return consumer("full", tiny_export)


@pytest.fixture(scope="module")
def real(consumer, real_export):
    return consumer("short", real_export)


def test_files_are_those_of_a_release_and_two_beside_them(tiny_export):
    assert {str(p.relative_to(tiny_export)) for p in tiny_export.rglob("*")} == FILES
    # A checkpoint must not keep the private permissions of the temporary folder.
    assert tiny_export.stat().st_mode & 0o777 == tiny_export.parent.stat().st_mode & 0o777


@pytest.mark.slow
def test_a_built_50x1_is_small_and_whole(real_export):
    assert {str(p.relative_to(real_export)) for p in real_export.rglob("*")} == FILES
    assert (real_export / "saved_model.pb").stat().st_size <= 4_000_000
    data = real_export / "variables" / "variables.data-00000-of-00001"
    weights = 4 * Architecture.parse("50x1").parameters(final_norm=True)
    assert weights <= data.stat().st_size < weights + 100_000


@pytest.mark.slow
def test_a_built_50x1_gives_unpooled_maps(real):
    assert real["maps"] == {"224": [2, 7, 7, 2048], "448": [1, 14, 14, 2048]}


@pytest.mark.slow
def test_a_built_50x1_has_the_variables_of_bit_by_name(real):
    shapes = Architecture.parse("50x1").shapes(final_norm=True)
    assert real["variables"] == [f"{name}:0" for name in shapes]
    assert len(real["variables"]) == 151
    assert real["trainable_variables"] == [n for n in real["variables"] if n[:5] != "group"]
    assert len(real["trainable_variables"]) == 149
    assert real["regularization_losses"] == 0


@pytest.mark.slow
def test_one_step_of_training_through_a_built_50x1_moves_it(real):
    assert real["without_gradient"] == []
    assert real["root_moved"] > 0
    assert real["output_moved"] > 1e-3


@pytest.mark.parametrize(
    "how",
    [
        pytest.param("tiny", marks=pytest.mark.guarantee),
        pytest.param("real", marks=pytest.mark.slow),
    ],
)
def test_nothing_is_logged_warned_or_printed(request, how):
    facts = request.getfixturevalue(how)
    assert (facts["logged"], facts["warned"], facts["printed"]) == ([], [], [])


def test_any_height_and_width_give_stride_32_rounded_up(tiny):
    channels = TINY.map_channels
    assert tiny["maps"] == {
        "65x97": [1, 3, 4, channels],
        "1x1": [1, 1, 1, channels],
        "32x64": [1, 1, 2, channels],
        "33x31": [1, 2, 1, channels],
    }


def test_no_images_give_an_empty_map(tiny):
    assert tiny["map_of_no_images"] == [0, 3, 4, TINY.map_channels]


def test_every_way_to_call_gives_the_same_map(tiny):
    assert len(tiny["calls"]) == 9
    assert max(tiny["calls"].values()) < 1e-5


def test_variables_are_all_and_trainable_are_those_the_map_depends_on(tiny):
    assert tiny["variables"] == [f"{name}:0" for name in TINY.shapes(final_norm=True)]
    assert tiny["trainable_variables"] == [f"{name}:0" for name in TINY.shapes(final_norm=False)]
    assert tiny["regularization_losses"] == 0


def test_endpoints_are_named_and_agree_with_the_other_methods(tiny):
    channels = TINY.map_channels
    assert tiny["endpoints"] == {
        "root": [2, 17, 25, 32],
        "block1": [2, 17, 25, 128],
        "block2": [2, 9, 13, 256],
        "block3": [2, 5, 7, 512],
        "block4": [2, 3, 4, channels],
        "map": [2, 3, 4, channels],
        "embedding": [2, channels],
        "pre_logits": [2, channels],
    }
    assert max(tiny["methods"].values()) < 1e-5


def test_signatures_agree_with_the_methods(tiny):
    assert tiny["signature_inputs"] == INPUTS
    outputs = tiny["signature_outputs"]
    assert outputs["serving_default"] == {"output_1": [2, 3, 4, TINY.map_channels]}
    assert outputs["embed"] == {"embedding": [2, TINY.map_channels]}
    assert outputs["endpoints"] == tiny["endpoints"]
    assert len(tiny["signatures"]) == 10
    assert max(tiny["signatures"].values()) < 1e-5


def test_pixels_and_files_are_prepared_as_the_record_says(tiny):
    assert tiny["prepared"] == [2, 448, 448, 3]
    assert max(tiny["from_files"].values()) < 1e-5


def test_the_layers_of_keras_3_and_of_tf_hub_take_the_folder(tiny):
    assert tiny["tfsm_layer"] < 1e-5
    assert tiny["hub_layer"] < 1e-5
    assert tiny["hub_layer_trainable"] == len(TINY.shapes(final_norm=False))


def test_a_step_of_training_moves_every_method(tiny):
    assert tiny["without_gradient"] == []
    assert tiny["root_moved"] > 0
    assert min(tiny["output_moved"], tiny["embed_moved"]) > 1e-3


@pytest.mark.guarantee
def test_random_weights_say_so_in_both_files(real_export):
    description = json.loads((real_export / "remedis.json").read_text())
    assert description["provenance"]["origin"] == "random"
    assert "RANDOM WEIGHTS (seed 0)" in description["provenance"]["description"]
    assert (description["parameters"], description["tensors"]) == (23_500_352, 151)
    assert "--weights=random:0" in description["provenance"]["command"]
    card = (real_export / "MODEL_CARD.md").read_text()
    assert '  - "random-weights"\n' in card
    assert "\n---\n\n# cxr-50x1-remedis-m\n\n> **RANDOM WEIGHTS.**" in card
