"""Embeddings of archives: every image once, whatever is killed, and none of the list in memory."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import remedis
from remedis.errors import UserError
from remedis.inference import archive_listing, archive_parts, embedding_file

CHECKPOINT = "scratch:1-1-1-1x0.5"
# Names whose order differs from that of their paths as texts.
TRICKY = ("a.png", "a/b.png", "a/b/c.jpg", "a-b/c.png", "a b.PNG", "ä/1.dcm", "b.jpeg")


def write(folder: pathlib.Path, names) -> pathlib.Path:
    for number, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (32, 32), np.uint8)
        Image.fromarray(pixels).save(path, format="PNG")
    return folder


def listed(lists):
    return [archive_listing.read(lists, part) for part in archive_listing.parts(lists)]


def all_listed(lists):
    return sorted(name for part in listed(lists) for name in part)


def test_each_image_is_in_one_part_however_often_the_archive_is_listed(tmp_path, caplog):
    root, lists = tmp_path / "archive", tmp_path / "lists"
    for name in (*TRICKY, "notes.txt", ".hidden.png", "__MACOSX/a.png", "a/._b.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    (root / "z").symlink_to(root / "a")
    assert archive_listing.extend(root, lists, 3) == len(TRICKY)
    assert "skipped 1 file without the name of an image" in caplog.text
    assert "skipped 1 link to directories" in caplog.text
    assert [len(part) for part in listed(lists)] == [3, 3, 1]
    assert all_listed(lists) == sorted(TRICKY)
    before = {path.name: path.read_bytes() for path in lists.iterdir()}
    assert archive_listing.extend(root, lists, 3) == 0
    # As after a kill: the last parts are missing, and others came meanwhile.
    (lists / "0000-000002.txt").unlink()
    more = ("0/first.png", "a/b/d.jpg", "a.jpg", "z.png")
    write(root, more)
    assert archive_listing.extend(root, lists, 2) == 1 + len(more)
    assert all_listed(lists) == sorted((*TRICKY, *more))
    write(root, ["a/b/e.png"])
    assert archive_listing.extend(root, lists, 2) == 1
    assert all_listed(lists) == sorted((*TRICKY, *more, "a/b/e.png"))
    del before["0000-000002.txt"]
    assert {name: (lists / name).read_bytes() for name in before} == before


def test_ten_thousand_names_are_listed_a_folder_at_a_time(tmp_path, monkeypatch):
    class Entry:
        def __init__(self, path, folder):
            self.path, self.name, self.folder = path, os.path.basename(path), folder

        def is_dir(self, follow_symlinks=True):
            return self.folder

    alive = []

    def entries(folder):
        depth = folder.count(os.sep) - str(tmp_path).count(os.sep)
        alive.append(folder)
        names = [f"{folder}/{i:02}{'' if depth < 1 else '.png'}" for i in range(100)]
        yield from (Entry(name, depth < 1) for name in names)
        alive.remove(folder)

    monkeypatch.setattr(archive_listing, "_entries", entries)
    open_folders = [len(alive) for _ in archive_listing._walk(tmp_path)]
    assert (len(open_folders), max(open_folders)) == (10_000, 2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Five readable images and one other, in one part, and the rows of its images by `embed`."""
    folder = tmp_path_factory.mktemp("archive")
    root = write(folder / "images", [f"{i // 2}/{i}.png" for i in range(5)])
    (root / "1" / "bad.png").write_text("no image")
    embedded = remedis.embed(
        CHECKPOINT, root, preprocess="resize(32)", store=folder / "store", batch_size=4
    )
    return root, embedded


def test_a_part_has_the_rows_of_embed(archive, tmp_path):
    root, embedded = archive
    work = archive_parts.Work(
        str(root), str(tmp_path), CHECKPOINT, "resize(32)", "embedding", 4, None
    )
    assert archive_listing.extend(root, tmp_path / "lists", 10) == 6
    archive_parts.embed_part("0000-000000", work)
    file = embedding_file.read(tmp_path / "rows" / "0000-000000.parquet")
    assert file.table["path"].tolist() == embedded.manifest.table["path"].tolist()
    assert file.table["sha256"].tolist() == embedded.scanned["sha256"].tolist()
    np.testing.assert_array_equal(file.rows, embedded.rows)
    assert file.record["weights"] == embedded.record["weights"]
    faults = pd.read_csv(tmp_path / "unreadable" / "0000-000000.csv")
    assert faults["path"].tolist() == ["1/bad.png"]
    # A finished part is not computed again, and one without any image is finished, too.
    before = file.path.stat().st_mtime_ns
    archive_parts.embed_part("0000-000000", work)
    assert file.path.stat().st_mtime_ns == before
    (root / "more").mkdir()
    (root / "more" / "bad.png").write_text("no image")
    assert archive_listing.extend(root, tmp_path / "lists", 10) == 1
    archive_parts.embed_part("0001-000000", work)
    assert embedding_file.read(tmp_path / "rows" / "0001-000000.parquet").rows.shape == (0, 1024)
    (root / "more" / "bad.png").unlink()
    with pytest.raises(UserError, match="A worker finds other weights at scratch"):
        archive_parts.network(dataclasses.replace(work, weights="1" * 64))


def test_what_does_not_go_with_a_runner_is_a_sentence(archive, tmp_path):
    pytest.importorskip("apache_beam")
    root, _ = archive

    def refused(match, data=root, out=tmp_path / "out", **named):
        with pytest.raises(UserError, match=match):
            remedis.embed_archive(CHECKPOINT, data, out, preprocess="resize(32)", **named)

    refused("is no directory; expected the directory of the images", data=root / "0" / "0.png")
    refused("Beam has no runner 'DirektRunner' here", runner="DirektRunner")
    refused("does not begin with --", runner_options=["workers=2"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    refused("is not empty, and has no archive.json; name a new directory", out=tmp_path / "mine")
    (tmp_path / "none").mkdir()
    refused("none has no images; name another directory", data=tmp_path / "none")
    # The directory has now embeddings of another directory's images.
    refused("was made with data none, and not images; name another directory")


def command(root, out, *more):
    arguments = [CHECKPOINT, root, f"--out={out}", "--preprocess=resize(32)", "--runner", *more]
    return [sys.executable, "-m", "remedis.cli", "embed", *map(str, arguments)]


def check_all_once(root, out):
    rows = pd.read_parquet(out / "rows")
    images = {str(path.relative_to(root)) for path in root.rglob("*.png")}
    assert rows["path"].is_unique
    assert set(rows["path"]) == images
    return rows.sort_values("path", ignore_index=True)


@pytest.mark.guarantee
def test_two_workers_one_killed_and_a_killed_run_end_with_every_row_once(tmp_path):
    pytest.importorskip("apache_beam")
    root, out = (
        write(tmp_path / "images", [f"{i // 20}/{i}.png" for i in range(160)]),
        tmp_path / "o",
    )
    options = ("DirectRunner", "--images-per-file=4", "--batch-size=4", "--")
    two = (*options, "--direct_num_workers=2", "--direct_running_mode=multi_processing")

    def finished():
        return len(list((out / "rows").glob("[!.]*.parquet")))

    def wait_for(parts, running):
        until = time.monotonic() + 200
        while finished() < parts and running.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert running.poll() is None

    log = (tmp_path / "log.txt").open("w")
    # The whole run is killed first, with its workers.
    killed = subprocess.Popen(
        command(root, out, *two), stdout=log, stderr=log, start_new_session=True
    )
    wait_for(2, killed)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    left = finished()
    assert 2 <= left < 40
    running = subprocess.Popen(
        command(root, out, *two), stdout=log, stderr=log, start_new_session=True
    )
    try:
        wait_for(left + 2, running)
        workers = [
            pid
            for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
            if is_worker(pid, running.pid)
        ]
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        assert running.wait(timeout=300) == 0, (tmp_path / "log.txt").read_text()
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
    assert "going on with what is left" in (tmp_path / "log.txt").read_text()
    assert finished() == 40
    rows = check_all_once(root, out)
    embedded = remedis.embed(CHECKPOINT, root, preprocess="resize(32)", store=tmp_path / "store")
    assert rows["path"].tolist() == sorted(embedded.manifest.table["path"])
    order = embedded.manifest.table["path"].argsort()
    np.testing.assert_allclose(np.stack(rows["embedding"]), embedded.rows[order], atol=1e-4)


def is_worker(pid: int, session: int) -> bool:
    """Whether a process is a worker of Beam in a session."""
    try:
        words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return os.getsid(pid) == session and b"apache_beam.runners.worker.sdk_worker_main" in words
    except (OSError, ProcessLookupError):
        return False
