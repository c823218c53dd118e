"""The pages for people, one file per subject. All forms work without scripts."""
