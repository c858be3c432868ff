"""Prices that matter: where swings turned and where volume was traded."""
