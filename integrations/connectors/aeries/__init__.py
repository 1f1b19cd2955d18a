"""Aeries, read through its API version 5."""
