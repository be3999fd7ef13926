from __future__ import annotations

import pytest

from tests.connectors.asana.pretend import Vendor


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()
