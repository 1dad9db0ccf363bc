"""Pixmill: image uploads, answered at once, turned into variants by durable tasks."""

__version__ = "0.1.0"
