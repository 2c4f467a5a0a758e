"""The published counts of each data set, loaded from made-up tables of the published size.

The counts are from the papers and documentation of the data sets. The distribution of values over
patients is made up.
"""

import dataclasses
import functools
import gzip
import inspect
import pathlib
import re
import types

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pytest

from docs.generate import source_pages
from remedis import synthetic
from remedis.data import labels, sources
from remedis.data.sources import (
    chestxray14,
    chexpert,
    medmnist,
    mimic_cxr,
    openi,
    padchest,
    patch_camelyon,
    pcam_kaggle,
    published_counts,
    rsna_pneumonia,
    siim_pneumothorax,
    vindr_cxr,
    wilds_camelyon17,
)


def differences(name, m, **options):
    """Returns how a manifest differs from the published counts of its source."""
    return published_counts.differences(m, sources.published(name), options)


def write_table(path, columns):
    """Writes columns of equal length as a CSV file whose values are not quoted."""
    table = pa.table({name: pa.array(np.asarray(values)) for name, values in columns.items()})
    lines = b",".join(name.encode() for name in columns) + b"\n"
    with path.open("wb") as file:
        file.write(lines)
        options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
        arrow_csv.write_csv(table, file, options)


def spread(count, groups):
    """Returns the group of each of `count` rows; every group has consecutive rows."""
    return np.sort(np.concatenate([np.arange(groups), np.arange(count - groups) % groups]))


# Number of 1, 0, -1 and empty values in train.csv.
CHEXPERT = {
    "Atelectasis": (33_376, 1_328, 33_739, 154_971),
    "Cardiomegaly": (27_000, 11_116, 8_087, 177_211),
    "Consolidation": (14_783, 28_097, 27_742, 152_792),
    "Edema": (52_246, 20_726, 12_984, 137_458),
    "Pleural Effusion": (86_187, 35_396, 11_628, 90_203),
}


def chexpert_columns(split, images, frontal, studies, patients, first, seed):
    rng = np.random.default_rng(seed)
    study_of = spread(images, studies)
    patient_of_study = spread(studies, patients)
    patient = first + patient_of_study[study_of]
    study = 1 + study_of
    side = np.where(rng.permutation(images) < frontal, "Frontal", "Lateral")
    frame = pd.DataFrame({"patient": patient, "study": study, "image": np.arange(images)})
    path = (
        f"CheXpert-v1.0-small/{split}/patient"
        + frame["patient"].astype(str).str.zfill(5)
        + "/study"
        + frame["study"].astype(str)
        + "/view"
        + frame["image"].astype(str)
        + "_"
        + np.char.lower(side)
        + ".jpg"
    )
    sex = np.where(np.arange(images) % 2, "Male", "Female").astype(object)
    if split == "train":
        sex[0] = "Unknown"
    columns = {
        "Path": path,
        "Sex": sex,
        "Age": rng.integers(0, 91, images).astype(str),
        "Frontal/Lateral": side,
        "AP/PA": np.where(side == "Frontal", rng.choice(["AP", "PA", "LL", "RL"], images), ""),
    }
    for name in labels.CHEXPERT:
        if split == "train" and name in CHEXPERT:
            values = np.repeat(["1.0", "0.0", "-1.0", ""], CHEXPERT[name])
        else:
            values = np.where(np.arange(images) % 3, "0.0", "1.0")
        columns[name] = rng.permutation(values)
    return columns


@pytest.fixture(scope="module")
def chexpert_root(tmp_path_factory):
    root = tmp_path_factory.mktemp("chexpert")
    train = chexpert_columns("train", 223_414, 191_027, 187_641, 64_540, 1, seed=0)
    write_table(root / "train.csv", train)
    valid = chexpert_columns("valid", 234, 202, 200, 200, 64_541, seed=1)
    write_table(root / "valid.csv", valid)
    return root


@pytest.fixture(scope="module")
def chexpert_manifest(chexpert_root):
    return chexpert.load(chexpert_root, views="all")


def test_chexpert(chexpert_manifest, chexpert_root):
    m = chexpert_manifest
    counts = m.counts()
    assert counts.loc["train", ["images", "patients", "studies"]].tolist() == [
        223_414,
        64_540,
        187_641,
    ]
    assert counts.loc["test", ["images", "patients", "studies"]].tolist() == [234, 200, 200]
    train = m.select("train").table
    assert train["sex"].isna().sum() == 1
    for label, expected in CHEXPERT.items():
        values = train[label]
        counted = [(values == v).sum() for v in (1, 0, -1)] + [values.isna().sum()]
        assert tuple(counted) == expected, label
        assert sum(expected) == 223_414
    assert len(m) == 223_414 + 234
    assert not differences("chexpert", m, views="all")
    assert (train["view"] != "lateral").sum() == 191_027
    frontal = chexpert.load(chexpert_root, ("Edema",))
    assert (frontal.table["split"] == "train").sum() == 191_027
    assert not differences("chexpert", frontal, views="frontal")
    assert not differences("chexpert", frontal, views="lateral")  # no published counts of these
    assert differences("chexpert", m.subset(np.arange(len(m)) != 7), views="all") == [
        "train has 223,413 images, published 223,414 (1 fewer)"
    ]


def test_the_usual_policies_on_chexpert(chexpert_manifest):
    five = labels.FIVE_CONDITIONS
    m = dataclasses.replace(chexpert_manifest, labels=five).select("train")
    ones = {"Edema", "Atelectasis"}
    uncertain = {label: "ones" if label in ones else "zeros" for label in m.labels}
    decided = labels.apply_policies(m, uncertain, "zeros")
    for label, (positive, _, unsure, _) in CHEXPERT.items():
        assert decided.counts().loc["train", label] == positive + (unsure if label in ones else 0)
        assert decided.table[label].notna().all()


# Positives in Data_Entry_2017_v2020.csv.
CHESTXRAY14 = {
    "Pleural Effusion": 13_317,
    "Atelectasis": 11_559,
    "Consolidation": 4_667,
    "Cardiomegaly": 2_776,
    "Edema": 2_303,
    "No Finding": 60_361,
}


@pytest.fixture(scope="module")
def nih_root(tmp_path_factory):
    """Writes 112,120 entries of 30,805 patients, 86,524 of them for training, 25,596 for test."""
    root = tmp_path_factory.mktemp("nih")
    rng = np.random.default_rng(0)
    count, tested, patients, tested_patients = 112_120, 25_596, 30_805, 2_797
    patient = np.concatenate(
        [
            1 + spread(count - tested, patients - tested_patients),
            1 + patients - tested_patients + spread(tested, tested_patients),
        ]
    )
    follow_up = pd.Series(patient).groupby(patient).cumcount().to_numpy()
    name = np.char.add(
        np.char.add(np.char.zfill(patient.astype(str), 8), "_"),
        np.char.add(np.char.zfill(follow_up.astype(str), 3), ".png"),
    )
    # The first rows of the random order have no finding; all others have at least infiltration.
    order = rng.permutation(count)
    texts = np.full(count, "Infiltration", dtype=object)
    texts[order[: CHESTXRAY14["No Finding"]]] = "No Finding"
    ill = order[CHESTXRAY14["No Finding"] :]
    name_of = {label: name for name, label in labels.CHESTXRAY14.items()}
    for label in list(CHESTXRAY14)[:-1]:
        chosen = rng.choice(ill, CHESTXRAY14[label], replace=False)
        texts[chosen] = name_of[label] + "|" + texts[chosen]
    view = np.where(rng.permutation(count) < 67_310, "PA", "AP")
    columns = {
        "Image Index": name,
        "Finding Labels": texts.astype(str),
        "Follow-up #": follow_up,
        "Patient ID": patient,
        "Patient Age": rng.integers(1, 96, count),
        "Patient Gender": np.where(patient % 2, "M", "F"),
        "View Position": view,
        # The commas in the header are not quoted: each of these names has two fields.
        "OriginalImage[Width": np.full(count, 2500),
        "Height]": np.full(count, 2048),
        "OriginalImagePixelSpacing[x": np.full(count, 0.168),
        "y]": np.full(count, 0.168),
    }
    write_table(root / "Data_Entry_2017_v2020.csv", columns)
    (root / "train_val_list.txt").write_text("\n".join(name[:-tested]))
    (root / "test_list.txt").write_text("\n".join(name[-tested:]))
    boxed = name[rng.choice(count, 880, replace=False)]
    boxes = np.concatenate([boxed, boxed[: 984 - 880]])
    kinds = ["Atelectasis", "Cardiomegaly", "Effusion", "Infiltrate", "Mass", "Nodule"]
    kinds += ["Pneumonia", "Pneumothorax"]
    lines = [f"{n},{kinds[i % 8]},{i}.5,2,{1 + i},3.25" for i, n in enumerate(boxes)]
    text = "\n".join(["Image Index,Finding Label,Bbox [x,y,w,h],,,", *lines]) + "\n"
    (root / "BBox_List_2017.csv").write_text(text)
    return root


@pytest.fixture(scope="module")
def nih_manifest(nih_root):
    return chestxray14.load(nih_root)


def test_chestxray14(nih_manifest):
    m = nih_manifest
    counts = m.counts()
    assert counts["images"].to_dict() == {"train": 86_524, "test": 25_596}
    assert counts["patients"].sum() == m.table["patient_id"].nunique() == 30_805
    assert m.table["view"].value_counts().to_dict() == {"PA": 67_310, "AP": 44_810}
    for label, positive in CHESTXRAY14.items():
        assert (m.table[label] == 1).sum() == positive
    assert len(m.labels) == 15
    assert m.table[list(m.labels)].notna().all(axis=None)
    assert not differences("chestxray14", m)
    whole = m.with_columns({"split": None})
    assert not differences("chestxray14", whole)
    found = differences("chestxray14", m.subset(m.table["patient_id"] != "1"))
    assert found == [
        "train has 86,520 images, published 86,524 (4 fewer)",
        "train has 28,007 patients, published 28,008 (1 fewer)",
    ]


def test_the_usual_division_of_chestxray14(nih_root, nih_manifest, tmp_path):
    m = nih_manifest
    for file in nih_root.iterdir():
        (tmp_path / file.name).symlink_to(file)
    names = m.table["path"].str.removeprefix("images/")
    patient = m.table["patient_id"].astype(int)
    # The first 2,500 patients have four images, the others three.
    held_out = (patient <= 214) | (patient.between(28_008 - 3_452 + 1, 28_008))
    trained = (m.table["split"] == "train") & ~held_out
    labelled = names + " 0 1 0"
    (tmp_path / "Xray14_train_official.txt").write_text("\n".join(labelled[trained]))
    (tmp_path / "Xray14_val_official.txt").write_text("\n".join(labelled[held_out]))
    divided = chestxray14.load(tmp_path, ("Edema",))
    counts = divided.counts()
    assert counts["images"].to_dict() == {"train": 75_312, "validation": 11_212, "test": 25_596}
    assert counts["patients"].to_dict() == {"train": 24_342, "validation": 3_666, "test": 2_797}
    assert not differences("chestxray14", divided)


def test_chestxray14_boxes(nih_root, nih_manifest):
    boxes = chestxray14.boxes(nih_root)
    assert len(boxes) == 984
    assert boxes["path"].nunique() == 880
    assert boxes["label"].nunique() == 8
    assert set(boxes["label"]) <= set(nih_manifest.labels)
    assert boxes["path"].isin(nih_manifest.table["path"]).all()


def test_mimic_cxr(tmp_path):
    images, studies, patients = 377_110, 227_835, 65_379
    rng = np.random.default_rng(0)
    study_of = spread(images, studies)
    patient = 10_000_000 + 137 * spread(studies, patients)
    split = np.repeat(["train", "validate", "test"], [368_960, 2_991, 5_159])
    ids = {"subject_id": patient[study_of], "study_id": 50_000_000 + study_of}
    name = np.char.add("0a1b2c3d-", np.arange(images).astype(str))
    view = rng.choice(["PA", "AP", "LATERAL", "LL", ""], images)
    tables = {
        "metadata": {"dicom_id": name, **ids, "ViewPosition": view, "Rows": np.full(images, 2544)},
        "split": {"dicom_id": name[::-1], **{k: v[::-1] for k, v in ids.items()}}
        | {"split": split[::-1]},
        "chexpert": {"subject_id": patient, "study_id": 50_000_000 + np.arange(studies)}
        | {label: rng.choice(["1.0", "0.0", "-1.0", ""], studies) for label in labels.MIMIC_CXR},
    }
    for table, columns in tables.items():
        path = tmp_path / f"mimic-cxr-2.0.0-{table}.csv"
        write_table(path, columns)
        if table == "split":
            path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 1))
            path.unlink()
    m = mimic_cxr.load(tmp_path, views="all")
    images_per_split = m.counts()["images"].to_dict()
    assert images_per_split == {"train": 368_960, "validation": 2_991, "test": 5_159}
    assert m.table["study_id"].nunique() == studies
    assert m.table["patient_id"].nunique() == patients
    sample = rng.integers(0, images, 200)
    edema = tables["chexpert"]["Edema"][study_of[sample]]
    expected = pd.to_numeric(pd.Series(edema), errors="coerce").to_numpy(np.float32)
    np.testing.assert_array_equal(m.table["Edema"].to_numpy()[sample], expected)
    assert not differences("mimic_cxr", m, views="all")


def test_openi(tmp_path):
    """The 3,955 XML files, of which 104 name no image, are not written here: they take seconds."""
    reports = np.arange(3_851)
    for images in (7_466, 7_470):
        uid = spread(images, 3_851)
        frontal = np.arange(images) < 3_818
        columns = {
            "uid": uid,
            "filename": np.char.add(np.arange(images).astype(str), ".dcm.png"),
            "projection": np.where(frontal, "Frontal", "Lateral"),
        }
        write_table(tmp_path / "indiana_projections.csv", columns)
        codes = np.where(reports % 2, "normal", "Cardiomegaly/mild")
        write_table(tmp_path / "indiana_reports.csv", {"uid": reports, "MeSH": codes})
        m = openi.load(tmp_path)
        assert not differences("openi", m, views="all")
        assert m.table["patient_id"].nunique() == 3_851
    m = openi.load(tmp_path, views="frontal")
    assert not differences("openi", m, views="frontal")


@pytest.mark.guarantee
def test_padchest(tmp_path):
    projection = ["PA", "AP", "L", "COSTAL", "AP_horizontal"]
    count, people = 160_861, 67_625
    # The frontal images have 67,247 patients, the lateral ones 35,184, the others the rest.
    kinds = np.repeat([0, 2, 3], [110_633, 49_579, count - 110_633 - 49_579])
    lateral = spread(49_579, 35_184)
    others = 67_247 + spread(count - 110_633 - 49_579, people - 67_247)
    patient = np.concatenate([spread(110_633, 67_247), lateral, others])
    read = np.concatenate([spread(39_053, 24_491), np.full(count, people)])[:count]
    physician = np.where((np.arange(count) < 39_053) & (read < people), "Physician", "RNN_model")
    columns = {
        "ImageID": np.char.add(np.arange(count).astype(str), ".png"),
        "ImageDir": np.arange(count) % 55,
        "StudyID": np.arange(count),
        "PatientID": patient,
        "StudyDate_DICOM": np.full(count, 20_140_915),
        "PatientBirth": np.full(count, "1930.0"),
        "PatientSex_DICOM": np.full(count, "F"),
        "Projection": np.asarray(projection)[kinds],
        "MethodLabel": physician,
        "Labels": np.where(np.arange(count) % 3, "['normal']", "['pulmonary edema']"),
    }
    write_table(tmp_path / "PADCHEST_chest_x_ray_images_labels_160K.csv", columns)
    for views in ("all", "frontal", "lateral"):
        m = padchest.load(tmp_path, views=views)
        assert not differences("padchest", m, views=views, labelled_by="all")
    assert (m.table["Edema"] == 0).sum() == (m.table["No Finding"] == 1).sum()
    read_by_physicians = padchest.load(tmp_path, views="all", labelled_by="physician")
    assert len(read_by_physicians) == 39_053


def test_patch_camelyon(tmp_path):
    counts = {"train": 262_144, "valid": 32_768, "test": 32_768}
    for split, count in counts.items():
        stem = f"camelyonpatch_level_2_split_{split}"
        with h5py.File(tmp_path / f"{stem}_x.h5", "w") as file:
            # HDF5 stores no unwritten chunks: seven gigabytes of zeros take a few kilobytes.
            file.create_dataset("x", (count, 96, 96, 3), np.uint8, chunks=(1, 96, 96, 3))
        with h5py.File(tmp_path / f"{stem}_y.h5", "w") as file:
            targets = np.random.default_rng(0).permutation(count) < count // 2
            file["y"] = targets.astype(np.uint8).reshape(-1, 1, 1, 1)
    m = patch_camelyon.load(tmp_path, allow_missing_patient_ids=True)
    counted = m.counts()
    assert counted["images"].to_dict() == {"train": 262_144, "validation": 32_768, "test": 32_768}
    assert (counted["tumor"] * 2 == counted["images"]).all()
    assert m.table["path"].iloc[-1] == "camelyonpatch_level_2_split_test_x.h5#32767"
    assert not differences("patch_camelyon", m)


@pytest.mark.guarantee
def test_pcam_kaggle(tmp_path):
    count, positive = 220_025, 89_117
    names = np.char.add("a", np.arange(count).astype(str))
    columns = {"id": names, "label": (np.arange(count) < positive).astype(int)}
    write_table(tmp_path / "train_labels.csv", columns)
    m = pcam_kaggle.load(tmp_path, allow_missing_patient_ids=True)
    table = m.table
    assert (len(table), table["tumor"].sum()) == (count, positive)
    assert not differences("pcam_kaggle", m)


def test_rsna_pneumonia(tmp_path):
    kinds = {"Lung Opacity": 6_012, "Normal": 8_851, "No Lung Opacity / Not Normal": 11_821}
    kind = np.repeat(list(kinds), list(kinds.values()))
    assert len(kind) == 26_684
    ids = np.char.add("id-", np.arange(len(kind)).astype(str))
    # A box per ill image, and second ones until there are as many boxes as are published.
    rows = np.concatenate([np.arange(len(kind)), np.arange(9_555 - 6_012)])
    ill = kind[rows] == "Lung Opacity"
    side = np.where(ill, "10.0", "")
    columns = {"patientId": ids[rows]} | dict.fromkeys(("x", "y", "width", "height"), side)
    write_table(tmp_path / rsna_pneumonia.LABELS, columns | {"Target": ill.astype(int)})
    classes = {"patientId": ids[rows], "class": kind[rows]}
    write_table(tmp_path / rsna_pneumonia.CLASSES, classes)
    m = rsna_pneumonia.load(tmp_path, allow_missing_patient_ids=True)
    assert not differences("rsna_pneumonia", m)
    assert m.table["Pneumonia"].sum() == 6_012
    assert m.table["No Finding"].sum() == 8_851
    assert (m.targets().sum(axis=1) == 0).sum() == 11_821
    assert len(rsna_pneumonia.read_boxes(tmp_path / rsna_pneumonia.LABELS)) == 9_555


@pytest.mark.parametrize(
    ("table", "images", "ill"), [("stage_2_train.csv", 12_047, 2_669), ("train-rle.csv", 10_675, 1)]
)
def test_siim_pneumothorax(table, images, ill, tmp_path):
    ids = np.char.add("1.2.", np.arange(images).astype(str))
    pixels = np.where(np.arange(images) < ill, "5 1", "-1")
    write_table(tmp_path / table, {"ImageId": ids, "EncodedPixels": pixels})
    m = siim_pneumothorax.load(tmp_path, allow_missing_patient_ids=True)
    assert not differences("siim_pneumothorax", m)
    assert m.table["Pneumothorax"].sum() == ill
    if table == "stage_2_train.csv":
        assert (m.table["Pneumothorax"] == 0).sum() == 9_378


# Images of train, validation and test.
MEDMNIST = {
    "bloodmnist": (11_959, 1_712, 3_421),
    "breastmnist": (546, 78, 156),
    "chestmnist": (78_468, 11_219, 22_433),
    "dermamnist": (7_007, 1_003, 2_005),
    "octmnist": (97_477, 10_832, 1_000),
    "organamnist": (34_561, 6_491, 17_778),
    "organcmnist": (12_975, 2_392, 8_216),
    "organsmnist": (13_932, 2_452, 8_827),
    "pathmnist": (89_996, 10_004, 7_180),
    "pneumoniamnist": (4_708, 524, 624),
    "retinamnist": (1_080, 120, 400),
    "tissuemnist": (165_466, 23_640, 47_280),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.guarantee] if sum(counts) > 20_000 else [])
        for name, counts in MEDMNIST.items()
    ],
)
def test_medmnist(name, tmp_path, monkeypatch):
    (tmp_path / f"{name}.npz").touch()
    classes = labels.MEDMNIST[name]
    arrays = {}
    for split, count in zip(("train", "val", "test"), MEDMNIST[name], strict=True):
        targets = np.arange(count)[:, None] % len(classes)
        if name == "chestmnist":
            targets = np.zeros((count, len(classes)), int)
        whole = functools.partial(lambda values: values, targets)
        # Pixels are not read: arrays without any stand for them.
        images = types.SimpleNamespace(
            shape=(count, 28, 28), dtype=np.dtype(np.uint8), is_by_column=False
        )
        arrays |= {f"{split}_images": images, f"{split}_labels": types.SimpleNamespace(whole=whole)}
    monkeypatch.setattr(medmnist.npz, "arrays", lambda path: arrays)
    m = medmnist.load(tmp_path, allow_missing_patient_ids=True)
    counted = m.counts()["images"].to_dict()
    assert tuple(counted.values()) == MEDMNIST[name]
    assert list(counted) == ["train", "validation", "test"]
    assert not differences("medmnist", m)
    assert differences("medmnist", m.subset(np.arange(len(m)) > 0)) == [
        f"train has {MEDMNIST[name][0] - 1:,} images, published {MEDMNIST[name][0]:,} (1 fewer)"
    ]


def test_vindr_cxr(tmp_path):
    (tmp_path / "annotations").mkdir()
    for split, images, readers in (("train", 15_000, 3), ("test", 3_000, 1)):
        rows = np.arange(images * readers)
        columns = {"image_id": np.char.add("i", (rows // readers).astype(str))}
        if split == "train":
            columns["rad_id"] = np.char.add("R", (rows % readers).astype(str))
        columns |= dict.fromkeys(labels.VINDR_CXR, (rows % 5 == 0).astype(int))
        write_table(tmp_path / f"annotations/image_labels_{split}.csv", columns)
    m = vindr_cxr.load(tmp_path, ("Edema", "No Finding"), allow_missing_patient_ids=True)
    assert not differences("vindr_cxr", m)
    # Of Kaggle's edition.
    rows = np.arange(3 * 15_000)
    columns = {
        "image_id": np.char.add("i", (rows // 3).astype(str)),
        "class_name": np.full(len(rows), "No finding"),
        "rad_id": np.char.add("R", (rows % 3).astype(str)),
    }
    (tmp_path / "kaggle").mkdir()
    write_table(tmp_path / "kaggle/train.csv", columns)
    m = vindr_cxr.load(tmp_path / "kaggle", ("No Finding",), allow_missing_patient_ids=True)
    assert not differences("vindr_cxr", m)


def test_wilds_camelyon17(tmp_path):
    # Patches per centre; those of 0, 3 and 4 sum to the published 302,436 + 33,560.
    patches = {0: 100_000, 3: 116_000, 4: 302_436 + 33_560 - 216_000, 1: 34_904, 2: 85_054}
    centre = np.repeat(list(patches), list(patches.values()))
    count = len(centre)
    position = np.concatenate([np.arange(n) for n in patches.values()])
    slide = 10 * centre + position % 10
    split = np.zeros(count, int)
    training = np.flatnonzero(~np.isin(centre, (1, 2)))
    rng = np.random.default_rng(0)
    split[rng.choice(training, 33_560, replace=False)] = 1
    split[rng.choice(np.flatnonzero(np.isin(centre, (1, 2))), 5_000, replace=False)] = 1
    columns = {
        "": np.arange(count),
        "patient": np.char.zfill((2 * slide).astype(str), 3),
        "node": slide % 5,
        "x_coord": 32 * position,
        "y_coord": 64 * position,
        "tumor": position // 10 % 2,
        "slide": slide,
        "center": centre,
        "split": split,
    }
    write_table(tmp_path / "metadata.csv", columns)
    m = wilds_camelyon17.load(tmp_path)
    official = {"validation_centres": (1,), "test_centres": (2,)}
    assert not differences("wilds_camelyon17", m, **official)
    table = m.table
    assert table["split"].value_counts().to_dict() == {
        "train": 302_436,
        "id_validation": 33_560,
        "validation": 34_904,
        "test": 85_054,
    }
    assert table["slide_id"].nunique() == 50
    assert (table.groupby("site")["slide_id"].nunique() == 10).all()


def test_every_published_count_of_a_datasheet_is_tested_here():
    tested = pathlib.Path(__file__).read_text().replace("_", ",")
    for name in sources.NAMES:
        _, sheet = source_pages.sheet(name)
        for count in re.findall(r"\d+,[\d,]*\d", sheet.get("Counts", "")):
            assert count in tested, name


@pytest.mark.parametrize("name", [name for name in sources.NAMES if sources.published(name)])
def test_every_count_that_is_checked_stands_in_the_datasheet(name):
    text = inspect.getdoc(inspect.getmodule(sources.loader(name)))
    for published in sources.published(name):
        for numbers in published.splits.values():
            for number in numbers.values():
                assert f"{number:,}" in text


def test_a_difference_is_said_once_and_not_of_made_up_data(tmp_path, caplog):
    root = synthetic.write_chestxray14(tmp_path, patients=4, image_size=32)
    load_part = functools.partial(sources.load, "chestxray14", root, ("Edema",))
    caplog.set_level("WARNING")
    load_part()
    assert not caplog.messages
    (root / "REHEARSAL.txt").unlink()
    images = len(load_part())
    (warning,) = caplog.messages
    assert warning.startswith(
        f"chestxray14: {root} is not all of the published data, or another version: train has "
    )
    assert "test has" in warning
    (root / "train_val_list.txt").unlink()
    (root / "test_list.txt").unlink()
    caplog.clear()
    load_part()
    (warning,) = caplog.messages
    assert f"{images} images, published 112,120 ({112_120 - images:,} fewer)" in warning
    assert "4 patients, published 30,805 (30,801 fewer)" in warning


def test_the_nearest_of_several_versions_is_compared(make):
    first = published_counts.whole(images=10, patients=10)
    second = published_counts.whole(images=4, patients=3)
    found = published_counts.differences(make(4), (first, second), {})
    assert found == ["4 patients, published 3 (1 more)"]
    assert not published_counts.differences(make(4, split="train"), (first, second), {})
