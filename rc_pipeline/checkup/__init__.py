"""Whether this machine, the catalog and the lake are ready for a run."""
