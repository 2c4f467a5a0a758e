"""One small run of every kind, for the tests of what runs leave behind."""

import pathlib
import shutil
from typing import Any

import ml_collections
import numpy as np
import pandas as pd
from PIL import Image
from small_study import small_config
from small_suite import suite_config

import remedis
from configs import own_data, pretrain_own
from docs.generate import file_list
from docs.generate.file_list import Folder
from remedis import cli, label_budget, suite
from remedis.cli import exit_status
from remedis.finetuning.finetune import finetune
from remedis.pretraining.pretrain import pretrain
from remedis.reporting import label_budget_report, leaderboard, pretraining_report, run_report
from remedis.suite import board
from remedis.training.run_directory import RunDirectory

CHECKPOINT = "scratch:1-1-1-1x0.5"
LABELS = ("square", "uncertain")


BAD = "--max-bad-images=0.1"


def write_data(root: pathlib.Path) -> pathlib.Path:
    """A directory with everything that shows in a result: groups, uncertain labels, a bad image."""
    root.mkdir()
    rng = np.random.default_rng(len(root.name))
    rows = []
    for i in range(120):
        pixels = rng.integers(40, 120, (32, 32), dtype=np.uint8)
        if i % 2:
            pixels[8:20, 8:20] = 240
        Image.fromarray(pixels).save(root / f"{i}.png")
        uncertain = -1 if i % 10 == 0 else i % 2
        rows.append((f"{i}.png", f"{root.name}{i}", i % 2, uncertain, "FM"[i // 2 % 2], i % 90))
    (root / "bad.png").write_text("no image")
    rows.append(("bad.png", f"{root.name}999", 1, 1, "F", 50))
    columns = ["path", "patient_id", "square", "uncertain", "sex", "age"]
    pd.DataFrame(rows, columns=columns).to_csv(root / "manifest.csv", index=False)
    return root


def make_all(root: pathlib.Path) -> list[tuple[Folder, pathlib.Path]]:
    """Runs every job and command on made-up data in `root`; returns the folders that they leave."""
    data = write_data(root / "data")
    runs: dict[str, dict[str, Any]] = {
        "plain": {},
        "tuned": {"select": "learning_rate=0.1,1", "nested_resamples": 50},
        "probe": {"method": "probe"},
    }
    for name, changes in runs.items():
        finetune(_config(data, **changes), root / name)
    for name in runs:
        run_report.write(root / name)
    pretrain(_pretraining(data), root / "pretrained")
    pretraining_report.report(root / "pretrained")
    study = _study(root, data)
    tuned, resized = root / "tuned", "--preprocess=resize(32)"
    _command("evaluate", tuned, data, f"--out={root / 'evaluated'}", BAD, "--resamples=50")
    nested = ["--resamples=50", "--nested-resamples=50"]
    _command("evaluate", tuned, f"--out={root / 'again'}", *nested)
    _command("calibrate", tuned, data, f"--out={root / 'calibrated'}", BAD, "--judge-share=0.5")
    for name in ("embedded.parquet", "embedded.npz"):
        to = [f"--out={root / name}", f"--store={root / 'store'}", BAD, resized]
        incomplete = exit_status.INCOMPLETE  # one image is bad
        _command("embed", CHECKPOINT, data, f"--labels={','.join(LABELS)}", *to, status=incomplete)
    # Without a file to write, the store lists the bad image.
    remedis.embed(CHECKPOINT, data, store=root / "store", preprocess="resize(32)")
    to = [f"--out={root / 'archive'}", "--runner=DirectRunner", resized]
    _command("embed", CHECKPOINT, data, *to, status=incomplete)
    _command(
        "prepare",
        data,
        f"--labels={','.join(LABELS)}",
        f"--out={root / 'packed'}",
        "--name=own",
        resized,
    )
    _command("import-predictions", _scores(root), f"--out={root / 'imported'}", "--resamples=50")
    corrupted = [f"--out={root / 'corrupted'}", BAD, "--corruptions=gamma", "--strengths=1"]
    _command("robustness", tuned, data, *corrupted, "--resamples=50")
    _command("export", tuned, "--to=frozen", f"--out={root / 'exported'}")
    damaged = RunDirectory(tuned, _config(data, **runs["tuned"]).to_dict())
    damaged.record_damage(["A checkpoint is damaged."])
    return [
        *((file_list.RUN, root / name) for name in runs),
        *((file_list.EXPORT, root / name / "export") for name in ("tuned", "pretrained")),
        (file_list.EXPORT, root / "calibrated"),
        (file_list.PRETRAINING, root / "pretrained"),
        *((file_list.EVALUATION, root / name) for name in ("evaluated", "again", "imported")),
        (file_list.STUDY, study),
        (file_list.SUITE, _suite(root, data)),
        (file_list.ROBUSTNESS, root / "corrupted"),
        (file_list.STORE, root / "store"),
        (file_list.EMBEDDED_ARCHIVE, root / "archive"),
        (file_list.PACKED, root / "packed"),
        (file_list.EXPORTED, root / "exported"),
    ]


def _scores(root: pathlib.Path) -> pathlib.Path:
    """A table of another's scores, with truth and patients."""
    file, scores = root / "scores.csv", np.linspace(0.1, 0.9, 120)
    names = [f"{i}.png" for i in range(120)]
    columns = {"path": names, "patient_id": names, "square_prob": scores, "label": [0, 1] * 60}
    pd.DataFrame(columns).to_csv(file, index=False)
    return file


def _config(data: pathlib.Path, **changes: Any) -> ml_collections.ConfigDict:
    config = own_data.get_config()
    config.update(
        checkpoint=CHECKPOINT,
        data_dir=str(data),
        labels=LABELS,
        image_size=32,
        batch_size=8,
        steps=2,
        evaluate_every=1,
        checkpoint_every=1,
        log_every=1,
        resamples=50,
        max_bad_images=0.1,
        splits={"train": 0.3, "validation": 0.2, "test": 0.5},
    )
    config.update(changes)
    return config


def _pretraining(data: pathlib.Path) -> ml_collections.ConfigDict:
    config = pretrain_own.get_config("simclr")
    config.probe.update(source="csv", data_dir=str(data), labels=("square",), max_bad_images=0.1)
    config.update(
        checkpoint=CHECKPOINT,
        data=f"csv={data}",
        image_size=32,
        preprocess="random_resized_crop({size}, area=(0.3, 1.0)) | brightness(0.4)",
        method_options="widths=(64, 32)",
        batch_size=16,
        epochs=0.0,
        steps=2,
        warmup=0,
        warmup_epochs=0.0,
        optimizer="adamw",
        learning_rate=0.0003,
        learning_rate_batch=0,
        learning_rates="",
        evaluate_every=1,
        checkpoint_every=1,
        log_every=1,
        max_bad_images=0.1,
        stop_on_collapse=False,
    )
    return config


def _study(root: pathlib.Path, data: pathlib.Path) -> pathlib.Path:
    """A study of two out-of-distribution sets."""
    ood, north = write_data(root / "ood-data"), write_data(root / "north-data")
    splits = {"train": 0.3, "validation": 0.1, "test": 0.6}
    config = small_config(
        (data, ood),
        CHECKPOINT,
        splits,
        labels=LABELS,
        budgets="0, 100%",
        modes=("probe", "finetune"),
        select="learning_rate=0.1,1",
        id_trainings=2,
        further_ood=f"north={north}",
        primary="one, finetune, 100%",
        minutes=1.0,
        price=2.0,
        extrapolate=True,
    )
    for part in (config.id, config.ood):
        part.max_bad_images = 0.1
    study = root / "study"
    label_budget.run(config, study)
    label_budget_report.write(study)
    shutil.rmtree(study / "work", ignore_errors=True)
    return study


def _suite(root: pathlib.Path, data: pathlib.Path) -> pathlib.Path:
    """A suite of one set, of probes."""
    config = suite_config({"north": (data, root / "north-data")}, budgets="0, 100%")
    config.sets.north.labels = LABELS
    for part in (config.sets.north.id, config.sets.north.ood):
        part.max_bad_images = 0.1
    done = suite.run(config, root / "suite")
    board.write(done.studies, root / "suite", done.settings.title)
    leaderboard.write(root / "suite")
    return root / "suite"


def _command(*arguments: object, status: int = 0) -> None:
    assert cli.main([str(argument) for argument in arguments]) == status
