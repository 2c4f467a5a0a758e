"""The harness finds every kind of fault, and saves the input."""

import harness
import pytest

pytestmark = pytest.mark.guarantee

FAULTS = {
    "raising": "IndexError: no body",
    "looping": "more than 0.3 s",
    "waiting": "no result after",
    "crashing": "the process died of SIGSEGV",
    "growing": "more than 1,500 MB",
    "talking": "a message of 25,000 characters",
}


def test_a_sound_reader_passes(tmp_path):
    counts = harness.attack("faulty_targets", "sound", 1.0, 0, tmp_path)
    assert counts["read"] > 10
    assert counts["refused"] > 10
    assert not list(tmp_path.iterdir())


def test_a_failing_input_is_reduced_and_saved(tmp_path):
    with pytest.raises(AssertionError, match=FAULTS["raising"]):
        harness.attack("faulty_targets", "raising", 20.0, 0, tmp_path)
    [saved] = tmp_path.iterdir()
    contents = saved.read_bytes()
    assert b"body" not in contents
    assert 3 < len(contents) < 20


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "raising"])
def test_every_fault_is_found(name, tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "WAITS", 3.0)
    with pytest.raises(AssertionError, match=FAULTS[name]):
        harness.attack("faulty_targets", name, 20.0, 0, tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
