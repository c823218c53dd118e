"""The face: the API, the pages, and the guard before them. routes.py is the map."""
