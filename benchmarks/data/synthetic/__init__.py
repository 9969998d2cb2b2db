"""Generated data sets: nuclei and rosettes of leaves, of any size, from a seed."""
