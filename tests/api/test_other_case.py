"""Labels of a classifier that the data spell in another case."""

import logging
import types

import pandas as pd
import pytest

from remedis.api import trained_classifiers
from remedis.data import sources
from remedis.data.labels import choose_labels
from remedis.data.manifest import Manifest
from remedis.errors import UserError


@pytest.fixture
def data(monkeypatch):
    """Replaces the sources by data with a label in two cases, and others in one."""
    known = ("Edema", "Pneumonia", "Mass", "MASS")

    def load(_name, _path, labels, _options):
        chosen = choose_labels(labels, known)
        table = pd.DataFrame({"path": ["a.png", "b.png"], "patient_id": ["p", "q"]})
        table[["study_id", "site", "split"]] = None
        for label in chosen:
            table[label] = [1.0, float(known.index(label) % 2)]
        return Manifest(table, chosen, ".", "site")

    monkeypatch.setattr(sources, "load_with", load)


def read(*labels):
    exported = types.SimpleNamespace(labels=labels, check_labels=lambda _labels: None)
    return trained_classifiers.read(exported, "site", None, "chestxray14", None)


def test_labels_that_differ_in_case_alone_are_read_with_a_note(data, caplog):
    caplog.set_level(logging.INFO)
    manifest = read("pneumonia", "Edema")
    assert manifest.labels == ("pneumonia", "Edema")
    assert manifest.targets().tolist() == [[1, 1], [1, 0]]
    assert caplog.messages == ["The label 'Pneumonia' of the data is 'pneumonia' of the model."]


@pytest.mark.parametrize("labels", [("mass",), ("edema", "EDEMA"), ("pneumonia", "Oedema")])
def test_other_labels_are_refused(data, labels):
    with pytest.raises(UserError, match=r"Unknown label .* name the others: "):
        read(*labels)
