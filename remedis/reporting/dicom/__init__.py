"""Scores and heat maps of DICOM images as DICOM objects of the same study."""
