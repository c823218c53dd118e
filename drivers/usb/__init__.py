"""The USB way to a Fujitsu-family scanner: envelope, link, scanner, finder."""
