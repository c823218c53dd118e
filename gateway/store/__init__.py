"""Memory: rows (the only SQLAlchemy) and the spool of sealed pages."""
