import pickle

from remedis import errors
from remedis.errors import counted, quoted, some, unknown_choice


def test_some():
    assert some("abc") == "a, b, c"
    assert some("abc", total=1_003, limit=2) == "a, b and 1,001 more"


def test_choices_with_a_comma_stand_in_quotes():
    error = unknown_choice("label", "Nodul", ["Nodule, solid", "Mass"])
    assert str(error) == "Unknown label 'Nodul': did you mean 'Nodule, solid'? Choose from: " + (
        '"Nodule, solid", Mass.'
    )


def test_a_text_in_quotes_keeps_its_backslashes():
    assert quoted("D:\\PACS\\1.dcm") == "'D:\\PACS\\1.dcm'"
    assert quoted(r"\\server\it's") == r'''"\\server\it's"'''
    assert quoted("a\nb") == r"'a\nb'"


def test_nouns_agree_with_their_number():
    assert [counted(n, "image") for n in (0, 1, 2_000)] == ["0 images", "1 image", "2,000 images"]
    assert counted(2, "study", "studies") == "2 studies"
    assert counted(1, "image has", "images have") == "1 image has"


def test_a_mistake_is_one_visible_line_wherever_it_is_shown():
    error = errors.UserError("scan\x1b[2J\nerror: forged\ud800 is not an image.")
    assert str(error) == r"scan\x1b[2J\nerror: forged\ud800 is not an image."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_the_middle_of_a_very_long_message_is_left_out():
    name = "a" * 10_000
    message = str(errors.UserError(f"The column {name!r} is empty; fill it."))
    assert len(message) <= errors.LONGEST_MESSAGE
    assert message.startswith("The column 'aaa")
    assert " ... " in message
    assert message.endswith("aaa' is empty; fill it.")
    assert str(errors.UserError("b" * errors.LONGEST_MESSAGE)) == "b" * errors.LONGEST_MESSAGE
