"""Progress on a clock that the tests advance."""

import io
import logging

import pytest
from rich.console import Console

from remedis import progress as module
from remedis.progress import duration, progress


@pytest.fixture
def clock(monkeypatch, caplog):
    """Returns a function that lets seconds pass."""
    caplog.set_level(logging.INFO, logger="remedis")
    now = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])

    def passes(seconds):
        now[0] += seconds

    return passes


@pytest.fixture
def terminal(monkeypatch):
    """Makes standard error a terminal of 120 columns, whose text is returned."""
    text = io.StringIO()
    monkeypatch.setattr(
        module,
        "Console",
        lambda **_: Console(file=text, force_terminal=True, width=120, color_system=None),
    )
    return text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (89, "89 s"),
        (600, "10 min"),
        (5400, "1.5 h"),
        (172_799, "48.0 h"),
        (216_000, "2.5 days"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_the_time_left_leaves_out_the_first_step(clock, caplog):
    with progress("Training", 12) as report:
        clock(100)  # traces functions
        report(1, "steps")
        for done in range(2, 13):
            clock(20)
            report(done, "steps")
    assert caplog.messages[0] == "Training 1/12 steps"
    assert caplog.messages[1] == "Training 2/12 steps, about 3 min left"
    assert caplog.messages[-2:] == ["Training 11/12 steps, about 20 s left", "Training 12/12 steps"]


def test_steps_of_an_earlier_process_are_done_but_tell_no_rate(clock, caplog):
    with progress("Training", 1000, 900) as report:
        clock(60)
        report(901, "steps")
        clock(60)
        report(902, "steps")
    assert caplog.messages[-1] == "Training 902/1,000 steps, about 1.6 h left"


def test_even_work_tells_its_time_after_the_first_step(clock, caplog):
    with progress("Candidates", 4, 1, even=True) as report:
        clock(3600)
        report(2, "trained")
    assert caplog.messages == ["Candidates 2/4 trained, about 2.0 h left"]


def test_a_time_that_is_known_better_is_taken(clock, caplog):
    with progress("Cells", 4) as report:
        clock(20)
        report(1, "done", "left: about 7 min")
        clock(20)
        report(2, "done", lambda: "")
    assert caplog.messages == ["Cells 1/4 done, left: about 7 min", "Cells 2/4 done"]


def test_lines_come_now_and_then_and_rarer_in_long_work(clock, caplog):
    with progress("Training", 40_000) as report:
        for done in range(1, 36_000):
            clock(1)
            report(done, "steps")
            if done == 300:
                early = len(caplog.messages)
    assert early == 30
    assert 36_000 / 60 <= len(caplog.messages) <= 36_000 / 60 + 60


def test_words_are_made_only_when_they_are_shown(clock, caplog):
    asked = []
    with progress("Training", 100) as report:
        for done in range(1, 31):
            clock(1)
            report(done, lambda done=done: asked.append(done) or f"steps, loss {done}")
    assert asked == [10, 20, 30]
    assert caplog.messages[1] == "Training 20/100 steps, loss 20, about 80 s left"


def test_short_work_within_another_has_no_lines(clock, caplog):
    with progress("Cells", 2) as outer:
        with progress("Training", 5) as inner:
            for done in range(1, 6):
                clock(1)
                inner(done, "steps")
        with progress("Training", 2) as inner:
            clock(11)
            inner(1, "steps")
            clock(1)
            inner(2, "steps")
        outer(1, "done")
    assert caplog.messages == ["Training 1/2 steps", "Training 2/2 steps", "Cells 1/2 done"]


def test_one_step_has_no_line(clock, caplog):
    with progress("Scanning", 1) as report:
        report(1, "images")
    assert caplog.messages == []


def test_a_terminal_has_one_bar_per_work(clock, terminal, caplog):
    with progress("Cells", 8) as outer:
        with progress("Training", 100) as inner:
            clock(5)
            inner(1, "steps, loss 0.7")
            clock(70)
            inner(2, "steps, loss 0.6")
            module._BAR.get().refresh()
        outer(1, "done")
        module._BAR.get().refresh()
        last = terminal.getvalue().rpartition("Cells")[2]
    text = terminal.getvalue()
    assert "2/100 steps, loss 0.6, about 1.9 h left" in text
    assert "1/8   done" in last or "1/8 done" in last
    assert "Training" not in last
    assert caplog.messages == []
    assert module._BAR.get() is None


def test_an_error_in_the_work_goes_through(terminal):
    with pytest.raises(KeyError), progress("Cells", 8), progress("Training", 8):
        raise KeyError
    assert module._BAR.get() is None
    assert not module._OUTER.get()


def test_a_bar_shows_hostile_names_as_they_are(terminal):
    with progress("[/x] a\x1b]0;t\n", 2) as report:
        report(2, "of [/y]\x1b[2J\u202e")
    shown = terminal.getvalue()
    assert r"[/x] a\x1b]0;t\n" in shown
    assert r"of [/y]\x1b[2J\u202e" in shown
    assert "\x1b]" not in shown
    assert "\x1b[2J" not in shown
