"""Layouts, determinism and visible findings of the made-up data sets."""

import hashlib
import pathlib
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from remedis import synthetic
from remedis.errors import UserError
from remedis.synthetic import anatomy, chest, chestxray14, chexpert, cohort, findings
from remedis.synthetic.drawing import generator
from remedis.synthetic.histology import CENTRE, CENTRES, draw_patch

CHEXPERT_HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,"
    "Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,"
    "Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


def hashes(root: pathlib.Path) -> dict[str, str]:
    """Returns the hash of every file below `root`, by relative path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def images_of(root: pathlib.Path) -> dict[str, str]:
    """Returns the hash of every image, by relative path, and by array and row of NumPy files."""
    found = {
        name: value
        for name, value in hashes(root).items()
        if name.endswith(("jpg", "png", "tif", "dcm", "dicom"))
    }
    for path in root.rglob("*.npz"):
        for name, array in np.load(path).items():
            if array.ndim > 2:
                found |= {
                    f"{name},{i}": hashlib.sha256(image).hexdigest()
                    for i, image in enumerate(array)
                }
    return found


WRITERS = {
    "chexpert": lambda to, n=4, **more: synthetic.write_chexpert(
        to, patients=n, valid_patients=n, image_size=32, **more
    ),
    "chestxray14": lambda to, n=4, **more: synthetic.write_chestxray14(
        to, patients=n, image_size=32, **more
    ),
    "camelyon17": lambda to, n=4, **more: synthetic.write_wilds_camelyon17(
        to, slides_per_centre=max(1, n // 3), patches_per_slide=n, **more
    ),
    "skin": lambda to, n=4, **more: synthetic.write_skin(to, patients=n, image_size=32, **more),
    "fundus": lambda to, n=4, **more: synthetic.write_fundus(to, patients=n, image_size=32, **more),
    "mammograms": lambda to, n=4, **more: synthetic.write_mammograms(
        to, patients=n, image_size=32, **more
    ),
    "camelyon16": lambda to, n=4, **more: synthetic.write_camelyon16(
        to, slides=1, test_slides=min(n, 5), **more
    ),
    "camelyon17 slides": lambda to, n=4, **more: synthetic.write_camelyon17(
        to, patients_per_centre=n // 3, **more
    ),
    "pcam_kaggle": lambda to, n=4, **more: synthetic.write_pcam_kaggle(to, patches=2 * n, **more),
    "camelyon_patches": lambda to, n=4, **more: synthetic.write_camelyon_patches(
        to, slides=n, patches_per_slide=2, patch_size=32, **more
    ),
    "openi": lambda to, n=4, **more: synthetic.write_openi(to, patients=n, image_size=32, **more),
    "vindr_cxr": lambda to, n=4, **more: synthetic.write_vindr_cxr(
        to, patients=n and 2 * n, image_size=32, **more
    ),
    "padchest": lambda to, n=4, **more: synthetic.write_padchest(
        to, patients=n, image_size=32, **more
    ),
    "rsna_pneumonia": lambda to, n=4, **more: synthetic.write_rsna_pneumonia(
        to, patients=n, image_size=32, **more
    ),
    "siim_pneumothorax": lambda to, n=4, **more: synthetic.write_siim_pneumothorax(
        to, images=n + 1 if n else 0, image_size=32, **more
    ),
    "medmnist": lambda to, n=4, **more: synthetic.write_medmnist(to, images=n, **more),
    "mimic_cxr": lambda to, n=4, **more: synthetic.write_mimic_cxr(
        to, patients=n, image_size=32, **more
    ),
}


@pytest.fixture(scope="module")
def chexpert_root(tmp_path_factory):
    # Few patients, but enough with every condition.
    return synthetic.write_chexpert(
        tmp_path_factory.mktemp("chexpert"), patients=200, image_size=32
    )


@pytest.fixture(scope="module")
def nih_root(tmp_path_factory):
    return synthetic.write_chestxray14(tmp_path_factory.mktemp("nih"), patients=60, image_size=40)


@pytest.fixture(scope="module")
def camelyon_root(tmp_path_factory):
    return synthetic.write_wilds_camelyon17(
        tmp_path_factory.mktemp("camelyon"), slides_per_centre=10, patches_per_slide=2
    )


@pytest.mark.parametrize("name", WRITERS)
class TestEveryWriter:
    def test_same_seed_same_bytes(self, name, tmp_path):
        first, second = WRITERS[name](tmp_path / "a"), WRITERS[name](tmp_path / "b")
        assert hashes(first) == hashes(second)

    def test_another_seed_draws_other_images(self, name, tmp_path):
        first = set(images_of(WRITERS[name](tmp_path / "a")).values())
        second = set(images_of(WRITERS[name](tmp_path / "b", seed=1)).values())
        assert not first & second

    def test_all_images_differ(self, name, tmp_path):
        values = list(images_of(WRITERS[name](tmp_path)).values())
        assert len(values) == len(set(values)) > 4

    def test_added_patients_do_not_change_the_others(self, name, tmp_path):
        few, many = WRITERS[name](tmp_path / "few"), WRITERS[name](tmp_path / "many", n=6)
        assert images_of(few).items() < images_of(many).items()

    def test_says_that_it_is_made_up(self, name, tmp_path):
        notice = (WRITERS[name](tmp_path, seed=7) / "REHEARSAL.txt").read_text()
        assert "made-up" in notice
        assert "Seed: 7" in notice
        assert "nothing about medicine" in notice

    def test_refuses_to_overwrite(self, name, tmp_path):
        root = WRITERS[name](tmp_path)
        before = hashes(root)
        with pytest.raises(UserError, match="exists already"):
            WRITERS[name](tmp_path, seed=1)
        assert hashes(root) == before
        assert hashes(WRITERS[name](tmp_path, seed=1, overwrite=True)) != before
        assert [path.name for path in tmp_path.iterdir()] == [root.name]

    @pytest.mark.parametrize(("arguments", "message"), [({"n": 0}, "is 0"), ({"seed": -1}, "seed")])
    def test_wrong_arguments(self, name, arguments, message, tmp_path):
        with pytest.raises(UserError, match=message):
            WRITERS[name](tmp_path, **arguments)
        assert not list(tmp_path.iterdir())


def test_the_package_does_not_import_tensorflow():
    code = "import sys, remedis.synthetic; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert b"remedis.synthetic.histology" in loaded.split()
    assert b"tensorflow" not in loaded.split()


def test_other_wrong_arguments(tmp_path):
    with pytest.raises(UserError, match="image_size is 8, expected 32 or more"):
        synthetic.write_chexpert(tmp_path, image_size=8)
    with pytest.raises(UserError, match="64540 or fewer"):
        synthetic.write_chexpert(tmp_path, patients=70000)
    with pytest.raises(UserError, match="at least one patient in each list"):
        synthetic.write_chestxray14(tmp_path, patients=4, test_share=0.0)
    with pytest.raises(UserError, match="slides is 49, expected 48 or fewer"):
        synthetic.write_camelyon16(tmp_path, slides=49)
    with pytest.raises(UserError, match="patients_per_centre is 21, expected 1 to 20"):
        synthetic.write_camelyon17(tmp_path, patients_per_centre=21)
    with pytest.raises(UserError, match="expected 1 to 20"):
        synthetic.write_wilds_camelyon17(tmp_path, slides_per_centre=21)
    person = anatomy.draw_anatomy(generator(0), "F", 50)
    with pytest.raises(UserError, match="Edema"):
        chest.draw_chest(person, {"Oedema": 0.5}, chest.HOSPITAL_A, "PA", generator(0))
    with pytest.raises(UserError, match="Lateral"):
        chest.draw_chest(person, {}, chest.HOSPITAL_A, "lateral", generator(0))


class TestChexpert:
    @pytest.mark.parametrize("split", ["train", "valid"])
    def test_header_paths_and_images(self, chexpert_root, split):
        assert chexpert_root.name == "CheXpert-v1.0-small"
        lines = (chexpert_root / f"{split}.csv").read_text().splitlines()
        assert lines[0] == CHEXPERT_HEADER
        table = pd.read_csv(chexpert_root / f"{split}.csv")
        pattern = (
            rf"CheXpert-v1\.0-small/{split}/patient\d{{5}}/study\d/view\d_(frontal|lateral)\.jpg"
        )
        assert table["Path"].str.fullmatch(pattern).all()
        listed = set(table["Path"])
        images = chexpert_root.parent.glob(f"{chexpert_root.name}/{split}/**/*.jpg")
        assert {str(path.relative_to(chexpert_root.parent)) for path in images} == listed
        assert len(listed) == len(table)
        shapes = set()
        for path in table["Path"][:60]:
            with Image.open(chexpert_root.parent / path) as image:
                assert image.mode == "L"
                assert min(image.size) == 32
                assert max(image.size) <= 40
                shapes.add(image.size)
        assert len(shapes) > 3
        lateral = table["Path"].str.contains("lateral")
        assert (table["Frontal/Lateral"] == np.where(lateral, "Lateral", "Frontal")).all()
        assert table.loc[lateral, "AP/PA"].isna().all()
        assert table["Age"].between(18, 90).all()

    def test_train_labels_are_as_mined_from_reports(self, chexpert_root):
        raw = pd.read_csv(chexpert_root / "train.csv", dtype=str, keep_default_na=False)
        assert set(raw[list(chexpert.LABELS)].to_numpy().ravel()) == {"1.0", "0.0", "-1.0", ""}
        assert set(raw["AP/PA"]) == {"AP", "PA", "LL", ""}
        assert set(raw["Sex"]) == {"Male", "Female", "Unknown"}
        for name in findings.CONDITIONS:
            counts = raw[name].value_counts()
            assert counts[""] > counts["1.0"] > 0
            assert counts["-1.0"] > 0
        # As in the published set, atelectasis is the most often uncertain and hardly ever denied.
        assert (raw["Atelectasis"] == "-1.0").sum() > (raw["Pleural Effusion"] == "-1.0").sum()
        assert (raw["Atelectasis"] == "0.0").sum() < (raw["Pleural Effusion"] == "0.0").sum()

    def test_images_of_a_study_share_their_labels(self, chexpert_root):
        table = pd.read_csv(chexpert_root / "train.csv")
        study = table["Path"].str.rsplit("/", n=1).str[0]
        assert (study.value_counts() > 1).any()
        labels = table[list(chexpert.LABELS)].fillna(9).groupby(study)
        assert (labels.nunique() == 1).all(axis=None)

    def test_valid_labels_are_complete(self, chexpert_root):
        table = pd.read_csv(chexpert_root / "valid.csv")
        values = table[list(chexpert.LABELS)]
        assert set(values.to_numpy().ravel()) == {0.0, 1.0}
        healthy = table["No Finding"] == 1
        assert healthy.any()
        assert (table.loc[healthy, list(findings.CONDITIONS)] == 0).all(axis=None)
        opaque = values[["Edema", "Consolidation", "Atelectasis", "Lung Lesion"]].max(axis=1)
        assert (values["Lung Opacity"] == opaque).all()

    def test_patients(self, chexpert_root):
        train, valid = (pd.read_csv(chexpert_root / f"{s}.csv") for s in ("train", "valid"))
        people = [t["Path"].str.extract(r"(patient\d+)")[0] for t in (train, valid)]
        assert not set(people[0]) & set(people[1])
        assert [p.nunique() for p in people] == [200, 80]
        studies = train["Path"].str.extract(r"(study\d)")[0].groupby(people[0]).nunique()
        assert set(studies) == {1, 2, 3}
        assert (train.groupby(people[0])["Sex"].nunique() == 1).all()
        for name in findings.CONDITIONS:
            assert people[0][train[name] == 1].nunique() >= 15
            assert people[1][valid[name] == 1].nunique() >= 8

    @pytest.mark.parametrize("seed", range(20))
    def test_enough_patients_of_each_condition_whatever_the_seed(self, seed):
        # The reports may call half of the patients with a condition uncertain.
        for split, count, minimum in ((1, 200, 30), (2, 80, 8)):
            people = list(cohort.patients(seed, split, count, chest.HOSPITAL_A, 1))
            for name in findings.CONDITIONS:
                assert sum(name in p.studies[0].findings for p in people) >= minimum


class TestChestXray14:
    def entries(self, root):
        lines = (root / "Data_Entry_2017.csv").read_text().splitlines()
        assert lines[0] == NIH_HEADER
        return [line.split(",") for line in lines[1:]]

    def test_entries_and_images(self, nih_root):
        entries = self.entries(nih_root)
        allowed = {*chestxray14._NAMES.values(), "No Finding"}
        paths = {p.name: p for p in nih_root.glob("images_*/images/*.png")}
        assert {p.parent.parent.name for p in paths.values()} == {"images_001", "images_002"}
        assert set(paths) == {entry[0] for entry in entries}
        assert any("|" in entry[1] for entry in entries)
        for entry in entries:
            name, labels, follow_up, patient, age, sex, view, width, height, *spacing = entry
            assert name == f"{int(patient):08d}_{int(follow_up):03d}.png"
            labels = labels.split("|")
            assert set(labels) <= allowed
            assert labels == sorted(set(labels))
            assert "No Finding" not in labels or len(labels) == 1
            assert 18 <= int(age) <= 90
            assert sex in ("M", "F")
            assert view in ("PA", "AP")
            assert int(width) > 1000
            assert int(height) > 1000
            assert len(spacing) == 2
            with Image.open(paths[name]) as image:
                assert (image.mode, image.size) == ("L", (40, 40))

    def test_lists_share_no_patient_and_cover_all(self, nih_root):
        train, test = (
            (nih_root / f"{name}_list.txt").read_text().split() for name in ("train_val", "test")
        )
        assert not {n[:8] for n in train} & {n[:8] for n in test}
        assert sorted(train + test) == sorted(entry[0] for entry in self.entries(nih_root))
        patients = {n[:8] for n in test}
        assert 18 <= len(patients) <= 30

    def test_a_patient_stays_in_its_list_when_others_are_added(self, tmp_path):
        few = synthetic.write_chestxray14(tmp_path / "few", patients=5, image_size=32)
        many = synthetic.write_chestxray14(tmp_path / "many", patients=9, image_size=32)
        for name in ("train_val_list.txt", "test_list.txt", "Data_Entry_2017.csv"):
            assert (many / name).read_text().startswith((few / name).read_text())


class TestCamelyon17:
    def test_metadata_and_patches(self, camelyon_root):
        assert camelyon_root.name == "camelyon17_v1.0"
        header = (camelyon_root / "metadata.csv").read_text().splitlines()[0]
        assert header == ",patient,node,x_coord,y_coord,tumor,slide,center,split"
        table = pd.read_csv(camelyon_root / "metadata.csv", index_col=0, dtype={"patient": str})
        assert list(table.index) == list(range(5 * 10 * 2))
        names = set()
        for row in table.itertuples():
            stem = f"patient_{row.patient}_node_{row.node}"
            path = (
                camelyon_root
                / "patches"
                / stem
                / f"patch_{stem}_x_{row.x_coord}_y_{row.y_coord}.png"
            )
            with Image.open(path) as image:
                assert (image.mode, image.size) == ("RGBA", (96, 96))
                assert image.getextrema()[3] == (255, 255)
            names.add(path)
        assert names == set(camelyon_root.glob("patches/*/*.png"))
        assert len(names) == len(table)

    def test_numbering_follows_the_published_set(self, camelyon_root):
        table = pd.read_csv(camelyon_root / "metadata.csv", index_col=0, dtype={"patient": str})
        assert table["patient"].str.fullmatch(r"\d{3}").all()
        assert (table["patient"].astype(int) // 20 == table["center"]).all()
        assert (table["slide"] // 10 == table["center"]).all()
        assert table["slide"].nunique() == 50
        assert table.groupby("slide")["patient"].nunique().max() == 1
        # Some patients have two slides, so a split by slide is not one by patient.
        assert table.groupby("patient")["slide"].nunique().max() == 2
        assert set(table["split"]) == {0, 1}
        assert 0.02 < table["split"].mean() < 0.25
        assert (table.groupby("center")["tumor"].mean() == 0.5).all()

    def test_stain_differs_by_centre(self, camelyon_root):
        table = pd.read_csv(camelyon_root / "metadata.csv", index_col=0)
        colours = {centre: [] for centre in range(5)}
        for path in camelyon_root.glob("patches/*/*.png"):
            centre = int(path.parent.name.split("_")[1]) // 20
            colours[centre].append(np.asarray(Image.open(path), float)[..., :3].mean((0, 1)))
        assert sum(map(len, colours.values())) == len(table)
        means = np.array([np.mean(colours[c], axis=0) for c in range(5)])
        distance = np.linalg.norm(means[:, None] - means[None], axis=-1)
        spread = np.mean([np.std(colours[c], axis=0).mean() for c in range(5)])
        # The distance of the test centre from every other one exceeds the spread within a centre.
        assert distance[2, [0, 1, 3, 4]].min() > spread


class TestHistology:
    def test_tumour_nuclei_are_larger_in_the_middle(self):
        def coarse(patch):
            middle = slice(48 - CENTRE // 2, 48 + CENTRE // 2)
            red = ndimage.gaussian_filter(patch[..., 0].astype(float), 2.5)[middle, middle]
            return -np.percentile(red, 20)

        for centre in CENTRES:
            truth = [n % 2 for n in range(36)]
            scores = [
                coarse(draw_patch(bool(t), centre, generator(3, n))) for n, t in enumerate(truth)
            ]
            assert roc_auc_score(truth, scores) > 0.75

    def test_colours_are_those_of_haematoxylin_and_eosin(self):
        patch = draw_patch(False, CENTRES[0], generator(0)).astype(float)
        pink = patch.reshape(-1, 3).mean(0)
        assert pink[0] > pink[2] > pink[1]
        dark = patch[patch[..., 0] < np.percentile(patch[..., 0], 10)].mean(0)
        assert dark[2] > dark[1]


def region(image, top, bottom, left, right):
    """Returns a rectangle of an image, given in shares of its height and width."""
    height, width = image.shape
    return image[int(top * height) : int(bottom * height), int(left * width) : int(right * width)]


def heart_width(image):
    """Returns a score for the extent of the heart to the patient's left."""
    return region(image, 0.52, 0.62, 0.58, 0.74).mean()


def filled_angle(image):
    """Returns the height of the lower end of the shorter lung."""

    def end(left, right):
        rows = region(image, 0.3, 0.8, left, right).mean(axis=1)
        return np.flatnonzero(rows < (rows.min() + rows.max()) / 2).max()

    return -min(end(0.22, 0.30), end(0.70, 0.78))


def patch_on_one_side(image):
    smooth = ndimage.gaussian_filter(image, 4)
    right = region(smooth, 0.25, 0.60, 0.25, 0.38)
    return abs(right.mean() - region(smooth, 0.25, 0.60, 0.62, 0.75).mean())


def haze_on_both_sides(image):
    right = region(image, 0.40, 0.55, 0.32, 0.40)
    return min(right.mean(), region(image, 0.40, 0.55, 0.64, 0.72).mean())


def level_lines(image):
    lines = -ndimage.gaussian_filter(image, (1.2, 4), order=(2, 0))
    right = region(lines, 0.45, 0.62, 0.24, 0.38)
    return max(right.max(), region(lines, 0.45, 0.62, 0.64, 0.76).max())


SIGNS = {
    "Atelectasis": level_lines,
    "Cardiomegaly": heart_width,
    "Consolidation": patch_on_one_side,
    "Edema": haze_on_both_sides,
    "Pleural Effusion": filled_angle,
}


def draw(number, present, style=chest.HOSPITAL_A, view="PA", size=96):
    """Draws a patient with or without findings: [size, size] float in [0, 1]."""
    rng = generator(9, number)
    person = anatomy.draw_anatomy(rng, "FM"[number % 2], 60)
    severity = rng.uniform(0.15, 1)
    film_rng = generator(9, number, len(present))
    severities = dict.fromkeys(present, severity)
    return chest.draw_chest(person, severities, style, view, film_rng, (size, size)) / 255.0


class TestChest:
    @pytest.mark.parametrize("condition", findings.CONDITIONS)
    def test_each_condition_shows_where_it_should(self, condition):
        truth = [n % 2 for n in range(100)]
        scores = [SIGNS[condition](draw(n, [condition] * t)) for n, t in enumerate(truth)]
        # Far above chance: a hundred coin tosses reach 0.6 once in twenty times.
        assert roc_auc_score(truth, scores) > 0.65

    @pytest.mark.parametrize("view", chest.VIEWS)
    def test_findings_only_replace_air(self, view):
        # The same film with and without each finding; the noise, drawn last, is the same too.
        person = anatomy.draw_anatomy(generator(1), "M", 60)
        for name in findings.CONDITIONS:
            healthy, ill = (
                chest.draw_chest(person, present, chest.HOSPITAL_A, view, generator(2), (96, 96))
                for present in ({}, {name: 0.9})
            )
            change = ill.astype(float) - healthy
            assert change.mean() > 0.3
            assert (change < -2).mean() < 0.02

    def test_cardiomegaly_is_a_ratio_over_a_half(self):
        for before in (0.36, 0.43, 0.49):
            assert findings.enlarged(before, 0.01) > 0.5
            assert findings.enlarged(before, 1.0) > findings.enlarged(before, 0.1)
        people = [anatomy.draw_anatomy(generator(n), "F", 90) for n in range(200)]
        assert max(person.heart_ratio for person in people) < 0.5

    def test_lungs_are_dark_and_the_middle_is_bright(self):
        mean = np.mean([draw(n, []) for n in range(20)], axis=0)
        lungs = (
            region(mean, 0.3, 0.5, 0.28, 0.36).mean(),
            region(mean, 0.3, 0.5, 0.64, 0.72).mean(),
        )
        assert max(lungs) < 0.45
        assert region(mean, 0.5, 0.6, 0.47, 0.56).mean() > max(lungs) + 0.25
        assert region(mean, 0.8, 0.9, 0.3, 0.7).mean() > max(lungs) + 0.25

    def test_a_patient_resembles_itself_more_than_others(self):
        style = chest.HOSPITAL_A
        people = [anatomy.draw_anatomy(generator(n), "FM"[n % 2], 60) for n in range(12)]
        films = [
            [
                ndimage.gaussian_filter(
                    chest.draw_chest(p, {}, style, "PA", generator(n, k), (64, 64)).astype(float), 1
                )
                for n, p in enumerate(people)
            ]
            for k in (1, 2)
        ]
        distance = np.array([[np.abs(a - b).mean() for b in films[1]] for a in films[0]])
        to_itself = np.diag(distance).mean()
        to_others = distance[~np.eye(12, dtype=bool)].mean()
        assert to_itself < 0.9 * to_others


class TestShift:
    def test_films_differ_between_the_hospitals(self):
        def noise(image):
            return np.median(np.abs(image - ndimage.median_filter(image, 3)))

        a, b = (
            [draw(n, [], style) for n in range(15)]
            for style in (chest.HOSPITAL_A, chest.HOSPITAL_B)
        )
        assert np.mean([noise(i) for i in b]) > 1.5 * np.mean([noise(i) for i in a])
        lung = [np.mean([region(i, 0.3, 0.5, 0.28, 0.36).mean() for i in s]) for s in (a, b)]
        assert lung[1] > lung[0] + 0.05

    def test_bedside_films_predict_disease_in_one_hospital_only(self):
        def gap(style):
            sick, well = [], []
            for patient in cohort.patients(0, 9, 300, style, 1):
                study = patient.studies[0]
                ill = any(name in findings.CONDITIONS for name in study.findings)
                (sick if ill else well).append(cohort.frontal_view(study, style) == "AP")
            return np.mean(sick) - np.mean(well)

        assert gap(chest.HOSPITAL_A) > 0.2
        assert abs(gap(chest.HOSPITAL_B)) < 0.15

    def test_a_model_of_one_hospital_is_worse_in_the_other(self):
        def films(style, which, count):
            images, truth = [], []
            for patient in cohort.patients(0, which, count, style, 1):
                study = patient.studies[0]
                view = cohort.frontal_view(study, style)
                film = patient.draw(study, 1, view, style, (48, 48))
                images.append(film.reshape(24, 2, 24, 2).mean((1, 3)).ravel() / 255)
                truth.append([name in study.findings for name in findings.CONDITIONS])
            return np.array(images), np.array(truth)

        images, truth = films(chest.HOSPITAL_A, 11, 350)
        models = [LogisticRegression(C=0.01, max_iter=300).fit(images, y) for y in truth.T]
        scores = {}
        for which, style in ((12, chest.HOSPITAL_A), (13, chest.HOSPITAL_B)):
            images, truth = films(style, which, 200)
            scores[style.name] = np.mean(
                [
                    roc_auc_score(y, model.predict_proba(images)[:, 1])
                    for y, model in zip(truth.T, models, strict=True)
                ]
            )
        # The conditions are learnable, but not trivially.
        assert 0.65 < scores["hospital A"] < 0.95
        assert scores["hospital B"] < scores["hospital A"] - 0.05
