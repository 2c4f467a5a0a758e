import functools
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import threading

import pytest
from zoo_helpers import TINY, said

from remedis.zoo import card, checkpoint, licences, pack
from remedis.zoo.seen_images import FILE, SeenImages

MEMBERS = {
    "MODEL_CARD.md",
    "assets",
    "fingerprint.pb",
    "metadata.json",
    "remedis.json",
    "saved_model.pb",
    "variables",
    "variables/variables.data-00000-of-00001",
    "variables/variables.index",
}


@pytest.fixture
def folder(tmp_path, tiny_export):
    return shutil.copytree(tiny_export, tmp_path / "folder")


def with_seen(folder):
    """Writes `seen.json` and the card that belongs to it."""
    SeenImages.from_hashes(["ab" * 32]).write(folder)
    values = json.loads((folder / "remedis.json").read_text())
    (folder / "MODEL_CARD.md").write_text(card.text(values, with_seen_images=True))
    return folder


def unpacked(archive, to):
    with tarfile.open(archive) as opened:
        opened.extractall(to, filter="data")
    return to


def test_the_archive_has_the_files_at_its_root_and_tells_nothing_of_the_machine(folder, tmp_path):
    packed = pack.pack(folder, tmp_path / "cxr.tar.gz")
    assert packed.sha256 == hashlib.sha256(packed.archive.read_bytes()).hexdigest()
    assert packed.bytes == packed.archive.stat().st_size
    assert (packed.left_out, packed.seen, packed.reference) == ((), None, None)
    assert packed.handle == "OWNER/cxr-50x1-remedis-m/TensorFlow2/default/1"
    assert licences.unchecked(packed.licences)
    with tarfile.open(packed.archive) as archive:
        members = archive.getmembers()
    assert {member.name for member in members} == MEMBERS
    assert set(packed.members) == MEMBERS - {"assets", "variables"}
    for member in members:
        assert member.isfile() or member.isdir()
        assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
        assert (member.uname, member.gname) == ("", "")
    copy = unpacked(packed.archive, tmp_path / "copy")
    assert checkpoint.describe(copy) == checkpoint.describe(folder)
    for name in packed.members:
        assert (copy / name).read_bytes() == (folder / name).read_bytes()


def test_the_same_files_give_the_same_bytes(folder, tmp_path):
    first = pack.pack(folder, tmp_path / "a.tar.gz")
    other = shutil.copytree(folder, tmp_path / "other")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    second = pack.pack(other, tmp_path / "b.tgz")
    assert first.archive.read_bytes() == second.archive.read_bytes()


def test_images_of_the_training_stay_at_home_unless_asked_for(folder, tmp_path):
    with_seen(folder)
    without = pack.pack(folder, tmp_path / "a.tar.gz")
    assert (without.seen, without.left_out) == (False, (FILE,))
    copy = unpacked(without.archive, tmp_path / "a")
    assert not (copy / FILE).exists()
    assert FILE not in (copy / "MODEL_CARD.md").read_text()
    values = json.loads((folder / "remedis.json").read_text())
    assert (copy / "MODEL_CARD.md").read_text() == card.text(values)
    included = pack.pack(folder, tmp_path / "b.tar.gz", with_seen=True)
    copy = unpacked(included.archive, tmp_path / "b")
    assert (included.seen, included.left_out) == (True, ())
    assert (copy / FILE).read_bytes() == (folder / FILE).read_bytes()
    assert "## The images it has seen" in (copy / "MODEL_CARD.md").read_text()


def test_embeddings_of_patients_stay_at_home_unless_asked_for(folder, tmp_path):
    (folder / "run.json").write_text("{}")
    (folder / "reference.npz").write_bytes(b"embeddings")
    without = pack.pack(folder, tmp_path / "a.tar.gz", with_seen=True)
    assert (without.reference, without.seen) == (False, None)
    assert without.left_out == ("reference.npz",)
    assert "run.json" in without.members
    included = pack.pack(folder, tmp_path / "b.tar.gz", with_reference=True)
    assert (included.reference, included.left_out) == (True, ())
    copy = unpacked(included.archive, tmp_path / "b")
    assert (copy / "reference.npz").read_bytes() == b"embeddings"


def test_a_card_that_was_edited_keeps_its_words(folder, tmp_path):
    with_seen(folder)
    edited = (folder / "MODEL_CARD.md").read_text().replace("## Use", "## Authors\n\nWe.\n\n## Use")
    (folder / "MODEL_CARD.md").write_text(edited)
    packed = pack.pack(folder, tmp_path / "a.tar.gz")
    text = (unpacked(packed.archive, tmp_path / "a") / "MODEL_CARD.md").read_text()
    assert "## Authors\n\nWe." in text
    assert FILE not in text


def test_files_that_are_no_part_of_an_export_are_left_out_and_named(folder, tmp_path):
    (folder / "notes.txt").write_text("patient Meier")
    (folder / "variables" / "old.csv").write_text("patient Meier")
    (folder / "more").mkdir()
    packed = pack.pack(folder, tmp_path / "a.tar.gz")
    assert packed.left_out == ("more", "notes.txt", "variables/old.csv")
    assert set(packed.members) == MEMBERS - {"assets", "variables"}


def test_a_run_stands_for_its_export(folder, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "config.json").write_text("{}")
    assert "has no export yet" in said(pack.pack, run, tmp_path / "a.tar.gz")
    shutil.move(folder, run / "export")
    assert set(pack.pack(run, tmp_path / "a.tar.gz").members) == MEMBERS - {"assets", "variables"}


def test_links_within_the_folder_are_files_and_others_are_refused(folder, tmp_path):
    blob = folder / "blob"
    shutil.move(folder / "saved_model.pb", blob)
    (folder / "saved_model.pb").symlink_to(blob.name)
    pack.pack(folder, tmp_path / "a.tar.gz")
    with tarfile.open(tmp_path / "a.tar.gz") as archive:
        assert archive.getmember("saved_model.pb").isfile()
    secret = tmp_path / "secret"
    secret.write_bytes(blob.read_bytes())
    (folder / "saved_model.pb").unlink()
    (folder / "saved_model.pb").symlink_to(secret)
    assert "is a link that leads out of the folder; pack a copy: cp -rL" in said(
        pack.pack, folder, tmp_path / "b.tar.gz"
    )
    assert not (tmp_path / "b.tar.gz").exists()


def test_a_pipe_in_the_folder_is_refused_without_waiting(folder, tmp_path):
    (folder / "fingerprint.pb").unlink()
    os.mkfifo(folder / "fingerprint.pb")
    assert "a pipe (FIFO)" in said(pack.pack, folder, tmp_path / "a.tar.gz")


def test_what_cannot_be_packed(folder, tmp_path):
    there = tmp_path / "there.tar.gz"
    there.write_text("keep me")
    assert "exists already" in said(pack.pack, folder, there)
    assert there.read_text() == "keep me"
    assert "expected a name that ends in .tar.gz or .tgz" in said(
        pack.pack, folder, tmp_path / "a.zip"
    )
    (tmp_path / "empty").mkdir()
    assert said(pack.pack, tmp_path / "empty", tmp_path / "a.tar.gz")
    (folder / "remedis.json").unlink()
    assert "has no remedis.json: only folders that remedis wrote" in said(
        pack.pack, folder, tmp_path / "a.tar.gz"
    )
    assert not (tmp_path / "a.tar.gz").exists()


def test_an_archive_is_whole_or_not_there(folder, tmp_path, monkeypatch):
    def broken(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", broken)
    with pytest.raises(OSError, match="No space"):
        pack.pack(folder, tmp_path / "a.tar.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


LOADED = """
import sys
import tensorflow_hub as hub
import numpy as np
print(hub.load(sys.argv[1])(np.zeros([1, 64, 64, 3], "float32")).shape)
"""


@pytest.mark.guarantee
def test_tf_hub_loads_the_unpacked_folder_and_the_archive_from_a_server(folder, tmp_path):
    packed = pack.pack(folder, tmp_path / "cxr.tar.gz")
    copy = unpacked(packed.archive, tmp_path / "copy")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/cxr.tar.gz"

    def loaded(handle):
        environment = {**os.environ, "TFHUB_CACHE_DIR": str(tmp_path / "cache")}
        command = [sys.executable, "-c", LOADED, str(handle)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    try:
        for handle in (copy, address):
            done = loaded(handle)
            assert f"(1, 2, 2, {TINY.map_channels})" in done.stdout, done.stderr
    finally:
        server.shutdown()
    # From the cache, without the server.
    assert loaded(address).returncode == 0
    refused = loaded(packed.archive)
    assert refused.returncode != 0
    assert pathlib.Path(packed.archive).exists()
