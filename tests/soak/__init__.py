"""A simulated day under load: no process may grow."""
