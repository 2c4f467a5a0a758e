"""Checkpoints of TensorFlow and graphs of SavedModels, one damaged file at a time."""

import functools
import pathlib
import tempfile

import harness

PARTS = ("index", "data-00000-of-00001")


@functools.cache
def files_of_a_checkpoint() -> dict[str, bytes]:
    import tensorflow as tf

    with tempfile.TemporaryDirectory() as folder:
        values = {"a": tf.Variable([1.0, 2.0]), "b": tf.Variable(3)}
        tf.train.Checkpoint(variables=values).write(f"{folder}/c")
        return {part: pathlib.Path(folder, f"c.{part}").read_bytes() for part in PARTS}


def checkpoint_seeds() -> tuple[bytes, ...]:
    return tuple(b"\0".join([p.encode(), c]) for p, c in files_of_a_checkpoint().items())


def read_checkpoint(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.zoo import tensors

    part, _, damaged = contents.partition(b"\0")
    for name, whole in files_of_a_checkpoint().items():
        (folder / f"c.{name}").write_bytes(damaged if part == name.encode() else whole)
    reason = tensors.damage(folder / "c")
    assert reason is None or (reason and "\n" not in reason)
    tensors.NamedTensors(str(folder / "c"))


def graph_seeds() -> tuple[bytes, ...]:
    import tensorflow as tf

    class Scale(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = tf.Variable(2.0, name="scale")

        @tf.function(input_signature=[tf.TensorSpec([None])])
        def __call__(self, x: tf.Tensor) -> tf.Tensor:
            return self.scale * x

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(Scale(), folder)
        return (pathlib.Path(folder, "saved_model.pb").read_bytes(),)


def read_graph(contents: bytes, folder: pathlib.Path) -> None:
    from remedis.zoo import graphs

    # The operations are looked through before TensorFlow, which may end the process, sees them.
    (folder / "saved_model.pb").write_bytes(contents)
    graphs.reaching_operations(folder)


TARGETS = {
    "checkpoint": harness.Target(seeds=checkpoint_seeds, read=read_checkpoint),
    "graph": harness.Target(seeds=graph_seeds, read=read_graph),
}
