"""The size of a graph without its constants bounds what is parsed."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from remedis import limits
from remedis.zoo import graph_file

LARGE = limits.MAX_GRAPH_BYTES + 1000


def graph(in_function=True):
    message = saved_model_pb2.SavedModel()
    graph_def = message.meta_graphs.add().graph_def
    nodes = graph_def.library.function.add().node_def if in_function else graph_def.node
    return message, nodes.add()


@pytest.mark.parametrize("in_function", [True, False])
def test_constants_may_be_larger_than_the_rest(tmp_path, in_function):
    message, node = graph(in_function)
    content = np.zeros(LARGE // 4 + 1, np.float32)
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(content))
    file = tmp_path / "saved_model.pb"
    file.write_bytes(message.SerializeToString())
    assert graph_file.read(file) == file.read_bytes()


def names(node):
    node.name = "n" * LARGE


def texts_of_a_constant(node):
    node.attr["value"].tensor.string_val.append(bytes(LARGE))


def content_of_another_attribute(node):
    node.attr["value"].s = bytes(LARGE)


@pytest.mark.parametrize("fill", [names, texts_of_a_constant, content_of_another_attribute])
def test_the_rest_may_not(tmp_path, fill):
    message, node = graph()
    fill(node)
    file = tmp_path / "saved_model.pb"
    file.write_bytes(message.SerializeToString())
    with pytest.raises(OSError, match=r"more than 67,108,864 bytes besides constants"):
        graph_file.read(file)


def test_damaged_and_endless_ones_are_refused_without_parsing(tmp_path):
    message, node = graph()
    node.attr["value"].tensor.tensor_content = bytes(LARGE)
    whole = message.SerializeToString()
    file = tmp_path / "saved_model.pb"
    for content in (whole[:-1], b"\xff" * LARGE, b"\x08\x01" * (LARGE // 2), b"\x0b" * LARGE):
        file.write_bytes(content)
        with pytest.raises(OSError, match="besides constants"):
            graph_file.read(file)
