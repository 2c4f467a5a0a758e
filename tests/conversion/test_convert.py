"""What every format shares: the check, the record, all or nothing, wrong input."""

import dataclasses
import sys
import types

import numpy as np
import pytest
from PIL import Image
from zoo_helpers import said

import remedis
from remedis.conversion import agreement, convert, formats
from remedis.conversion.agreement import AgreementRecord, OutputDifference
from remedis.conversion.formats import Format
from remedis.conversion.model_parts import CALIBRATION, PARTS


def fake(monkeypatch, suffix, change=lambda outputs: outputs, **more):
    """Registers a format that stores nothing, and whose engine is the source with a change."""

    references = []

    def write(source, path):
        references.append(source.reference)
        (path if suffix else path / "model").write_text("x")
        return {"opset": 18}

    def run(path):
        return lambda images: change(dict(references[-1](images)))

    module = types.SimpleNamespace(write=write, run=run)
    monkeypatch.setitem(sys.modules, "remedis.conversion.fake_format", module)
    entry = Format("fake", "", "fake_format", suffix, travels=(CALIBRATION,), **more)
    monkeypatch.setitem(formats.FORMATS, "fake", entry)


@pytest.mark.parametrize("suffix", ["", ".fake"])
def test_an_export_has_a_record_of_its_source_and_of_what_stays_behind(
    ready, monkeypatch, tmp_path, suffix
):
    fake(monkeypatch, suffix)
    out = tmp_path / f"model{suffix}"
    done = remedis.export(ready["classifier"], "fake", out)
    record = convert.read(out)
    assert record == done.record
    assert done.random_weights
    assert record["format"] == "fake"
    assert record["facts"] == {"opset": 18}
    assert record["travels"] == [CALIBRATION]
    assert record["left_behind"] == [part for part in PARTS if part != CALIBRATION]
    assert record["description"]["labels"] == ["effusion", "mass, 2 cm"]
    kinds = [(one["images"], one["count"]) for one in record["agreement"]]
    assert kinds == [(agreement.RANDOM, 3), (agreement.MADE_UP, 2)]
    assert str(tmp_path) not in done.record_path.read_text()
    assert "exists already" in said(remedis.export, ready["classifier"], "fake", out)
    remedis.export(ready["backbone"], "fake", out, overwrite=True)
    assert convert.read(out)["kind"] == "backbone"
    assert len(list(tmp_path.iterdir())) == (2 if suffix else 1)


def off(name, how):
    return lambda outputs: {**outputs, name: how(outputs[name])}


WRONG = {
    "far": off("logits", lambda values: values + 1e-3 * np.abs(values).max()),
    "nan": off("probabilities", lambda values: values * np.nan),
    "short": off("logits", lambda values: values[:1, :1]),
    "absent": lambda outputs: {"logits": outputs["logits"]},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_an_export_with_other_outputs_is_not_written(ready, monkeypatch, tmp_path, change):
    for suffix in ("", ".fake"):
        fake(monkeypatch, suffix, change)
        sentence = said(remedis.export, ready["classifier"], "fake", tmp_path / f"m{suffix}")
        assert "is not written: on random pixels its " in sentence
        assert not list(tmp_path.iterdir())


def test_differences_are_those_of_the_worst_image_beside_the_largest_value(sources):
    source = sources["backbone"]
    shifted = {"map": 0.0, "embedding": 2.0}

    def run(images):
        return {name: v + shifted[name] for name, v in source.reference(images).items()}

    small = dataclasses.replace(
        source, reference=lambda images: {k: np.full((1,), 8.0) for k in shifted}
    )
    found = agreement.measure(
        small,
        lambda images: {"map": np.full((1,), 8.0), "embedding": np.full((1,), 6.0)},
        None,
    )
    for record in found:
        assert record["outputs"]["map"] == {"absolute": 0.0, "relative": 0.0, "rounding": 0.0}
        worst = {"absolute": 2.0, "relative": 0.25, "rounding": 0.0}
        assert record["outputs"]["embedding"] == worst
    apart = agreement.measure(source, run, None)[0]
    assert apart["count"] == 3  # of two sizes
    assert apart["outputs"]["embedding"]["absolute"] == pytest.approx(2.0, rel=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_export_never_agrees_with_numbers_that_are_none(bad):
    """An output of the source with NaN or infinity: no difference is at most the tolerance."""
    expected = np.array([[1.0, bad, 3.0]])
    for got in (np.ones((1, 3)), expected, np.ones((1, 2))):
        assert agreement.difference(expected, got) == (np.inf, 3.0)
    source = types.SimpleNamespace(reference=lambda images: {"logits": images})
    images = iter([np.ones((1, 3)), expected])
    record = agreement._differences(
        source, lambda images: {"logits": np.ones((1, 3))}, agreement._Batches("x", images)
    )
    assert "x its output logits differs" in said(agreement.check, [record], 1e-4, "a")


@pytest.mark.parametrize(("relative", "accepted"), [(1.9e-4, True), (2.1e-4, False)])
def test_ten_roundings_of_an_ill_defined_output_are_accepted(relative, accepted):
    values: OutputDifference = {"absolute": 0.1, "relative": relative, "rounding": 2e-5}
    record: AgreementRecord = {"images": "x", "count": 1, "outputs": {"map": values}}
    if accepted:
        agreement.check([record], 1e-4, "a")
    else:
        assert "expected at most 0.0002;" in said(agreement.check, [record], 1e-4, "a")


def test_the_rounding_of_a_source_is_that_of_its_pixels():
    """Pixels of 0.75 are multiples of 2^-24: a factor of 2^20 moves the output by 2^-4."""
    gain = 2.0**20
    source = types.SimpleNamespace(reference=lambda images: {"map": images * gain})
    images = np.full((1, 2, 2, 3), 0.75, np.float32)
    run = source.reference
    record = agreement._differences(source, run, agreement._Batches("x", iter([images])))
    found = record["outputs"]["map"]
    assert found["absolute"] == found["relative"] == 0
    assert found["rounding"] == pytest.approx(2.0**-24 / 0.75)


def test_rounding_of_tiny_outputs_is_accepted():
    tiny: OutputDifference = {"absolute": 5e-7, "relative": 0.5, "rounding": 0.0}
    large: OutputDifference = {"absolute": 2e-6, "relative": 0.5, "rounding": 0.0}
    record: AgreementRecord = {"images": "x", "count": 1, "outputs": {"logits": tiny}}
    agreement.check([record], 1e-4, "a")
    record["outputs"]["logits"] = large
    assert said(agreement.check, [record], 1e-4, "a.b (c)").startswith("a.b (c) is not written: ")


def test_images_of_the_user_are_used_and_unreadable_ones_are_named(
    ready, monkeypatch, tmp_path, caplog
):
    fake(monkeypatch, ".fake")
    monkeypatch.setattr(agreement, "COUNT", 4)
    images = tmp_path / "images"
    images.mkdir()
    rng = np.random.default_rng(0)
    for i in range(3):
        pixels = rng.integers(0, 256, (20 + i, 30), np.uint8)
        Image.fromarray(pixels).save(images / f"{i}.png")
    (images / "bad.png").write_bytes(b"no")
    done = remedis.export(ready["backbone"], "fake", tmp_path / "a.fake", images=images)
    last = done.record["agreement"][-1]
    assert (last["images"], last["count"]) == (agreement.REAL, 3)
    assert "cannot be read: bad.png (" in caplog.text
    for i in range(3):
        (images / f"{i}.png").unlink()
    sentence = said(remedis.export, ready["backbone"], "fake", tmp_path / "b.fake", images=images)
    assert sentence.startswith("images: none of 1 image can be read: bad.png (")


def test_an_output_that_cannot_be_written_is_named(ready, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    for suffix in ("", ".fake"):
        fake(monkeypatch, suffix)
        out = tmp_path / "file" / f"model{suffix}"
        sentence = said(remedis.export, ready["backbone"], "fake", out)
        assert str(out) in sentence
        assert "cannot be written" in sentence


def test_wrong_arguments_have_one_sentence(sources, monkeypatch, tmp_path):
    model = sources["backbone"].folder
    assert "Unknown format 'frozzen': did you mean 'frozen'?" in said(
        remedis.export, model, "frozzen", tmp_path / "m"
    )
    fake(monkeypatch, ".fake", extra="onnx", needs=("no_such_package",))
    for wrong in ("m", ".fake", "m.fake.txt"):
        sentence = said(remedis.export, model, "fake", tmp_path / wrong)
        assert sentence.endswith("expected a name that ends with .fake for the format fake.")
    assert "pip install 'remedis[onnx]'" in said(remedis.export, model, "fake", tmp_path / "m.fake")
    assert "no does not exist" in said(remedis.export, "no", "frozen", tmp_path / "m")
    file = model / "remedis.json"
    file.touch()
    assert "is a file; expected the directory" in said(
        remedis.export, file, "frozen", tmp_path / "m"
    )
    assert "is not a SavedModel" in said(remedis.export, tmp_path, "frozen", tmp_path / "m")
    assert "source and its options are of images" in said(
        remedis.export, model, "frozen", tmp_path / "m", source="dicom"
    )
    assert not list(tmp_path.iterdir())
