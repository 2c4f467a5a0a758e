"""Foundation models for medical imaging: build, load, fine-tune, and know what the numbers mean.

Research software. Nothing it makes is a diagnostic device.
"""

__version__ = "0.2.0"
