"""Graphs that reach beyond themselves are refused before anything of them runs."""

import os
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from zoo_helpers import said

from remedis.reporting import checkpoint_info
from remedis.zoo import graphs

IMAGES = tf.TensorSpec([None], tf.float32, name="input_1")


class Scale(tf.Module):
    """Multiplies by a variable, and does something else first."""

    def __init__(self, also=lambda: None, value=2.0):
        super().__init__()
        self.scale = tf.Variable(value, name="scale")
        self.also = also

    @tf.function(input_signature=[IMAGES])
    def __call__(self, images):
        self.also()
        return self.scale * images


def saved(folder, **arguments):
    module = Scale(**arguments)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__})
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture
def copy(plain, tmp_path):
    """Returns a copy of the plain SavedModel."""
    for file in (f for f in plain.rglob("*") if f.is_file()):
        target = tmp_path / "copy" / file.relative_to(plain)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    return tmp_path / "copy"


def edited(folder, edit):
    message = saved_model_pb2.SavedModel()
    file = folder / "saved_model.pb"
    message.ParseFromString(file.read_bytes())
    edit(message)
    file.write_bytes(message.SerializeToString())


def test_a_plain_graph_loads(plain):
    assert graphs.reaching_operations(plain) == ()
    assert graphs.load(plain)(tf.constant([3.0])).numpy() == [6.0]


def nested(path):
    @tf.function
    def inner():
        return tf.cond(tf.random.uniform([]) > 2, lambda: tf.io.read_file(path), lambda: "")

    return inner()


def of_a_data_set(path):
    return list(tf.data.Dataset.from_tensors(path).interleave(tf.data.TextLineDataset).take(1))


@pytest.mark.parametrize(
    ("also", "operations"),
    [
        (lambda path: tf.io.write_file(path, "x"), "WriteFile"),
        (tf.io.read_file, "ReadFile"),
        (lambda path: tf.io.matching_files(f"{path}*"), "MatchingFiles"),
        (lambda path: tf.print("x", output_stream=f"file://{path}"), "PrintV2"),
        (lambda path: tf.numpy_function(lambda: 1.0, [], tf.float32), "PyFunc"),
        (lambda path: tf.py_function(lambda: 1.0, [], tf.float32), "EagerPyFunc"),
        (lambda path: tf.raw_ops.Save(filename=path, tensor_names=["a"], data=[1.0]), "Save"),
        (lambda path: tf.raw_ops.RestoreV2(
            prefix=path, tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
        ), "RestoreV2"),
        (nested, "ReadFile"),
    ],
)  # fmt: skip
def test_operations_that_reach_beyond_the_graph_are_refused(tmp_path, also, operations):
    target = str(tmp_path / "target")
    folder = saved(tmp_path / "model", also=lambda: also(target))
    assert graphs.reaching_operations(folder) == (operations,)
    assert said(graphs.load, folder) == (
        f"{folder} has a graph that reads or writes files, runs Python or uses the network "
        f"({operations}); no image network needs that: do not load it, and ask where it comes from."
    )
    assert not pathlib.Path(target).exists()


@pytest.mark.parametrize("operation", ["TextLineDataset", "SqlDataset", "DataServiceDatasetV4",
    "CreateSummaryFileWriter", "InitializeTableFromTextFileV2", "DebugIdentityV3",
    "ImmutableConst", "SnapshotDatasetV2", "RemoteCall", "_HostSend"])  # fmt: skip
def test_further_operations(copy, operation):
    def add(message):
        message.meta_graphs[0].graph_def.library.function[0].node_def.add(name="x", op=operation)

    edited(copy, add)
    assert graphs.reaching_operations(copy) == (operation,)


def test_a_function_in_the_name_of_the_saver_is_seen_if_it_is_called(copy):
    def call(message):
        library = message.meta_graphs[0].graph_def.library
        saver = next(f for f in library.function if "traced_save" in f.signature.name)
        other = next(f for f in library.function if "traced" not in f.signature.name)
        node = other.node_def.add(name="x", op="PartitionedCall")
        node.attr["f"].func.name = saver.signature.name

    edited(copy, call)
    assert graphs.reaching_operations(copy) == ("MergeV2Checkpoints", "SaveV2", "ShardedFilename")


def test_graphs_that_tensorflow_1_would_run_are_refused(copy):
    edited(copy, lambda message: message.meta_graphs[0].ClearField("object_graph_def"))
    assert said(graphs.load, copy) == (
        f"{copy} is no SavedModel of TensorFlow 2 (1 graphs); expected one graph with its objects, "
        "as tf.saved_model.save writes it."
    )
    edited(copy, lambda message: message.ClearField("meta_graphs"))
    assert "(0 graphs)" in said(graphs.load, copy)


def test_info_says_what_the_graph_does(tiny_checkpoint, tmp_path):
    assert checkpoint_info.info(str(tiny_checkpoint))[1]["graph"] == (
        "a program for TensorFlow; no operation in it reads or writes files, runs Python or uses "
        "the network"
    )
    folder = tmp_path / "copy"
    shutil.copytree(tiny_checkpoint, folder)
    edited(
        folder,
        lambda message: (
            message.meta_graphs[0]
            .graph_def.library.function[0]
            .node_def.add(name="x", op="WriteFile")
        ),
    )
    assert checkpoint_info.info(str(folder))[1]["graph"] == (
        "a program for TensorFlow that reads or writes files, runs Python or uses the network "
        "(WriteFile): do not load it"
    )


def test_links_as_in_a_cache_of_downloads_are_followed(plain, tmp_path):
    folder = tmp_path / "snapshot"
    (folder / "variables").mkdir(parents=True)
    for number, file in enumerate(f for f in plain.rglob("*") if f.is_file()):
        blob = tmp_path / f"blob-{number}"
        blob.write_bytes(file.read_bytes())
        (folder / file.relative_to(plain)).symlink_to(blob)
    assert graphs.load(folder)(tf.constant([3.0])).numpy() == [6.0]


@pytest.mark.parametrize("name", ["saved_model.pb", "fingerprint.pb", "variables/variables.index"])
def test_a_pipe_in_the_folder_does_not_wait(copy, name):
    (copy / name).unlink()
    os.mkfifo(copy / name)
    assert said(graphs.load, copy) == (
        f"{copy} cannot be loaded (a pipe (FIFO), expected a regular file); copy the folder again."
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_variables_that_are_not_finite_are_named(tmp_path, value):
    folder = saved(tmp_path / "model", value=value)
    assert said(graphs.load, folder) == (
        f"{folder}/variables/variables: scale has NaN or infinity in 1 of its 1 numbers; expected "
        "finite weights: copy the folder again, or take other weights."
    )


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.index",
    "variables/variables.data-00000-of-00001"])  # fmt: skip
@pytest.mark.parametrize("damage", ["gone", "empty", "cut", "zeros"])
def test_a_damaged_folder_is_a_sentence(copy, name, damage):
    content = (copy / name).read_bytes()
    (copy / name).unlink()
    if damage != "gone":
        kept = {"empty": b"", "cut": content[: len(content) // 2], "zeros": bytes(len(content))}
        (copy / name).write_bytes(kept[damage])
    said(graphs.load, copy)
