import json
import pathlib
import subprocess
import sys

import bit_weights
import pytest
import release_stand_in
from zoo_helpers import TINY, run_build, small_builds

from remedis.zoo import builder, serving
from remedis.zoo.provenance import Provenance
from remedis.zoo.weights import Weights

TINY_RELEASES = {"maps": True, "plain": False}


@pytest.fixture
def tiny_weights():
    """The weights of a tiny backbone, as if read from a BiT npz."""
    return Weights(
        arrays=bit_weights.weights(TINY),
        architecture=TINY,
        final_norm=True,
        backbone_range=(-1.0, 1.0),
        provenance=Provenance("bit", "Made for a test."),
    )


@pytest.fixture
def tiny_names(monkeypatch):
    """Makes the tiny architecture that of every checkpoint name."""
    small_builds(monkeypatch)


@pytest.fixture
def few_traces(monkeypatch):
    """Exports without the traces for wrong input, which take most of the time."""
    monkeypatch.setattr(serving, "REFUSED", ())
    monkeypatch.setattr(serving, "WIDENED", ())


@pytest.fixture
def no_graph(monkeypatch):
    """Exports of the variables only, in no time, for tests that do not need the graph."""
    monkeypatch.setattr(serving.ServedModel, "_callable", lambda *_, **__: None)
    monkeypatch.setattr(serving.ServedModel, "_serve_bytes", lambda *_: None)
    monkeypatch.setattr(serving.ServedBackbone, "saved_signatures", lambda _: {})


@pytest.fixture(scope="session")
def tiny_export(once):
    """A folder of ours with a tiny backbone, from a tiny BiT npz."""

    def make(folder):
        npz = folder.parent / "BiT-M-tiny.npz"
        arrays = bit_weights.weights(TINY) | bit_weights.head(TINY, 21_843)
        bit_weights.save_npz(npz, arrays)
        with pytest.MonkeyPatch.context() as patch:
            small_builds(patch)
            builder.build("cxr-50x1-remedis-m", f"bit:{npz}", folder, command="build it")

    return once("tiny", make) / "cxr-50x1-remedis-m"


@pytest.fixture(scope="session")
def real_export(once):
    """The folder of cxr-50x1-remedis-m with random weights, written by saved_models/build.py."""

    def make(folder):
        run_build("--model=cxr-50x1-remedis-m", "--weights=random:0", f"--out={folder}", check=True)

    return once("real", make) / "cxr-50x1-remedis-m"


@pytest.fixture(scope="session", params=TINY_RELEASES)
def tiny_release(request, once):
    """A stand-in for the original release, once per possible range, see `maps_range`."""

    def make(folder):
        arrays = bit_weights.weights(TINY, final_norm=False)
        release_stand_in.write(folder, arrays, TINY_RELEASES[request.param])

    return once(f"release-{request.param}", make)


@pytest.fixture
def maps_range(request):
    """Whether the graph of the `tiny_release` in use maps [0, 1] to [-1, 1]."""
    return TINY_RELEASES[request.node.callspec.params["tiny_release"]]


@pytest.fixture(scope="session")
def consumer(once):
    """Returns `consumer(how, folder)`: the facts and the printed lines of consumer.py."""

    def consume(how, folder):
        def make(results):
            results.mkdir()
            program = pathlib.Path(__file__).with_name("consumer.py")
            done = subprocess.run(
                [sys.executable, str(program), how, str(folder), str(results / "facts.json")],
                stderr=subprocess.PIPE,
                text=True,
                cwd=results,
            )
            assert done.returncode == 0, done.stderr
            (results / "stderr").write_text(done.stderr)

        results = once(f"consumer-{how}", make)
        lines = (results / "stderr").read_text().splitlines()
        printed = lines[lines.index("LOADING") + 1 : lines.index("DONE")]
        return json.loads((results / "facts.json").read_text()) | {"printed": printed}

    return consume
