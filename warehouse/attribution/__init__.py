"""Whose a model is: who is still who under another name, and what a model descends from."""
