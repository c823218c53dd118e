"""The Fujitsu command set as a unit sees it: codec, data blocks, one sheet's images, the state machine."""
