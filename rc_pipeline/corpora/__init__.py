"""Raw corpora: one module a format, and the sample world that the demo runs on."""
