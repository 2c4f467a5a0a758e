import pytest
from zoo_helpers import said

from remedis.zoo import names, records


def test_eight_names_are_parsed_and_formatted_alike():
    assert len(set(names.NAMES)) == 8
    for name in names.NAMES:
        assert str(names.parse(name)) == name
    assert names.parse("path-152x2-remedis-s") == names.CheckpointName("path", "152x2", "s")


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("cxr-52x2-remedis-m", "cxr-152x2-remedis-m"),
        ("path-52x2-remedis-s", "path-152x2-remedis-s"),
        ("CXR-50x1-remedis-m", "cxr-50x1-remedis-m"),
        ("path_50x1_remedis_m", "path-50x1-remedis-m"),
        ("cxr-50x1-remedis-m ", "cxr-50x1-remedis-m"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest_and_all_right_ones(wrong, nearest):
    assert said(names.parse, wrong) == (
        f"Unknown model {wrong!r}: did you mean {nearest!r}? Choose from: {', '.join(names.NAMES)}."
    )


def test_a_name_like_none_gets_the_list_alone():
    assert said(names.parse, "") == f"Unknown model ''. Choose from: {', '.join(names.NAMES)}."


@pytest.mark.parametrize("name", names.NAMES)
def test_records_hold_the_published_counts(name):
    record = records.record(name)
    counts = (record.parameters, record.tensors, record.map_channels)
    if "50x1" in name:
        assert counts == (23_496_256, 149, 2048)
    else:
        assert counts == (232_230_016, 455, 4096)
    assert records.RECORDS[name] == record
    assert record.value_range == (0, 1)
    assert record.channels == 3
    assert ("ImageNet-21k" in record.initialised_from) == name.endswith("-m")
    assert ("TCGA" in record.pretrained_on) == name.startswith("path")
    assert "non-diagnostic" in record.terms


def test_a_record_of_a_wrong_name_is_refused():
    assert "did you mean 'cxr-50x1-remedis-m'" in said(records.record, "cxr-50x1-remedis-mm")
