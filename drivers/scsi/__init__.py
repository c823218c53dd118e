"""The Fujitsu command set: commands, data blocks, sense, and the dialogue of a batch. No I/O, no clock."""
