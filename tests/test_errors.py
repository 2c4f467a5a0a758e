from remedis.errors import some


def test_some():
    assert some("abc") == "a, b, c"
    assert some("abc", total=1_003, limit=2) == "a, b and 1,001 more"
