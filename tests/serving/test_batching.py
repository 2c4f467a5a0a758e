"""The queue of a server: batches, order, bounds, faults and the end, with an engine of NumPy."""

import asyncio
import concurrent.futures
import gc
import threading
import time
import weakref

import numpy as np
import pytest

from remedis.errors import UserError
from remedis.serving.batching import PREDICT, Batcher, Busy, Stopped, TooLate

SOON = 10.0  # seconds; a test that waits so long has failed


class FakeEngine:
    """Doubles images. It records its batches, waits for `go`, and fails for negative values."""

    def __init__(self):
        self.batches = []
        self.kinds = []
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Event()

    def __call__(self, kind, images):
        self.batches.append(images[:, 0].tolist())
        self.kinds.append(kind)
        self.entered.set()
        assert self.go.wait(SOON)
        if (images < 0).any():
            raise UserError("An image is negative.")
        return {"double": 2 * images, "first": images[:, 0]}

    @property
    def sizes(self):
        return [len(batch) for batch in self.batches]


@pytest.fixture
def engine():
    return FakeEngine()


@pytest.fixture
def batcher(engine):
    """Returns a function that makes a batcher; all are stopped at the end."""
    made = []

    def make(**settings):
        made.append(Batcher(engine, **{"wait_seconds": 0.0, "max_queue": 100, **settings}))
        return made[-1]

    yield make
    engine.go.set()
    for one in made:
        one.stop()


def images(*values):
    return np.array([[value, 0.5] for value in values], np.float32)


def occupied(batcher, engine):
    """Lets the worker compute one image, and keeps it there until `go`; returns its future."""
    engine.go.clear()
    engine.entered.clear()
    future = batcher.submit(images(0.0))
    assert engine.entered.wait(SOON)
    return future


def test_requests_that_come_while_a_batch_is_computed_share_the_next(batcher, engine):
    queue = batcher(batch_size=16)
    occupied(queue, engine)
    futures = [queue.submit(images(i)) for i in range(1, 8)]
    engine.go.set()
    answers = [future.result(SOON) for future in futures]
    assert engine.batches == [[0.0], [1, 2, 3, 4, 5, 6, 7]]
    for i, answer in enumerate(answers, 1):
        np.testing.assert_array_equal(answer["double"], 2 * images(i))
        np.testing.assert_array_equal(answer["first"], [i])


@pytest.mark.parametrize(
    ("requests", "size", "expected"),
    [
        ([1] * 9, 4, [4, 4, 1]),
        ([10], 4, [4, 4, 2]),  # a request of more images than a batch
        ([3, 3, 3], 4, [4, 4, 1]),  # requests are divided
        ([4, 4], 4, [4, 4]),
        ([1, 1], 1, [1, 1]),
    ],
)
def test_batches_are_full_and_in_the_order_of_the_images(batcher, engine, requests, size, expected):
    queue = batcher(batch_size=size)
    occupied(queue, engine)
    futures, start = [], 1
    for count in requests:
        futures.append((queue.submit(images(*range(start, start + count))), start, count))
        start += count
    engine.go.set()
    for future, first, count in futures:
        np.testing.assert_array_equal(future.result(SOON)["first"], range(first, first + count))
    assert engine.sizes[1:] == expected
    assert [value for batch in engine.batches[1:] for value in batch] == list(range(1, start))


def test_a_full_batch_does_not_wait(batcher, engine):
    queue = batcher(batch_size=3, wait_seconds=SOON)
    begun = time.monotonic()
    futures = [queue.submit(images(i)) for i in range(3)]
    concurrent.futures.wait(futures, SOON)
    assert time.monotonic() - begun < SOON / 2
    assert engine.sizes == [3]


def test_one_image_waits_for_others_as_long_as_set(batcher, engine):
    queue = batcher(batch_size=3, wait_seconds=0.2)
    begun = time.monotonic()
    first = queue.submit(images(1))
    second = queue.submit(images(2))
    first.result(SOON)
    assert time.monotonic() - begun >= 0.2
    assert second.result(SOON)
    assert engine.sizes == [2]


def test_kinds_shapes_and_types_are_never_in_one_batch(batcher, engine):
    queue = batcher()
    occupied(queue, engine)
    large = np.ones((1, 3), np.float32)
    asked = [
        (images(1), PREDICT),
        (images(2), ("explain", "effusion")),
        (large, PREDICT),
        (images(3), PREDICT),
        (images(4).astype(np.float64), PREDICT),
        (images(5), ("explain", "effusion")),
    ]
    futures = [queue.submit(array, kind) for array, kind in asked]
    engine.go.set()
    for future, (array, _) in zip(futures, asked, strict=True):
        np.testing.assert_array_equal(future.result(SOON)["double"], 2 * array)
    assert engine.batches[1:] == [[1, 3], [2, 5], [1], [4]]
    assert engine.kinds[1:] == [PREDICT, ("explain", "effusion"), PREDICT, PREDICT]


def test_a_faulty_image_fails_its_request_and_not_its_neighbours(batcher, engine):
    queue = batcher()
    occupied(queue, engine)
    futures = [queue.submit(images(*values)) for values in ([1], [2, -1], [3], [-5], [4])]
    engine.go.set()
    assert [future.exception(SOON) is None for future in futures] == [
        True,
        False,
        True,
        False,
        True,
    ]
    for future, value in zip(futures[::2], (1, 3, 4), strict=True):
        assert future.result()["first"].tolist() == [value]
    with pytest.raises(UserError, match="negative"):
        futures[1].result()
    assert queue.submit(images(6)).result(SOON)["first"].tolist() == [6]
    assert queue.held == 0


def test_a_large_request_that_fails_leaves_the_queue(batcher, engine):
    queue = batcher(batch_size=2)
    occupied(queue, engine)
    large = queue.submit(images(-1, 1, 2, 3, 4, 5))
    other = queue.submit(images(7))
    engine.go.set()
    with pytest.raises(UserError, match="negative"):
        large.result(SOON)
    assert other.result(SOON)["first"].tolist() == [7]
    assert engine.batches[1:] == [[-1, 1], [7]]


def test_an_engine_of_another_number_of_outputs_is_an_error():
    queue = Batcher(lambda kind, images: {"a": images[1:]})
    with pytest.raises(RuntimeError, match="another number of images"):
        queue.submit(images(1, 2)).result(SOON)
    assert queue.alive
    queue.stop()


class Unreadable(np.ndarray):
    def __getitem__(self, rows):
        raise MemoryError


def test_outputs_that_find_no_memory_fail_alone(batcher, engine):
    queue = batcher()
    broken = iter([np.zeros(1).view(Unreadable)])
    queue._compute = lambda kind, images: {"a": next(broken, np.ones(len(images)))}
    with pytest.raises(MemoryError):
        queue.submit(images(1)).result(SOON)
    assert (queue.held, queue.alive) == (0, True)
    assert queue.submit(images(1)).result(SOON)["a"].tolist() == [1]


def test_a_full_queue_refuses_until_there_is_room(batcher, engine):
    queue = batcher(max_queue=4, batch_size=4)
    first = occupied(queue, engine)
    waiting = queue.submit(images(1, 2, 3))
    assert queue.held == 4
    with pytest.raises(Busy, match="try again in 1 second") as refused:
        queue.submit(images(4))
    assert refused.value.retry_after == 1
    engine.go.set()
    first.result(SOON)
    waiting.result(SOON)
    assert queue.submit(images(4)).result(SOON)["first"].tolist() == [4]


def test_images_of_many_bytes_fill_queue_and_batches_sooner(batcher, engine):
    # An image of these tests has 8 bytes.
    queue = batcher(held_bytes=7 * 8, batch_bytes=3 * 8 - 1)
    first = occupied(queue, engine)
    futures = [queue.submit(images(1, 2, 3)), queue.submit(images(4, 5, 6))]
    with pytest.raises(Busy):
        queue.submit(images(7))
    engine.go.set()
    for future in (first, *futures):
        future.result(SOON)
    assert engine.sizes == [1, 2, 2, 2]
    with pytest.raises(UserError, match="take 0 MB; expected at most 0 MB: send fewer"):
        queue.submit(images(*range(8)))


def test_an_image_above_the_bytes_of_a_batch_is_computed_alone(batcher, engine):
    queue = batcher(batch_bytes=1, wait_seconds=SOON)
    assert queue.submit(images(1, 2)).result(SOON)["first"].tolist() == [1, 2]
    assert engine.sizes == [1, 1]


def test_the_time_to_come_back_is_that_of_the_images_that_wait(batcher, engine):
    queue = batcher(max_queue=4, batch_size=4)
    future = occupied(queue, engine)
    queue._seconds_per_image = 2.5  # of the batch before
    queue.submit(images(1, 2))
    with pytest.raises(Busy) as refused:
        queue.submit(images(3, 4))
    assert refused.value.retry_after == 8  # 3 images of 2.5 seconds, rounded up
    engine.go.set()
    future.result(SOON)


@pytest.mark.parametrize(
    ("count", "sentence"),
    [(0, "has no image; expected one or more"), (5, "has 5 images; expected at most 4")],
)
def test_a_request_that_never_fits_is_refused(batcher, count, sentence):
    with pytest.raises(UserError, match=sentence):
        batcher(max_queue=4, batch_size=4).submit(images(*range(count)))


def test_a_cancelled_request_is_not_computed_and_leaves_room_at_once(batcher, engine):
    queue = batcher(max_queue=4, batch_size=4)
    first = occupied(queue, engine)
    left, stays = queue.submit(images(1, 2)), queue.submit(images(3))
    assert left.cancel()
    assert queue.held == 2
    also = queue.submit(images(4, 5))
    engine.go.set()
    first.result(SOON)
    assert stays.result(SOON)["first"].tolist() == [3]
    assert also.result(SOON)["first"].tolist() == [4, 5]
    assert engine.batches[1:] == [[3, 4, 5]]


def test_a_request_that_is_cancelled_while_it_is_computed_harms_nobody(batcher, engine):
    queue = batcher()
    future = occupied(queue, engine)
    assert future.cancel()
    engine.go.set()
    assert queue.submit(images(1)).result(SOON)["first"].tolist() == [1]
    assert queue.held == 0


def test_a_request_that_is_too_late_is_not_computed(batcher, engine):
    queue = batcher()
    occupied(queue, engine)
    queue._timeout = 0.05  # not before, or a busy machine makes the first request late, too
    late = queue.submit(images(1))
    time.sleep(0.06)
    engine.go.set()
    with pytest.raises(TooLate, match=r"longer than 0\.05 seconds"):
        late.result(SOON)
    assert engine.batches == [[0.0]]
    assert queue.held == 0


def test_an_image_that_would_wait_beyond_its_deadline_is_answered_then(batcher, engine):
    queue = batcher(timeout_seconds=0.05, wait_seconds=SOON)
    begun = time.monotonic()
    with pytest.raises(TooLate):
        queue.submit(images(1)).result(SOON)
    assert time.monotonic() - begun < SOON / 2
    assert not engine.batches


def test_a_client_is_answered_at_the_deadline_though_the_engine_is_slow(batcher, engine):
    queue = batcher(timeout_seconds=0.05)
    engine.go.clear()
    begun = time.monotonic()
    with pytest.raises(TooLate):
        asyncio.run(queue.outputs(images(1)))
    assert time.monotonic() - begun < SOON / 2
    assert queue.held == 0


def test_outputs_reach_tasks_and_a_cancelled_task_leaves_the_queue(batcher, engine):
    queue = batcher()

    async def clients():
        first = asyncio.create_task(queue.outputs(images(0.0)))
        while not engine.entered.is_set():
            await asyncio.sleep(0.001)
        left = asyncio.create_task(queue.outputs(images(1)))
        stays = asyncio.create_task(queue.outputs(images(2)))
        await asyncio.sleep(0.01)
        assert queue.held == 3
        left.cancel()
        await asyncio.sleep(0.01)
        assert queue.held == 2
        engine.go.set()
        return await asyncio.gather(first, stays)

    engine.go.clear()
    answers = asyncio.run(clients())
    assert [answer["first"].tolist() for answer in answers] == [[0.0], [2]]
    assert engine.batches == [[0.0], [2]]


def test_a_stop_refuses_what_waits_and_what_comes(batcher, engine):
    queue = batcher()
    computed = occupied(queue, engine)
    waiting = queue.submit(images(1))
    # The worker goes on when the other request has its answer, so that it cannot compute it.
    waiting.add_done_callback(lambda _: engine.go.set())
    queue.stop()
    assert computed.result(0)["first"].tolist() == [0.0]
    with pytest.raises(Stopped, match="is stopping"):
        waiting.result(0)
    with pytest.raises(Stopped):
        queue.submit(images(2))
    assert not queue.alive
    assert queue.held == 0
    assert engine.batches == [[0.0]]


def test_a_stop_with_time_computes_what_waits(batcher, engine):
    queue = batcher(batch_size=2, wait_seconds=SOON)
    occupied_by = queue.submit(images(0, 0))
    waiting = [queue.submit(images(i)) for i in range(1, 6)]
    begun = time.monotonic()
    queue.stop(drain_seconds=SOON)
    assert time.monotonic() - begun < SOON / 2  # the last image does not wait for another
    assert occupied_by.result(0)
    assert [future.result(0)["first"].tolist() for future in waiting] == [[i] for i in range(1, 6)]


@pytest.fixture
def no_collection():
    """Nothing waits for the search for circles of references."""
    gc.disable()
    yield
    gc.enable()


def freed(kept):
    until = time.monotonic() + SOON
    while kept() is not None and time.monotonic() < until:
        time.sleep(0.001)  # the worker may still be in the line after its answer
    return kept() is None


def test_images_and_outputs_of_an_answered_request_are_freed(batcher, no_collection):
    array = images(1, 2)
    future = batcher().submit(array)
    kept = weakref.ref(array)
    answer = future.result(SOON)
    # The answer of a small request does not keep the outputs of its whole batch.
    assert all(value.base is None for value in answer.values())
    kept_outputs = weakref.ref(answer["double"])
    del array, future, answer
    assert freed(kept)
    assert kept_outputs() is None


def test_an_error_does_not_keep_the_images_of_its_batch(batcher, engine, no_collection):
    queue = batcher()
    occupied(queue, engine)
    arrays = [images(1), images(-1)]
    futures = [queue.submit(array) for array in arrays]
    kept = [weakref.ref(array) for array in arrays]
    engine.go.set()
    error = futures[1].exception(SOON)
    del arrays, futures
    assert all(freed(reference) for reference in kept)
    assert str(error) == "An image is negative."


def test_many_clients_each_get_their_own_answer(batcher, engine):
    """Requests of random sizes; some are faulty, and some clients leave."""
    queue = batcher(batch_size=7, wait_seconds=0.0005, max_queue=60)

    def client(seed):
        rng = np.random.default_rng(seed)
        for _ in range(40):
            values = rng.integers(1, 1_000_000, rng.integers(1, 12)).astype(np.float32)
            faulty = rng.random() < 0.1
            if faulty:
                values[-1] = -1
            try:
                future = queue.submit(images(*values))
            except Busy:
                time.sleep(0.001)
                continue
            if rng.random() < 0.1:
                future.cancel()
                continue
            if faulty:
                assert isinstance(future.exception(SOON), UserError)
            else:
                np.testing.assert_array_equal(future.result(SOON)["first"], values)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(client, seed) for seed in range(8)]:
            done.result()
    assert queue.held == 0
    assert max(engine.sizes) == 7
