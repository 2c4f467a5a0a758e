"""Rehearsals of studies and suites in seconds: fewer patients, smaller images."""

import functools

import pytest

from remedis.label_budget import rehearsal


@pytest.fixture
def few_patients(monkeypatch):
    sizes = {
        "write_chexpert": {"patients": 60, "valid_patients": 40},
        "write_chestxray14": {"patients": 80},
        "write_mimic_cxr": {"patients": 160},
        "write_camelyon16": {"slides": 8, "test_slides": 12},
        "write_camelyon17": {"patients_per_centre": 5},
        "write_skin": {"patients": 300},
        "write_wilds_camelyon17": {"slides_per_centre": 16, "patches_per_slide": 3},
    }
    for write, size in sizes.items():
        whole = getattr(rehearsal.synthetic, write)

        def small(folder, *_, whole=whole, size=size, **keywords):
            return whole(folder, **{**keywords, **size})

        monkeypatch.setattr(rehearsal.synthetic, write, functools.wraps(whole)(small))
    monkeypatch.setattr(rehearsal, "IMAGE_SIZE", 32)
