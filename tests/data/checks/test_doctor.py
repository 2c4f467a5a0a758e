"""Every finding is planted in a cohort that has none."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from remedis import synthetic
from remedis.data import labels, sources
from remedis.data.checks import doctor, near_duplicates, scan
from remedis.data.checks.doctor import appearance, examine
from remedis.data.manifest import Manifest
from remedis.errors import UserError

PATIENTS = 60
SPLIT = ["train"] * 30 + ["validation"] * 15 + ["test"] * 15


def radiograph(seed: int, size: int = 64) -> np.ndarray:
    """Returns a drawing: dark corners and lungs, a bright spine and abdomen, texture."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    body = 0.35 + 0.4 * y
    body += 0.25 * np.exp(-(((x - 0.5) / 0.08) ** 2))
    for centre in (0.27, 0.73):
        body -= 0.3 * np.exp(-(((x - centre) / 0.12) ** 2) - ((y - 0.42) / 0.2) ** 2)
    body[(y < 0.25) & (abs(x - 0.5) > 0.5 - 0.6 * (0.25 - y))] = 0.02
    coarse = rng.normal(0, 0.06, (17, 17))
    texture = np.asarray(Image.fromarray(coarse.astype(np.float32)).resize((size, size)))
    return np.rint((body + texture).clip(0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    for i in range(PATIENTS):
        Image.fromarray(radiograph(i)).save(root / f"{i}.png")
    return root


@pytest.fixture
def cohort(make, images, tmp_path):
    """Returns a function that makes the clean cohort, with changed columns and changed files."""

    def build(changed=None, **columns) -> Manifest:
        for i in range(PATIENTS):
            (tmp_path / f"{i}.png").hardlink_to(images / f"{i}.png")
        for name, pixels in (changed or {}).items():
            file = tmp_path / name
            file.unlink()
            if isinstance(pixels, bytes):
                file.write_bytes(pixels)
            else:
                Image.fromarray(pixels).save(file)
        columns = {"split": SPLIT} | columns
        return make(PATIENTS, root=tmp_path, **columns)

    return build


def codes(diagnosis: doctor.Diagnosis) -> list[str]:
    return [finding.code for finding in diagnosis.findings]


def finding(diagnosis: doctor.Diagnosis, code: str) -> doctor.Finding:
    """Returns the only finding with a code."""
    (match,) = [f for f in diagnosis.findings if f.code == code]
    return match


def test_the_clean_cohort_has_nothing(cohort):
    diagnosis = doctor.diagnose(cohort(), 5)
    assert diagnosis.findings == ()
    assert diagnosis.ok
    assert diagnosis.images == PATIENTS


CXR = doctor.Expectation("folder", data_type="cxr", input_size=64, labels=("ill",))


@pytest.mark.parametrize(
    ("bad", "limit", "severity", "sentence"),
    [
        (1, 0.5, "warning", "1 of 4 images cannot be read, not more than the 50.0% that training"),
        (2, 0.5, "warning", "2 of 4 images cannot be read, not more than the 50.0% that training"),
        (3, 0.5, "error", "3 of 4 images cannot be read, more than the 50.0% that training acc"),
        (4, 1.0, "error", "4 of 4 images cannot be read, which leaves nothing to train on; rep"),
    ],
)
def test_unreadable_images_are_compared_with_the_limit(bad, limit, severity, sentence):
    rows = pd.DataFrame({"path": [f"{i}.png" for i in range(bad)], "fault": "empty"})
    found = examine._unreadable(rows, 4, limit)
    assert found.severity == severity
    assert found.sentence.startswith(sentence)


def test_copies_in_two_splits_are_a_leak_and_not_listed_as_copies_of_their_split(cohort):
    diagnosis = doctor.diagnose(cohort({"3.png": radiograph(4), "5.png": radiograph(50)}), 5)
    assert finding(diagnosis, "duplicates").sentence == (
        "1 image repeats another of the same split: 4.png = 3.png. It counts double: remove it, "
        "unless that is meant."
    )
    assert finding(diagnosis, "duplicates").listed == ("4.png",)
    assert "leak" in codes(diagnosis)


def test_copies_are_found_also_where_splits_are_wrong(cohort):
    fractions = {"train": 0.999, "validation": 0.0005, "test": 0.0005}
    data = cohort({"3.png": radiograph(4)}, split=[None] * PATIENTS)
    diagnosis = doctor.diagnose(data, 5, fractions)
    assert "splits" in codes(diagnosis)
    assert "another of the same split: 4.png = 3.png." in finding(diagnosis, "duplicates").sentence


def test_the_clean_cohort_fits_its_checkpoint(cohort):
    assert doctor.diagnose(cohort(), 5, expected=CXR).findings == ()


def inverted(count):
    return {f"{i}.png": 255 - radiograph(i) for i in range(count)}


def pale(seed):
    """Returns a radiograph of MONOCHROME1 as a reader leaves it that takes 12 bits for 16."""
    return 255 - radiograph(seed) // 16


def marked(image):
    """Returns an image with a white mark, like L or R, in a corner."""
    image[-6:, -6:] = 255
    return image


# By code: the changes of the cohort, the severity, and a part of the sentence.
PLANTED = {
    "unreadable": (
        {"changed": {"3.png": b"no"}},
        "error",
        "1 of 60 images cannot be read, more than the 1.0% that training accepts; repair",
    ),
    "constant": ({"changed": {"3.png": np.full((64, 64), 9, np.uint8)}}, "warning", "3.png"),
    "inverted": ({"changed": inverted(2)}, "warning", "2 of 60 images look inverted, bones dark "),
    "dark": (
        {"changed": {"3.png": radiograph(3).astype(np.uint16) * 16}},
        "warning",
        "they have 16 bits and use 12; multiply their values by 16",
    ),
    "narrow": (
        {"changed": {"3.png": pale(3), "4.png": 255 - pale(4), "5.png": marked(255 - pale(5))}},
        "warning",
        "2 of 60 images have hardly any contrast, 98 % of their pixels in a quarter of the range",
    ),
    "mixed_bits": (
        {"changed": {"3.png": radiograph(3).astype(np.uint16) * 257}},
        "note",
        "Images have 8, 16 bits per channel",
    ),
    "mixed_colour": (
        {"changed": {"3.png": np.stack([radiograph(i) for i in (3, 4, 5)], axis=-1)}},
        "warning",
        "1 of 60 images are colour and the others are not: 3.png",
    ),
    "not_square": (
        {"changed": {"3.png": np.repeat(radiograph(3), 2, axis=0)}},
        "note",
        "1 image is more than 1.5 times as long",
    ),
    "duplicates": ({"changed": {"3.png": radiograph(4)}}, "warning", "1 image repeats another"),
    "near_duplicates": (
        {"changed": {"3.png": radiograph(50) // 2 + 60}},
        "warning",
        "1 pair of images looks the same but in different splits (train, test: 1): 3.png ~ 50",
    ),
    "leak": (
        {"patient_id": ["p59", *(f"p{i}" for i in range(1, PATIENTS))]},
        "error",
        "The splits 'train' and 'test' share 1 patients: p59.",
    ),
    "no_patient_id": (
        {"patient_id": [None, *(f"p{i}" for i in range(1, PATIENTS))]},
        "error",
        "1 of 60 images have no patient_id",
    ),
    "incomplete_splits": ({"split": [*SPLIT[:-1], None]}, "error", "1 of 60 images have no split"),
    "assigned_splits": ({"split": None}, "note", "(train 70%, validation 10%, test 20%; seed 0)"),
    "splits": (
        {"split": "test"},
        "error",
        "comes with splits, but none of its 60 images is in 'train', 'vali",
    ),
    "unlearnable": (
        {"ill": [0.0] * 30 + [float(i % 2) for i in range(30)]},
        "error",
        "Label 'ill' has no positive image in train; leave it out",
    ),
    "few_patients": (
        {"ill": [float(i % 2 and i < 50) for i in range(PATIENTS)]},
        "warning",
        "Label 'ill' has too few positive patients (test 3; 5 are needed",
    ),
    "uncertain": (
        {"ill": [-1.0] + [float(i % 2) for i in range(1, PATIENTS)]},
        "note",
        "Labels are uncertain (-1) for ill: 1 image; the policy uncertain decides",
    ),
    "unknown": (
        {"ill": [np.nan] + [float(i % 2) for i in range(1, PATIENTS)]},
        "note",
        "Labels are unknown for ill: 1 image; the policy unmentioned decides",
    ),
    "unchecked": ({"study_id": None}, "note", "Leaks by study could not be checked for 60 of 60"),
}


@pytest.mark.parametrize("code", PLANTED)
def test_planted(cohort, code):
    changes, severity, part = PLANTED[code]
    diagnosis = doctor.diagnose(cohort(**changes), 5)
    planted = finding(diagnosis, code)
    assert planted.severity == severity
    assert part in planted.sentence
    assert "\n" not in planted.sentence
    assert diagnosis.ok == (severity != "error")


def test_few_unreadable_images_are_a_warning_and_each_is_listed(cohort):
    diagnosis = doctor.diagnose(cohort({"3.png": b"", "9.png": b"no"}), 5, max_bad_images=0.1)
    planted = finding(diagnosis, "unreadable")
    assert planted.severity == "warning"
    assert planted.listed == (
        "3.png: The file is empty.",
        "9.png: This is not an image; expected JPEG or PNG.",
    )
    assert diagnosis.tables["splits"][0]["images"] == 28


def test_all_images_unreadable(cohort):
    diagnosis = doctor.diagnose(cohort({f"{i}.png": b"" for i in range(PATIENTS)}), 5)
    assert codes(diagnosis) == ["unreadable"]
    json.dumps(diagnosis.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("changes", "code", "part"),
    [
        ({"data_type": "path"}, "other_images", "on stained tissue in colour, and most of these i"),
        ({"input_size": 448}, "small", "60 of 60 images are smaller than the 448 pixels"),
        ({"value_range": (-1.0, 1.0)}, "value_range", "expects values from -1 to 1"),
        ({"labels": ("ill", "hurt")}, "other_labels", "folder scores hurt, which the manifest doe"),
        ({"random": True}, "random_weights", "folder has random weights"),
    ],
)
def test_images_and_labels_that_a_checkpoint_does_not_expect(cohort, changes, code, part):
    diagnosis = doctor.diagnose(cohort(), 5, expected=dataclasses.replace(CXR, **changes))
    assert codes(diagnosis) == [code]
    assert part in finding(diagnosis, code).sentence


def test_a_checkpoint_of_radiographs_does_not_expect_colour(make, tmp_path):
    rng = np.random.default_rng(0)
    for i in range(PATIENTS):
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / f"{i}.png")
    m = make(PATIENTS, root=tmp_path, split=SPLIT)
    diagnosis = doctor.diagnose(m, 5, expected=CXR)
    assert codes(diagnosis) == ["other_images"]
    assert doctor.diagnose(m, 5, expected=dataclasses.replace(CXR, data_type="path")).findings == ()


def test_lateral_views_are_not_compared_with_the_frontal_one(cohort):
    changed = inverted(2)
    view = ["LL", "Lateral"] + ["PA"] * (PATIENTS - 2)
    assert "inverted" not in codes(doctor.diagnose(cohort(changed, view=view), 5))


def test_a_data_set_of_inverted_images_only(cohort):
    planted = finding(doctor.diagnose(cohort(inverted(PATIENTS)), 5), "inverted")
    assert "60 of 60 images look inverted" in planted.sentence
    assert len(planted.listed) == 20


def test_similarity_is_a_correlation():
    thumbnails = np.random.default_rng(0).random((5, 8, 8))
    likeness = appearance.similarity(thumbnails)
    half = np.array(appearance._FRONTAL)
    frontal = np.concatenate([half, half[:, ::-1]], axis=1)
    expected = [np.corrcoef(t.ravel(), frontal.ravel())[0, 1] for t in thumbnails]
    np.testing.assert_allclose(likeness, expected, atol=1e-12)
    np.testing.assert_allclose(appearance.similarity(1 - thumbnails), -likeness, atol=1e-12)
    np.testing.assert_allclose(appearance.similarity(frontal[None]), 1)
    assert appearance.similarity(np.full((1, 8, 8), 0.3)) == 0


@pytest.mark.parametrize("name", ["chexpert", "chestxray14"])
def test_made_up_radiographs_look_the_right_way_round(tmp_path, name):
    write = getattr(synthetic, f"write_{name}")
    root = write(tmp_path, patients=12, image_size=64)
    thumbnails = scan.thumbnails(scan.scan(sources.load(name, root)))
    assert (appearance.similarity(thumbnails) > 0).all()
    assert (appearance.similarity(1 - thumbnails) < appearance._NEGATIVE).all()


def test_tables_count(cohort):
    columns = {
        "sex": ["F", "M", None] * 20,
        "view": "PA",
        "site": [f"h{i}" for i in range(30)] * 2,
        "age": [float(i) if i != 7 else np.nan for i in range(PATIENTS)],
    }
    tables = doctor.diagnose(cohort(**columns), 5).tables
    assert tables["splits"][1] == {
        "split": "validation",
        "images": 15,
        "patients": 15,
        "studies": 15,
    }
    assert tables["labels"][0] == {
        "label": "ill",
        "split": "train",
        "positive": 15,
        "negative": 15,
        "uncertain": 0,
        "unknown": 0,
        "positive_patients": 15,
        "negative_patients": 15,
    }
    assert {row["sex"]: row["train"] for row in tables["sex"]} == {"F": 10, "M": 10, "unknown": 10}
    assert tables["view"] == ({"view": "PA", "train": 30, "validation": 15, "test": 15},)
    assert len(tables["site"]) == 21  # 20 rows, and one for all others
    assert sum(row["train"] for row in tables["site"]) == 30
    assert tables["age"][0] == {
        "split": "train",
        "known": 29,
        "unknown": 1,
        "youngest": 0.0,
        "median": 15.0,
        "oldest": 29.0,
    }
    assert tables["sizes"] == ({"width": 64, "height": 64, "images": 60},)
    assert tables["channels"] == ({"channels": 1, "looks": "grey", "images": 60},)
    assert tables["bits"] == ({"bits": 8, "images": 60},)
    assert sum(row["share"] for row in tables["histogram"]) == pytest.approx(1, abs=1e-4)


def test_findings_are_ordered_and_the_diagnosis_is_json(cohort):
    m = cohort({"3.png": b"no"}, split=None, ill=[np.nan, *(float(i % 2) for i in range(1, 60))])
    diagnosis = doctor.diagnose(m, 9, expected=CXR)
    severities = [f.severity for f in diagnosis.findings]
    assert severities == sorted(severities, key=("error", "warning", "note").index)
    assert set(severities) == {"error", "warning", "note"}
    written = json.loads(json.dumps(diagnosis.to_json(), allow_nan=False))
    assert written["ok"] is False
    assert written["checkpoint"]["name"] == "folder"
    assert [f["code"] for f in written["findings"]] == codes(diagnosis)


def test_validation_from_the_slides_of_training_is_left_out(cohort):
    diagnosis = doctor.diagnose(cohort(split=["id_validation", *SPLIT[1:]]), 5)
    assert diagnosis.images == PATIENTS - 1


def test_labels_without_written_negatives(cohort):
    """As CheXpert's "No Finding", 1 or empty: such data can be trained on with a named policy."""
    blank = cohort(ill=[1.0 if i % 2 else np.nan for i in range(PATIENTS)])
    diagnosis = doctor.diagnose(blank, 5)
    assert codes(diagnosis) == ["unlearnable", "unknown"]
    planted = finding(diagnosis, "unlearnable")
    assert planted.severity == "warning"
    assert planted.sentence == (
        "Label 'ill' has no negative image in train, as long as others are ignored: 15 unknown "
        "(unmentioned). If these are negative, name the policy 'zeros'; else "
        "leave the label out."
    )
    assert diagnosis.ok
    for policy in ("zeros", "ignore; ill=zeros"):
        named = {"unmentioned": policy, "evaluation": {"eval_unlabelled": policy}}
        assert codes(doctor.diagnose(blank, 5, **named)) == ["unknown"]
    # Training reads empty rows as negative; validation and test leave them out unless told.
    left_out = doctor.diagnose(blank, 5, unmentioned="zeros")
    assert codes(left_out) == ["few_patients", "unknown", "left_out"]
    assert (
        "negative patients (validation 0, test 0; 5" in finding(left_out, "few_patients").sentence
    )
    assert finding(left_out, "left_out").sentence.startswith(
        "Validation and test leave out 15 images of 15 patients without any label"
    )
    ignored = doctor.diagnose(blank, 5, unmentioned="ignore")
    assert finding(ignored, "unlearnable").severity == "error"
    # The tables count the values as written.
    counted = doctor.diagnose(blank, 5, unmentioned="zeros").tables["labels"][0]
    assert (counted["negative"], counted["unknown"]) == (0, 15)


def test_uncertain_labels_are_judged_by_their_policy(cohort):
    doubtful = cohort(ill=[-1.0 if i % 2 else 0.0 for i in range(PATIENTS)])
    planted = finding(doctor.diagnose(doubtful, 5), "unlearnable")
    assert planted.severity == "warning"
    assert "15 uncertain (uncertain). If these are positive, na" in planted.sentence
    as_ones = {"uncertain": "ones", "evaluation": {"eval_uncertain": ""}}
    assert codes(doctor.diagnose(doubtful, 5, **as_ones)) == ["uncertain"]
    # Validation and test have no positive patient unless uncertain ones count there too.
    few = finding(doctor.diagnose(doubtful, 5, uncertain="ones"), "few_patients")
    assert "too few positive patients (validation 0, test 0; 5 are" in few.sentence
    assert finding(doctor.diagnose(doubtful, 5, uncertain="zeros"), "unlearnable").severity == (
        "error"
    )
    kept = finding(doctor.diagnose(doubtful, 5, uncertain="keep"), "kept_uncertain")
    assert kept.severity == "error"
    assert "still has 15 uncertain values (-1) in train" in kept.sentence


def test_labels_after_policies_are_judged_as_they_are(cohort):
    decided = labels.apply_policies(cohort(), "zeros", "zeros")
    assert doctor.diagnose(decided, 5).findings == ()
    with pytest.raises(UserError, match="has had a policy already"):
        doctor.diagnose(decided, 5, unmentioned="zeros")


def test_policies_of_images_that_cannot_be_read(cohort):
    """Unreadable rows are dropped after the policies are applied."""
    blank = cohort({"3.png": b""}, ill=[1.0 if i % 2 else np.nan for i in range(PATIENTS)])
    zeros = {"unmentioned": "zeros", "evaluation": {"eval_unlabelled": "zeros"}}
    diagnosis = doctor.diagnose(blank, 5, **zeros, max_bad_images=0.1)
    assert codes(diagnosis) == ["unreadable", "unknown"]


def test_the_splits_asked_for(cohort):
    diagnosis = doctor.diagnose(cohort(split=None), 1, {"train": 0.5, "test": 0.5}, seed=3)
    assert "(train 50%, test 50%; seed 3)" in finding(diagnosis, "assigned_splits").sentence
    with pytest.raises(UserError, match=r"sum to 0\.9, not 1"):
        doctor.diagnose(cohort, 1, {"train": 0.5, "test": 0.4})


def test_an_incomplete_search_for_near_duplicates_is_a_note(cohort, monkeypatch):
    changed = {"3.png": radiograph(50) // 2 + 60, "4.png": radiograph(50) // 2 + 50}
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS", 1)
    diagnosis = doctor.diagnose(cohort(changed), 5)
    assert codes(diagnosis) == ["near_duplicates", "unchecked"]
    assert finding(diagnosis, "near_duplicates").sentence.startswith("at least 1 pair of")
    assert "Similar images may not all have been found" in finding(diagnosis, "unchecked").sentence


def test_patients_written_three_ways_in_three_splits_are_an_error(cohort):
    ids = [f"{i:03d}" for i in range(20)] + [f"{i}.0" for i in range(20)]
    ids += [f" {i}\u200b" for i in range(20)]
    split = ["train"] * 20 + ["validation"] * 20 + ["test"] * 20
    manifest = cohort(patient_id=ids, split=split)
    diagnosis = doctor.diagnose(manifest, 1)
    leak = finding(diagnosis, "leak")
    assert leak.severity == "error"
    assert "40 pairs of patient_id: 0 ~ 0.0, 0 ~ 000, " in leak.sentence
    assert leak.listed[:2] == ("0 ~ 0.0", "0 ~ 000")
    allowed = doctor.diagnose(manifest, 1, allow_similar_ids=True)
    assert allowed.ok
    assert "they are taken as different" in finding(allowed, "similar_ids").sentence
    # What no reader can tell apart is one patient, so these three splits share all of theirs.
    manifest = manifest_with(manifest, [f"{i}" for i in range(20)] + ids[40:] + ids[40:])
    assert "share 20 patients: 0, 1, " in finding(doctor.diagnose(manifest, 1), "leak").sentence


def manifest_with(manifest: Manifest, patient_ids: list[str]) -> Manifest:
    return dataclasses.replace(manifest, table=manifest.table.assign(patient_id=patient_ids))


@pytest.mark.parametrize(
    ("ids", "sentence"),
    [
        (["0"] * 6, "All 6 images are of one patient, '0', and go into one split."),
        (["0"] * 11 + [f"p{i}" for i in range(9)], "11 of 20 images are of one patient, '0', and"),
        (["0"] * 10 + [f"p{i}" for i in range(10)], ""),
        (["0"] * 5 + ["p1"], ""),
        (["p0"], ""),
        ([None] * 6, ""),
    ],
)
def test_a_patient_who_has_most_images_is_a_warning(make, ids, sentence):
    found = examine._patient_of_most(make(len(ids), patient_id=ids))
    assert [f.severity for f in found] == ["warning"] * bool(sentence)
    assert not found or found[0].sentence.startswith(sentence)


def test_ids_and_paths_that_a_spreadsheet_program_runs_are_a_warning(make):
    (found,) = examine._formulas(make(3, patient_id=["@SUM(1+1)", "-12", "p-1"]))
    assert (found.severity, found.listed) == ("warning", ("patient_id '@SUM(1+1)'",))
    assert found.sentence.startswith(
        "A spreadsheet program takes 1 value of the table for a formula, such as patient_id "
        "'@SUM(1+1)', and runs what it says: do not open the table with one, or rename"
    )
    assert not examine._formulas(make(2, patient_id=["-12", "1"]))
