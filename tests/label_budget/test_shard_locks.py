"""Processes that share a study. Threads stand for them: the kernel's locks tell them apart, too."""

import contextlib
import os
import re
import threading

import pytest

from remedis import locks
from remedis.errors import UserError
from remedis.label_budget import shard_locks
from remedis.label_budget.settings import Shard

CONFIG = {"seeds": 2, "ood": {"steps": 3, "cache_gb": 1.0}, "budgets": (0, 5)}


@contextlib.contextmanager
def by_another_process(workdir, shard, config=CONFIG):
    """Has the lock of a shard as another process of this host has it."""
    with shard_locks.held(workdir, shard, config):
        before, locks._own_tokens = locks._own_tokens, set()
        try:
            yield
        finally:
            locks._own_tokens = before


def refused(workdir, shard, message, config=CONFIG):
    with pytest.raises(UserError, match=message):
        shard_locks.held(workdir, shard, config).__enter__()


def test_shards_of_one_number_run_together_and_each_once(tmp_path):
    with by_another_process(tmp_path, Shard(1, 2)):
        with shard_locks.held(tmp_path, Shard(2, 2), CONFIG):
            assert list(shard_locks.others(tmp_path)) == [Shard(1, 2)]
        what = re.escape(f"--workdir={tmp_path}, shard 1/2, is in use by process {os.getpid()} ")
        refused(tmp_path, Shard(1, 2), f"^{what}")
    assert os.listdir(tmp_path) == []


def test_a_study_is_not_merged_while_shards_run(tmp_path):
    for folder in (tmp_path, tmp_path / "ood" / "other"):
        (folder / "cells").mkdir(parents=True)
        for name in ("a.npz", "b.npz", ".c.partial-1.npz"):
            (folder / "cells" / name).touch()
    with by_another_process(tmp_path, Shard(2, 4)), by_another_process(tmp_path, Shard(3, 4)):
        expected = (
            rf"^--workdir=.* is in use by shard 2/4 \(process {os.getpid()} on host .* since .*\) "
            "and 1 more, with 4 cells finished so far: wait until they end, or stop them, and "
            r"start again\.$"
        )
        refused(tmp_path, None, expected)
        refused(tmp_path, Shard(1, 3), expected)
    with shard_locks.held(tmp_path, None, CONFIG):
        pass


def test_one_process_merges_at_a_time_also_while_shards_run(tmp_path):
    with by_another_process(tmp_path, Shard(1, 2)):
        with shard_locks.merging(tmp_path, CONFIG):
            what = re.escape(f"--workdir={tmp_path}, its merge, is in use by process {os.getpid()}")
            with pytest.raises(UserError, match=f"^{what}"):
                shard_locks.merging(tmp_path, CONFIG).__enter__()
            with shard_locks.held(tmp_path, Shard(2, 2), CONFIG):
                pass  # a merge hinders no shard
        other = {**CONFIG, "seeds": 3}
        with pytest.raises(UserError, match=r"by shard 1/2 \(.*\) with another config; processes"):
            shard_locks.merging(tmp_path, other).__enter__()
    with shard_locks.merging(tmp_path, CONFIG), shard_locks.held(tmp_path, None, CONFIG):
        pass
    assert os.listdir(tmp_path) == []


def test_the_last_process_waits_for_one_that_merges(tmp_path, monkeypatch):
    waited = []
    with contextlib.ExitStack() as other:
        other.enter_context(shard_locks.merging(tmp_path, CONFIG))
        monkeypatch.setattr(locks, "_own_tokens", set())  # as another process has it

        def sleep(seconds):
            waited.append(seconds)
            other.close()

        monkeypatch.setattr(shard_locks.time, "sleep", sleep)
        with shard_locks.merging_at_the_end(tmp_path):
            assert waited == [1]


def test_no_shard_starts_while_the_whole_study_runs(tmp_path):
    with by_another_process(tmp_path, None):
        refused(tmp_path, Shard(1, 2), r"is in use by the whole study \(process .*\), with 0 cells")
        refused(tmp_path, None, r"^--workdir=\S+ is in use by process")


def test_shards_that_run_together_have_one_config(tmp_path):
    with by_another_process(tmp_path, Shard(1, 2)):
        other = {**CONFIG, "budgets": (0, 5, 10)}
        refused(tmp_path, Shard(2, 2), r"is in use by shard 1/2 \(.*\) with another config;", other)
        memory = {**CONFIG, "ood": {"steps": 3, "cache_gb": 9.0}}
        with shard_locks.held(tmp_path, Shard(2, 2), memory):
            pass


def test_shards_that_start_at_once_never_end_with_none(tmp_path):
    """Each of several that may run together does, whatever the moment."""
    failed, ready = [], threading.Barrier(6)

    def start(number):
        ready.wait()
        try:
            with shard_locks.held(tmp_path, Shard(number, 6), CONFIG):
                ready.wait()
        except UserError as error:
            failed.append(error)
            ready.abort()

    threads = [threading.Thread(target=start, args=[number]) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert os.listdir(tmp_path) == []
