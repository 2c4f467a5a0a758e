"""Writes the outputs of a checkpoint folder, with TensorFlow alone: answers.py FOLDER OUT.npz."""

import logging
import sys
import warnings

import numpy as np
import tensorflow as tf


def main(folder: str, out: str) -> None:
    """Loads the folder, calls all methods and signatures, and fails on any warning."""
    warnings.simplefilter("error")
    logged: list[logging.LogRecord] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = logged.append  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    tf.get_logger().addHandler(handler)
    model = tf.saved_model.load(folder)
    images = tf.constant(np.random.RandomState(0).uniform(size=(2, 96, 70, 3)), tf.float32)
    answers = {f"endpoints/{k}": v for k, v in model.endpoints(images).items()}
    answers["call"] = model(images)
    answers["embed"] = model.embed(images)
    assert model(images[:0]).shape == (0, *answers["call"].shape[1:])
    for name in ("serving_default", "embed", "endpoints"):
        for key, value in model.signatures[name](input_1=images).items():
            answers[f"{name}/{key}"] = value
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(images, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    for variable, gradient in zip(model.trainable_variables, gradients):  # noqa: B905 (old Python)
        assert gradient is not None, variable.name
        answers[f"gradient/{variable.name}"] = tf.norm(gradient)
    assert not logged, [record.getMessage() for record in logged]
    np.savez(out, **{key: np.asarray(value) for key, value in answers.items()})
    print(f"TensorFlow {tf.__version__}: {len(answers)} answers, no warning.")


if __name__ == "__main__":
    main(*sys.argv[1:])
