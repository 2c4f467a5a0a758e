import os

import pytest

from remedis import files, locks
from remedis.errors import UserError
from remedis.training import run_once as job
from remedis.training.distribution import Distribution

CONFIG = {"seed": 0}


def work(run, _):
    files.write_json(run / "results.json", {"lock": sorted(os.listdir(run.path))})


def test_a_run_has_its_directory_for_itself(tmp_path):
    run = tmp_path / "run"
    with locks.held(locks.file_in(run), "a run"):
        with pytest.raises(UserError, match=f"^--workdir={run} is in use by process {os.getpid()}"):
            job.run_once(run, CONFIG, "none", work)
        assert os.listdir(run) == [".lock"]
    assert job.run_once(run, CONFIG, "none", work) == {"lock": [".lock", "config.json"]}
    assert sorted(os.listdir(run)) == ["config.json", "results.json"]


def test_a_run_that_fails_leaves_no_lock(tmp_path):
    def fail(run, _):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        job.run_once(tmp_path, CONFIG, "none", fail)
    assert os.listdir(tmp_path) == ["config.json"]


def test_a_finished_run_is_read_while_its_directory_is_in_use(tmp_path):
    found = job.run_once(tmp_path, CONFIG, "none", work)
    with locks.held(locks.file_in(tmp_path), "a run"):
        assert job.run_once(tmp_path, CONFIG, "none", work) == found


def test_the_first_of_several_workers_has_the_lock_for_all(tmp_path, monkeypatch):
    strategy = Distribution.from_name("none").strategy
    monkeypatch.setattr(
        Distribution, "from_name", classmethod(lambda cls, _: cls(strategy, worker=1, workers=2))
    )
    monkeypatch.setattr(Distribution, "wait", lambda _: None)

    def chief(run, _):
        files.write_json(run.shared / "results.json", {})

    with locks.held(locks.file_in(tmp_path), "a run"):
        assert job.run_once(tmp_path, CONFIG, "multi_worker", chief) == {}
