"""Failures of a recording: no service can make anything of it."""

from __future__ import annotations

from mesh.errors.failure import Failure


class RecordingFailure(Failure):
    """The recording itself is at fault: refused, never retried."""

    status = 422
    slug = "recording"
    title = "This recording cannot be used"
    recording_at_fault = True


class EmptyUpload(RecordingFailure):
    """The upload has no bytes."""

    status = 400
    slug = "empty-upload"
    title = "The upload is empty"
    default_hint = "Send the video file itself."


class UnreadableVideo(RecordingFailure):
    """No allowed demuxer or decoder can read it."""

    slug = "unreadable-video"
    title = "This is not a video we can read"
    default_hint = "Send MP4, MOV, WebM, MKV or AVI as the camera wrote it."


class UnreadablePicture(Failure):
    """A picture that no allowed decoder can read."""

    status = 422
    slug = "unreadable-picture"
    title = "This is not a picture we can read"
    default_hint = "Send a JPEG, PNG or WebP of at most 16 million pixels."


class NoVideoStream(RecordingFailure):
    """A media file without moving pictures."""

    slug = "no-video-stream"
    title = "There is no video in this file"
    default_hint = "Send a file with a video track."


class NoFrames(RecordingFailure):
    """Opens, but not one frame decodes."""

    slug = "no-frames"
    title = "Not one frame of this video can be decoded"
    default_hint = "The file is probably cut short: export or upload it again."


class NotMoving(RecordingFailure):
    """A single picture."""

    slug = "not-a-video"
    title = "This is a picture, not a video"
    default_hint = "Record at least five seconds of video."


class TooShort(RecordingFailure):
    """Shorter than anything can be measured in."""

    slug = "too-short"
    title = "This video is too short"
    default_hint = "Record at least five seconds."


class TooLong(RecordingFailure):
    """Longer than the limit."""

    status = 413
    slug = "too-long"
    title = "This video is too long"
    default_hint = "Cut it, or raise the limit on duration."


class TooManyPixels(RecordingFailure):
    """Frames larger than the limit."""

    status = 413
    slug = "too-many-pixels"
    title = "The frames of this video are too large"
    default_hint = "Scale it down to 4K or less."


class TooLarge(RecordingFailure):
    """More bytes than the limit."""

    status = 413
    slug = "too-large"
    title = "This upload is too large"
    default_hint = "Cut the video, or raise the limit on uploads."


class UnsupportedCodec(RecordingFailure):
    """A codec or a pixel format for which no decoder is carried."""

    status = 415
    slug = "unsupported-codec"
    title = "The codec of this video is not supported"
    default_hint = "Export it as H.264 MP4."
