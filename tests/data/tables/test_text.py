from remedis.data.tables import text


def test_some():
    assert text.some("abc") == "a, b, c"
    assert text.some("abc", total=1_003, limit=2) == "a, b and 1,001 more"
