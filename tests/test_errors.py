from remedis.errors import some, unknown_choice


def test_some():
    assert some("abc") == "a, b, c"
    assert some("abc", total=1_003, limit=2) == "a, b and 1,001 more"


def test_choices_with_a_comma_stand_in_quotes():
    error = unknown_choice("label", "Nodul", ["Nodule, solid", "Mass"])
    assert str(error) == "Unknown label 'Nodul': did you mean 'Nodule, solid'? Choose from: " + (
        '"Nodule, solid", Mass.'
    )
