"""Turns of programs: what is measured, in which order, and what becomes of a program that ends."""

import sys
import time

import pytest


@pytest.fixture(scope="module")
def turns(load_benchmark):
    load_benchmark("turn")
    return load_benchmark("turns")


@pytest.fixture
def contender(turns, tmp_path):
    """Returns a contender of a program, which may write into `log`."""
    folder = turns.__file__.rpartition("/")[0]

    def make(name, program, restarted=False):
        lines = [
            f"import sys; sys.path.insert(0, {folder!r})",
            "import time; from turn import take_turns",
            f"log = open({str(tmp_path / 'log')!r}, 'a', buffering=1)",
            program,
        ]
        return turns.Contender(name, (sys.executable, "-c", "\n".join(lines)), restarted)

    return make


SLEEPS = """
def work():
    log.write('{name}\\n')
    time.sleep(0.2)
    return 4
take_turns(work, 0.1)
"""
WORKS = """
def work():
    log.write('{name}\\n')
    begun = time.process_time()
    while time.process_time() - begun < 0.3:
        pass
    return 1
print('a line of a library')
take_turns(work, 0.1)
"""


def test_turns_are_of_the_work_alone(turns, contender, tmp_path):
    a, b = contender("a", SLEEPS.format(name="a")), contender("b", WORKS.format(name="b"))
    found = turns.alternate([a, b], 3)
    called = (tmp_path / "log").read_text().splitlines()
    assert sorted(called[:2]) == ["a", "b"]  # the first call of each is not timed
    assert called[2:] == ["a", "b"] * 3
    assert [len(found.turns[name]) for name in "ab"] == [3, 3]
    for turn in found.turns["a"]:
        assert 0.05 <= turn.seconds < 0.15
        assert turn.processor < 0.02
    for turn in found.turns["b"]:
        assert turn.seconds >= 0.29
        assert 0.25 < turn.processor < 0.45
        assert 0.005 < turn.gigabytes < 0.2
    assert found.others >= 0


def test_one_that_is_restarted_is_measured_with_its_start(turns, contender):
    program = contender("c", "time.sleep(0.2); sys.exit(1)", restarted=True)
    first, second = turns.alternate([program], 2).turns["c"]
    assert min(first.seconds, second.seconds) > 0.2
    assert 0 < first.processor < first.seconds


@pytest.mark.parametrize("restarted", [False, True])
def test_one_that_crashes_ends_the_measurement(turns, contender, restarted):
    program = contender("d", "import os; os.abort()", restarted)
    with pytest.raises(SystemExit, match="d: ended with"):
        turns.alternate([program], 1)


def test_none_is_left_behind(turns, contender, tmp_path):
    child = tmp_path / "child.py"
    child.write_text(
        f"import os, time\nfile = os.open({str(tmp_path / 'alive')!r}, os.O_CREAT | os.O_WRONLY)\n"
        "while True:\n    os.write(file, b'x')\n    time.sleep(0.05)\n"
    )
    program = f"import subprocess; subprocess.Popen([sys.executable, {str(child)!r}])\n"
    turns.alternate([contender("e", program + SLEEPS.format(name="e"))], 1)
    size = (tmp_path / "alive").stat().st_size
    time.sleep(0.3)
    assert (tmp_path / "alive").stat().st_size == size > 0
