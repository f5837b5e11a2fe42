"""The commands of `rc-pipeline` that have a module of their own."""
