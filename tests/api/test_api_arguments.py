"""Wrong arguments of the public functions: one sentence, in Python's spelling."""

import pathlib

import pytest
from zoo_helpers import said

import remedis
from remedis.data.manifest import Manifest

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
TABLE = "path,patient_id,ill\n1.png,1,1\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifest.csv").write_text(TABLE)
    (tmp_path / "1.png").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "summary.json").touch()
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text("{}")
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "text.py").write_text("def get_config():\n    return 'a'\n")
    return tmp_path


CASES = [
    ("describe", ("cxr-50x1-remedis-x",), {}, "Unknown model 'cxr-50x1-remedis-x': did you mean"),
    ("build", ("cxr", "random:0"), {}, "Unknown model"),
    ("build", ("cxr-50x1-remedis-m", "bit:no.npz"), {}, "no.npz does not exist."),
    (
        "build",
        ("cxr-50x1-remedis-m", "random:0"),
        {"graph": "theirs"},
        "Unknown graph 'theirs'. Choose from: ours, release.",
    ),
    (
        "build",
        ("cxr-50x1-remedis-m", "random:0"),
        {"graph": "release"},
        "The graph of the release (graph='release') goes with weights of release:DIR only.",
    ),
    ("import_predictions", ("no.csv", "out"), {}, "no.csv does not exist."),
    (
        "import_predictions",
        ("manifest.csv", "out"),
        {"labels": ["ill"]},
        "labels is about labelled data: name them with labels_from, or leave it out",
    ),
    (
        "import_predictions",
        ("manifest.csv", "out"),
        {"weighting": "people"},
        "Unknown value of weighting 'people'",
    ),
    ("explain", ("no/run", ".", "out"), {}, "no/run"),
    ("explain", ("run", "no/images", "out"), {}, "no/images"),
    ("report", ("no/run", ".", "out"), {}, "no/run"),
    ("report", ("run", "no/images", "out"), {}, "no/images"),
    ("load_backbone", ("no/folder",), {}, "no/folder"),
    ("load_manifest", ("no.csv", ["ill"]), {}, "no.csv does not exist."),
    (
        "load_manifest",
        (".",),
        {},
        "The source 'csv' needs the names of its label columns: set labels=['LABEL_A', 'LABEL_B'].",
    ),
    (
        "load_manifest",
        (".", "ill"),
        {},
        "labels is 'ill'; expected a list, such as labels=['ill'].",
    ),
    ("load_manifest", (".", ["I"]), {}, "manifest.csv, row 1: no column 'I'"),
    ("load_manifest", (".",), {"source": "cvs"}, "Unknown source 'cvs': did you mean 'csv'?"),
    (
        "load_manifest",
        (".", ["ill"]),
        {"views": "all"},
        "Unknown option of the source 'csv' 'views'",
    ),
    ("embed", ("scratch:1-1-1-1x0.5", "no"), {}, "no does not exist."),
    ("embed", ("no/run", "."), {}, "no/run does not exist; there is no no."),
    (
        "embed",
        ("scratch:1-1-1-1x0.5", "."),
        {},
        "scratch:1-1-1-1x0.5 does not name the preprocessing of its images; name one, such as "
        "preprocess='resize(224)'.",
    ),
    (
        "embed",
        ("scratch:1-1-1-1x0.5", "."),
        {"preprocess": "resize(2"},
        "Preprocessing 'resize(2' cannot be read",
    ),
    (
        "embed",
        ("scratch:1-1-1-1x0.5", "."),
        {"out": "a.csv"},
        "out='a.csv': expected a file that ends with .parquet, .npz, .h5 or .zarr.",
    ),
    ("search", ("no.parquet", 0), {}, "There is no file no.parquet; make it with `remedis embed`."),
    (
        "search",
        ("e.csv", 0),
        {},
        "e.csv is no file of embeddings; expected one that `remedis embed`",
    ),
    ("search", ("e.npz", 0), {"out": "a.png"}, "out='a.png': expected a page to write, such as"),
    ("find_duplicates", ("no.npz",), {}, "There is no file no.npz;"),
    ("find_outliers", ("no.h5",), {}, "There is no file no.h5;"),
    (
        "embed_archive",
        ("scratch:1-1-1-1x0.5", "no", "out"),
        {},
        "no is no directory; expected the directory of the images, which runner='DirectRunner'",
    ),
    ("robustness", ("no/run", ".", "out"), {}, "no/run does not exist; there is no no."),
    (
        "robustness",
        ("run", ".", "out"),
        {"corruptions": ["nose"]},
        "Unknown corruption 'nose': did you mean 'noise'?",
    ),
    (
        "robustness",
        ("run", ".", "out"),
        {"corruptions": "noise"},
        "corruptions is 'noise'; expected a list, such as corruptions=['noise'].",
    ),
    (
        "robustness",
        ("run", ".", "out"),
        {"strengths": [6]},
        "strengths is [6]; expected whole numbers from 0 (clean) to 5.",
    ),
    ("load_config", ("chexprt",), {}, "Unknown config 'chexprt': did you mean 'chexpert'?"),
    ("load_config", ("no.py",), {}, "name=no.py: there is no such file. Name a config by name,"),
    ("load_config", ("none.py",), {}, "name=none.py: the file has no function get_config;"),
    ("load_config", ("text.py",), {}, "name=text.py: get_config() returned str; expected a Conf"),
    ("load_config", ("own_data:hed_only",), {}, "Unknown config argument 'hed_only'"),
    (
        "load_config",
        ("own_data",),
        {"step": 3},
        "Unknown key of the config 'step': did you mean 'steps'?",
    ),
    (
        "load_config",
        ("own_data",),
        {"batch_size": "many"},
        "config.batch_size is 'many'; expected int, such as 32.",
    ),
    (
        "load_config",
        ("ood_own",),
        {"id.step": 3},
        "Unknown key of the config 'id.step': did you mean",
    ),
    (
        "load_config",
        ("own_data",),
        {"steps.x": 3},
        "config.steps is None, which has no keys of its own.",
    ),
    ("finetune", ("chexpert", "w"), {}, "config is 'chexpert'; expected what remedis.load_config"),
    ("evaluate", ("rum", ".", "out"), {}, "rum does not exist. Expected the directory"),
    ("evaluate", ("run", ".", "out"), {"labels": "ill"}, "labels is 'ill'; expected a list"),
    (
        "evaluate",
        ("run", ".", "out"),
        {"weighting": "patient"},
        "Unknown value of weighting 'patient': did you mean 'patients'?",
    ),
    (
        "evaluate",
        ("run", ".", "out"),
        {"nested_resamples": 200},
        "nested_resamples with data: only a run's stored predictions hold",
    ),
    ("evaluate", ("run", None, "out"), {"top_k": [0]}, "top_k is [0]; expected whole numbers"),
    ("evaluate", ("run", None, "out"), {}, "run has no results.json: it is no finished run;"),
    ("evaluate", ("run", ".", "out"), {}, "run is not a SavedModel: it has no saved_model.pb"),
    ("predict", ("rum", "."), {}, "rum does not exist. Expected the directory"),
    ("predict", ("run", "."), {}, "run is not a SavedModel: it has no saved_model.pb"),
    ("predict", ("run", ["."]), {"labels": "ill"}, "labels is 'ill'; expected a list"),
    (
        "predict",
        ("run", "."),
        {"out": "a.xlsx"},
        "out='a.xlsx': expected a file that ends with .parquet or .csv.",
    ),
    ("calibrate", ("run", "no", "out"), {}, "no does not exist."),
    ("calibrate", ("run", ".", "run"), {}, "run exists already; remove it, or name another path."),
    ("export", ("run", "onix", "out"), {}, "Unknown format 'onix'"),
    ("export", ("no", "frozen", "out"), {}, "no does not exist. Expected the directory of a run"),
    ("export", ("begun", "frozen", "out"), {}, "begun is a run that has no export yet;"),
    ("export", ("run", "frozen", "study"), {}, "study exists already; remove it, or set overwrite"),
    ("export", ("run", "frozen", "out"), {}, "run is not a SavedModel: it has no saved_model.pb"),
    ("load_run", ("no",), {}, "no has no results.json: it is no run; expected the directory of"),
    ("load_run", ("begun",), {}, "begun has no results.json: the run is not finished; expected"),
    ("load_run", ("study",), {}, "study holds a study; load it with remedis.load_study."),
    ("load_study", ("run",), {}, "run has no summary.json: it is no finished study; finish it"),
]


@pytest.mark.parametrize(("function", "given", "named", "sentence"), CASES)
def test_a_wrong_argument_is_one_sentence(function, given, named, sentence, folder):
    message = said(getattr(remedis, function), *given, **named)
    assert message.startswith(sentence), message
    assert "--" not in message


def test_every_function_has_a_wrong_argument_here():
    functions = {name for name in remedis.__all__ if name[0].islower()}
    jobs = {"pretrain", "ood_curves"}  # check what `finetune` does
    assert functions - {function for function, *_ in CASES} == jobs | {"list_models", "synthetic"}


@pytest.mark.parametrize("function", ["finetune", "pretrain", "ood_curves"])
def test_a_job_names_keys_of_the_config_and_python_arguments(function, folder):
    name = {"finetune": "own_data", "pretrain": "pretrain_own", "ood_curves": "ood_own"}[function]
    key = {"ood_curves": "id_data_dir"}.get(function, "checkpoint")
    config = remedis.load_config(name, **{key: "no"})
    sentence = f"config.{key} is no, which does not exist"
    assert said(getattr(remedis, function), config, "w", repeatable=False).startswith(sentence)


def test_the_directory_of_something_else_is_named_as_in_python(folder):
    config = remedis.load_config("own_data:rehearsal")
    message = said(remedis.finetune, config, folder, repeatable=False)
    assert message.startswith(f"workdir='{folder}' holds files but no config.json")


def test_a_manifest_has_its_labels_and_its_source(folder):
    manifest = remedis.load_manifest(folder, ["ill"])
    assert isinstance(manifest, Manifest)
    assert manifest.layout == manifest.subset([True]).layout == "csv"
    assert (
        repr(manifest)
        == f"<Manifest of {folder / 'manifest.csv'}: 1 image of 1 patient, labels ill>"
    )
    for named in ({"labels": ["ill"]}, {"source": "dicom"}, {"options": {"views": "all"}}):
        message = said(remedis.embed, "scratch:1-1-1-1x0.5", manifest, **named)
        assert message.startswith("data is a Manifest, which has its labels and its source; leave")


def test_a_config_takes_the_values_of_python():
    config = remedis.load_config(
        "own_data",
        labels=["a", "b"],
        data_dir=pathlib.Path("/data/mine"),
        splits={"train": 0.5, "test": 0.4},
        learning_rate=1,
        rematerialise=True,
    )
    assert (config.labels, config.data_dir, config.learning_rate) == (("a", "b"), "/data/mine", 1.0)
    assert config.splits.to_dict() == {"train": 0.5, "validation": 0.1, "test": 0.4}
    assert config.gradient_checkpointing
    assert config.is_locked
    study = remedis.load_config("ood_own", **{"id.steps": 7, "ood": {"steps": 9}})
    assert (study.id.steps, study.ood.steps) == (7, 9)
    assert remedis.load_config(CONFIGS / "own_data.py").steps is None
