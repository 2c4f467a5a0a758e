"""What TensorFlow Serving reads from a folder is what this server says of it and answers with."""

import base64
import json
import urllib.request

import numpy as np
import pytest
from fake_serving import encoded
from page_server import serving


@pytest.mark.guarantee
def test_signatures_and_outputs_are_those_of_the_folder(small_export):
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    from remedis.serving.engines import open_engine

    folder = small_export / "export"
    stored = saved_model_pb2.SavedModel()
    stored.ParseFromString((folder / "saved_model.pb").read_bytes())
    [graph] = stored.meta_graphs
    assert list(graph.meta_info_def.tags) == ["serve"]  # the tag that TensorFlow Serving loads

    rng = np.random.default_rng(0)
    files = [encoded(rng.integers(0, 255, (20, 24), np.uint8)) for _ in range(2)]
    with serving(open_engine(folder)) as (address, _):
        place = f"{address}/v1/models/run"
        with urllib.request.urlopen(f"{place}/metadata") as answer:
            described = json.load(answer)["metadata"]["signature_def"]["signature_def"]
        instances = [{"b64": base64.b64encode(file).decode()} for file in files]
        body = json.dumps({"signature_name": "serve_bytes", "inputs": instances}).encode()
        with urllib.request.urlopen(f"{place}:predict", body) as answer:
            outputs = json.load(answer)["outputs"]
    for name, signature in described.items():
        theirs = graph.signature_def[name]
        for side, of_folder in (("inputs", theirs.inputs), ("outputs", theirs.outputs)):
            types = {key: tf.dtypes.as_dtype(of_folder[key].dtype).name for key in of_folder}
            ours = {key: value["dtype"] for key, value in signature[side].items()}
            kinds = {"DT_FLOAT": "float32", "DT_STRING": "string"}
            assert {key: kinds[kind] for key, kind in ours.items()} == types, (name, side)
    model = tf.saved_model.load(str(folder))
    expected = model.signatures["serve_bytes"](image_bytes=tf.constant(files))
    assert set(outputs) == set(expected)
    for name, values in expected.items():
        # The share that exports may differ by: one side resizes from 16 bits, the other from 8.
        most = 1e-4 * np.abs(values.numpy()).max()
        np.testing.assert_allclose(outputs[name], values.numpy(), rtol=0, atol=most)
