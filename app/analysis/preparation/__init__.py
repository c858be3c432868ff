"""From whatever a caller holds to checked windows, other time frames and features."""
