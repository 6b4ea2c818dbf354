"""Coded video of a live session: what has to be kept of it, and the colours that the segmenter sees in it.

The gateway looks into nothing of it. It keeps the head of the stream and all from the last keyframe on, as whoever
decodes it says, and sends that with every new piece: any instance can answer, and one that dies takes nothing along.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from media.fragments import begins_stream
from mesh import requests
from mesh.bus import Bus
from mesh.errors import BadRequest, Busy, Conflict, Internal, TooLarge, Unavailable
from mesh.live import HELD_BYTES, MEDIA_KIND, PIECE_BYTES, Colour, LiveColours, LiveMediaRequest

if TYPE_CHECKING:
    from gateway.live_sessions import Piece

log = logging.getLogger(__name__)

ANSWER_S = 6.0
_FRAME_S = 1 / 30  # between two streams that follow each other, where nothing is known of it


class MediaStream:
    """The coded video of one session.

    Parameters
    ----------
    skin_point : tuple of float, optional
        A spot of skin, px of the frames as they are shown.

    Attributes
    ----------
    pieces : int
        How many have come: the number of the next.
    """

    def __init__(self, skin_point: tuple[float, float] | None = None) -> None:
        self.pieces = 0
        self._point = skin_point
        self._head, self._held = b"", b""
        self._skin: str | None = None
        self.reason: str | None = None  # why there is no skin
        self._after_s: float | None = None  # the newest frame by the stream's clock
        self._offset_s: float | None = None  # from the stream's clock to the session's; None until its first frame
        self._start_s: float | None = None
        self._waiting = False  # nobody could decode it

    def add(self, piece: Piece, data: bytes) -> bool:
        """Take a piece in; whether it is a new one.

        Raises
        ------
        Conflict
            If pieces before it are missing.
        TooLarge
            If it is too large, or keyframes lie too far apart.
        BadRequest
            If it has a time of its own and is no beginning.
        Unavailable
            If too much waits to be decoded.
        """
        if len(data) > PIECE_BYTES:
            raise TooLarge(
                f"this piece has {len(data)} bytes; at most {PIECE_BYTES} are taken",
                hint="Send shorter pieces, or record with fewer bits a second.",
            )
        if piece.number < self.pieces:
            return False  # it came before the connection dropped
        if piece.number > self.pieces:
            raise Conflict(
                f"piece {piece.number} came where {self.pieces} is due",
                hint="Send all pieces in order; after a broken connection `session` says which is due.",
            )
        if begins_stream(data):
            self._head, self._held, self._after_s = b"", b"", None
            self._offset_s, self._start_s = None, piece.start_s
        elif piece.start_s is not None:
            raise BadRequest("`start_s` belongs to a piece that begins a stream of its own")
        if len(self._head) + len(self._held) + len(data) > HELD_BYTES:
            if self._waiting:
                raise Unavailable("nobody decodes this video just now", hint="Start a new session in a while.")
            raise TooLarge(
                f"more than {HELD_BYTES} bytes came since the last keyframe",
                hint="Record with a keyframe each second or two (videoKeyFrameIntervalDuration), or with fewer bits.",
            )
        self._held += data
        self.pieces += 1
        return True

    async def colours(self, bus: Bus, last_s: float | None) -> tuple[list[float], list[list[Colour | None]]]:
        """Times and colours of the frames that are new, by the session's clock; none while nobody can decode them.

        Parameters
        ----------
        bus : Bus
        last_s : float or None
            Time of the session's newest frame.

        Raises
        ------
        Failure
            What is wrong with the video: UnreadableVideo, UnsupportedCodec, TooManyPixels, ….
        """
        if not self._held:
            return [], []
        asked = LiveMediaRequest(after_s=self._after_s, skin=self._skin, skin_point=self._point)
        try:
            said = await requests.ask(bus, MEDIA_KIND, asked.pack(self._head + self._held), ANSWER_S)
        except (Unavailable, Busy) as failure:
            log.warning("live video waits to be decoded", extra={"failure": failure.slug})
            self._waiting = True
            return [], []
        found = LiveColours.model_validate_json(said)
        if len(found.t) != len(found.rgb) or not found.head <= found.restart <= len(self._head) + len(self._held):
            raise Internal("an answer does not fit its question")
        self._waiting = False
        self._keep(found)
        if not found.t:
            return [], []
        self._skin, self.reason, self._after_s = found.skin, found.reason, found.t[-1]
        if self._offset_s is None:
            follows = max(found.t[0], 0.0) if last_s is None else last_s + _FRAME_S
            self._offset_s = (follows if self._start_s is None else self._start_s) - found.t[0]
        return [when + self._offset_s for when in found.t], found.rgb

    def _keep(self, found: LiveColours) -> None:
        whole = self._head + self._held
        if found.head:
            self._head, self._held = whole[: found.head], whole[found.restart :]
