"""Pages -> one document. Bytes in, bytes out: this room knows no store, no destination and no clock."""
