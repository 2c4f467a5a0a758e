"""Exports hold no name of the machine that made them: paths, user, patients, names of files."""

import pathlib
import shlex
import socket
import sys
import zipfile

import numpy as np
import pandas as pd
import pytest
from bit_weights import head, save_npz
from bit_weights import weights as bit_weights
from json_file import read_json
from PIL import Image

from remedis.zoo import export

USER, HOST, HOSPITAL = "alice-qzvkwxuser", "host-qzvkwxname", "Klinik qzvkwx, Nord"
REPOSITORY = str(pathlib.Path(__file__).parents[1])


def strings_of(folder):
    """Yields the bytes of every file, of the members of archives, and the names."""
    for file in sorted(folder.rglob("*")):
        yield str(file.relative_to(folder)), str(file.relative_to(folder)).encode()
        if file.is_file():
            yield str(file.relative_to(folder)), file.read_bytes()
            if zipfile.is_zipfile(file):
                with zipfile.ZipFile(file) as archive:
                    for name in archive.namelist():
                        yield f"{file.name}/{name}", archive.read(name)


def told(folder, *more):
    """Returns which secrets are in which file, in any encoding that a library may write."""
    secrets = (USER, HOST, "qzvkwx", sys.prefix, REPOSITORY, *more)
    return {
        (name, secret)
        for name, content in strings_of(folder)
        for secret in secrets
        for encoding in ("utf-8", "utf-16-le", "utf-16-be")
        if secret.encode(encoding) in content
    }


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A user's home with a hospital's data under it, on a host with a name."""
    home = tmp_path / USER
    for variable, value in (("HOME", str(home)), ("USER", USER), ("LOGNAME", USER)):
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    rng = np.random.default_rng(0)
    for site in "abc":
        data = home / HOSPITAL / site
        (data / "qzvkwximages").mkdir(parents=True)
        rows = []
        for i in range(60):
            pixels = rng.integers(0, 120, (32, 32), dtype=np.uint8)
            pixels[5 : 5 + 12 * (i % 2), 5:17] = 240
            Image.fromarray(pixels).save(data / f"qzvkwximages/Meier_{i}.png")
            clinic = f"qzvkwx clinic {i // 2 % 2}"
            row = f"qzvkwximages/Meier_{i}.png", f"qzvkwx{site}{i // 2:05}", i % 2, clinic
            rows.append(row)
        table = pd.DataFrame(rows, columns=["path", "patient_id", "square", "site"])
        table.to_csv(data / "manifest.csv", index=False)
    monkeypatch.chdir(home / HOSPITAL)
    return home


def called(monkeypatch, *words):
    """Makes a command line that of the process; returns it as a shell would take it."""
    monkeypatch.setattr(sys, "argv", [f"/usr/{USER}/bin/remedis", *words])
    return shlex.join(sys.argv)


def check(folder, command):
    assert told(folder, str(folder.parent), "Meier_") == set()
    assert read_json(folder / export.DESCRIPTION)["provenance"]["command"] == command
    assert command in (folder / export.CARD).read_text(encoding="utf-8")


@pytest.mark.guarantee
def test_exports_of_all_kinds_tell_no_name_of_the_machine(machine, monkeypatch):
    from configs import own_data, pretrain_own
    from remedis.data import manifest
    from remedis.finetuning.finetune import finetune
    from remedis.inference import exported, recalibrate, rescore
    from remedis.models.architectures import Architecture
    from remedis.pretraining.pretrain import pretrain
    from remedis.zoo import builder

    tiny = Architecture((1, 1, 1, 1), 0.5)
    monkeypatch.setattr(Architecture, "parse", classmethod(lambda cls, name: tiny))
    site_a, site_b, site_c = (machine / HOSPITAL / site for site in "abc")
    weights = machine / "BiT-M-tiny.npz"
    save_npz(weights, bit_weights(tiny) | head(tiny))
    command = called(monkeypatch, "build", f"--weights=bit:{weights}", f"--out={machine}/zoo")
    built = builder.build("cxr-50x1-remedis-m", f"bit:{weights}", machine / "zoo", command=command)
    check(built, "remedis build --weights=bit:BiT-M-tiny.npz --out=zoo")

    small = {"image_size": 32, "batch_size": 8, "steps": 4, "evaluate_every": 2, "log_every": 2}
    called(monkeypatch, "pretrain", f"--config.data=csv={site_b}", f"--workdir={machine}/pre")
    config = pretrain_own.get_config()
    config.update(small | {"checkpoint": str(built), "data": f"csv={site_b}", "epochs": 0.0})
    pretrain(config, machine / "pre")
    check(machine / "pre" / "export", "remedis pretrain --config.data=csv=b --workdir=pre")

    called(monkeypatch, "finetune", f"--config.data_dir={site_a}", f"--workdir={machine}/run")
    config = own_data.get_config()
    asked = {"checkpoint": str(machine / "pre"), "data_dir": str(site_a), "labels": ("square",)}
    config.update(small | asked | {"learning_rate": 1.0, "resamples": 50})
    finetune(config, machine / "run")
    run_command = "remedis finetune --config.data_dir=a --workdir=run"
    check(machine / "run" / "export", run_command)
    for name in ("run.json", "reference.npz"):
        assert (machine / "run/export" / name).is_file()
    environment = read_json(machine / "run" / "environment.json")
    assert f"--config.data_dir={site_a}" in environment["command"]

    model = exported.load(machine / "run")
    other = manifest.read_csv(site_c / "manifest.csv", ("square",))
    scored = rescore.score(model, other, machine / "calibrated.data")
    judges = recalibrate.judged_rows(scored, share=0.4)
    recalibrate.recalibrate(
        model, scored, "platt", machine / "calibrated", judges=judges, resamples=50
    )
    check(machine / "calibrated", run_command)
    record = read_json(machine / "calibrated/run.json")
    assert record["config"]["data_dir"] == "a"
    assert record["config"]["checkpoint"] == "pre"
    assert record["data"] == "images of c/manifest.csv that chose nothing"
    assert record["test"]["labels"]["square"]["patients"]
    assert "site" in read_json(machine / "run/results.json")["test"]["subgroups"]
    assert (machine / "calibrated/reference.npz").read_bytes() == (
        machine / "run/export/reference.npz"
    ).read_bytes()
