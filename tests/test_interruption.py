"""Signals end a block, a process, or a training after the current step."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from remedis import interruption
from remedis.cli import exit_status
from remedis.errors import UserError


def send(number):
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def handlers_as_before():
    before = [signal.getsignal(number) for number in interruption.SIGNALS]
    threads = threading.active_count()
    yield
    assert [signal.getsignal(number) for number in interruption.SIGNALS] == before
    assert threading.active_count() == threads
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize(
    ("number", "status", "name"),
    [(signal.SIGTERM, 143, "SIGTERM"), (signal.SIGINT, 130, "SIGINT"), (signal.SIGHUP, 129, "SIG")],
)
def test_a_signal_ends_the_block_with_its_status(number, status, name):
    left = []

    def work():
        try:
            send(number)
            time.sleep(10)
        finally:
            left.append("cleaned up")

    with (
        pytest.raises(interruption.Interrupted, match=f"^Stopped by {name}") as ended,
        interruption.handled(),
    ):
        work()
    assert ended.value.status == status
    assert left == ["cleaned up"]


@pytest.mark.parametrize(
    ("of", "line"),
    [
        (exit_status.of_job, "Stopped by SIGTERM; the same command resumes.\n"),
        (exit_status.of_command, "Stopped by SIGTERM.\n"),
    ],
)
def test_a_command_ends_with_one_line(of, line, capsys):
    assert of(lambda: send(signal.SIGTERM) or time.sleep(10) or 0) == 143
    assert capsys.readouterr() == ("", line)


def test_the_place_in_the_work_is_in_the_line(capsys):
    def work():
        with interruption.deferred() as end:
            send(signal.SIGINT)
            assert end.number == signal.SIGINT
            raise interruption.Interrupted(end.number, "after step 120 of 2,000")

    assert exit_status.of_job(work) == 130
    line = "Stopped by SIGINT after step 120 of 2,000; the same command resumes.\n"
    assert capsys.readouterr().err == line


def test_a_part_that_is_not_kept_ends_at_once():
    kept = []

    def work():
        with interruption.deferred() as end:
            assert end.number is None
            with end.at_once():
                kept.append("an evaluation")
            try:
                with end.at_once():
                    send(signal.SIGTERM)
                    time.sleep(10)
            except interruption.Interrupted:
                kept.append("a checkpoint")
            with end.at_once():  # what begins after a signal
                kept.append("nothing")

    with pytest.raises(interruption.Interrupted), interruption.handled():
        work()
    assert kept == ["an evaluation", "a checkpoint"]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as `nohup` does
    try:
        with interruption.handled():
            send(signal.SIGHUP)
            time.sleep(0.01)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_come_back_after_a_library_replaced_them():
    def work():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        interruption.handle_again()
        send(signal.SIGTERM)
        time.sleep(10)

    with pytest.raises(interruption.Interrupted), interruption.handled():
        work()
    interruption.handle_again()  # changes nothing outside


def test_the_library_alone_changes_no_handler():
    before = signal.getsignal(signal.SIGTERM)
    with interruption.deferred() as end, end.at_once():
        assert signal.getsignal(signal.SIGTERM) is before
        assert end.number is None


def test_another_thread_changes_no_handler():
    def block():
        with interruption.handled():
            found.append(signal.getsignal(signal.SIGTERM))

    found = []
    thread = threading.Thread(target=block)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_an_error_of_a_library_in_between_counts_as_the_signal():
    def callback():
        try:
            send(signal.SIGTERM)
            time.sleep(10)
        except BaseException as error:
            raise RuntimeError("KeyboardInterrupt in py_function") from error

    with pytest.raises(interruption.Interrupted), interruption.handled():
        callback()


def test_a_full_disk_while_stopping_is_still_said():
    def work():
        with interruption.deferred():
            send(signal.SIGTERM)
            raise UserError("no room for the checkpoint")

    with pytest.raises(UserError, match="no room"), interruption.handled():
        work()


def process(body):
    """A process that has printed a line when its work began."""
    code = (
        "import hashlib, time\nfrom remedis import interruption\n"
        f"with interruption.handled():\n{body}"
    )
    command = [sys.executable, "-c", code]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert started.stdout.readline() == "begun\n"
    return started


def test_a_second_signal_ends_a_long_step():
    started = process(
        "    with interruption.deferred():\n"
        "        print('begun', flush=True)\n"
        "        # C code that looks for no signal, as a step of TensorFlow\n"
        "        hashlib.pbkdf2_hmac('sha256', b'', b'', 10**8)"
    )
    started.send_signal(signal.SIGINT)
    time.sleep(0.2)
    started.send_signal(signal.SIGTERM)
    assert started.communicate(timeout=10) == ("", "Stopped by SIGTERM.\n")
    assert started.returncode == 143


def test_work_that_does_not_end_is_ended():
    started = process(
        "    interruption.PATIENCE_SECONDS = 0.4\n"
        "    while True:\n"
        "        try:\n"
        "            print('begun', flush=True)\n"
        "            time.sleep(10)\n"
        "        except BaseException:  # as a callback loses it\n"
        "            continue"
    )
    started.send_signal(signal.SIGTERM)
    assert started.communicate(timeout=10)[1] == "Stopped by SIGTERM.\n"
    assert started.returncode == 143
