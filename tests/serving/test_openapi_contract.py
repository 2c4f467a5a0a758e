"""The OpenAPI document against the server: made-up requests have the answers that it describes."""

import pytest
import schemathesis
from fake_serving import FakeEngine, application, on_a_socket
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from remedis.serving.settings import ServingSettings

pytestmark = pytest.mark.guarantee


@pytest.fixture(scope="module")
def described():
    """The document of a server on a socket."""
    chosen = ServingSettings(port=0, batch_wait_ms=0)
    with (
        application(FakeEngine(), chosen) as app,
        on_a_socket(app, chosen) as (_, (host, port)),
    ):
        document = schemathesis.openapi.from_dict(app.openapi())
        document.config.update(base_url=f"http://{host}:{port}")
        yield document


def test_every_request_has_an_answer_of_the_document(described):
    operations = [found.ok() for found in described.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:

        @settings(
            max_examples=20,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def answered(case):
            # Made-up bytes are no image: that a body is as described does not make it one.
            case.call_and_validate(excluded_checks=[positive_data_acceptance])

        answered()
