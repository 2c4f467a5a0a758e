"""Requests joined into batches by one worker thread, with bounds on number and on waiting.

One thread computes, since the engines use all processors for one batch. A batch takes images of one
kind, see `Batcher.submit`, in the order in which they came. It is computed when it is full, when
its oldest image has waited long enough, or, after another batch, with what has come meanwhile.
"""

import asyncio
import collections
import contextlib
import dataclasses
import logging
import math
import threading
import time
import weakref
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, InvalidStateError

import numpy as np

from remedis.errors import UserError, counted

Outputs = dict[str, np.ndarray]
Compute = Callable[[Hashable, np.ndarray], Outputs]

_Key = tuple[Hashable, tuple[int, ...], str]  # kind, shape and type of the images

# 42 images of 1,024 x 1,024 pixels wait, and 5 are computed at once; of 224 x 224 there are 891 and
# 111, so that the bounds on numbers count.
HELD_BYTES, BATCH_BYTES = 512 << 20, 64 << 20

PREDICT = "predict"  # the kind of requests for an engine's outputs
_LOG = logging.getLogger(__name__)


class Busy(Exception):
    """The queue is full; a later request may be taken.

    Attributes:
      retry_after: whole seconds, 1 or more, after which the queue should have room.
    """

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"The server is busy; try again in {counted(retry_after, 'second')}.")
        self.retry_after = retry_after


class TooLate(Exception):
    """The outputs of a request were not there before its deadline."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"The answer took longer than {seconds:g} seconds; try again later.")


class Stopped(Exception):
    """The server is stopping and takes no request."""

    def __init__(self) -> None:
        super().__init__("The server is stopping; try again later.")


@dataclasses.dataclass(eq=False)
class _Request:
    """A request that waits or is computed.

    Attributes:
      key: kind, shape of an image and type; images of one batch have the same.
      images: [n, ...], all of them.
      came: when, in seconds of `time.monotonic`.
      deadline: in the same seconds.
      future: of its outputs; pending until they are there, so that it can be cancelled.
      taken: number of images that are in a batch or computed.
      done: outputs of the images that are computed, in order.
      released: whether it no longer counts.
    """

    key: _Key
    images: np.ndarray
    came: float
    deadline: float
    future: "Future[Outputs]"
    taken: int = 0
    done: list[Outputs] = dataclasses.field(default_factory=list)
    released: bool = False


_Part = tuple[_Request, np.ndarray]  # a request, and those of its images in a batch


class Batcher:
    """The queue and its worker.

    Args:
      compute: from a kind and images [n, ...] to outputs by name, each [n, ...]. It is called by
        the worker alone.
      batch_size: the most images per batch.
      wait_seconds: that an image waits for others at most, while nothing is computed.
      max_queue: the most images that wait or are computed.
      timeout_seconds: from a request to its outputs at most.
      held_bytes: the most bytes of the images that wait or are computed.
      batch_bytes: the most bytes of the images of a batch, if it has more than one.
    """

    def __init__(
        self,
        compute: Compute,
        *,
        batch_size: int = 8,
        wait_seconds: float = 0.005,
        max_queue: int = 64,
        timeout_seconds: float = 60.0,
        held_bytes: int = HELD_BYTES,
        batch_bytes: int = BATCH_BYTES,
    ) -> None:
        self._compute = compute
        self._batch_size, self._wait = batch_size, wait_seconds
        self._max_queue, self._timeout = max_queue, timeout_seconds
        self._most_bytes, self._batch_bytes = held_bytes, batch_bytes
        self._waiting: collections.deque[_Request] = collections.deque()
        self._changed = threading.Condition()
        self._held = self._held_bytes = 0  # images of requests without an answer
        self._seconds_per_image = 0.0  # of the last batch
        self._stopping = False
        self._worker = threading.Thread(target=self._work, name="batcher", daemon=True)
        self._worker.start()

    @property
    def held(self) -> int:
        """The number of images that wait or are computed."""
        return self._held

    @property
    def alive(self) -> bool:
        """Whether requests are taken and computed."""
        return self._worker.is_alive() and not self._stopping

    def submit(self, images: np.ndarray, kind: Hashable = PREDICT) -> "Future[Outputs]":
        """Returns the future outputs of a request; cancelling it takes it out of the queue.

        Args:
          images: [n, ...], at least one. Images of different shapes or types come into different
            batches.
          kind: what is computed, such as `PREDICT`; requests of one kind share batches.

        Returns:
          The outputs by name, each [n, ...]. Its errors are those of `compute`, and `TooLate`.

        Raises:
          Busy: too many images wait.
          Stopped: the batcher is stopped.
          UserError: the request has no image, or more than ever may wait.
        """
        count = len(images)
        if not count:
            raise UserError("The request has no image; expected one or more.")
        if count > self._max_queue:
            raise UserError(
                f"The request has {count:,} images; expected at most {self._max_queue:,}: send "
                "several requests."
            )
        if images.nbytes > self._most_bytes:
            raise UserError(
                f"The images of the request take {images.nbytes >> 20:,} MB; expected at most "
                f"{self._most_bytes >> 20:,} MB: send fewer or smaller ones."
            )
        now = time.monotonic()
        future: Future[Outputs] = Future()
        key = (kind, images.shape[1:], images.dtype.str)
        request = _Request(key, images, now, now + self._timeout, future)
        with self._changed:
            if self._stopping:
                raise Stopped
            full = self._held_bytes + images.nbytes > self._most_bytes
            if full or self._held + count > self._max_queue:
                raise Busy(max(1, math.ceil(self._held * self._seconds_per_image)))
            self._held += count
            self._held_bytes += images.nbytes
            self._waiting.append(request)
            self._changed.notify()
        # A strong reference would be a circle, and keep the images until Python collects circles.
        waiting = weakref.ref(request)
        future.add_done_callback(lambda _: self._release(waiting()))
        return future

    async def outputs(self, images: np.ndarray, kind: Hashable = PREDICT) -> Outputs:
        """Returns the outputs of a request; a cancelled task takes it out of the queue.

        Raises:
          TooLate: they are not there before the deadline.
          Exception: those of `submit` and of `compute`.
        """
        future = self.submit(images, kind)
        try:
            return await asyncio.wait_for(asyncio.wrap_future(future), self._timeout)
        except asyncio.TimeoutError:
            raise TooLate(self._timeout) from None

    def stop(self, drain_seconds: float = 0.0) -> None:
        """Ends the worker; new requests are refused.

        Args:
          drain_seconds: time for the requests that wait; those left get the error `Stopped`. The
            batch that is being computed is always finished.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._worker.join(drain_seconds)
        with self._changed:
            left = list(self._waiting)
        for request in left:
            self._answer(request, Stopped())
        self._worker.join()

    def _answer(self, request: _Request, answer: Outputs | Exception) -> None:
        """Sets the outputs or the error of a request, unless its client left."""
        self._release(request)  # before, so that whoever has an answer finds room for another
        with contextlib.suppress(InvalidStateError):  # cancelled, perhaps in this moment
            if isinstance(answer, Exception):
                request.future.set_exception(answer)
            else:
                request.future.set_result(answer)

    def _release(self, request: _Request | None) -> None:
        """Forgets a request that has its answer, or that nobody waits for any more."""
        with self._changed:
            if request is None or request.released:
                return
            request.released = True
            self._held -= len(request.images)
            self._held_bytes -= request.images.nbytes
            if request in self._waiting:
                self._waiting.remove(request)
            self._changed.notify()

    def _work(self) -> None:
        while (parts := self._next_batch()) is not None:
            if parts:
                begun = time.monotonic()
                try:
                    self._run(parts)
                # Such as no memory for the outputs. Without this thread nothing is answered.
                except Exception as error:
                    _LOG.error(f"A batch failed with {type(error).__name__}.")
                    for request, _ in parts:
                        self._answer(request, error.with_traceback(None))
                images = sum(len(part) for _, part in parts)
                self._seconds_per_image = (time.monotonic() - begun) / images
            del parts  # the images of an answered request are freed while this waits

    def _next_batch(self) -> list[_Part] | None:
        """Returns the parts of requests that are computed next; None if there never will be any.

        It waits until there is a batch. The list is empty if what waited is too late.
        """
        with self._changed:
            while not self._waiting:
                if self._stopping:
                    return None
                self._changed.wait()
            first = self._waiting[0]
            ready = first.came + self._wait
            # A request behind the first may not have its time, but is never computed before it.
            while (
                self._waiting
                and self._waiting[0] is first
                and not self._stopping
                and self._count(first.key) < self._space(first)
                and (left := min(ready, first.deadline) - time.monotonic()) > 0
            ):
                self._changed.wait(left)
            now = time.monotonic()
            late = [request for request in self._waiting if request.deadline <= now]
            parts = [] if late else list(self._take())
        for request in late:  # answered without the lock, since callbacks of the future run
            self._answer(request, TooLate(self._timeout))
        return parts

    def _space(self, request: _Request) -> int:
        """Returns the number of images that a batch of such images takes."""
        return min(self._batch_size, max(1, self._batch_bytes // request.images[0].nbytes))

    def _count(self, key: _Key) -> int:
        waiting = (r for r in self._waiting if r.key == key)
        return sum(len(request.images) - request.taken for request in waiting)

    def _take(self) -> Iterator[_Part]:
        """Yields the parts of one batch, and takes requests without further images off the queue.

        A large request may be computed in several batches, in turn with others.
        """
        if not self._waiting:
            return
        key, space = self._waiting[0].key, self._space(self._waiting[0])
        for request in [r for r in self._waiting if r.key == key]:
            if not space:
                return
            part = request.images[request.taken : request.taken + space]
            request.taken += len(part)
            space -= len(part)
            if request.taken == len(request.images):
                self._waiting.remove(request)
            yield request, part

    def _run(self, parts: list[_Part]) -> None:
        """Computes a batch; if it fails, every request alone, so that only the faulty ones fail."""
        kind = parts[0][0].key[0]
        parts = [(request, part) for request, part in parts if not request.future.done()]
        if not parts:
            return
        try:
            outputs = self._computed(kind, np.concatenate([part for _, part in parts]))
        except Exception as error:
            if len(parts) == 1:
                if not isinstance(error, UserError):
                    # Not the message, which may hold something of the image.
                    _LOG.error(f"The engine failed with {type(error).__name__}.")
                # The frames of its traceback, and of its cause's, hold the images.
                error.__cause__ = error.__context__ = None
                self._answer(parts[0][0], error.with_traceback(None))
                return
            for alone in parts:
                self._run([alone])
            return
        start = 0
        for request, part in parts:
            rows = slice(start, start + len(part))
            # Copies: a view would keep the whole batch in memory.
            request.done.append({name: value[rows].copy() for name, value in outputs.items()})
            start += len(part)
            if sum(len(next(iter(done.values()))) for done in request.done) == len(request.images):
                self._answer(request, _joined(request.done))

    def _computed(self, kind: Hashable, images: np.ndarray) -> Outputs:
        outputs = self._compute(kind, images)
        if not outputs or any(len(value) != len(images) for value in outputs.values()):
            raise RuntimeError("The engine gave outputs of another number of images.")
        return outputs


def _joined(parts: list[Outputs]) -> Outputs:
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
