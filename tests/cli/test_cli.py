import contextlib
import dataclasses
import json
import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import remedis
from remedis import cli
from remedis.errors import UserError
from remedis.zoo import names


def test_list_prints_all_eight_with_their_counts(capsys):
    assert cli.main(["list"]) == 0
    printed = capsys.readouterr().out
    assert all(name in printed for name in names.NAMES)
    assert "23,496,256" in printed
    assert "232,230,016" in printed
    assert "10.13026/grp0-z205" in printed


def test_info_of_a_name(capsys):
    assert cli.main(["info", "path-152x2-remedis-s"]) == 0
    printed = capsys.readouterr().out
    assert "232,230,016 in 455 tensors" in printed
    assert "ImageNet-1k" in printed
    assert "not a diagnostic device" in printed


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("cxr-52x2-remedis-m", "did you mean 'cxr-152x2-remedis-m'?"),
        ("cxr_50x1_remedis_m", "did you mean 'cxr-50x1-remedis-m'?"),
        ("no/such/folder", "no/such/folder is not a folder; expected a SavedModel folder."),
    ],
)
def test_info_of_neither_a_name_nor_a_folder(what, sentence, capsys):
    assert cli.main(["info", what]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_info_of_a_folder_that_is_no_saved_model(tmp_path, capsys):
    assert cli.main(["info", str(tmp_path)]) == 1
    assert "it has no saved_model.pb" in capsys.readouterr().err


def test_list_does_not_wait_for_tensorflow():
    code = (
        "import sys; from remedis import cli; cli.main(['list']); "
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_version_is_the_package_s(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"remedis {remedis.__version__}\n"


COMMANDS = (
    *("list", "info", "doctor", "prepare", "augmentations", "embed", "probe", "evaluate"),
    *("calibrate", "compare", "build", "finetune", "pretrain", "ood-curves"),
)


def test_the_help_lists_every_command(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    printed = capsys.readouterr().out
    assert [command for command in COMMANDS if not re.search(rf"\n    {command}\s", printed)] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help_without_underscores_in_options(command, capsys):
    with contextlib.suppress(SystemExit):  # of argparse
        assert cli.main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert "--quiet" in printed or "--[no]quiet" in printed
    assert "--verbose" in printed or "--[no]verbose" in printed
    assert not re.search(r"--\w+_", printed)


@pytest.mark.parametrize("option", cli.OLD_OPTIONS)
def test_options_with_underscores_still_work_and_warn(option, capsys):
    new = option.replace("_", "-")
    command = ["embed", "checkpoint", "data", "--out=no.csv"]
    value = [] if "allow" in option else ["1"]
    if "split" in option:
        command[0] = "probe"
        command[-1] = "--methods=linea"
    for form in ([option, *value], [f"{option}=1"] if value else []):
        if form:
            assert cli.main([*command, *form]) == 1
            warning, error = capsys.readouterr().err.splitlines()
            assert warning.startswith(f"warning: {option} is now written {new};")
            assert error.startswith("error: ")


@pytest.mark.parametrize("at", [0, 1])
def test_quiet_and_verbose_stand_before_or_after_the_command(at, monkeypatch):
    shown = []
    monkeypatch.setattr(cli, "_list", lambda parsed: shown.append(parsed) or 0)
    for option in ("quiet", "verbose"):
        arguments = ["list"]
        arguments.insert(at, f"--{option}")
        assert cli.main(arguments) == 0
        assert getattr(shown[-1], option)
    assert cli.main(["list"]) == 0
    assert not shown[-1].quiet
    assert not shown[-1].verbose


@pytest.mark.parametrize(
    "arguments",
    [
        ["embed", "checkpoint", "data"],
        ["embed", "checkpoint", "data", "--out=e.npz", "--batch-size=0"],
        ["probe", "checkpoint", "data", "--splits=train"],
        ["doctor", "data", "--cache=."],
        ["doctor", "data", "--splits=train=most"],
        ["doctor", "data", "--option=root"],
        ["evaluate", "run", "data", "--manifest=manifest.csv", "--out=out"],
        ["calibrate", "run", "data", "--out=."],
        ["compare", "nowhere", "nothing"],
        ["build", "--weights=random:0", "--model=cxr-51x1-remedis-m"],
        ["finetune", "--config=own_data", "--config.steps=many", "--workdir=w"],
        ["pretrain", "--config=pretrain_own:moko", "--workdir=w"],
        ["ood-curves", "--config=ood_onw", "--workdir=w"],
        ["probes"],
    ],
    ids=" ".join,
)
def test_wrong_arguments_do_not_wait_for_tensorflow(arguments, tmp_path):
    code = (
        "import sys; from remedis import cli; status = cli.main(sys.argv[1:]); "
        "sys.exit(10 * ('tensorflow' in sys.modules) + status)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(40):
        Image.fromarray(rng.integers(0, 256, (20, 20), np.uint8)).save(tmp_path / f"{i}.png")
        split = "train" if i < 20 else ("validation" if i < 30 else "test")
        rows.append((f"{i}.png", f"p{i}", f"s{i}", split, i % 2))
    columns = ["path", "patient_id", "study_id", "split", "ill"]
    pd.DataFrame(rows, columns=columns).to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path


def test_doctor_of_good_data(data, capsys):
    assert cli.main(["doctor", str(data / "manifest.csv"), "--labels=ill"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == "Nothing wrong was found."
    assert "Scanning 40 images" in printed.out


def test_doctor_ends_with_2_for_errors_and_its_json_is_alone_on_standard_output(data, capsys):
    (data / "3.png").write_bytes(b"")
    cache = data / "scan.parquet"
    arguments = ["doctor", str(data), "--labels", "ill", "--json", f"--cache={cache}"]
    assert cli.main(arguments) == cli.UNWELL == 2
    written = json.loads(capsys.readouterr().out)
    assert written["ok"] is False
    assert written["findings"][0]["listed"] == ["3.png: The file is empty."]
    assert cache.is_file()


def test_doctor_holds_data_against_a_checkpoint(data, tiny_checkpoint, capsys):
    assert cli.main(["doctor", str(data), "--labels=ill", f"--checkpoint={tiny_checkpoint}"]) == 0
    assert "RANDOM WEIGHTS" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{data}"], "The source 'csv' needs the names of its label columns: set `labels`."),
        (["{data}", "--labels=il"], "no column 'il'"),
        (["{data}", "--labels=ill", "--source=cvs"], "Unknown source 'cvs': did you mean 'csv'?"),
        (["{data}", "--labels=ill", "--option=roots=1"], "Unknown option of the source 'csv' 'roo"),
        (
            ["{data}", "--labels=ill", "--option=root"],
            "--option has 'root'; expected KEY=VALUE",
        ),
        (["{data}", "--labels=ill", "--checkpoint=/no/where"], "/no/where"),
        (["{data}", "--labels=ill", "--split-unit=slide"], "Unknown unit of splits 'slide'"),
        (["{data}", "--labels=ill", "--splits=train"], "expected shares such as train=0.7,valid"),
        (["{data}", "--labels=ill", "--splits=train=1,tset=0"], "Unknown split 'tset'"),
        (["{data}", "--labels=ill", "--split-seed=one"], "Argument --split-seed: invalid int"),
        (["{data}", "--labels=ill", "--unmentioned=zero"], "did you mean 'zeros'?"),
        (["{data}", "--labels=ill", "--cache={data}"], "is a directory; expected a file to make"),
        (["{data}", "--source=slides", "--option=mpp=0,5"], "is (0, 5); expected a number."),
        (["{data}", "--source=slides", "--option=size=abc"], "'abc'; expected a whole number."),
        (["{data}", "--source=slides", "--option=size=1.5"], "1.5; expected a whole number."),
        (["{data}", "--source=slides", "--option=stride=x"], "expected a whole number or None."),
        (["{data}", "--source=slides", "--option=tissue=True"], "True; expected a number."),
        (["{data}", "--source=folder", "--option=patient_pattern=3"], "is 3; expected text."),
        (["{data}", "--source=dicom", "--option=skip_unreadable=1"], "expected True or False."),
        (
            ["{data}", "--source=wilds_camelyon17", "--option=test_centres=2"],
            "'test_centres' of the source 'wilds_camelyon17' is 2; expected a list such as (1, 2).",
        ),
        (["{data}", "--jason"], "Unrecognized arguments: --jason; see remedis"),
        ([], "The following arguments are required: DATA; see remedis doctor --help."),
    ],
)
def test_doctor_of_wrong_arguments(arguments, sentence, data, capsys):
    assert cli.main(["doctor", *(a.format(data=data) for a in arguments)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert sentence in error
    assert error.count("\n") == 1


def test_doctor_takes_the_policies_and_splits_of_the_config(data, capsys):
    table = pd.read_csv(data / "manifest.csv")
    table["ill"] = table["ill"].mask(table["ill"] == 0)
    table.drop(columns="split").to_csv(data / "manifest.csv", index=False)
    arguments = ["doctor", str(data), "--labels=ill", "--json"]
    splits = "--splits=train=0.5,validation=0.25,test=0.25"
    assert cli.main([*arguments, "--unmentioned=zeros", splits, "--split-seed=4"]) == 0
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert "unlearnable" not in [f["code"] for f in findings]
    (assigned,) = [f["sentence"] for f in findings if f["code"] == "assigned_splits"]
    assert "(train 50%, validation 25%, test 25%; seed 4)" in assigned
    assert cli.main(arguments) == 0
    assert cli.main([*arguments, "--unmentioned=ignore"]) == cli.UNWELL


def test_doctor_says_what_its_exit_status_means(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--help"])
    assert ended.value.code == 0
    assert "Exit status: 0" in capsys.readouterr().out


def test_prepare_packs_what_the_source_tfds_then_loads(data, tmp_path, capsys):
    out = tmp_path / "packed"
    command = ["prepare", str(data), "--labels=ill", f"--out={out}", "--name=own"]
    assert cli.main([*command, "--preprocess=resize(8)"]) == 0
    assert "config.source='tfds'" in capsys.readouterr().out
    assert cli.main(["doctor", str(out), "--source=tfds", "--labels=ill", "--json"]) in (0, 2)
    diagnosis = json.loads(capsys.readouterr().out)
    assert diagnosis["source"] == "tfds own/1.0.0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--preprocess=rotate(3)"],
            "must give the same result every time here, but rotate is random",
        ),
        (["--preprocess=resize(8)", "--labels=il"], "no column 'il'"),
        (["--preprocess=resize(8)", "--source=cvs"], "Unknown source 'cvs': did you mean 'csv'"),
        (
            ["--preprocess=resize(8)", "--option=views"],
            "--option has 'views'; expected KEY=VALUE",
        ),
        ([], "--preprocess; see remedis prepare --help"),
    ],
)
def test_prepare_refuses_in_one_line(data, tmp_path, capsys, arguments, sentence):
    command = ["prepare", str(data), "--labels=ill", f"--out={tmp_path / 'out'}", "--name=own"]
    assert cli.main([*command, *arguments]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "command",
    [
        ["doctor", "{data}", "--labels=ill", "--cache={data}/0.png/scan.parquet"],
        [
            "prepare",
            "{data}",
            "--labels=ill",
            "--name=own",
            "--preprocess=resize(8)",
            "--out={data}/0.png/out",
        ],
    ],
)
def test_what_cannot_be_written_is_one_line(data, capsys, command):
    assert cli.main([argument.format(data=data) for argument in command]) == 1
    error = capsys.readouterr().err.splitlines()
    assert error[-1].startswith(f"error: {data / '0.png'}")
    assert sum(not line.startswith("Scanning") for line in error) == 1


def test_augmentations_of_what_is_no_image(tmp_path, capsys):
    assert cli.main(["augmentations", str(tmp_path / "no.png"), "--out=sheet.png"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def _run(*arguments):
    return cli.main([str(argument) for argument in arguments])


def test_embed_through_the_store(data, tiny_checkpoint, tmp_path, capsys):
    out, store = tmp_path / "e.parquet", tmp_path / "store"
    command = ["embed", tiny_checkpoint, data, "--labels=ill", f"--store={store}"]
    assert _run(*command, "--preprocess=resize(16)", f"--out={out}") == 0
    printed = capsys.readouterr()
    assert "embeddings of 40 images, 1,024 numbers each." in printed.out
    assert "RANDOM WEIGHTS" in printed.out
    first = np.stack(pd.read_parquet(out)["embedding"])
    assert first.shape == (40, 1024)
    second = tmp_path / "e.npz"
    assert _run(*command, "--preprocess=resize(16)", f"--out={second}") == 0
    assert "Embedding " not in capsys.readouterr().err  # nothing was left to compute
    np.testing.assert_array_equal(np.load(second)["embedding"], first)
    assert _run(*command, "--preprocess=resize(16)", "--out=e.csv") == 1
    assert "expected a file that ends with .parquet or .npz" in capsys.readouterr().err


def test_probe_prints_intervals_by_patient(data, tiny_checkpoint, tmp_path, capsys):
    command = ["probe", tiny_checkpoint, data, "--labels=ill", f"--store={tmp_path / 'store'}"]
    command += ["--preprocess=resize(16)", "--resamples=50"]
    assert _run(*command, "--methods=linear,knn,few_shot", "--neighbours=3") == 0
    printed = capsys.readouterr().out
    assert "Linear probe, test split" in printed
    assert "3 nearest neighbours, test split" in printed
    assert "10 patients, 5 positive" in printed
    assert _run(*command, "--methods=linea") == 1
    assert "did you mean 'linear'?" in capsys.readouterr().err
    table = pd.read_csv(data / "manifest.csv")
    table["patient_id"] = "p0"
    table.to_csv(data / "manifest.csv", index=False)
    stored = set((tmp_path / "store").rglob("*.npz"))
    assert _run(*command, "--preprocess=resize(8)") == 1
    assert "share 1 patients" in capsys.readouterr().err
    # The gate comes before the hours of embedding.
    assert set((tmp_path / "store").rglob("*.npz")) == stored


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_checkpoint):
    """The files of a run that `evaluate` and `calibrate` read: an export with a head of noise."""
    from remedis.evaluation.thresholds import Thresholds
    from remedis.models.classifier import Classifier
    from remedis.preprocess import parse
    from remedis.zoo import resolve, save_classifier, serving

    folder = tmp_path_factory.mktemp("runs") / "run"
    loaded = resolve.load_backbone(str(tiny_checkpoint), 0)
    classifier = Classifier(loaded.backbone, ("ill", "well"), head_norm=False)
    rng = np.random.default_rng(0)
    classifier.set_head(rng.normal(0, 0.003, (1024, 2)).astype(np.float32), np.zeros(2, np.float32))
    classifier.calibrate([0.5, 2.0], [0.1, 0.0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serving, "REFUSED", ())
        patch.setattr(serving, "WIDENED", ())
        save_classifier.save(
            classifier,
            parse("resize(16)"),
            name="run",
            provenance=loaded.provenance,
            directory=folder / "export",
            thresholds=Thresholds(
                {"ill": 0.5, "well": None}, {"ill": 0.3, "well": None}, 0.9
            ).to_json(),
            seen=[],
        )
    (folder / "config.json").write_text("{}")
    return folder


@pytest.fixture
def site(data):
    """Data with both labels of the run."""
    table = pd.read_csv(data / "manifest.csv")
    table["well"] = 1 - table["ill"]
    table.to_csv(data / "manifest.csv", index=False)
    return data


def test_evaluate_scores_a_manifest_as_the_classifier_does(run, site, tmp_path, capsys):
    import tensorflow as tf

    out = tmp_path / "out"
    assert _run("evaluate", run, site, f"--out={out}", "--resamples=50") == 0
    printed = capsys.readouterr().out
    assert "RANDOM WEIGHTS" in printed
    assert "Warning" not in printed
    table = pd.read_parquet(out / "predictions.parquet")
    model = tf.saved_model.load(str(run / "export"))
    for row in (0, 17):
        pixels = np.array(Image.open(site / f"{row}.png"))[..., None]
        want = model(model.preprocess(pixels))
        for i, name in enumerate(("ill", "well")):
            assert table[f"logit/{name}"][row] == pytest.approx(
                float(want["logits"][0, i]), abs=1e-5
            )
            score = float(want["probabilities"][0, i])
            assert table[f"score/{name}"][row] == pytest.approx(score, abs=1e-5)
    results = json.loads((out / "results.json").read_text())
    assert results["test"]["images"] == 40
    assert results["test"]["thresholds"]["youden"] == {"ill": 0.5, "well": None}
    assert _run("evaluate", run, site, f"--out={out}") == 1
    assert "holds results already; name another directory" in capsys.readouterr().err

    # The result is a finished run: it can be evaluated again, and compared.
    assert _run("evaluate", out, f"--out={tmp_path / 'again'}", "--resamples=60") == 0
    second = json.loads((tmp_path / "again" / "results.json").read_text())["test"]
    assert (second["resamples"], second["mean"]["value"]) == (60, results["test"]["mean"]["value"])
    capsys.readouterr()
    assert _run("compare", out, tmp_path / "again") == 0
    assert "+0.000" in capsys.readouterr().out


def test_evaluate_of_some_labels_and_of_images_the_run_has_seen(run, data, tmp_path, capsys):
    from remedis.data.checks import scan
    from remedis.data.manifest import read_csv
    from remedis.zoo.seen_images import SeenImages

    out = tmp_path / "out"
    assert _run("evaluate", run, data, f"--out={out}") == 1
    error = capsys.readouterr().err
    assert "no column 'well'" in error
    assert "The model scores ill, well; if the data lack some of these" in error
    scanned = scan.scan(read_csv(data / "manifest.csv", ("ill",)), tmp_path / "scan.parquet")
    # A copy far from its run knows as much.
    copied = shutil.copytree(run / "export", tmp_path / "copied")
    SeenImages.from_hashes(scanned["sha256"]).write(copied)
    arguments = ["--labels=ill", "--split=test", f"--out={out}", "--resamples=50"]
    assert _run("evaluate", copied, f"--manifest={data / 'manifest.csv'}", *arguments) == 0
    assert "warning: 10 of 10 images are among those that trained" in capsys.readouterr().err
    assert json.loads((out / "results.json").read_text())["data"]["warning"]
    (copied / "seen.json").unlink()
    arguments[2] = f"--out={tmp_path / 'unknown'}"
    assert _run("evaluate", copied, f"--manifest={data / 'manifest.csv'}", *arguments) == 0
    assert "has no seen.json: it is not known whether" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{run}", "{data}", "--labels=il"], "Unknown label of"),
        (["{data}", "{data}"], "it has no saved_model.pb"),
        (["{checkpoint}", "{data}"], "holds no classifier; expected a run"),
        (["{run}"], "has no results.json: it is no finished run"),
        (["{run}", "{data}", "--manifest={data}"], "name one."),
    ],
)
def test_evaluate_refuses_in_one_line(
    arguments, sentence, run, data, tiny_checkpoint, tmp_path, capsys
):
    names = {"run": run, "data": data, "checkpoint": tiny_checkpoint}
    written = [argument.format(**names) for argument in arguments]
    assert _run("evaluate", *written, f"--out={tmp_path / 'out'}") == 1
    error = capsys.readouterr().err.splitlines()
    assert sentence in error[-1]
    assert len(error) == 1


def test_calibrate_writes_an_export_with_the_calibration_inside(
    run, site, tmp_path, capsys, monkeypatch
):
    from scipy.special import expit

    from remedis.zoo import serving

    monkeypatch.setattr(serving, "REFUSED", ())
    monkeypatch.setattr(serving, "WIDENED", ())
    out = tmp_path / "calibrated"
    assert _run("calibrate", run, site, "--method=temperature", f"--out={out}") == 1
    assert "but ill has an offset, which it would drop; use platt" in capsys.readouterr().err
    assert _run("calibrate", run, site, f"--out={out}") == 0  # by platt
    printed = capsys.readouterr().out
    assert "calibrated by platt on 40 patients" in printed
    calibration = json.loads((out / "remedis.json").read_text())["calibration"]
    assert calibration["method"] == "platt"
    of_ill = calibration["fitted_on"]["labels"]["ill"]
    assert (of_ill["cases"], of_ill["positives"], of_ill["prevalence"]) == (40, 20, 0.5)
    assert "| ill | " in (out / "MODEL_CARD.md").read_text()
    tables = []
    for model in (run, out):
        scored = tmp_path / f"scored-{model.name}"
        assert _run("evaluate", model, site, f"--out={scored}", "--resamples=50") == 0
        tables.append(pd.read_parquet(scored / "predictions.parquet"))
        seen = "40 of 40 images are among those that trained" in capsys.readouterr().err
        assert seen == (model == out)
    before, after = tables
    np.testing.assert_allclose(after["logit/ill"], before["logit/ill"], atol=1e-5)
    want = expit(calibration["scale"][0] * before["logit/ill"] + calibration["offset"][0])
    np.testing.assert_allclose(after["score/ill"], want, atol=1e-5)
    if calibration["scale"][0] > 0:
        moved = json.loads((out / "remedis.json").read_text())["thresholds"]["youden"]["ill"]
        reached = [before["score/ill"] >= 0.5, after["score/ill"] >= moved]
        np.testing.assert_array_equal(*reached)
    assert _run("calibrate", run, site, "--method=plat", f"--out={tmp_path / 'no'}") == 1
    assert "did you mean 'platt'?" in capsys.readouterr().err
    assert _run("calibrate", run, site, f"--out={out}") == 1
    assert "exists already" in capsys.readouterr().err


def test_a_label_with_too_few_cases_keeps_its_fit_and_says_whose_it_is(run, monkeypatch):
    from remedis.data.manifest import Manifest
    from remedis.inference import exported as exported_classifier
    from remedis.inference import recalibrate, rescore
    from remedis.zoo import card, save_classifier

    exported = exported_classifier.load(run)
    labels = exported.labels
    own = {"method": "platt", "cases": 900, "positives": 90, "negatives": 810, "prevalence": 0.1}
    before = {
        "method": "platt",
        "fitted_on": {"cases": 900, "labels": dict.fromkeys(labels, own)},
        "left_out": [],
    }
    exported = dataclasses.replace(
        exported, description=dataclasses.replace(exported.description, calibration=before)
    )
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"patient_id": [f"p{i}" for i in range(40)]})
    table["path"] = [f"{i}.png" for i in range(40)]
    table[["study_id", "site", "split", *labels]] = ""
    for label in labels:
        table[f"logit/{label}"] = rng.normal(size=40)
        table[f"score/{label}"] = 0.5
        table[f"label/{label}"] = (table[f"logit/{label}"] + rng.normal(size=40) > 0).astype(float)
    table.loc[4:, "label/well"] = np.nan
    manifest = Manifest(table, labels, ".", "hospital C")
    saved = {}
    monkeypatch.setattr(save_classifier, "save", lambda *_, **given: saved.update(given))
    scored = rescore.Scored(manifest, table, "", ("a", "b"))
    lines = recalibrate.recalibrate(exported, scored, "platt", "out")
    assert "well: unchanged, too few patients: " in lines[2]
    calibration = saved["calibration"]
    assert (calibration["scale"][1], calibration["offset"][1]) == (2.0, 0.0)
    assert calibration["fitted_on"]["labels"]["well"] == own | {"data": "the validation split"}
    ill = calibration["fitted_on"]["labels"]["ill"]
    assert (ill["cases"], ill["data"], ill["method"]) == (40, "hospital C", "platt")
    assert card.calibrated_on(calibration) == (
        "40 cases of hospital C; well: platt on 900 cases of the validation split"
    )
    assert saved["seen"].count(["a", "b", "c"]) == 2


@pytest.mark.parametrize(
    ("task", "asked", "method"),
    [
        ("multi_label", None, "platt"),
        ("multi_class", None, "temperature"),
        ("multi_label", "temperature", "temperature"),
    ],
)
def test_the_method_of_calibration_suits_the_task(task, asked, method):
    from remedis.inference.recalibrate import method_for

    assert method_for(task, asked) == method
    with pytest.raises(UserError, match=r"--method is platt, .* use temperature"):
        method_for("multi_class", "platt")
