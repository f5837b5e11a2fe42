"""Starting files of the catalog: commented, and working as they are."""
