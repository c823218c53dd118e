"""The face: the API, the pages, and the guard before them."""
