"""The contract of every source, on data in the layout of its data set."""

import dataclasses
import os

import numpy as np
import pandas as pd
import pytest

from configs import chexpert, common
from docs.generate import source_pages
from remedis.data import label_policies, labels, manifest, sources, splits
from remedis.data.checks import leaks, scan
from remedis.data.sources import NAMES, load, load_with, options_of
from remedis.errors import UserError

LABELS = {"csv": ("pneumonia",)}
OPTIONS: dict[str, dict] = {
    "camelyon16": {"size": 96},
    "camelyon17": {"size": 96},
    "folder": {"patient_pattern": r"person(\d+)_"},
    "medmnist": {"allow_missing_patient_ids": True},
    "siim_pneumothorax": {"allow_missing_patient_ids": True},
    "patch_camelyon": {"allow_missing_patient_ids": True},
    "vindr_cxr": {"allow_missing_patient_ids": True},
}
# Sources without patients, which load only with the opt-out.
WITHOUT_PATIENTS = {"medmnist", "patch_camelyon", "siim_pneumothorax", "vindr_cxr"}


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def loaded(name, datasets) -> manifest.Manifest:
    return load(name, datasets[name], labels=LABELS.get(name), **OPTIONS.get(name, {}))


def test_columns_and_types(loaded):
    table = loaded.table
    assert len(loaded) > 0
    assert table.index.equals(pd.RangeIndex(len(loaded)))
    assert set(manifest.REQUIRED) <= set(table.columns)
    for column in (*manifest.REQUIRED, "sex", "view", "slide_id"):
        if column in table:
            assert isinstance(table[column].dtype, pd.StringDtype)
            assert not (table[column] == "").any()
    for column in ("age", "mpp", "any_label"):
        assert column not in table or table[column].dtype == np.float64
    assert set(table.get("sex", pd.Series()).dropna()) <= {"F", "M"}
    assert loaded.targets().dtype == np.float32
    assert loaded.policies == {}


def test_every_patient_is_known_and_every_study_has_one(loaded, name):
    assert loaded.table["patient_id"].notna().all() == (name not in WITHOUT_PATIENTS)
    assert (loaded.table.groupby("study_id")["patient_id"].nunique() == 1).all()


def test_images_exist_and_decode(loaded):
    assert not any(os.path.isabs(path) for path in loaded.table["path"])
    assert scan.scan(loaded)["fault"].isna().all()


def test_loading_twice_gives_the_same(loaded, name, datasets):
    second = load(name, datasets[name], labels=LABELS.get(name), **OPTIONS.get(name, {}))
    pd.testing.assert_frame_equal(second.table, loaded.table)


def test_labels_in_the_order_asked_for(loaded, name, datasets):
    asked = loaded.labels[::-1][:2]
    selected = load(name, datasets[name], labels=asked, **OPTIONS.get(name, {}))
    assert selected.labels == asked
    np.testing.assert_array_equal(selected.targets(), loaded.table[list(asked)].to_numpy())


def test_splits_are_completed_without_leaks(loaded, name):
    shares = {"train": 0.6, "validation": 0.2, "test": 0.2}
    unknown = name in WITHOUT_PATIENTS
    complete = splits.ensure(loaded, shares, seed=0, allow_missing_ids=unknown)
    official = loaded.table["split"].notna() & (loaded.table["split"] != "train")
    assert (complete.table["split"] == loaded.table["split"])[official].all()
    hashes = scan.scan(complete).set_index("path")["sha256"]
    receipt = leaks.check(complete, hashes, allow_missing_patient_ids=unknown)
    receipt.raise_if_leaking()
    assert all(receipt.counts[split]["images"] > 0 for split in shares)


def test_survives_writing_and_reading(loaded, name, tmp_path):
    manifest.write_csv(loaded, tmp_path / "manifest.csv")
    restored = manifest.read_csv(
        tmp_path / "manifest.csv",
        loaded.labels,
        root=loaded.root,
        allow_missing_patient_ids=name in WITHOUT_PATIENTS,
    )
    columns = loaded.table.columns.drop("path")
    pd.testing.assert_frame_equal(restored.table[columns], loaded.table[columns], rtol=1e-12)


def test_unknown_label_option_and_directory(name, datasets, tmp_path):
    options = OPTIONS.get(name, {})
    with pytest.raises(UserError, match=r"Unknown label 'Oedema'|no column 'Oedema'"):
        load(name, datasets[name], labels=("Oedema",), **options)
    with pytest.raises(UserError, match=f"Unknown option of the source '{name}' 'veiws'"):
        load(name, datasets[name], labels=LABELS.get(name), veiws="all")
    for taken in ("labels", "data_dir", "name"):
        with pytest.raises(UserError, match=f"Unknown option of the source '{name}' '{taken}'"):
            load_with(name, datasets[name], LABELS.get(name), {taken: "all"})
    with pytest.raises(UserError, match=r"There is no (directory|file)"):
        load(name, tmp_path / "nowhere", labels=LABELS.get(name), **options)
    with pytest.raises(UserError, match=r"does not hold|There is no file"):
        load(name, tmp_path, labels=LABELS.get(name), **options)


def test_the_module_is_a_datasheet_of_which_a_page_is_made(name):
    _, sheet = source_pages.sheet(name)
    for heading in ("Layout", "Input", "Labels", "Metadata", "Splits", "Get it", "Terms"):
        assert sheet[heading]
    root = sheet["Layout"].split()[0]
    assert f"/data/{root.rstrip('/')}" in sheet["Check it"]


@pytest.mark.parametrize(
    ("source", "vocabulary"),
    [
        ("camelyon16", labels.CAMELYON),
        ("camelyon17", labels.CAMELYON),
        ("camelyon_patches", labels.CAMELYON),
        ("chestxray14", labels.CHESTXRAY14),
        ("chexpert", labels.CHEXPERT),
        ("mimic_cxr", labels.MIMIC_CXR),
        ("openi", {label: label for label in labels.OPENI}),
        ("padchest", {label: label for label in labels.PADCHEST}),
        ("patch_camelyon", labels.CAMELYON),
        ("pcam_kaggle", labels.CAMELYON),
        ("vindr_cxr", labels.VINDR_CXR),
        ("wilds_camelyon17", labels.CAMELYON),
    ],
)
def test_a_vocabulary_has_all_labels_of_its_source(datasets, source, vocabulary):
    loaded = load(source, datasets[source], **OPTIONS.get(source, {}))
    assert set(loaded.labels) == set(vocabulary.values())


def test_unknown_source(tmp_path):
    with pytest.raises(UserError, match="Unknown source 'chexprt': did you mean 'chexpert'"):
        load("chexprt", tmp_path)
    with pytest.raises(UserError, match="Unknown source 'chexprt': did you mean 'chexpert'"):
        options_of("chexprt")


def test_registering_a_name_twice_names_both_places():
    with pytest.raises(
        ValueError, match=r"source 'folder' .* as \S+\.folder\.load, and \S+\.csv_manifest\.load"
    ):
        sources._register("folder", sources.csv_manifest.load)


def test_options():
    assert options_of("chexpert") == ("views",)
    assert options_of("folder") == ("patient_pattern", "allow_missing_patient_ids")
    assert options_of("chestxray14") == ("entries",)


@pytest.mark.parametrize("recipe", [common.finetuning, chexpert.get_config])
def test_only_labels_that_are_known_are_judged_by_default(loaded, recipe):
    """An uncertain test label, or one of an image without any, is neither positive nor negative."""
    first = loaded.labels[0]
    table = loaded.table.assign(split="test")
    table.loc[0, first] = -1.0
    table.loc[1, list(loaded.labels)] = np.nan
    if "any_label" in table:
        table.loc[1, "any_label"] = 0.0
    found = label_policies.keep_found(dataclasses.replace(loaded, table=table))
    policies = label_policies.LabelPolicies.from_config(recipe())
    decided = label_policies.decide(found, policies.training)
    judged = label_policies.decide_by_split(decided, policies).targets()
    before = found.targets()
    known = (before == 1) | (before == 0)
    np.testing.assert_array_equal(judged[known], before[known])
    assert np.isnan(judged[before == -1]).all()
    nothing = labels.without_labels(found)
    assert nothing[1]
    assert np.isnan(judged[nothing]).all()
    # What is left is empty beside another label of the image, and follows `unmentioned`.
    rest = judged[~known & (before != -1) & ~nothing[:, None]]
    assert np.isnan(rest).all() if policies.unmentioned == "ignore" else (rest == 0).all()


@pytest.mark.parametrize("source", sorted(sources.MINED_FROM_REPORTS))
def test_reports_tell_images_without_labels_from_those_with_others(datasets, source):
    every = load(source, datasets[source])
    one = load(source, datasets[source], labels=("Edema",))
    expected = (~np.isnan(every.targets())).any(axis=1)
    np.testing.assert_array_equal(one.table["any_label"] == 1, expected)
    np.testing.assert_array_equal(every.table["any_label"] == 1, expected)
    assert np.isnan(one.targets()[expected]).any()


def test_empty_labels_mean_the_same_in_sources_mined_from_reports():
    assert sources.MINED_FROM_REPORTS.issubset(NAMES)
    assert sources.same_empty_labels("chexpert", "mimic_cxr")
    assert sources.same_empty_labels("csv", "csv")
    assert not sources.same_empty_labels("chexpert", "csv")
