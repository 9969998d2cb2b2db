"""The pictures of a study, each a function from trials to a PNG that returns its caption."""
