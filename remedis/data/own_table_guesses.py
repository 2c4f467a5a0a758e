"""Guesses about a user's own table: what its columns and values may mean.

A guess is shown and never applied without the user's consent. Words are English, German, French,
Spanish, Italian, Dutch and Scandinavian. Words that mean two things are left out.
"""

import collections
import os
import pathlib
import re
import unicodedata
from collections.abc import Collection, Sequence

import pandas as pd

from remedis.data.tables import columns
from remedis.data.tables.table_form import UNKNOWN

# Names of columns without spaces, marks, accents and letter case.
_NAMES = {
    "path": (
        "path filepath filename file image imagepath imagefile imagename img fname imgpath "
        "pfad dateipfad dateiname datei bild bilddatei bildpfad fichier chemin cheminfichier "
        "nomfichier archivo ruta imagen percorso immagine bestand afbeelding fil bildfil"
    ),
    "patient_id": (
        "patientid patient pid patid patno patientno patientnr patientnumber patientkey patnr "
        "patientenid patientennummer patientnummer patientennr mrn subject subjectid "
        "idpatient numeropatient patientcode pseudonym idpaciente paciente idpaziente paziente "
        "patientnumer pasientid pasient ipp nip nhc nhsnumber hospitalnumber medicalrecordnumber"
    ),
    "study_id": (
        "studyid study studyuid studyinstanceuid accession accessionnumber accessionno accessionnr "
        "exam examid examination examinationid untersuchung untersuchungsid untersuchungsnummer "
        "studie studienid examen idexamen estudio idestudio onderzoek"
    ),
    "site": (
        "site hospital centre center clinic institution klinik krankenhaus standort zentrum "
        "hopital centro ziekenhuis sykehus sjukhus"
    ),
    "split": "split subset set partition dataset datasplit aufteilung datensatz",
    "sex": "sex gender patientsex patientgender geschlecht sexe sexo genero sesso geslacht kon",
    "age": (
        "age patientage ageyears ageinyears alter patientenalter alterinjahren alterjahre edad eta "
        "leeftijd alder ageatstudy"
    ),
    "view": "view viewposition projection projektion strahlengang incidence proyeccion",
    "slide_id": "slideid slide wsi wsiid objekttraeger lame",
    "mpp": "mpp micronsperpixel umperpixel umperpx pixelsizeum",
}
_NAME_OF = {name: role for role, names in _NAMES.items() for name in names.split()}
_LONGEST_PATH = 4096  # `PATH_MAX` of Linux
_SUFFIXES = re.compile(r"\.(?:png|jpe?g|dcm|dicom|tiff?|bmp|svs|h5)$", re.IGNORECASE)

_LABELS = {
    "1": (
        "ja j oui si sim vero wahr vrai positiv positif positivo positief vorhanden krank "
        "auffallig nachgewiesen kylla"
    ),
    "0": (
        "nein nee nei nej non nao falso falsch faux negativ negatif negativo negatief unauffallig "
        "keine kein ausgeschlossen normal ei"
    ),
    "-1": (
        "unklar unsicher fraglich unclear unsure equivocal indeterminate possible maybe "
        "moglich incertain douteux incierto dudoso incerto onzeker usikker osaker"
    ),
    UNKNOWN: "unbekannt nichtbekannt inconnu desconocido sconosciuto onbekend ukjent okand",
}
_SEXES = {
    "F": "w weiblich frau femme feminin fille femenino mujer femmina vrouw v kvinne kvinna kvinde",
    "M": "mannlich mann homme masculin garcon masculino hombre maschio uomo mannelijk mand",
    UNKNOWN: _LABELS[UNKNOWN],
}
_SPLITS = {
    "train": "entrainement entrenamiento trainingsdaten trainingsset addestramento",
    "validation": "validierung validierungsdaten validacion validazione validatie",
    "test": "testdaten prueba prova testset",
    UNKNOWN: _LABELS[UNKNOWN],
}
_LONGEST = 200  # characters of a name or word; Unicode's forms may take quadratic time
_SIGNS = {"+": "1", "-": "0"}  # if a column has both
_WORDS = {
    kind: {word: meaning for meaning, words in table.items() for word in words.split()}
    for kind, table in {"label": _LABELS, "sex": _SEXES, "split": _SPLITS}.items()
}


def simplified(text: str) -> str:
    """Returns a text without letter case, accents, spaces and marks; empty for a long one."""
    if len(text) > _LONGEST:
        return ""
    # NFKD does not divide the letter o with a stroke.
    text = text.casefold().replace("\u00f8", "o")
    letters = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in letters if letter.isalnum() and letter.isascii())


def roles(table: pd.DataFrame, taken: Collection[str] = ()) -> dict[str, list[str]]:
    """Returns the columns that may have each role of a manifest, by their names.

    Args:
      table: from `read_table`.
      taken: roles that are known, for which nothing is guessed.
    """
    found: dict[str, list[str]] = collections.defaultdict(list)
    names = [str(name) for name in table]
    for name in names:
        if role := _NAME_OF.get(simplified(name)):
            found[role].append(name)
    if "path" not in found:
        found["path"] = [name for name in names if _are_paths(table[name])]
    if "split" not in found:
        found["split"] = [name for name in names if _are_splits(table[name])]
    return {role: names for role, names in found.items() if names and role not in taken}


def _are_splits(values: pd.Series) -> bool:
    """Returns whether a column has the names of two splits or more, and nothing else."""
    distinct = values.unique()
    if len(distinct) > 12:
        return False
    meanings: set[str | None] = set()
    for text in distinct:
        try:
            meanings.add(columns.split(text))
        except KeyError:
            meanings.add(meaning("split", text))
    return None not in meanings and len(meanings - {"", UNKNOWN}) > 1


def _are_paths(values: pd.Series) -> bool:
    return all(_SUFFIXES.search(text) for text in values.iloc[:1000] if text)


def meaning(kind: str, text: str, values: Collection[str] = ()) -> str | None:
    """Returns what a value probably means, None if there is no guess.

    Args:
      kind: `label`, `sex` or `split`.
      text: the value, which no parser of `columns` can read.
      values: all values of the column. Beside F, H is homme; beside M it is hombre or hembra. A
        dash is negative beside a plus, and nothing entered elsewhere.
    """
    simple = simplified(text)
    if kind == "sex" and simple == "h" and "m" not in map(simplified, values):
        return "M"
    if kind == "label" and text in _SIGNS and set(_SIGNS) <= set(values):
        return _SIGNS[text]
    return _WORDS[kind].get(simple)


def labels(table: pd.DataFrame, taken: Collection[str]) -> list[str]:
    """Returns the columns that may be labels: they have positive and negative values and no others.

    Args:
      table: from `read_table`.
      taken: columns that are something else.
    """
    names = [str(name) for name in table]
    return [name for name in names if name not in taken and _is_label(table[name])]


def _is_label(values: pd.Series) -> bool:
    distinct = values.unique()
    if len(distinct) > 12:  # more spellings of yes, no, uncertain and unknown are none
        return False
    meanings = set()
    for text in distinct:
        try:
            meanings.add(columns.label(text))
        except KeyError:
            guessed = meaning("label", text, distinct)
            if guessed is None:
                return False
            if guessed != UNKNOWN:
                meanings.add(float(guessed))
    return {0.0, 1.0} <= meanings


def path_prefix(paths: Sequence[str], root: pathlib.Path) -> str:
    r"""Returns the beginning of missing paths without which most of their files exist.

    That is `D:/Export` for `D:\Export\a\1.png` if there is `a/1.png` in `root`. Empty if there is
    none, or if more files exist with it.

    Args:
      paths: of images, with `/` or `\` between their parts.
      root: the directory of the images.
    """
    best, most = "", 0
    tried: set[str] = set()
    sample = [path.replace("\\", "/") for path in paths[:: max(1, len(paths) // 200)]]
    sample = [path for path in sample if len(path) < _LONGEST_PATH]
    there = sum(os.path.exists(root / path) for path in sample)
    for path in sample[:20]:
        parts = path.split("/")
        for count in range(1, len(parts)):
            beginning = "/".join(parts[:count])
            if beginning in tried or not os.path.exists(root / "/".join(parts[count:])):
                continue
            tried.add(beginning)
            start = beginning.lower() + "/"
            rest = [p[len(start) :] for p in sample if p.lower().startswith(start)]
            if (found := sum(os.path.exists(root / p) for p in rest)) > max(most, there):
                best, most = beginning, found
    return best
