"""Planted leaks of every kind, and splits that share nothing."""

import json

import pytest

from remedis.data.checks import leaks, near_duplicates
from remedis.errors import UserError

SPLIT = ["train", "train", "validation", "validation", "test", "test"]


@pytest.fixture
def clean(make):
    def build(**columns):
        slides = {"slide_id": [f"w{i}" for i in range(6)]}
        return make(6, split=SPLIT, **(slides | columns))

    return build


HASHES = {f"{i}.png": f"hash{i}" for i in range(6)}
# Each differs from the others in half of its bits, or all.
PHASHES = {f"{i}.png": digit * 64 for i, digit in enumerate("3569ac")}


def test_clean(clean):
    receipt = leaks.check(clean(), HASHES, phashes=PHASHES)
    assert receipt.ok
    assert receipt.overlaps == ()
    assert receipt.near_duplicates == ()
    assert receipt.near_duplicates_sentence() == ""
    assert receipt.unchecked == ()
    assert receipt.counts["test"] == {"images": 2, "patients": 2, "studies": 2, "slides": 2}
    assert receipt.duplicates == {"train": 0, "validation": 0, "test": 0}
    receipt.raise_if_leaking()
    assert json.loads(json.dumps(receipt.to_json()))["ok"] is True


@pytest.mark.parametrize(
    ("column", "noun", "advice"),
    [
        ("patient_id", "patients", "Move each patient to one split, or leave the column `split` "),
        ("study_id", "studies", "if every patient's studies are numbered from 1, make the ids "),
        ("slide_id", "slides", "Move each slide to one split"),
    ],
)
def test_planted_leak(clean, column, noun, advice):
    receipt = leaks.check(clean(**{column: ["a", "b", "c", "d", "b", "e"]}), HASHES)
    assert receipt.overlaps == (leaks.Overlap(column, ("train", "test"), 1, ("b",)),)
    assert not receipt.ok
    with pytest.raises(leaks.LeakError) as error:
        receipt.raise_if_leaking()
    assert str(error.value).startswith(f"The splits 'train' and 'test' share 1 {noun}: b. ")
    assert advice in str(error.value)
    assert json.loads(json.dumps(receipt.to_json()))["overlaps"][0]["ids"] == ["b"]


def test_planted_identical_file(clean):
    receipt = leaks.check(clean(), HASHES | {"3.png": "hash5"})
    overlap = leaks.Overlap("sha256", ("validation", "test"), 1, ("3.png = 5.png",))
    assert receipt.overlaps == (overlap,)
    with pytest.raises(leaks.LeakError, match=r"share 1 identical images: 3\.png = 5\.png\. Rem"):
        receipt.raise_if_leaking()


def test_identical_files_within_a_split_are_reported_and_allowed(clean):
    receipt = leaks.check(clean(), HASHES | {"1.png": "hash0"})
    assert receipt.ok
    assert receipt.duplicates["train"] == 1


def test_many_overlaps_are_counted_and_the_first_listed(make):
    patients = [f"p{i % 30:02}" for i in range(60)]
    m = make(60, split=["train"] * 30 + ["test"] * 30, patient_id=patients)
    receipt = leaks.check(m, None)
    (overlap,) = receipt.overlaps
    assert overlap.count == 30
    assert overlap.ids == tuple(f"p{i:02}" for i in range(20))
    with pytest.raises(leaks.LeakError, match="share 30 patients: p00, p01, p02, p03, p04 and 25 "):
        receipt.raise_if_leaking()


def test_the_receipt_states_what_could_not_be_checked(clean):
    m = clean(patient_id=[None, "a", "b", "c", "d", "e"], study_id=None)
    with pytest.raises(
        UserError, match=r"1 of 6 images have no patient_id, the first '0\.png'; add"
    ):
        leaks.check(m, HASHES)
    receipt = leaks.check(m, None, allow_missing_patient_ids=True)
    assert receipt.ok
    assert receipt.duplicates == {}
    assert [sentence[:50] for sentence in receipt.unchecked] == [
        "Leaks by patient could not be checked for 1 of 6 i",
        "Leaks by study could not be checked for 6 of 6 ima",
        "Identical images could not be checked: the files w",
        "Similar images could not be checked: there are no ",
    ]


def test_missing_ids_do_not_match_each_other(clean):
    m = clean(patient_id=None)
    assert leaks.check(m, HASHES, allow_missing_patient_ids=True).ok


def test_refuses_missing_splits_and_hashes(make, clean):
    with pytest.raises(UserError, match=r"6 of 6 images have no split, .* assign the splits first"):
        leaks.check(make(6), HASHES)
    del (hashes := dict(HASHES))["4.png"]
    with pytest.raises(UserError, match=r"1 of 6 images have no hash, the first '4\.png'; scan"):
        leaks.check(clean(), hashes)


def test_validation_from_the_slides_of_training_is_ignored(make):
    m = make(3, split=["train", "id_validation", "test"], patient_id=["a", "a", "b"])
    assert leaks.check(m, None).ok
    assert not leaks.check(m, None, splits=("train", "id_validation")).ok


def with_bits_flipped(digits: str, count: int) -> str:
    return f"{int(digits, 16) ^ sum(1 << (25 * i) for i in range(count)):064x}"


def test_images_that_look_the_same_are_listed_and_allowed_unless_refused(clean):
    phashes = PHASHES | {"5.png": with_bits_flipped(PHASHES["0.png"], 4)}
    receipt = leaks.check(clean(), HASHES, phashes=phashes)
    (near,) = receipt.near_duplicates
    assert near == leaks.NearDuplicates(("train", "test"), 1, (("0.png", "5.png", 4),))
    assert receipt.ok
    receipt.raise_if_leaking()
    written = json.loads(json.dumps(receipt.to_json()))
    assert written["ok"] is True
    assert written["near_duplicates"][0]["pairs"] == [["0.png", "5.png", 4]]
    assert written["near_distance"] == 10
    refused = leaks.check(clean(), HASHES, phashes=phashes, refuse_near_duplicates=True)
    assert not refused.ok
    with pytest.raises(leaks.LeakError) as error:
        refused.raise_if_leaking()
    assert str(error.value) == (
        "1 pair of images looks the same but in different splits (train, test: 1): 0.png ~ "
        "5.png. Look at them; if they show one exposure, keep one, or give both the same "
        "patient_id."
    )


def test_identical_files_are_not_listed_twice(clean):
    phashes = PHASHES | {"5.png": PHASHES["3.png"]}
    receipt = leaks.check(clean(), HASHES | {"3.png": "hash5"}, phashes=phashes)
    assert len(receipt.overlaps) == 1
    assert receipt.near_duplicates == ()
    assert leaks.check(clean(), None, phashes=phashes).near_duplicates[0].count == 1


def test_similar_images_within_a_split_do_not_count(clean):
    phashes = PHASHES | {"1.png": PHASHES["0.png"]}
    assert leaks.check(clean(), HASHES, phashes=phashes).near_duplicates == ()


def test_refuses_a_missing_perceptual_hash(clean):
    del (phashes := dict(PHASHES))["2.png"]
    with pytest.raises(UserError, match=r"1 of 6 images have no perceptual hash, the first '2\.p"):
        leaks.check(clean(), HASHES, phashes=phashes)


def test_the_receipt_states_that_a_search_is_incomplete(clean, monkeypatch):
    phashes = PHASHES | {"4.png": PHASHES["0.png"], "5.png": PHASHES["0.png"]}
    monkeypatch.setattr(near_duplicates, "MAX_PAIRS", 1)
    receipt = leaks.check(clean(), HASHES, phashes=phashes)
    assert not receipt.near_complete
    assert receipt.near_duplicates_sentence().startswith("at least 1 pair of images looks the same")
    sentence = "Similar images may not all have been found: the search ends at 100,000 pairs."
    assert receipt.unchecked == (sentence,)
    # The same where all pairs up to the limit are identical, and so no near-duplicates.
    same = HASHES | {"4.png": "hash0", "5.png": "hash0"}
    receipt = leaks.check(clean(), same, phashes=phashes)
    assert receipt.near_duplicates == ()
    assert receipt.unchecked == (sentence,)


@pytest.mark.parametrize("column", ["patient_id", "study_id", "slide_id"])
def test_ids_that_no_reader_can_tell_apart_are_one(clean, column):
    m = clean(**{column: ["Jo\u0308rg", "b", "c", "d", ' "J\u00f6rg"\u200b', "e"]})
    assert leaks.check(m, HASHES).overlaps == (
        leaks.Overlap(column, ("train", "test"), 1, ("J\u00f6rg",)),
    )


@pytest.mark.parametrize("other", ["7", "007.", "7.0"])
def test_ids_that_differ_in_zeros_are_refused_unless_allowed(clean, other):
    m = clean(patient_id=["07", "b", "c", "d", other, "e"])
    receipt = leaks.check(m, HASHES)
    assert not receipt.ok
    (similar,) = receipt.similar_ids
    assert (similar.column, similar.count) == ("patient_id", 1)
    assert similar.pairs == (tuple(sorted(("07", other))),)
    assert receipt.to_json()["similar_ids"][0]["count"] == 1
    with pytest.raises(leaks.LeakError) as error:
        receipt.raise_if_leaking()
    a, b = sorted(("07", other))
    assert str(error.value) == (
        f"Some ids differ only in leading zeros, '.0' or letter case (1 pair of patient_id: {a} ~ "
        f"{b}); write each id in one way, or set allow_similar_ids if they are different "
        "patients, studies or slides."
    )
    allowed = leaks.check(m, HASHES, allow_similar_ids=True)
    assert allowed.ok
    assert allowed.to_json()["allow_similar_ids"]
    assert "they are taken as different" in allowed.similar_ids_sentence()


def test_patients_are_compared_within_a_split_too_and_studies_are_not(clean):
    ids = ["p7", "P7", "c", "d", "f", "e"]  # both in train
    assert leaks.check(clean(patient_id=ids), HASHES).similar_ids[0].pairs == (("P7", "p7"),)
    assert leaks.check(clean(study_id=ids), HASHES).ok
    ids = ["p7", "b", "c", "d", "P7", "e"]
    assert not leaks.check(clean(study_id=ids), HASHES).ok


def test_overlaps_and_similar_ids_are_said_together(clean):
    m = clean(patient_id=["a", "b7", "c", "d", "a", "B7"])
    with pytest.raises(leaks.LeakError, match=r"share 1 patients: a\. .*B7 ~ b7\); write each"):
        leaks.check(m, HASHES).raise_if_leaking()
