from threadpoolctl import threadpool_info

from remedis.evaluation.threads import one_thread


def test_one_thread_restores_the_number_of_threads():
    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before = threads()
    with one_thread():
        assert set(threads()) == {1}
        with one_thread():
            pass
        assert set(threads()) == {1}
    assert threads() == before
