"""The API for programs, one file per subject. Handlers translate; the rooms decide."""
