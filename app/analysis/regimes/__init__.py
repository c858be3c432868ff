"""Which kind of market a window shows: figures, thresholds, and how they hold on."""
