"""Admission refuses at once what there is no room for."""

from __future__ import annotations

import pytest

from mesh.errors import Overloaded, QuotaExceeded
from services.inference.admission import Admission, AdmissionLimits


def test_a_full_service_refuses_and_takes_requests_again_when_one_has_left() -> None:
    admission = Admission(AdmissionLimits(requests=2, per_tenant=2, retry_after_s=3.0))
    with admission.enter("a"):
        with admission.enter("b"), pytest.raises(Overloaded) as raised, admission.enter("c"):
            pytest.fail("a third request came in")
        with admission.enter("c"):
            assert admission.inside == 2
    assert raised.value.retry_after_s == 3.0
    assert admission.inside == 0


def test_a_tenant_at_its_limit_leaves_room_for_others() -> None:
    admission = Admission(AdmissionLimits(requests=5, per_tenant=1))
    with admission.enter("a"):
        with pytest.raises(QuotaExceeded) as raised, admission.enter("a"):
            pytest.fail("the tenant came in twice")
        with admission.enter("b"):
            assert admission.inside == 2
    assert raised.value.details.quota_subject == "concurrent requests of tenant a"


def test_a_request_that_fails_leaves_its_place() -> None:
    admission = Admission(AdmissionLimits(requests=1))
    with pytest.raises(ZeroDivisionError), admission.enter("a"):
        raise ZeroDivisionError
    with admission.enter("a"):
        assert admission.inside == 1
