"""Content of JSON files of any kind, for assertions."""

import json
import pathlib


def read_json(path):
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
