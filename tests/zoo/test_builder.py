import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import tensorflow as tf
from zoo_helpers import BUILD, TINY, said

from remedis import locks
from remedis.errors import UserError
from remedis.pretraining.networks import PROJECTION
from remedis.zoo import builder, checkpoint, export, random_weights, tensors
from remedis.zoo.seen_images import SeenImages

NAME = "cxr-50x1-remedis-m"


@pytest.mark.usefixtures("tiny_names", "no_graph")
def test_one_seed_gives_the_same_variables_and_another_others(tmp_path):
    folders = [
        builder.build(NAME, f"random:{seed}", tmp_path / str(i)) for i, seed in enumerate((7, 7, 8))
    ]
    first, same, other = (tensors.variables_sha256(folder) for folder in folders)
    assert first == same != other
    description = checkpoint.describe(folders[2])
    assert description.provenance.origin == "random"
    assert description.provenance.details == {"seed": 8}
    card = (folders[2] / export.CARD).read_text()
    assert "> **RANDOM WEIGHTS.** Nothing here was pretrained" in card
    assert "RANDOM WEIGHTS (seed 8): never trained on anything." in card
    assert "**This folder does not hold its weights**" in card


def test_random_arrays_do_not_depend_on_the_order_of_reading():
    arrays = random_weights.draw(3, TINY).arrays
    names = list(arrays)
    backwards = {name: random_weights.draw(3, TINY).arrays[name] for name in names[::-1]}
    for name in names:
        np.testing.assert_array_equal(arrays[name], backwards[name])
    kernels = [n for n in names if n.endswith("kernel")]
    assert len({arrays[name].tobytes()[:64] for name in kernels}) == len(kernels)


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (
            "keras:MobileNet",
            "keras:MobileNet is MobileNet, a network of keras.applications; expected a BiT "
            "backbone: a folder of one, bit:FILE.npz, release:DIR, random:SEED or scratch:50x1.",
        ),
        (
            "scratch:152x2",
            "scratch:152x2 is of the architecture 152x2, but model='cxr-50x1-remedis-m' asks for "
            "50x1; name other weights, or change model.",
        ),
    ],
)
def test_weights_that_are_no_bit_of_this_name_are_refused(tmp_path, source, sentence):
    out = tmp_path / "out"
    assert said(builder.build, NAME, source, out).startswith(sentence)
    assert not out.exists()


def test_a_wrong_name_is_refused(tmp_path):
    sentence = said(builder.build, "cxr-52x2-remedis-m", "random:0", tmp_path / "out")
    assert "did you mean 'cxr-152x2-remedis-m'?" in sentence
    assert not (tmp_path / "out").exists()


def test_the_graph_of_anything_but_a_release_cannot_be_kept(tmp_path):
    sentence = said(builder.build, NAME, "random:0", tmp_path, keep_graph=True)
    assert sentence == (
        "The graph of the release (graph='release') goes with weights of release:DIR only."
    )


def test_an_existing_folder_is_kept_unless_overwriting_is_asked_for(tmp_path, tiny_names, no_graph):
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    assert said(builder.build, NAME, "random:0", tmp_path) == (
        f"{folder} exists already; remove it, or set overwrite."
    )
    assert (folder / "mine.txt").read_text() == "precious"
    builder.build(NAME, "random:0", tmp_path, overwrite=True)
    assert not (folder / "mine.txt").exists()
    assert tf.saved_model.contains_saved_model(str(folder))
    assert os.listdir(tmp_path) == [NAME]


def test_a_folder_that_another_process_builds_is_left_to_it(tmp_path):
    folder = tmp_path / "new" / NAME
    with locks.held(locks.file_beside(folder), folder):
        sentence = said(builder.build, NAME, "random:0", tmp_path / "new", overwrite=True)
    assert sentence.startswith(f"{folder} is in use by process {os.getpid()} on host ")
    assert os.listdir(tmp_path) == []


@pytest.mark.usefixtures("tiny_names", "no_graph")
def test_our_own_folder_is_a_source_and_its_provenance_is_kept(tmp_path, tiny_export):
    folder = builder.build("path-50x1-remedis-m", str(tiny_export), tmp_path, command="c")
    original, copy = checkpoint.describe(tiny_export), checkpoint.describe(folder)
    assert copy.provenance.origin == "bit"
    assert copy.provenance.sha256 == original.provenance.sha256
    assert copy.provenance.details == {"head_classes": 21_843}
    assert (original.provenance.command, copy.provenance.command) == ("build it", "c")
    assert copy.name == "path-50x1-remedis-m"
    arrays = checkpoint.read(tiny_export).arrays
    for name, array in checkpoint.read(folder).arrays.items():
        np.testing.assert_array_equal(array, arrays[name])


@pytest.mark.usefixtures("tiny_names", "no_graph")
def test_seen_images_and_projection_of_a_run_are_copied(tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    folder = builder.build(NAME, "random:0", tmp_path / "built")
    assert SeenImages.read(folder) is None
    folder.rename(run / "export")
    (run / "config.json").write_text("{}")
    bare = builder.build(NAME, str(run), out)
    assert not {"seen.json", PROJECTION} & set(os.listdir(bare))

    SeenImages.from_hashes(["a", "b"]).write(run / "export")
    (run / "export" / PROJECTION).write_bytes(b"a head")
    # Copies from the run, and then from the folder that is replaced.
    for source in (run, out / NAME):
        folder = builder.build(NAME, str(source), out, overwrite=True)
        assert (folder / "seen.json").read_bytes() == (run / "export" / "seen.json").read_bytes()
        assert SeenImages.read(folder).count(["a", "b", "c"]) == 2
        assert (folder / PROJECTION).read_bytes() == b"a head"


@pytest.mark.usefixtures("tiny_names")
def test_a_folder_of_bit_m_is_refused_for_bit_s(tmp_path, tiny_export):
    # The folder holds weights of BiT-M, whose provenance it has kept.
    sentence = said(builder.build, "cxr-50x1-remedis-s", str(tiny_export), tmp_path)
    assert sentence.startswith("BiT-M-tiny.npz has a head of 21,843 classes")


def test_a_folder_of_another_architecture_is_refused(tmp_path, tiny_export):
    assert said(builder.build, NAME, str(tiny_export), tmp_path) == (
        f"{tiny_export} is of the architecture 1-1-1-1x0.5, and checkpoints to build are 50x1 or "
        "152x2; for a small folder, take the export of a pretraining of one step that begins with "
        "scratch:1-1-1-1x0.5."
    )


@pytest.mark.usefixtures("tiny_names", "no_graph")
def test_a_failing_save_leaves_nothing(tmp_path, monkeypatch):
    def failing(served, folder, **_):
        (tmp_path / "seen").write_text(folder)
        with open(f"{folder}/saved_model.pb", "wb") as file:
            file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", failing)
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"m cannot be written \(No space left on device\): make"):
        builder.build(NAME, "random:0", out)
    assert (tmp_path / "seen").read_text().startswith(str(out))
    assert os.listdir(tmp_path) == ["seen"]


BLOCKING = """
    import pathlib, sys, time
    import tensorflow as tf
    from remedis.models.architectures import Architecture
    from remedis.zoo import builder

    Architecture.parse = classmethod(lambda cls, name: cls((1, 1, 1, 1), 0.5))
    builder.serving.ServedModel._callable = lambda *_, **__: None
    builder.serving.ServedModel._serve_bytes = lambda *_: None
    builder.serving.ServedBackbone.saved_signatures = lambda _: {}
    save = tf.saved_model.save

    def blocking(served, folder, **options):
        save(served, folder, **options)
        pathlib.Path(sys.argv[1]).touch()
        time.sleep(600)

    tf.saved_model.save = blocking
    builder.build("cxr-50x1-remedis-m", "random:0", sys.argv[2], overwrite=True)
"""


@pytest.mark.guarantee
def test_a_killed_build_leaves_no_folder_under_the_final_name(tmp_path):
    written, out = tmp_path / "written", tmp_path / "out"
    program = [sys.executable, "-c", textwrap.dedent(BLOCKING), str(written), str(out)]
    process = subprocess.Popen(program, stderr=subprocess.PIPE)
    try:
        while not written.exists():
            assert process.poll() is None, process.stderr.read().decode()
            time.sleep(0.1)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / NAME).exists()
    # The unfinished folder has a hidden name, so that no program takes it for a checkpoint.
    assert all(name.startswith(".") for name in os.listdir(out))


@pytest.mark.slow
def test_a_152x2_builds_within_6_gb_and_its_graph_is_small(tmp_path):
    measured = tmp_path / "measured.json"
    program = f"""
        import json, resource, subprocess, sys
        subprocess.run([sys.executable, *sys.argv[1:]], check=True)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
        json.dump({{"peak": peak}}, open({str(measured)!r}, "w"))
    """
    name = "path-152x2-remedis-s"
    arguments = [str(BUILD), f"--model={name}", "--weights=random:0", f"--out={tmp_path}"]
    subprocess.run([sys.executable, "-c", textwrap.dedent(program), *arguments], check=True)
    assert json.loads(measured.read_text())["peak"] <= 6e9
    assert (tmp_path / name / "saved_model.pb").stat().st_size <= 12e6
    assert checkpoint.describe(tmp_path / name).parameters == 232_238_208
