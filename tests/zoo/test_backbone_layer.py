"""The Keras layer of a backbone: training, saving and refusals."""

import logging
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from small_application import small_application  # noqa: F401
from zoo_helpers import said

import remedis
from remedis.errors import UserError
from remedis.models.bit import BiTResNet
from remedis.zoo import resolve

TINY = "scratch:1-1-1-1x0.5"
RNG = np.random.default_rng(0)
IMAGES = RNG.uniform(size=(4, 33, 40, 3)).astype(np.float32)
LABELS = np.arange(4) % 2
EXPECTED = "expected float32 [N, H, W, 3] with values in [0, 1]"


@pytest.fixture(scope="module")
def layer():
    """A layer that no test changes."""
    return remedis.load_backbone(TINY)


def functional(layer, shape=(33, 40, 3)):
    images = keras.Input(shape)
    pooled = layer(images)
    if layer.output_name == "map":
        pooled = keras.layers.GlobalAveragePooling2D()(pooled)
    return keras.Model(images, keras.layers.Dense(2)(pooled))


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, backbone, **kwargs):
        super().__init__(**kwargs)
        self.backbone, self.head = backbone, keras.layers.Dense(2)

    def call(self, images, training=None):
        return self.head(self.backbone(images, training=training))

    def get_config(self):
        return {"backbone": keras.saving.serialize_keras_object(self.backbone)}

    @classmethod
    def from_config(cls, config):
        return cls(keras.saving.deserialize_keras_object(config["backbone"]))


def trained(model, **fit):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
    model.fit(IMAGES, LABELS, batch_size=4, verbose=0, **fit)
    return model


def moved(model):
    """Returns how many variables `fit` moves, of how many that it is to train."""
    before = [variable.numpy() for variable in model.trainable_variables]
    trained(model)
    changed = [
        not np.array_equal(old, new)
        for old, new in zip(before, model.trainable_variables, strict=True)
    ]
    return sum(changed), len(changed)


def test_a_saved_model_comes_back_with_the_same_outputs(tmp_path):
    layer = remedis.load_backbone(TINY, "pre_logits")
    model = functional(layer)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(IMAGES), model(IMAGES))
    assert again.layers[1].get_config() == layer.get_config()
    assert again.layers[1].provenance.details == {"seed": 0}
    model.save_weights(tmp_path / "model.weights.h5")
    clone = keras.models.clone_model(model)
    clone.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(clone(IMAGES), model(IMAGES))


@pytest.mark.guarantee
@pytest.mark.parametrize(("output", "variables"), [("embedding", 41), ("pre_logits", 43)])
def test_adam_trains_every_variable_of_the_output_and_the_file_brings_them_back(
    output, variables, tmp_path, recwarn
):
    layer = remedis.load_backbone(TINY, output)
    model = functional(layer)
    assert len(layer.variables) == variables
    assert moved(model) == (variables + 2, variables + 2)
    assert not [w for w in recwarn if "radient" in str(w.message)]
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(IMAGES), model(IMAGES))
    again.fit(IMAGES, LABELS, batch_size=4, verbose=0)  # with the state of the optimizer


def test_outputs_are_those_of_the_backbone():
    backbone = resolve.load_backbone(TINY, 0).backbone
    assert isinstance(backbone, BiTResNet)
    ends = backbone.endpoints(IMAGES)
    for output in ("embedding", "pre_logits", "map"):
        layer = remedis.load_backbone(TINY, output)
        np.testing.assert_allclose(layer(IMAGES), ends[output], rtol=1e-5, atol=1e-5)
        assert layer.compute_output_shape(IMAGES.shape) == ends[output].shape
        symbolic = layer(keras.Input((None, None, 3)))
        assert symbolic.dtype == "float32"
        assert symbolic.shape == (None, *(None for _ in symbolic.shape[1:-1]), 1024)


@pytest.mark.guarantee
def test_a_subclassed_model_trains_and_is_saved(tmp_path):
    model = Subclassed(remedis.load_backbone(TINY))
    model(IMAGES)
    assert moved(model) == (43, 43)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(IMAGES), model(IMAGES))


@pytest.mark.guarantee
def test_a_model_is_exported(tmp_path):
    model = functional(remedis.load_backbone(TINY))
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(IMAGES), model(IMAGES), rtol=1e-4, atol=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError, match="images look like values in"):
        served.serve(2 * IMAGES - 1)


MIRRORED = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import remedis, keras
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
images = np.random.default_rng(0).uniform(size=(4, 33, 40, 3)).astype(np.float32)
with strategy.scope():
    inputs = keras.Input((33, 40, 3))
    layer = remedis.load_backbone("scratch:1-1-1-1x0.5", "pre_logits")
    model = keras.Model(inputs, keras.layers.Dense(2)(layer(inputs)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss)
before = [v.numpy() for v in model.trainable_variables]
model.fit(images, np.arange(4) % 2, batch_size=4, verbose=0)
assert len(before) == 45
assert not any(np.array_equal(a, b.numpy()) for a, b in zip(before, model.trainable_variables))
model.save(sys.argv[1])
expected = model.predict(images, verbose=0)
with strategy.scope():
    again = keras.saving.load_model(sys.argv[1])
np.testing.assert_allclose(again.predict(images, verbose=0), expected, rtol=1e-5, atol=1e-5)
again.fit(images, np.arange(4) % 2, batch_size=4, verbose=0)
alone = keras.saving.load_model(sys.argv[1])
np.testing.assert_allclose(alone.predict(images, verbose=0), expected, rtol=1e-4, atol=1e-4)
try:
    model.fit(2 * images - 1, np.arange(4) % 2, batch_size=4, verbose=0)
except tf.errors.InvalidArgumentError as error:
    assert "images look like values in [-1, 1]" in str(error)
else:
    raise AssertionError("wrong pixels were not refused")
"""


@pytest.mark.guarantee
def test_all_of_it_works_under_a_mirrored_strategy(tmp_path):
    run = [sys.executable, "-c", MIRRORED, str(tmp_path / "model.keras")]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


def test_half_precision_is_for_training_only(layer):
    exact = layer(IMAGES)
    half = remedis.load_backbone(TINY, dtype="mixed_bfloat16")
    assert {variable.dtype for variable in half.variables} == {"float32"}
    np.testing.assert_array_equal(half(IMAGES), exact)
    rough = half(IMAGES, training=True)
    assert rough.dtype == tf.float32
    assert 1e-4 < np.linalg.norm(rough - exact) / np.linalg.norm(exact) < 0.1
    assert half(keras.Input((32, 32, 3))).dtype == "float32"
    copy = type(half).from_config(half.get_config())
    copy.set_weights(half.get_weights())
    np.testing.assert_array_equal(copy(IMAGES, training=True), rough)


def test_other_precisions_of_variables_are_refused():
    sentence = said(remedis.load_backbone, TINY, dtype="float16")
    assert sentence == (
        "The dtype policy float16 has variables of float16; expected float32: use float32, "
        "mixed_bfloat16 or mixed_float16."
    )


def test_random_weights_say_so_and_stay_random(caplog):
    with caplog.at_level(logging.WARNING):
        layer = remedis.load_backbone(TINY, name="backbone")
    assert caplog.messages == ["backbone: RANDOM WEIGHTS (seed 0): never trained on anything."]
    assert not layer.pretrained
    assert not type(layer).from_config(layer.get_config()).pretrained


def test_a_checkpoint_says_what_it_is_and_names_no_path(tiny_export, caplog):
    with caplog.at_level(logging.WARNING):
        layer = remedis.load_backbone(tiny_export)
    assert not caplog.messages
    assert layer.pretrained
    assert layer.checkpoint == "cxr-50x1-remedis-m"
    assert layer.provenance.file == "BiT-M-tiny.npz"
    assert len(layer.provenance.sha256) == 64
    assert str(tiny_export.parent) not in str(layer.get_config())
    unpooled = resolve.load_backbone(str(tiny_export), 0).backbone(IMAGES)
    np.testing.assert_allclose(layer(IMAGES), np.mean(unpooled, (1, 2)), rtol=1e-5, atol=1e-5)


def test_a_clone_has_no_weights_and_no_claim_until_it_gets_them(tiny_export):
    model = functional(remedis.load_backbone(tiny_export), (None, None, 3))
    clone = keras.models.clone_model(model)
    assert not clone.layers[1].pretrained
    with pytest.raises(UserError, match="This backbone layer has no weights, since it was made"):
        clone(IMAGES)
    clone.set_weights(model.get_weights())
    assert clone.layers[1].pretrained
    np.testing.assert_array_equal(clone(IMAGES), model(IMAGES))


def test_a_frozen_layer_trains_nothing_and_its_batch_norms_use_their_averages():
    layer = remedis.load_backbone("keras:SmallNet", trainable=False)
    assert (len(layer.trainable_variables), len(layer.variables)) == (0, 10)
    np.testing.assert_array_equal(layer(IMAGES, training=True), layer(IMAGES))
    copy = type(layer).from_config(layer.get_config())
    copy.set_weights(layer.get_weights())
    np.testing.assert_array_equal(copy(IMAGES, training=True), layer(IMAGES))
    layer.trainable = True
    assert len(layer.trainable_variables) == 6
    assert np.abs(layer(IMAGES, training=True) - layer(IMAGES)).max() > 1e-3


@pytest.mark.guarantee
def test_a_network_of_keras_trains_and_is_saved_too(tmp_path):
    layer = remedis.load_backbone("keras:SmallNet", "map")
    model = functional(layer)
    assert moved(model) == (8, 8)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again(IMAGES), model(IMAGES))


def test_a_network_of_keras_has_its_own_strides_and_no_pre_logits():
    layer = remedis.load_backbone("keras:SmallNet", "map")
    assert layer.compute_output_shape((None, 33, 40, 3)) == (None, *layer(IMAGES).shape[1:])
    assert said(remedis.load_backbone, "keras:SmallNet", "pre_logits") == (
        "keras:SmallNet has no final norm, so it has no pre_logits; take output='embedding' or "
        "'map'."
    )


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (2 * IMAGES - 1, f"images look like values in [-1, 1]; {EXPECTED}: add 1 and divide by 2"),
        (255 * IMAGES, f"images look like values from 0 to 255; {EXPECTED}: divide 8-bit pixels"),
        (IMAGES * np.nan, f"images hold NaN or infinity; {EXPECTED}."),
        ((255 * IMAGES).astype(np.uint8), f"images are uint8; {EXPECTED}: divide by the largest"),
        (IMAGES[0], f"images have the shape [33, 40, 3]; {EXPECTED}."),
        (IMAGES[..., :1], f"images have the shape [4, 33, 40, 1]; {EXPECTED}."),
        (IMAGES[:, :0], f"images have the shape [4, 0, 40, 3]; {EXPECTED}."),
        (IMAGES[:0, :0], f"images have the shape [0, 0, 40, 3]; {EXPECTED}."),
    ],
    ids=["[-1, 1]", "0-255", "nan", "uint8", "rank 3", "grey", "no rows", "nothing"],
)
def test_wrong_images_are_a_sentence(layer, images, sentence):
    with pytest.raises(UserError) as caught:
        layer(images)
    assert sentence in str(caught.value)


@pytest.mark.guarantee
def test_wrong_images_are_a_sentence_in_fit_and_predict():
    model = functional(remedis.load_backbone(TINY))
    clone = keras.models.clone_model(model)
    with pytest.raises(tf.errors.InvalidArgumentError, match="This backbone layer has no weights"):
        clone.predict(IMAGES, verbose=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="images look like values from 0 to"):
        model.predict(255 * IMAGES, verbose=0)
    model.compile("adam", "mse")
    with pytest.raises(tf.errors.InvalidArgumentError, match="images look like values in"):
        model.fit(2 * IMAGES - 1, np.zeros((4, 2)), verbose=0)


def test_any_pixel_range_takes_every_value_and_is_kept():
    layer = remedis.load_backbone(TINY, pixel_range="any")
    assert layer(5 * IMAGES - 3).shape == (4, 1024)
    assert type(layer).from_config(layer.get_config()).pixel_range == "any"
    sentence = said(remedis.load_backbone, TINY, pixel_range="all")
    assert sentence.startswith("Unknown pixel_range 'all'")


def test_no_images_give_an_empty_result(layer):
    assert layer(IMAGES[:0]).shape == (0, 1024)


@pytest.mark.guarantee
def test_no_images_give_an_empty_result_in_a_graph():
    layer = tf.function(remedis.load_backbone(TINY, "map"))
    assert layer(tf.constant(IMAGES[:0])).shape == (0, 2, 2, 1024)


def test_wrong_arguments_are_a_sentence(layer):
    assert said(remedis.load_backbone, TINY, "pooled").startswith("Unknown output 'pooled'")
    assert said(remedis.load_backbone, "random:0").startswith("random:0 does not say of which")
    with pytest.raises(UserError, match="Repeat a grey channel three times"):
        layer(keras.Input((32, 32, 1)))


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_importing_the_package_is_light():
    program = (
        "import sys, time; start = time.process_time(); import remedis; "
        "print(time.process_time() - start); "
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    assert float(run(program)) < 0.2


FIRST, THEN = "import remedis", "import keras"


@pytest.mark.guarantee
@pytest.mark.parametrize("program", [f"{FIRST}\n{THEN}\n", f"{THEN}\n{FIRST}\n", THEN + "\n"])
def test_a_file_is_read_after_import_remedis_only(program, tmp_path):
    file = tmp_path / "model.keras"
    functional(remedis.load_backbone(TINY)).save(file)
    load = f"model = keras.saving.load_model({str(file)!r})"
    if FIRST in program:
        run(f"{program}{load}\nassert type(model.layers[1]).__name__ == 'BackboneLayer'")
        return
    printed = run(f"{program}try:\n    {load}\nexcept TypeError as error:\n    print(error)")
    assert "Could not locate class 'BackboneLayer'" in printed
    assert "'module': 'remedis.zoo.backbone_layer'" in printed


@pytest.mark.guarantee
@pytest.mark.parametrize(("output", "variables"), [("embedding", 149), ("pre_logits", 151)])
def test_a_50x1_trains_149_variables_or_151_with_the_final_norm(output, variables):
    model = functional(remedis.load_backbone("scratch:50x1", output))
    assert moved(model) == (variables + 2, variables + 2)
