"""Judges bars that are possible but hardly true; they are flagged and kept."""
