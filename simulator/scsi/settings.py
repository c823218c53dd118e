"""What a host sets before a batch: mode pages, windows, tables. No paper, no image.

Mode pages (offsets within the page): 37 background, 38 double feed, 3A buffering, 3C size and overscan.
"""

from dataclasses import replace

from simulator.models import Model
from simulator.scsi import blocks, replies
from simulator.scsi.blocks import FieldError
from simulator.scsi.encode import QTables
from simulator.scsi.page import Lens
from simulator.scsi.replies import Check
from simulator.scsi.window import Window, parse_windows
from simulator.sheets import Side

_LUT, _Q_TABLE = 0x83, 0x88
_AUTO_LENGTH = 0x80  # 3C, byte 3
_OVERSCAN_MASK, _OVERSCAN_ON = 0xC0, 0xC0  # 3C, byte 5
_BUFFERING_MASK, _BUFFERING_ON = 0xC0, 0xC0  # 3A, byte 2
_SET, _FRONT_BLACK, _BACK_BLACK = 0x80, 0x20, 0x10  # 37, byte 2
_CONTINUE, _DETECTORS = 0x40, 0x38  # 38, byte 2; 0x80 says that the page decides
_NOTHING_SET = bytes(8)


class Settings:
    """The settings of one unit; all gone after `reset`."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.windows: dict[int, Window] = {}
        self.lut = b""
        self.pre_read = False
        self._qtables: QTables | None = None
        self._mode: dict[int, bytes] = {}

    def reset(self) -> None:
        """Forget all, as without power."""
        self.windows, self._mode = {}, {}
        self.lut, self._qtables, self.pre_read = b"", None, False

    def select(self, data: bytes) -> None:
        """Take a MODE SELECT payload; FieldError for a page that the model has not."""
        page, settings = blocks.parse_mode_page(data)
        if page not in self._model.mode_pages:
            raise FieldError(4, f"mode page {page:02x}", wrong=False)
        self._mode[page] = settings

    def set_windows(self, data: bytes) -> None:
        """Take a SET WINDOW payload; the paper is that of the front for both sides."""
        windows = parse_windows(data, self._model)
        if len({(window.dpi, window.composition, window.compression) for window in windows}) > 1:
            raise Check(replies.BAD_WINDOWS, violation="front and back ask for different images")
        paper = windows[0].paper_width
        self.windows = {window.id: replace(window, paper_width=window.paper_width or paper) for window in windows}

    def send(self, kind: int, data: bytes) -> None:
        """Take a table; FieldError if it is none, or of another size than the model's."""
        if kind == _LUT:
            lut = blocks.parse_lut(data)
            if len(lut) != self._model.lut_entries:
                raise FieldError(4, f"{len(lut)} table entries, not {self._model.lut_entries}")
            self.lut = lut
        elif kind == _Q_TABLE:
            self._qtables = blocks.parse_q_table(data)
        else:
            raise Check(replies.BAD_CDB, violation=f"SEND of data type {kind:02x}")

    @property
    def buffering(self) -> bool:
        """Tell whether the unit pulls the next sheet by itself."""
        return self._byte(0x3A, 2) & _BUFFERING_MASK == _BUFFERING_ON

    @property
    def detects_double_feeds(self) -> bool:
        """Tell whether two sheets at once stop the unit; they do unless the page says otherwise."""
        told = self._byte(0x38, 2)
        return not told & _SET or (bool(told & _DETECTORS) and not told & _CONTINUE)

    def lens(self) -> Lens:
        """Return how the batch looks at its sheets."""
        background, vpd = self._byte(0x37, 2), self._model.vpd
        overscan = self._byte(0x3C, 5) & _OVERSCAN_MASK == _OVERSCAN_ON
        black = {Side.FRONT: background & _FRONT_BLACK, Side.BACK: background & _BACK_BLACK}
        return Lens(
            to_the_paper=bool(self._byte(0x3C, 3) & _AUTO_LENGTH),
            overscan_1200=2 * int.from_bytes(vpd[0x66:0x68], "big") if overscan else 0,
            black_backing=frozenset(side for side, bit in black.items() if bit and background & _SET),
            qtables=self._qtables,
        )

    def _byte(self, page: int, at: int) -> int:
        """Return a byte of a page; offset 2 is the first that is kept."""
        return self._mode.get(page, _NOTHING_SET)[at - 2]
