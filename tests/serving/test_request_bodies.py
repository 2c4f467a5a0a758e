"""Forms and JSON with one image file, and bodies that are none."""

import base64

import pytest

from remedis.serving.refusals import Refusal
from remedis.serving.request_bodies import upload

BOUNDARY = "multipart/form-data; boundary=b"
FILE = b"\x89PNG\r\n\n--b-- not the end\r\n\x00\xff"


def form(*parts, end=b"--b--\r\n"):
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


def file(contents=FILE, name=b"image"):
    head = b'Content-Disposition: form-data; name="%s"; filename="x.png"\r\n' % name
    return head + b"Content-Type: image/png\r\n\r\n" + contents


def text(name, value):
    return b'Content-Disposition: form-data; name="%s"\r\n\r\n%s' % (name, value)


def as_json(**values):
    import json

    return json.dumps(values).encode()


IN_BASE64 = base64.b64encode(FILE).decode()


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (form(file(), text(b"label", "Ödem".encode())), BOUNDARY),
        (form(text(b"label", "Ödem".encode()), file()), 'Multipart/Form-Data; Boundary="b"'),
        (as_json(image=IN_BASE64, label="Ödem"), "application/json; charset=utf-8"),
    ],
)
def test_a_file_and_a_field(body, content_type):
    found = upload(body, content_type, ["label"])
    assert found.contents == FILE
    assert found.fields == {"label": "Ödem"}


def test_whole_numbers_are_texts():
    found = upload(as_json(image=IN_BASE64, frame=3), "application/json", ["frame"])
    assert found.fields == {"frame": "3"}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "sentence"),
    [
        (FILE, "image/png", 415, "The Content-Type is 'image/png'; expected multipart/form-data"),
        (FILE, "", 415, "The Content-Type is ''"),
        (form(file()), "multipart/form-data", 400, "The form is"),
        (form(file()), "multipart/form-data; boundary=c", 400, "The form is"),
        (form(file()), f"multipart/form-data; boundary={'b' * 5_000}", 400, "The form is"),
        (form(file(), end=b""), BOUNDARY, 400, "its last boundary is missing"),
        (form(file())[:70], BOUNDARY, 400, "The form is"),
        (b"", BOUNDARY, 400, "The form is"),
        (form(), BOUNDARY, 400, "The form has 0 files, expected one, named image"),
        (form(text(b"image", b"x")), BOUNDARY, 400, "The form has 0 files"),
        (form(file(name=b"picture")), BOUNDARY, 400, "The form has 1 file, expected one, named"),
        (form(file(), file()), BOUNDARY, 400, "The form has 'image' twice"),
        (form(file(), text(b"image", b"x")), BOUNDARY, 400, "The form has 'image' twice"),
        (form(*[text(b"%d" % i, b"") for i in range(9)]), BOUNDARY, 400, "more than 8 parts"),
        (form(file(), text(b"label", b"x" * 1_001)), BOUNDARY, 400, "more than 1,000 bytes"),
        (form(file(), text(b"lable", b"x")), BOUNDARY, 400, "the field 'lable'; expected image, l"),
        (form(file(b"")), BOUNDARY, 400, "The file named image is empty;"),
        (form(b"\r\nx"), BOUNDARY, 400, "A part of the form has no name."),
        (form(b"X" * 100_000 + b": y\r\n\r\nx"), BOUNDARY, 400, "The form is damaged"),
        (b"{}", "application/json", 400, "The body has no image"),
        (b"[]", "application/json", 400, "is a list, expected"),
        (as_json(image=""), "application/json", 400, "image is no text"),
        (as_json(image=3), "application/json", 400, "image is no text"),
        (as_json(image=True), "application/json", 400, "image is no text"),
        (as_json(image=IN_BASE64, label=True), "application/json", 400, "neither a text nor a"),
        (as_json(image=IN_BASE64, label=None), "application/json", 400, "neither a text nor a"),
        (
            as_json(image=IN_BASE64, label="x" * 1_001),
            "application/json",
            400,
            "more than 1,000 ch",
        ),
        (as_json(image=[]), "application/json", 400, "nested more than 1 levels deep"),
        (as_json(image="AAA"), "application/json", 400, "image is not base64"),
        (as_json(image="data:image/png;base64,AAAA"), "application/json", 400, "data address"),
        (as_json(image="AA\nAA"), "application/json", 400, "without spaces"),
        (as_json(image="\u00e4" * 4), "application/json", 400, "image is not base64"),
        (as_json(image=IN_BASE64, x="1"), "application/json", 400, "the field 'x'; expected image"),
    ],
)
def test_other_bodies_have_a_sentence(body, content_type, status, sentence):
    with pytest.raises(Refusal) as found:
        upload(body, content_type, ["label"])
    assert (found.value.status, sentence in found.value.sentence) == (status, True), (
        found.value.sentence
    )


def test_names_of_files_are_not_looked_at():
    head = b'Content-Disposition: form-data; name="image"; filename="../../etc/passwd"\r\n\r\n'
    assert upload(form(head + FILE), BOUNDARY, []).contents == FILE
