"""Everybody's copy: how it is made and renewed, and how it is asked."""
