"""Measurements of the product beside what the machine itself can do."""
