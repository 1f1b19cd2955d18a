"""Illuminate Education, read through its REST API by an endpoint profile that a district can correct."""
