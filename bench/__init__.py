"""Pixmill measured beside its peers. Run it with `python -m bench`; README.md says what it does."""
