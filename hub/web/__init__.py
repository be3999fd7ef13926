"""Pages: rendered here, complete without script, with nothing from other servers."""
