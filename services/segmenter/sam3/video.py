"""SAM 3's tracker over any number of frames in bounded memory.

A streaming session of `transformers` keeps every frame it saw (12 MB each at 1008 px) and every object's output on
each. The tracker looks back over 7 memories and 16 object pointers only: what lies behind is dropped here after every
frame, and masks stay the same bit for bit (`prune` says up to what). Tracked masks depend on all
frames since the start, unlike those of cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from media.color import chroma_shape
from media.masks import FrameMask
from mesh.contracts import Recording
from mesh.errors import OutOfMemory
from segmenter.frames import Picture
from segmenter.sam3.instances import compose, without_specks
from segmenter.sam3.loading import Tokenizer, choose_device, choose_dtype, load_pretrained, tokens_of
from segmenter.sam3.model import out_of_memory
from segmenter.sam3.pictures import pixel_values, to_chroma
from segmenter.sam3.settings import Sam3Settings, Wanted

CONDITIONING = 64  # corrected frames whose object pointers are kept, half a minute of 30 frames a second; see `prune`
_FRAME_WISE = ("obj_id_to_tracker_score_frame_wise", "suppressed_obj_ids")
_PER_OBJECT = ("frames_tracked_per_obj", "mask_inputs_per_obj", "point_inputs_per_obj")


class Sam3Tracker:
    """The video model of SAM 3: finds what a prompt names and follows each instance.

    Parameters
    ----------
    model : transformers.Sam3VideoModel
        On the CPU; it is moved to the device here.
    tokenizer : callable
        A tokenizer of `transformers`.
    settings : Sam3Settings
    instances : int
        How many objects are tracked at once, at most.
    """

    def __init__(
        self, model: Any, tokenizer: Tokenizer, settings: Sam3Settings, instances: int = Wanted.instances
    ) -> None:
        self.settings = settings
        self.device = choose_device(settings.device)
        self.dtype = choose_dtype(self.device)
        self.tokenizer = tokenizer
        self.model = model.to(self.device, self.dtype).eval()
        self.model.max_num_objects = instances
        if settings.compile:
            self.model.detector_model.vision_encoder.compile(dynamic=False)

    @classmethod
    def load(cls, settings: Sam3Settings | None = None) -> Sam3Tracker:
        """Find the weights and load them.

        Raises
        ------
        MissingWeights, BadParameters
            As `segmenter.sam3.loading.load_pretrained`.
        """
        settings = settings or Sam3Settings()
        model, tokenizer = load_pretrained(settings, video=True)
        return cls(model, tokenizer, settings)

    def start(self, recording: Recording, prompts: Sequence[str] = (Wanted.prompt,), *, bounded: bool = True) -> Track:
        """Begin to track in a clip.

        Parameters
        ----------
        recording : Recording
            For range, matrix, size and rotation.
        prompts : sequence of str, optional
        bounded : bool
            False keeps all state, as `transformers` does: for comparison.

        Raises
        ------
        BadParameters
            If a prompt is empty or too long.
        """
        return Track(self, recording, list(prompts), bounded)


class Track:
    """One clip that is being tracked, frame by frame.

    Attributes
    ----------
    frames : int
        Frames that came so far.
    """

    def __init__(self, tracker: Sam3Tracker, recording: Recording, prompts: list[str], bounded: bool) -> None:
        self.frames = 0
        self._tracker, self._recording, self._bounded = tracker, recording, bounded
        self._session = _new_session(tracker.device, tracker.dtype)
        self._labels: dict[int, int] = {}
        for prompt in prompts:
            ids, mask = tokens_of(tracker.tokenizer, prompt, tracker.device)
            number = self._session.add_prompt(prompt)
            self._session.prompt_input_ids[number] = ids
            self._session.prompt_attention_masks[number] = mask

    def add(self, picture: Picture) -> FrameMask:
        """The mask of the next frame.

        Parameters
        ----------
        picture : Picture

        Returns
        -------
        FrameMask
            At chroma resolution, with the identity for a transform. An instance keeps its label while it is tracked.

        Raises
        ------
        OutOfMemory
            If the device has no memory left. The track is of no use afterwards; the tracker is.
        """
        try:
            output = self.add_raw(picture)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            self._session = None
            output = None
        if output is None:
            raise OutOfMemory(
                f"SAM 3's tracker needs more memory than {self._tracker.device} has free",
                hint="Lower SAM3_IMAGE_SIZE or SAM3_INSTANCES.",
            )
        return self._mask(output)

    def add_raw(self, picture: Picture) -> Any:
        """As `add`, but what the model itself answers: `transformers`' `Sam3VideoSegmentationOutput`."""
        tracker = self._tracker
        size = tracker.settings.image_size
        pixels = pixel_values([picture], self._recording, size, tracker.device, tracker.dtype)
        self._session.begin_frame(self.frames)
        output = tracker.model(inference_session=self._session, frame=pixels[0], frame_idx=self.frames)
        if self._bounded:
            prune(self._session, tracker.model, self.frames)
        self.frames += 1
        return output

    def state_bytes(self) -> int:
        """Bytes of tensors that the session holds for the frames to come."""
        seen: dict[int, int] = {}
        _count_bytes(vars(self._session), seen)
        return sum(seen.values())

    def _mask(self, output: Any) -> FrameMask:
        import torch

        shape, size = chroma_shape(self._recording), (self._recording.width, self._recording.height)
        hidden = set(output.suppressed_obj_ids or ()) | set(output.removed_obj_ids or ())
        objects = [one for one in sorted(output.obj_id_to_mask) if one not in hidden]
        self._labels = {one: label for one, label in self._labels.items() if one in output.obj_id_to_mask}
        free = iter(sorted(set(range(1, 256)) - set(self._labels.values())))
        for one in objects:
            if one not in self._labels:
                self._labels[one] = next(free)
        if not objects:
            return FrameMask(np.zeros(shape, np.uint8))
        logits = torch.cat([output.obj_id_to_mask[one] for one in objects])
        masks = to_chroma(logits.float().sigmoid(), self._recording, shape)
        skin = without_specks(masks.max(axis=0) > 0.5)
        scores = [min(max(float(output.obj_id_to_score[one]), 0.0), 1.0) for one in objects]
        return compose(skin, masks, [self._labels[one] for one in objects], scores, size)


def prune(session: Any, model: Any, frame: int) -> None:
    """Drop what no later frame looks at, after `frame` was tracked forward.

    Masks stay the same bit for bit as long as an object was corrected by a detection on at most `CONDITIONING`
    frames (every 16th at most); of more than that the oldest object pointers are forgotten. Objects that no
    detection has matched for `max_trk_keep_alive` frames are forgotten too.

    Parameters
    ----------
    session : transformers' Sam3VideoInferenceSession
    model : transformers.Sam3VideoModel
        For how far it looks back.
    frame : int
        Index of the frame that was tracked last; indices were given explicitly.
    """
    tracker = model.tracker_model.config
    memories, pointers = tracker.num_maskmem - 1, tracker.max_object_pointers_in_encoder - 1
    session.processed_frames.clear()
    session.cache.clear_all()
    for name in _FRAME_WISE:
        _drop(getattr(session, name), frame)
    for name in _PER_OBJECT:
        for by_frame in getattr(session, name).values():
            _drop(by_frame, frame)
    for lists, most in (
        (session.unmatched_frame_inds, model.hotstart_unmatch_thresh),
        (session.overlap_pair_to_frame_inds, model.hotstart_dup_thresh),
    ):
        for key, frames in lists.items():
            lists[key] = frames[-max(most, 1) :]
    for one in [one for one, left in session.trk_keep_alive.items() if left <= 0]:
        _forget(session, one)
    for outputs in session.output_dict_per_obj.values():
        tracked, corrected = outputs["non_cond_frame_outputs"], outputs["cond_frame_outputs"]
        for index in [index for index in tracked if index <= frame - pointers]:
            del tracked[index]
        for index in [index for index in tracked if index <= frame - memories]:
            tracked[index] = {"object_pointer": tracked[index]["object_pointer"]}
        for index in sorted(corrected)[:-CONDITIONING]:
            del corrected[index]
        for index in sorted(corrected)[: -tracker.max_cond_frame_num]:
            corrected[index] = {"object_pointer": corrected[index]["object_pointer"]}
        for output in (*tracked.values(), *corrected.values()):
            output.pop("high_res_masks", None)
            output.pop("pred_masks", None)


def _drop(by_frame: dict[int, Any], frame: int) -> None:
    for index in [index for index in by_frame if index <= frame]:
        del by_frame[index]


def _forget(session: Any, one: int) -> None:
    """Let go of an object. The session forgets its tensors; what it keeps beside them is dropped here."""
    session.remove_object(one, strict=False)
    for name in ("obj_id_to_score", "obj_id_to_last_occluded", "obj_first_frame_idx", "trk_keep_alive"):
        kept = {key: value for key, value in getattr(session, name).items() if key != one}
        setattr(session, name, kept)  # the frame's own answer holds the old one
    session.unmatched_frame_inds.pop(one, None)
    pairs = session.overlap_pair_to_frame_inds
    for pair in [pair for pair in pairs if one in pair]:
        del pairs[pair]


def _new_session(device: Any, dtype: Any) -> Any:
    from transformers.models.sam3_video.modeling_sam3_video import Sam3VideoInferenceSession

    class CountingSession(Sam3VideoInferenceSession):  # type: ignore[misc]
        """Counts its frames instead of the pictures that it still holds.

        The tracker limits its object pointers by `num_frames`: taken from the pictures that are left, they
        would be dropped with them.
        """

        _frames = 0

        def begin_frame(self, index: int) -> None:
            self._frames = index + 1

        @property
        def num_frames(self) -> int:
            return self._frames

    return CountingSession(
        inference_device=device, inference_state_device=device, video_storage_device=device, dtype=dtype
    )


def _count_bytes(thing: Any, seen: dict[int, int]) -> None:
    """Bytes of every storage of tensors inside, each once."""
    import torch

    if isinstance(thing, torch.Tensor):
        storage = thing.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
    elif isinstance(thing, dict):
        for value in thing.values():
            _count_bytes(value, seen)
    elif isinstance(thing, (list, tuple, set)):
        for value in thing:
            _count_bytes(value, seen)
    elif hasattr(thing, "__dict__") and not isinstance(thing, type):
        for value in vars(thing).values():
            _count_bytes(value, seen)
